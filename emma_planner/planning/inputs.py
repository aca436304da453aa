"""What a planner has seen so far, and whether it is enough for a plan now.

The node and the replay feed the same buffer in order of arrival and ask it at every tick, so both
see the same inputs for the same image. Images stay opaque here: they are decoded where they are
used, away from the callbacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from emma_planner.planning.earlier import KEPT_NS, earlier_of
from emma_planner.planning.ego_tracks import JUMP_NS, EgoMeasurement, EgoTracks
from emma_planner.planning.history import HistoryLimits, build_history
from emma_planner.planning.types import (
    NS_PER_S,
    ByteArray,
    CameraFrame,
    EgoHistory,
    EgoState,
    InputError,
    PlannerInput,
    Reason,
)

NEW_IMAGES = 4
"""Images of which each is kept, whatever the camera's rate."""
SPACING_NS = 90_000_000
"""Of older ones no more are kept than one in so long: two of them may be looked at again."""
IMAGES_NS = KEPT_NS + NS_PER_S // 2
"""How long images are kept."""


@dataclass(frozen=True)
class InputLimits:
    """When inputs are fresh enough; see the parameters of the same names."""

    image_max_age_s: float = 0.5
    history: HistoryLimits = field(default_factory=HistoryLimits)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """All inputs of one plan, the image still as it was received.

    :param tick_ns: time of the tick [ns]
    :param image: the opaque image given to :meth:`InputBuffer.add_image`
    :param earlier: likewise, those of t0 - 0.5 s and t0 - 1 s with their stamps, None where there
        is none
    """

    tick_ns: int
    image: Any
    history: EgoHistory
    command: str
    earlier: tuple[tuple[int, Any] | None, ...] = ()

    @property
    def stamp_ns(self) -> int:
        """t0 [ns]: the image's stamp."""
        return self.history.stamp_ns

    def planner_input(self, decode: Callable[[Any], ByteArray]) -> PlannerInput:
        """Decode the images; an earlier one that cannot be decoded is none.

        :param decode: opaque image to ``(H, W, 3)`` uint8 RGB; raises :class:`InputError`
        :raises InputError: the present one cannot be decoded
        """
        front = CameraFrame(self.stamp_ns, 'front', decode(self.image))
        earlier = tuple(one and _frame_or_none(*one, decode) for one in self.earlier)
        return PlannerInput((front,), self.history, self.command, earlier=earlier)


def _frame_or_none(
    stamp_ns: int, image: Any, decode: Callable[[Any], ByteArray]
) -> CameraFrame | None:
    try:
        return CameraFrame(stamp_ns, 'front', decode(image))
    except InputError:
        return None


class InputBuffer:
    """Ego motion of the last seconds, the newest images, and the route command.

    :param command: route command until another one is set
    """

    def __init__(self, limits: InputLimits, command: str) -> None:
        self.command = command
        self.ego = EgoTracks()
        self._limits = limits
        self._images: list[tuple[int, Any]] = []
        self._planned_ns: int | None = None
        self._jumped = False

    def add_image(self, stamp_ns: int, image: Any) -> None:
        """Keep an image; duplicates are dropped, a stamp set back clears everything."""
        if self._images and stamp_ns < self._images[-1][0] - JUMP_NS:
            self.clear_after_jump()
        if self._images and stamp_ns <= self._images[-1][0]:
            return
        self._images.append((stamp_ns, image))
        while self._images[0][0] < stamp_ns - IMAGES_NS:
            del self._images[0]
        older = self._images[-NEW_IMAGES - 2 : -NEW_IMAGES]
        if len(older) == 2 and older[1][0] - older[0][0] < SPACING_NS:
            del self._images[-NEW_IMAGES - 1]

    def add_ego(self, measurement: EgoMeasurement, source: str = 'odometry') -> None:
        """Keep a measurement; a stamp set back clears everything.

        :param source: ``odometry``, ``twist`` or ``pose``, see :meth:`EgoTracks.add`
        """
        if self.ego.jumps_back(measurement):
            self.clear_after_jump()
        self.ego.add(measurement, source)

    def clear_after_jump(self) -> None:
        """Forget everything: time was set back. Until a history has built up again, say so."""
        self.ego.clear()
        self._images.clear()
        self._planned_ns = None
        self._jumped = True

    def snapshot(self, now_ns: int) -> Snapshot:
        """Return the inputs for a plan at this tick.

        :param now_ns: the tick [ns]; an image stamped later is left for the next tick
        :raises InputError: with the reason why there can be no plan
        """
        try:
            stamp_ns, image = self._newest_image(now_ns)
            history = self._history(stamp_ns)
        except InputError as err:
            missing = (Reason.SHORT_HISTORY, Reason.NO_ODOMETRY, Reason.NO_IMAGE)
            if self._jumped and err.reason in missing:
                raise InputError(Reason.TIME_JUMP, f'time was set back: {err}') from err
            raise
        self._jumped = False
        self._planned_ns = stamp_ns
        stamped = [(taken_ns, (taken_ns, other)) for taken_ns, other in self._images]
        return Snapshot(now_ns, image, history, self.command, earlier_of(stamp_ns, stamped))

    def latest_ego(self, now_ns: int) -> EgoState | None:
        """Ego state at ``now_ns`` in the track's frame, None without a good history up to it."""
        try:
            return self._history(now_ns).ego_state()
        except InputError:
            return None

    def _history(self, stamp_ns: int) -> EgoHistory:
        ego = self.ego
        return build_history(ego.poses, ego.twists, ego.frame_id, stamp_ns, self._limits.history)

    def _newest_image(self, now_ns: int) -> tuple[int, Any]:
        usable = [item for item in self._images if item[0] <= now_ns]
        if not usable:
            got = 'only later ones' if self._images else 'none yet'
            raise InputError(Reason.NO_IMAGE, f'need a camera image up to the tick, got {got}')
        stamp_ns, image = usable[-1]
        age_s = (now_ns - stamp_ns) / NS_PER_S
        if age_s > self._limits.image_max_age_s:
            raise InputError(
                Reason.STALE_IMAGE,
                f'need an image at most {self._limits.image_max_age_s:g} s old, got {age_s:.2f} s',
            )
        if stamp_ns == self._planned_ns:
            raise InputError(
                Reason.STALE_IMAGE, f'need a new image since the last plan, got {age_s:.2f} s old'
            )
        return stamp_ns, image

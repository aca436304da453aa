"""Core types: what goes into a planner and what comes out.

Frames follow REP-103 and REP-105: x forward, y left, yaw counter-clockwise. ``base_link`` here
means the ego body frame at the plan's t0. Every type validates itself; none knows ROS or torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ByteArray = NDArray[np.uint8]

DT_S = 0.5
"""Step between history samples and between trajectory poses [s] (EMMA, arXiv 2410.23262)."""
NUM_HISTORY = 10
"""Ego-motion samples in a history, t0 - 4.5 s ... t0."""
NUM_STEPS = 10
"""Steps in a trajectory, t0 + 0.5 s ... t0 + 5 s."""
NS_PER_S = 1_000_000_000
DT_NS = int(DT_S * NS_PER_S)


class Reason(str, Enum):
    """Why there is no valid plan. The value is what logs and diagnostics carry."""

    # the model's reply
    FORMAT = 'format'
    LENGTH = 'length'
    IMPLAUSIBLE = 'implausible'
    HISTORY_ECHO = 'history_echo'
    TIMEOUT = 'timeout'
    MODEL_ERROR = 'model_error'
    # the ego motion
    NO_ODOMETRY = 'no_odometry'
    STALE_ODOMETRY = 'stale_odometry'
    SHORT_HISTORY = 'short_history'
    GAPPED_HISTORY = 'gapped_history'
    NAN_ODOMETRY = 'nan_odometry'
    TIME_JUMP = 'time_jump'
    # the image
    NO_IMAGE = 'no_image'
    STALE_IMAGE = 'stale_image'
    IMAGE_EMPTY = 'image_empty'
    IMAGE_TRUNCATED = 'image_truncated'
    IMAGE_CORRUPT = 'image_corrupt'
    IMAGE_ENCODING = 'image_encoding'

    def __str__(self) -> str:
        return self.value


INPUT_REASONS = frozenset(Reason) - {
    Reason.FORMAT,
    Reason.LENGTH,
    Reason.IMPLAUSIBLE,
    Reason.HISTORY_ECHO,
    Reason.TIMEOUT,
    Reason.MODEL_ERROR,
}
"""Reasons that lie in the inputs: the planner was not asked. The others lie in its answer."""


class PlanningError(Exception):
    """No valid plan, with the reason code to count it under."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class InputError(PlanningError):
    """The inputs do not allow a plan: missing, stale, gapped, or not readable."""


def _frozen(values: Any, shape: tuple[int, ...], name: str) -> FloatArray:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f'{name}: need shape {shape}, got {array.shape}')
    if not np.isfinite(array).all():
        raise ValueError(f'{name}: need finite numbers, got {array.tolist()}')
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Pose:
    """Planar pose: x [m], y [m], yaw [rad] in a named frame."""

    x_m: float
    y_m: float
    yaw_rad: float

    def __post_init__(self) -> None:
        if not np.isfinite((self.x_m, self.y_m, self.yaw_rad)).all():
            raise ValueError(f'need a finite pose, got {self}')

    def as_array(self) -> FloatArray:
        """Return ``(3,)`` x [m], y [m], yaw [rad]."""
        return np.array([self.x_m, self.y_m, self.yaw_rad])


@dataclass(frozen=True)
class EgoState:
    """Ego motion at one instant.

    :param stamp_ns: measurement time [ns]
    :param pose: base_link in the odometry's frame
    :param speed_mps: along body x, negative in reverse
    :param curvature_1pm: yaw rate / speed, left positive, already speed-gated
    """

    stamp_ns: int
    pose: Pose
    speed_mps: float
    curvature_1pm: float


@dataclass(frozen=True, eq=False)
class EgoHistory:
    """Ego motion resampled by stamp to t0 - 4.5 s ... t0 in 0.5 s steps, oldest first.

    :param stamp_ns: t0 [ns]
    :param speeds_mps: ``(10,)`` [m/s], negative in reverse
    :param curvatures_1pm: ``(10,)`` [1/m], left positive
    :param ego_pose: base_link at t0 in ``frame_id``
    :param frame_id: the odometry's frame (``map`` or ``odom``)
    """

    stamp_ns: int
    speeds_mps: FloatArray
    curvatures_1pm: FloatArray
    ego_pose: Pose
    frame_id: str

    def __post_init__(self) -> None:
        for name in ('speeds_mps', 'curvatures_1pm'):
            object.__setattr__(self, name, _frozen(getattr(self, name), (NUM_HISTORY,), name))

    def ego_state(self) -> EgoState:
        """Ego motion at t0."""
        return EgoState(
            self.stamp_ns,
            self.ego_pose,
            float(self.speeds_mps[-1]),
            float(self.curvatures_1pm[-1]),
        )


@dataclass(frozen=True, eq=False)
class CameraFrame:
    """One camera image.

    :param stamp_ns: exposure time [ns]
    :param name: camera name as prompts use it (``front``)
    :param rgb: ``(H, W, 3)`` uint8, RGB
    """

    stamp_ns: int
    name: str
    rgb: ByteArray

    def __post_init__(self) -> None:
        if self.rgb.dtype != np.uint8 or self.rgb.ndim != 3 or self.rgb.shape[2] != 3:
            raise ValueError(f'need (H, W, 3) uint8 RGB, got {self.rgb.shape} {self.rgb.dtype}')
        if 0 in self.rgb.shape:
            raise ValueError(f'need a non-empty image, got {self.rgb.shape}')


@dataclass(frozen=True)
class DetectedObject:
    """Something that a detector found on or beside the road.

    :param kind: in a word: ``car``, ``pedestrian``, ...
    :param score: of the detector, 0 ... 1
    :param ahead_m: the middle of its nearest side in base_link, along x
    :param left_m: along y
    :param size_m: length, width and height of its box
    """

    kind: str
    score: float
    ahead_m: float
    left_m: float
    size_m: tuple[float, float, float]

    @property
    def distance_m(self) -> float:
        """From base_link [m]."""
        return float(np.hypot(self.ahead_m, self.left_m))


@dataclass(frozen=True, eq=False)
class PlannerInput:
    """All that a planner may look at for one plan.

    :param frames: cameras, the front camera first; t0 is its stamp
    :param history: ego motion up to t0
    :param command: route command (``follow lane``, ``turn left``, ...)
    :param objects: what a detector found; None when none has looked
    :param earlier: the front camera's pictures of t0 - 0.5 s, t0 - 1 s; None where there is none
    """

    frames: tuple[CameraFrame, ...]
    history: EgoHistory
    command: str = 'follow lane'
    objects: tuple[DetectedObject, ...] | None = None
    earlier: tuple[CameraFrame | None, ...] = ()

    def __post_init__(self) -> None:
        if not self.frames:
            raise ValueError('need at least one camera frame, got none')
        if self.frames[0].stamp_ns != self.history.stamp_ns:
            raise ValueError(
                f'need history up to the image stamp {self.frames[0].stamp_ns}, '
                f'got {self.history.stamp_ns}'
            )

    @property
    def stamp_ns(self) -> int:
        """t0 [ns]: the front image's stamp."""
        return self.history.stamp_ns

    def with_front(self, rgb: ByteArray) -> PlannerInput:
        """Return the same inputs with another picture ``(H, W, 3)`` of the front camera."""
        front, *others = self.frames
        return replace(self, frames=(replace(front, rgb=rgb), *others))

    def with_camera_of(self, other: PlannerInput) -> PlannerInput:
        """Return the same inputs with what the front camera of another situation saw."""
        return replace(self.with_front(other.frames[0].rgb), earlier=other.earlier)


@dataclass(frozen=True)
class Reasoning:
    """The chain of thought in its three parts; a part the model left out is empty."""

    scene: str = ''
    objects: tuple[str, ...] = ()
    intent: str = ''


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The next 5 s in 0.5 s steps.

    :param speeds_mps: ``(10,)`` [m/s]; step k holds over ((k-1) dt, k dt]
    :param curvatures_1pm: ``(10,)`` [1/m], left positive; same intervals
    :param poses: ``(10, 3)`` x [m], y [m], yaw [rad] at t0 + k dt, in base_link of t0
    """

    speeds_mps: FloatArray
    curvatures_1pm: FloatArray
    poses: FloatArray

    def __post_init__(self) -> None:
        for name, shape in (
            ('speeds_mps', (NUM_STEPS,)),
            ('curvatures_1pm', (NUM_STEPS,)),
            ('poses', (NUM_STEPS, 3)),
        ):
            object.__setattr__(self, name, _frozen(getattr(self, name), shape, name))


@dataclass(frozen=True)
class Latency:
    """Time per stage [ms]: detector, image encoding and prompt prefill; reasoning; plan; all."""

    encode_ms: float = 0.0
    reason_ms: float = 0.0
    plan_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True)
class TokenCounts:
    """Tokens in the last prompt (all turns) and generated over all stages."""

    prompt: int = 0
    generated: int = 0


@dataclass(frozen=True, eq=False)
class Plan:
    """A planner's answer for one input, valid or not.

    :param stamp_ns: t0 [ns]
    :param trajectory: the parsed trajectory; kept for an implausible plan, None when none exists
    :param reason: None for a valid plan, else why it is not to be driven
    :param detail: one line for people: what was needed and what was got; of a valid plan, what is
        driven in place of what the model wrote
    :param prompts: text sent per stage
    :param replies: raw text received per stage
    """

    stamp_ns: int
    trajectory: Trajectory | None
    reasoning: Reasoning = field(default_factory=Reasoning)
    reason: Reason | None = None
    detail: str = ''
    latency: Latency = field(default_factory=Latency)
    tokens: TokenCounts = field(default_factory=TokenCounts)
    prompts: tuple[str, ...] = ()
    replies: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.trajectory is None and self.reason is None:
            raise ValueError('need a trajectory or a reason code, got neither')

    @property
    def valid(self) -> bool:
        """Whether the trajectory is to be driven."""
        return self.reason is None

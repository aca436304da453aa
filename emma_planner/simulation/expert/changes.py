"""Lane changes of the route: made where the route has them, or later, when there is a gap.

As long as a change has not begun the ego stays in the lane that it is on, drives slower, and stops
where the lane ends. Remembers where each change began.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.expert.frame import Ego, RouteFrame
from emma_planner.simulation.expert.gaps import blocker
from emma_planner.simulation.expert.speed import Cap, Cause, Limit, Stop
from emma_planner.simulation.observation import Actor, Route, RouteSpan
from emma_planner.simulation.roads.polyline import quintic_step
from emma_planner.simulation.roads.route import LEFT, RIGHT, TURNING_KINDS

BEHIND_M = 80.0
AHEAD_M = 100.0
SHORTEST_M = 16.0
LONGEST_M = 40.0
CHANGE_S = 2.8
NEXT_AFTER = 0.6
"""The next change begins after so much of the one before."""
WAITS_SHARE = 0.65
LEAST_MPS = 4.0
"""Who waits for a gap drives at a share of the limit, but for the jam no slower than this."""
BESIDE_M = 0.3


@dataclass(frozen=True, eq=False)
class Changes:
    """What changes ask for now.

    :param base_m: ``(N,)`` offsets from the route, of the lane that the ego stays in
    :param side: +1 while a change to the left is under way, -1 to the right, else 0
    """

    base_m: FloatArray
    stops: tuple[Stop, ...]
    caps: tuple[Cap, ...]
    side: int


class LaneChanges:
    """Decides when to change, from plan to plan."""

    def __init__(self) -> None:
        self._begun: dict[float, tuple[float, float]] = {}

    def lay(self, frame: RouteFrame, actors: tuple[Actor, ...], ego: Ego) -> Changes:
        """Put changes off that have no gap yet."""
        base = np.zeros(len(frame.s_m))
        stops: list[Stop] = []
        caps: list[Cap] = []
        underway, free_from = 0, -math.inf
        spans = [span for span in frame.route.spans if span.command in (LEFT, RIGHT)]
        for number, span in enumerate(spans):
            if span.end_s_m < ego.s_m - BEHIND_M or span.start_s_m > ego.s_m + AHEAD_M:
                continue
            latest = _latest(frame.route, spans, number)
            side = 1 if span.command == LEFT else -1
            planned = quintic_step((frame.s_m - span.start_s_m) / (span.end_s_m - span.start_s_m))
            who = ''
            if span.start_s_m not in self._begun and _is_near(span, latest, ego):
                who = self._begin(frame, actors, ego, span, latest, free_from)
            if span.start_s_m in self._begun:
                start, end = self._begun[span.start_s_m]
                done = quintic_step((frame.s_m - start) / (end - start))
                base -= side * frame.route.lane_width_m * (planned - done)
                free_from = start + NEXT_AFTER * (end - start)
                underway = side if start - 5.0 <= ego.s_m <= end else underway
            elif _is_near(span, latest, ego):
                base -= side * frame.route.lane_width_m * planned
                cause = Cause(Limit.YIELD, who, latest)
                stops.append(Stop(latest + ego.vehicle.front_overhang_m, cause))
                slow = max(LEAST_MPS, WAITS_SHARE * frame.at(ego.s_m, frame.limit_mps))
                caps.append(Cap(ego.s_m, latest, slow, cause))
                free_from = math.inf
        return Changes(base, tuple(stops), tuple(caps), underway)

    def _begin(
        self,
        frame: RouteFrame,
        actors: tuple[Actor, ...],
        ego: Ego,
        span: RouteSpan,
        latest_m: float,
        free_from_m: float,
    ) -> str:
        """Begin a change if there is a gap.

        :returns: who is in the way, empty when it has begun or another one is not done
        """
        if ego.s_m < free_from_m:
            return ''
        side = 1 if span.command == LEFT else -1
        band = _target_band(ego, side, frame.route.lane_width_m)
        who = blocker(frame, actors, (ego.s_m, ego.speed_mps), band, ego.vehicle, ego.scale)
        if who is not None:
            return who.id
        length = span.end_s_m - span.start_s_m
        start = max(span.start_s_m, ego.s_m + 0.2 * ego.speed_mps)
        if start > span.start_s_m + 1.0:
            room = max(latest_m + SHORTEST_M - start, 10.0)
            length = min(max(CHANGE_S * ego.speed_mps, SHORTEST_M), LONGEST_M, room)
        self._begun[span.start_s_m] = (start, start + length)
        return ''


def _is_near(span: RouteSpan, latest_m: float, ego: Ego) -> bool:
    """Whether it is time to look for a gap."""
    braking = ego.speed_mps**2 / 3.0 + 12.0
    return span.start_s_m - ego.s_m < max(6.0, 1.2 * ego.speed_mps) or latest_m - ego.s_m < braking


def _target_band(ego: Ego, side: int, width_m: float) -> tuple[float, float]:
    """The lane beside the ego: from its own side to the far side of that lane."""
    half = 0.5 * ego.vehicle.width_m
    near, far = ego.d_m + side * (half + BESIDE_M), ego.d_m + side * (width_m + half)
    return min(near, far), max(near, far)


def _latest(route: Route, spans: list[RouteSpan], number: int) -> float:
    """Last place of base_link from which a lane change can begin."""
    span = spans[number]
    room = route.right_m if span.command == LEFT else route.left_m
    later = [other for other in spans[number + 1 :] if other.command == span.command]
    opposite = [other for other in spans[number + 1 :] if other.command != span.command]
    end = route.length_m
    for other in route.spans:
        if other.start_s_m >= span.end_s_m and other.kind in TURNING_KINDS:
            end = min(end, other.start_s_m)
    if opposite:
        end = min(end, opposite[0].start_s_m)
    lanes = 1.0 + np.sum([route.s_m >= other.end_s_m for other in later], axis=0)
    gone = (room < (0.4 + lanes) * route.lane_width_m) & (route.s_m > span.end_s_m + 1.0)
    if gone.any():
        end = min(end, float(route.s_m[np.argmax(gone)]))
    more = sum(1 for other in later if other.start_s_m < end)
    return max(end - (1 + more) * (SHORTEST_M + 1.0), span.start_s_m)

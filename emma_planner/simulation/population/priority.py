"""Who goes first where lanes cross or join.

Two road users and one conflict between their lanes in, yes or no out. Rules: who is inside goes
on; the circle before who enters it, the road before the ramp; at junctions straight on before
turning; else whoever has waited longer or is there earlier, and last the order of names, so that
no two wait for each other. Towards the ego others are more careful than the rules ask.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from emma_planner.simulation.roads.road_graph import Lane, RoadGraph

MARGIN_S = 1.5
"""Between one leaving the conflict and the other entering it."""
EGO_WINDOW_S = 4.0
STANDING_MPS = 0.3
EGO_PATIENCE_S = 2.0
"""An ego that stands before a conflict for longer is waiting for the others."""
LONG_WAIT_S = 8.0
START_MPS2 = 1.5
CIRCLE = 9
"""However long who enters a circle has waited."""
TURN_RAD = math.radians(30.0)


@dataclass(frozen=True)
class Approach:
    """A road user on its way to a conflict.

    :param enter_m: front to the conflict, negative when in it
    :param leave_m: rear to its end
    :param waited_s: standing since
    :param rank: of its lane, see :func:`rank_of`
    :param queues: stands behind somebody who stands
    """

    name: str
    enter_m: float
    leave_m: float
    speed_mps: float
    waited_s: float
    rank: int
    is_ego: bool = False
    queues: bool = False

    @property
    def is_inside(self) -> bool:
        """Whether it is in the conflict now."""
        return self.enter_m <= 0.0 < self.leave_m

    def times(self) -> tuple[float, float]:
        """When it is expected to enter and to leave [s]."""
        return _time_to(self.enter_m, self.speed_mps), _time_to(self.leave_m, self.speed_mps)


def must_yield(me: Approach, other: Approach) -> bool:
    """Whether I have to wait for the other before the conflict."""
    if other.leave_m <= 0.0 or me.is_inside:
        return False
    if other.is_inside:
        return True
    if other.queues:  # perhaps for me
        return False
    standing = other.speed_mps < STANDING_MPS
    if other.is_ego and standing:
        return other.waited_s < EGO_PATIENCE_S
    enter_s, leave_s = me.times()
    other_enter_s, other_leave_s = other.times()
    if other.is_ego and other_enter_s < EGO_WINDOW_S:
        return leave_s + MARGIN_S > other_enter_s
    apart = leave_s + MARGIN_S < other_enter_s or other_leave_s + MARGIN_S < enter_s
    return not apart and _order(other) > _order(me)


def rank_of(lane: Lane, graph: RoadGraph) -> int:
    """Return who goes first by the kind of lane: the higher number."""
    if lane.kind == 'roundabout':
        circles = any(before.kind == 'roundabout' for before in graph.lanes_before(lane))
        return CIRCLE if circles else 0
    if lane.kind in ('merge', 'split'):
        bends = max(abs(float(yaw - lane.yaw_rad[0])) for yaw in lane.yaw_rad)
        return int(bends < math.radians(5.0))
    if lane.kind == 'junction':
        if abs(lane.turn_rad) < TURN_RAD:
            return 2
        return int(lane.turn_rad < 0.0)  # right before left
    return 1


def _order(approach: Approach) -> tuple[int, float, float, str]:
    rank = approach.rank + (3 if approach.waited_s > LONG_WAIT_S else 0)
    return rank, round(approach.waited_s, 1), -round(approach.times()[0], 1), approach.name


def _time_to(distance_m: float, speed_mps: float) -> float:
    """Time over a distance when speeding up gently [s]."""
    if distance_m <= 0.0:
        return 0.0
    root = math.sqrt(speed_mps**2 + 2.0 * START_MPS2 * distance_m)
    gentle = (root - speed_mps) / START_MPS2
    return min(gentle, distance_m / speed_mps) if speed_mps > 3.0 else gentle

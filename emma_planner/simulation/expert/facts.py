"""What the expert plans, and why: the facts that labels are made of, read off the trajectory."""

from __future__ import annotations

import math
from dataclasses import dataclass

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.expert.frame import Ego
from emma_planner.simulation.expert.path import Lateral
from emma_planner.simulation.expert.speed import Limit, Motion
from emma_planner.simulation.observation import Route

STANDS_MPS = 0.3
CHANGES_MPS = 1.0
"""A speed that changes by less over the plan is kept."""
SEEN_S = 3.0
SHIFT_M = 0.3
TURNS = ('turn left', 'turn right')
TURN_AHEAD_M = 5.0


@dataclass(frozen=True)
class ExpertFacts:
    """Why the ego drives as it does.

    :param limit: what keeps it from going faster
    :param actor: id of the actor or light concerned, empty without
    :param distance_m: from the front bumper to it along the route, NaN without
    :param lateral: ``keep lane``, ``change left``, ``turn right``, ``pass obstacle left``, ...
    :param longitudinal: ``accelerate``, ``keep speed``, ``decelerate``, ``stop`` or ``wait``
    """

    limit: Limit
    actor: str
    distance_m: float
    lateral: str
    longitudinal: str


@dataclass(frozen=True, eq=False)
class ExpertPlan:
    """The next 5 s in steps of 0.1 s.

    :param poses: ``(50, 3)`` x [m], y [m], yaw [rad] of base_link, map
    :param speeds_mps: ``(50,)`` at the poses
    :param acceleration_mps2: now
    """

    poses: FloatArray
    speeds_mps: FloatArray
    acceleration_mps2: float
    facts: ExpertFacts


def facts_of(route: Route, lateral: Lateral, motion: Motion, ego: Ego) -> ExpertFacts:
    """Read the facts off a plan."""
    cause = motion.cause
    limit = cause.limit
    if limit is Limit.FREE and motion.s_m[-1] >= route.length_m:
        limit = Limit.DESTINATION
    place = route.length_m if limit is Limit.DESTINATION else cause.place_s_m
    distance = place - ego.s_m - ego.vehicle.front_overhang_m
    return ExpertFacts(
        limit=limit,
        actor=cause.who,
        distance_m=max(distance, 0.0) if math.isfinite(distance) else math.nan,
        lateral=_lateral(route, lateral, motion, ego),
        longitudinal=_longitudinal(motion, ego.speed_mps),
    )


def _lateral(route: Route, lateral: Lateral, motion: Motion, ego: Ego) -> str:
    end = float(motion.s_m[-1])
    shift = lateral.shift
    shifts = shift is not None and abs(shift.offset_m) > SHIFT_M
    if shift is not None and shifts and shift.start_m < end and ego.s_m < shift.leave_m:
        return f'pass obstacle {"left" if shift.offset_m > 0.0 else "right"}'
    if lateral.change:
        return f'change {"left" if lateral.change > 0 else "right"}'
    for span in route.spans:
        near = span.start_s_m < end + TURN_AHEAD_M and ego.s_m < span.end_s_m
        if span.command in TURNS and near:
            return span.command
    return 'keep lane'


def _longitudinal(motion: Motion, speed_mps: float) -> str:
    speeds = motion.speeds_mps
    stands = speed_mps < STANDS_MPS
    if stands and speeds.max() < STANDS_MPS:
        return 'wait'
    if speeds[-1] < STANDS_MPS:
        return 'stop'
    change = float(speeds[round(10 * SEEN_S) - 1]) - speed_mps
    if change > CHANGES_MPS or (stands and speeds[-1] > STANDS_MPS):
        return 'accelerate'
    return 'decelerate' if change < -CHANGES_MPS else 'keep speed'

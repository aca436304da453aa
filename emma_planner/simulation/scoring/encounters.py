"""The ego and who comes near it: when they will touch, and whose fault it is.

Observations in, seconds and verdicts out, by the rules of NAVSIM. Knows no drive and no score.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.observation import Actor, ActorKind, Observation, VehicleShape
from emma_planner.simulation.roads.boxes import Boxes, box, first_overlap
from emma_planner.simulation.roads.route import TURNING_KINDS

FAULT_STANDS_MPS = 0.05
"""An ego that is slower caused no collision, who is hit while slower did not cause it either
(NAVSIM v1, pdm_scorer_utils.get_collision_type)."""
BEHIND_RAD = math.radians(150.0)
"""Further round from the heading at the rear axle is behind (nuPlan, is_agent_behind)."""
AHEAD_RAD = math.radians(30.0)
"""Less is ahead (nuPlan, is_agent_ahead)."""
TTC_STANDS_MPS = 5e-3
"""A slower ego runs into nothing (NAVSIM v1, PDMScorerConfig.stopped_speed_threshold)."""
TTC_HORIZON_S = 3.0
"""What is further off counts as never."""
_BUMPER_DEPTH_M = 1.0
_BUMPER_INSET_M = 0.1


def is_at_fault(
    actor: Actor | None, now: Observation, speed_mps: float, vehicle: VehicleShape
) -> bool:
    """Whether the ego caused a collision.

    NAVSIM v1 (pdm_scorer_utils.get_collision_type, PDMScorer._calculate_no_at_fault_collision,
    after nuPlan): not when the ego stands; always with what stands; not from behind; with the
    leading bumper; from the side only when the ego is not inside its lane. Stricter here: a
    moving ego is at fault with pedestrians and cyclists from any side but behind. In reverse the
    directions turn round.

    :param actor: where it is now, at the speed before the contact; None for the ground
    :param speed_mps: of the ego along body x before the contact
    """
    if abs(speed_mps) <= FAULT_STANDS_MPS:
        return False
    if actor is None or abs(actor.speed_mps) <= FAULT_STANDS_MPS:
        return True
    if _bearings(now, [actor], reverse=speed_mps < 0.0)[0] > BEHIND_RAD:
        return False
    if actor.kind in (ActorKind.PEDESTRIAN, ActorKind.CYCLIST):
        return True
    if first_overlap(_bumper(now, vehicle, reverse=speed_mps < 0.0), _boxes([actor]))[0] == 0.0:
        return True
    return _is_out_of_lane(now, vehicle)


def time_to_collision(observation: Observation, vehicle: VehicleShape) -> float:
    """Time until the ego touches someone if all keep their speed and heading.

    NAVSIM v1, PDMScorer._calculate_ttc: of those ahead; of those beside only while the ego is not
    inside its lane or is in a junction; never of those behind; nothing while the ego stands.
    Unlike there the others' future is their constant velocity and not a recording.

    :returns: [s], inf when there is nothing in the next 3 s
    """
    actors = observation.truth.actors
    speed = observation.speed_mps
    if not actors or abs(speed) < TTC_STANDS_MPS:
        return math.inf
    bearings = _bearings(observation, actors, reverse=speed < 0.0)
    beside = _is_out_of_lane(observation, vehicle) or _is_in_junction(observation)
    matters = bearings <= (BEHIND_RAD if beside else AHEAD_RAD)
    times = first_overlap(_ego_box(observation, vehicle), _boxes(actors))[matters]
    return float(times[times <= TTC_HORIZON_S].min(initial=math.inf))


def _bearings(now: Observation, actors: Sequence[Actor], *, reverse: bool) -> FloatArray:
    """Angles [rad] >= 0 between the ego's motion and the way from its rear axle to the actors."""
    away = np.array([(actor.pose.x_m, actor.pose.y_m) for actor in actors])
    x, y = (away - (now.pose.x_m, now.pose.y_m)).T
    turned = np.arctan2(y, x) - now.pose.yaw_rad + (math.pi if reverse else 0.0)
    bearings: FloatArray = np.abs(np.arctan2(np.sin(turned), np.cos(turned)))
    return bearings


def _boxes(actors: Sequence[Actor]) -> Boxes:
    rows = np.array(
        [
            (
                actor.pose.x_m,
                actor.pose.y_m,
                actor.pose.yaw_rad,
                actor.length_m,
                actor.width_m,
                actor.speed_mps,
            )
            for actor in actors
        ]
    )
    headings = np.stack([np.cos(rows[:, 2]), np.sin(rows[:, 2])], axis=1)
    return Boxes(
        centres=rows[:, :2],
        yaws_rad=rows[:, 2],
        half_lengths_m=0.5 * rows[:, 3],
        half_widths_m=0.5 * rows[:, 4],
        velocities_mps=rows[:, 5:] * headings,
    )


def _ego_box(now: Observation, vehicle: VehicleShape) -> Boxes:
    middle = 0.5 * (vehicle.front_overhang_m - vehicle.rear_overhang_m)
    length = vehicle.front_overhang_m + vehicle.rear_overhang_m
    return box(_ahead_of(now, middle), now.pose.yaw_rad, length, vehicle.width_m, now.speed_mps)


def _bumper(now: Observation, vehicle: VehicleShape, *, reverse: bool) -> Boxes:
    """The leading bumper as a box.

    It is deep, as bodies bounce apart within a step; it is inset, as a scrape along the side
    is not a hit with the bumper.
    """
    reach = -vehicle.rear_overhang_m if reverse else vehicle.front_overhang_m
    width = vehicle.width_m - 2.0 * _BUMPER_INSET_M
    return box(_ahead_of(now, reach), now.pose.yaw_rad, _BUMPER_DEPTH_M, width, 0.0)


def _ahead_of(now: Observation, distance_m: float) -> tuple[float, float]:
    yaw = now.pose.yaw_rad
    return (
        now.pose.x_m + distance_m * math.cos(yaw),
        now.pose.y_m + distance_m * math.sin(yaw),
    )


def _is_out_of_lane(now: Observation, vehicle: VehicleShape) -> bool:
    """Whether some of the ego is beyond the edges of its lane."""
    lane = now.truth.lane
    front = lane.offset_m + vehicle.front_overhang_m * math.sin(lane.heading_error_rad)
    edge = max(abs(lane.offset_m), abs(front)) + 0.5 * vehicle.width_m
    return not (lane.on_road and lane.in_lane) or edge > 0.5 * lane.width_m


def _is_in_junction(now: Observation) -> bool:
    s = now.truth.route_s_m
    return any(
        span.kind in TURNING_KINDS and span.start_s_m <= s <= span.end_s_m
        for span in now.truth.route.spans
    )

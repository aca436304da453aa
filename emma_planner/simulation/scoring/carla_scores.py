"""Driving scores after the CARLA leaderboard 2.0 and 2.1, and Bench2Drive's.

A record of a drive in, numbers out. Sources are the code of carla-simulator/leaderboard (branches
leaderboard-2.0 and -2.1), carla-simulator/scenario_runner (atomic_criteria.py) and
Thinklab-SJTU/Bench2Drive. Knows no world.
"""

from __future__ import annotations

import math

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.drive import DriveRecord, End, InfractionKind

PENALTIES_2_0 = {
    InfractionKind.COLLISION_PEDESTRIAN: 0.5,
    InfractionKind.COLLISION_VEHICLE: 0.6,
    InfractionKind.COLLISION_STATIC: 0.65,
    InfractionKind.RED_LIGHT: 0.7,
    InfractionKind.STOP_SIGN: 0.8,
    InfractionKind.SCENARIO_TIMEOUT: 0.7,
    InfractionKind.YIELD: 0.7,
}
"""Factors (leaderboard-2.0, statistics_manager.PENALTY_VALUE_DICT). Leaving the road, deviation,
blocking and the time limit have none: they cost lanes or the rest of the route."""
MIN_SPEED_2_0 = 0.7
"""Factor of a stage of the route at 0 % of the traffic's speed (PENALTY_PERC_DICT)."""
PENALTIES_2_1 = {
    InfractionKind.COLLISION_PEDESTRIAN: 1.0,
    InfractionKind.COLLISION_VEHICLE: 0.7,
    InfractionKind.COLLISION_STATIC: 0.6,
    InfractionKind.RED_LIGHT: 0.4,
    InfractionKind.STOP_SIGN: 0.25,
    InfractionKind.SCENARIO_TIMEOUT: 0.4,
    InfractionKind.YIELD: 0.4,
}
"""Summands (leaderboard-2.1, statistics_manager.PENALTY_VALUE_DICT)."""
MIN_SPEED_2_1 = 0.4
SPEED_STAGES = 4
"""Stages of a route for the minimum speed (route_scenario.py, MinimumSpeedRouteTest)."""
LAST_STAGE_SHARE = 0.95
"""The last stage counts for a drive that got this far (MinimumSpeedRouteTest.terminate)."""


def route_completion(record: DriveRecord) -> float:
    """Part of the route that was driven, to its furthest point [%]; 100 on arrival.

    CARLA leaderboard 2.0, RouteCompletionTest.
    """
    return 100.0 * (progress_m(record) / record.route_length_m)


def driving_score(record: DriveRecord) -> float:
    """CARLA leaderboard 2.0: completion [%] times the product of all penalties.

    leaderboard-2.0, StatisticsManager.compute_route_statistics: a coefficient per infraction,
    1 - 0.3 (1 - pct / 100) per stage of the route slower than its traffic, 1 - pct / 100 for the
    part outside route lanes.
    """
    slow = [1.0 - (1.0 - MIN_SPEED_2_0) * _missing(percent) for percent in speed_percents(record)]
    return bench2drive_score(record) * math.prod(slow)


def bench2drive_score(record: DriveRecord) -> float:
    """Bench2Drive: CARLA leaderboard 2.0 without the minimum speed.

    Bench2Drive (arXiv 2406.03877), statistics_manager.py, where MIN_SPEED_INFRACTION is unused.
    """
    factors = [PENALTIES_2_0[kind] for kind in _counted(record) if kind in PENALTIES_2_0]
    return _completed_in_lane(record) * math.prod(factors)


def driving_score_2_1(record: DriveRecord) -> float:
    """CARLA leaderboard 2.1: completion [%] · (1 - off lane) / (1 + sum of coefficients).

    leaderboard-2.1, StatisticsManager.compute_route_statistics; a slow stage of the route adds
    0.4 (1 - pct / 100).
    """
    summands = [PENALTIES_2_1[kind] for kind in _counted(record) if kind in PENALTIES_2_1]
    summands += [MIN_SPEED_2_1 * _missing(percent) for percent in speed_percents(record)]
    return _completed_in_lane(record) / (1.0 + sum(summands))


def is_success(record: DriveRecord) -> bool:
    """Arrived without an infraction, slow stages aside.

    Bench2Drive, tools/merge_reoute_json.py. Its lane departures are left out: around what stands
    in the lane the routes here lead over the opposite one, where CARLA's own scenarios switch
    that test off. Leaving the road is an infraction.
    """
    return record.end is End.ARRIVED and not _counted(record)


def progress_m(record: DriveRecord) -> float:
    """Furthest point reached along the route [m]; all of it on arrival."""
    if record.end is End.ARRIVED:
        return record.route_length_m
    return float(np.clip(record.route_s_m.max(initial=0.0), 0.0, record.route_length_m))


def off_lane_percent(record: DriveRecord) -> float:
    """Part of the driven route that was driven outside lanes of the ego's direction [%].

    CARLA leaderboard 2.0, OutsideRouteLanesTest: distance along the route, each metre once.
    """
    gains = np.diff(np.maximum.accumulate(record.route_s_m))
    driven = gains.sum()
    return float(100.0 * gains[record.in_lane[1:] == 0.0].sum() / driven) if driven > 0.0 else 0.0


def speed_percents(record: DriveRecord) -> tuple[float, ...]:
    """Mean speed of the ego over that of the traffic around it, per stage of the route [%].

    CARLA leaderboard 2.0, MinimumSpeedRouteTest with 4 checkpoints: the route is cut in four
    stages of equal length; in each, the ego's mean speed is divided by the mean speed of the
    traffic. A stage that was not driven to its end does not count, but for the last one beyond
    95 % of the route. CARLA's traffic is all that it simulates around the ego; here it is the
    moving part of the ego's direction, and while there is none it is as fast as the ego: a car
    that passes a waiting ego for a second does not speak for the stage.

    :returns: one figure for each stage that counts, above 100 for a faster ego
    """
    reached = np.maximum.accumulate(record.route_s_m) / record.route_length_m
    stages = np.clip(np.floor(SPEED_STAGES * reached), 0, SPEED_STAGES - 1)
    share = progress_m(record) / record.route_length_m
    num = SPEED_STAGES if share > LAST_STAGE_SHARE else math.floor(SPEED_STAGES * share)
    speeds, nearby = np.abs(record.speeds_mps), record.nearby_speeds_mps
    traffic = np.where(np.isfinite(nearby), nearby, speeds)
    return tuple(_percent(speeds[stages == k], traffic[stages == k]) for k in range(num))


def _percent(speeds_mps: FloatArray, traffic_mps: FloatArray) -> float:
    if not traffic_mps.sum() > 0.0:
        return 100.0
    return float(100.0 * speeds_mps.sum() / traffic_mps.sum())


def _missing(percent: float) -> float:
    """Share of the traffic's speed that an ego lacks, 0 for one that is as fast."""
    return max(0.0, 1.0 - percent / 100.0)


def _completed_in_lane(record: DriveRecord) -> float:
    return route_completion(record) * (1.0 - off_lane_percent(record) / 100.0)


def _counted(record: DriveRecord) -> list[InfractionKind]:
    """Classes of the infractions that CARLA counts: none while the ego stands."""
    return [event.kind for event in record.infractions if not event.ego_stood]

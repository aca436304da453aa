"""The CARLA and Bench2Drive formulae on drives made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from simulation.drives_by_hand import infraction, record

from emma_planner.simulation.drive import End, InfractionKind
from emma_planner.simulation.scoring.carla_scores import (
    bench2drive_score,
    driving_score,
    driving_score_2_1,
    is_success,
    off_lane_percent,
    route_completion,
    speed_percents,
)

COEFFICIENTS = [
    (InfractionKind.COLLISION_PEDESTRIAN, 0.5, 1.0),
    (InfractionKind.COLLISION_VEHICLE, 0.6, 0.7),
    (InfractionKind.COLLISION_STATIC, 0.65, 0.6),
    (InfractionKind.RED_LIGHT, 0.7, 0.4),
    (InfractionKind.STOP_SIGN, 0.8, 0.25),
    (InfractionKind.SCENARIO_TIMEOUT, 0.7, 0.4),
    (InfractionKind.YIELD, 0.7, 0.4),
    (InfractionKind.OFF_ROAD, 1.0, 0.0),
    (InfractionKind.DEVIATION, 1.0, 0.0),
    (InfractionKind.BLOCKED, 1.0, 0.0),
    (InfractionKind.TIMEOUT, 1.0, 0.0),
]
HALF = 101
"""Samples up to the middle of the route."""


@pytest.mark.parametrize('length_m', [200.0, 187.3, 0.7, 1234.567])
def test_perfect_drive_scores_exactly_100(length_m):
    drive = record(route_length_m=length_m)
    assert driving_score(drive) == 100.0
    assert driving_score_2_1(drive) == 100.0
    assert bench2drive_score(drive) == 100.0
    assert route_completion(drive) == 100.0
    assert is_success(drive)


def test_every_class_has_its_coefficient_tested():
    assert {kind for kind, _, _ in COEFFICIENTS} == set(InfractionKind)


@pytest.mark.parametrize(('kind', 'factor', 'summand'), COEFFICIENTS)
def test_each_infraction_alone_scores_exactly_its_coefficient(kind, factor, summand):
    drive = record(kind)
    assert driving_score(drive) == 100.0 * factor
    assert bench2drive_score(drive) == 100.0 * factor
    assert driving_score_2_1(drive) == 100.0 / (1.0 + summand)
    assert not is_success(drive)


def test_penalties_multiply_in_2_0_and_add_up_in_2_1():
    kinds = [InfractionKind.COLLISION_VEHICLE] * 2 + [InfractionKind.RED_LIGHT]
    drive = record(*kinds, num=HALF, end=End.TIMEOUT)
    assert driving_score(drive) == pytest.approx(50.0 * 0.6 * 0.6 * 0.7)
    assert driving_score_2_1(drive) == pytest.approx(50.0 / (1.0 + 0.7 + 0.7 + 0.4))


def test_collision_while_the_ego_stood_costs_nothing():
    drive = record(infraction(InfractionKind.COLLISION_VEHICLE, at_fault=False, stood=True))
    assert driving_score(drive) == driving_score_2_1(drive) == 100.0
    assert is_success(drive)


def test_collision_costs_whoever_is_at_fault():
    drive = record(infraction(InfractionKind.COLLISION_VEHICLE, at_fault=False))
    assert driving_score(drive) == 60.0
    assert not is_success(drive)


@pytest.mark.parametrize('end', [end for end in End if end is not End.ARRIVED])
def test_drive_that_does_not_arrive_scores_what_it_completed(end):
    drive = record(num=HALF, end=end)
    assert route_completion(drive) == driving_score(drive) == driving_score_2_1(drive) == 50.0
    assert not is_success(drive)


def test_completion_is_the_furthest_point_within_the_route():
    back = np.concatenate([np.linspace(0.0, 150.0, 101), np.linspace(150.0, 20.0, 100)])
    assert route_completion(record(route_s_m=back, end=End.TIMEOUT)) == 75.0
    assert route_completion(record(route_s_m=np.full(201, -3.0), end=End.BLOCKED)) == 0.0
    assert route_completion(record(route_length_m=150.0, end=End.TIMEOUT)) == 100.0


@pytest.mark.parametrize('share', [0.0, 0.1, 0.5, 1.0])
def test_part_outside_the_lanes_is_taken_off(share):
    in_lane = np.ones(201)
    in_lane[1 : 1 + round(200 * share)] = 0.0
    drive = record(in_lane=in_lane)
    assert off_lane_percent(drive) == pytest.approx(100.0 * share)
    for score in (driving_score, driving_score_2_1, bench2drive_score):
        assert score(drive) == pytest.approx(100.0 * (1.0 - share))


def test_part_outside_the_lanes_is_of_the_driven_route_by_distance():
    in_lane = np.ones(HALF)
    in_lane[51:] = 0.0
    half = record(num=HALF, in_lane=in_lane, end=End.TIMEOUT)
    assert off_lane_percent(half) == pytest.approx(50.0)
    waits = np.concatenate([np.zeros(100), np.arange(101) * 2.0])
    in_lane = np.concatenate([np.zeros(100), np.ones(101)])
    assert off_lane_percent(record(route_s_m=waits, in_lane=in_lane)) == 0.0


def test_way_back_and_again_is_driven_once():
    there_back_there = np.concatenate([np.arange(101), 100 - np.arange(50), 50 + np.arange(151)])
    num = len(there_back_there)
    in_lane = np.ones(num)
    in_lane[101:201] = 0.0  # on the way back and until it was as far again
    drive = record(num=num, route_s_m=there_back_there * 1.0, in_lane=in_lane)
    assert off_lane_percent(drive) == 0.0


def test_drive_that_never_moved_left_no_lane():
    still = record(route_s_m=np.zeros(201), in_lane=np.zeros(201), end=End.BLOCKED)
    assert off_lane_percent(still) == 0.0
    assert driving_score(still) == 0.0


def test_without_traffic_no_speed_is_too_low():
    assert speed_percents(record(speeds_mps=np.full(201, 0.1))) == (100.0,) * 4
    nobody_moves = record(nearby_speeds_mps=np.zeros(201))
    assert speed_percents(nobody_moves) == (100.0,) * 4


@pytest.mark.parametrize('percent', [50.0, 80.0])
def test_ego_slower_than_its_traffic_is_penalised_per_stage(percent):
    drive = record(nearby_speeds_mps=np.full(201, 10.0 / (percent / 100.0)))
    lacking = 1.0 - percent / 100.0
    assert speed_percents(drive) == pytest.approx((percent,) * 4)
    assert driving_score(drive) == pytest.approx(100.0 * (1.0 - 0.3 * lacking) ** 4)
    assert driving_score_2_1(drive) == pytest.approx(100.0 / (1.0 + 4 * 0.4 * lacking))
    assert bench2drive_score(drive) == 100.0
    assert is_success(drive)


def test_one_slow_stage_costs_its_part_alone():
    nearby = np.full(201, np.nan)
    nearby[50:100] = 20.0
    drive = record(nearby_speeds_mps=nearby)
    assert speed_percents(drive) == (100.0, 50.0, 100.0, 100.0)
    assert driving_score(drive) == pytest.approx(85.0)
    assert driving_score_2_1(drive) == pytest.approx(100.0 / 1.2)


def test_ego_faster_than_its_traffic_gains_nothing():
    drive = record(nearby_speeds_mps=np.full(201, 5.0))
    assert speed_percents(drive) == (200.0,) * 4
    assert driving_score(drive) == driving_score_2_1(drive) == 100.0


@pytest.mark.parametrize(('num', 'stages'), [(30, 0), (51, 1), (149, 2), (190, 3), (192, 4)])
def test_stages_count_when_driven_to_their_end(num, stages):
    drive = record(num=num, end=End.TIMEOUT, nearby_speeds_mps=np.full(num, 20.0))
    assert len(speed_percents(drive)) == stages


def test_while_there_is_no_traffic_it_is_as_fast_as_the_ego():
    nearby, speeds = np.full(201, np.nan), np.full(201, 10.0)
    nearby[::2] = 30.0
    for percent in speed_percents(record(nearby_speeds_mps=nearby, speeds_mps=speeds)):
        assert percent == pytest.approx(50.0, abs=0.7)  # 10 beside the mean of 30 and 10


def test_a_car_that_passes_a_waiting_ego_does_not_speak_for_the_stage():
    nearby, speeds = np.full(201, np.nan), np.full(201, 8.0)
    speeds[60:90], nearby[70:75] = 0.0, 10.0
    percents = speed_percents(record(nearby_speeds_mps=nearby, speeds_mps=speeds))
    assert percents[0] == percents[2] == percents[3] == pytest.approx(100.0)
    assert percents[1] == pytest.approx(100.0 * 20 * 8.0 / (20 * 8.0 + 5 * 10.0))

"""What is said of scenes made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from simulation.streets_by_hand import VEHICLE, Street, actor, light

from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.expert.expert import Expert
from emma_planner.simulation.labels.scene_facts import (
    SceneFacts,
    scene_facts,
    weather_words,
)
from emma_planner.simulation.observation import ActorKind, LightState, Observation, RouteSpan
from emma_planner.simulation.scenario import Weather

CAMERA = CameraSettings()
FRONT = VEHICLE.front_overhang_m


def _facts(now: Observation) -> SceneFacts:
    expert = Expert(VEHICLE).plan(now).facts
    return scene_facts(now, expert, Weather(), CAMERA, VEHICLE)


def _scene(*actors, lights=(), speed_mps=8.0, street=None, s_m=100.0):
    street = street or Street()
    return street.observation(s_m, speed_mps, actors=actors, lights=lights)


def _only(facts: SceneFacts):
    (thing,) = facts.objects
    return thing


def test_an_empty_road_has_nobody_to_name():
    facts = _facts(_scene())
    assert facts.objects == ()
    assert facts.light is None
    assert facts.intent.limit == 'free road'
    assert facts.intent.distance_m is None


def test_the_road_is_of_the_span_that_the_ego_is_on():
    spans = (
        RouteSpan(0.0, 100.0, 'curve', 'follow lane'),
        RouteSpan(100.0, 400.0, 'junction', 'follow lane'),
    )
    roads = [_facts(_scene(street=Street(spans=spans), s_m=s)).road for s in (99.0, 101.0)]
    assert roads == ['curve', 'junction']


@pytest.mark.parametrize('state', LightState)
def test_the_nearest_light_is_told_from_the_front_bumper(state):
    lights = (light(130.0, state), light(150.0, LightState.GREEN), light(101.0, LightState.RED))
    ahead = _facts(_scene(lights=lights)).light
    assert ahead is not None
    assert ahead.state is state
    assert ahead.distance_m == pytest.approx(30.0 - FRONT)


def test_a_light_beyond_60_m_is_not_told():
    assert _facts(_scene(lights=(light(161.0 + FRONT, LightState.RED),))).light is None
    assert _facts(_scene(lights=(light(159.0 + FRONT, LightState.RED),))).light is not None


def test_whom_the_ego_follows_comes_first_and_is_named_by_the_intent():
    others = [actor(f'parked-{k}', 108.0 + 4 * k, -3.2, parked=True) for k in range(4)]
    facts = _facts(_scene(*others, actor('lead', 125.0, 0.0, speed_mps=4.0)))
    assert facts.objects[0].id == 'lead'
    assert facts.objects[0].why == 'the ego follows it'
    assert facts.objects[0].ahead_m == pytest.approx(25.0)
    assert facts.intent.object_id == 'lead'
    assert len(facts.objects) == 3


@pytest.mark.parametrize(('x_m', 'y_m'), [(90.0, 0.0), (103.0, 9.0), (165.0, 0.0)])
def test_who_is_behind_or_out_of_the_picture_or_far_is_not_named(x_m, y_m):
    walker = actor('walker', x_m, y_m, kind=ActorKind.PEDESTRIAN)
    assert _facts(_scene(walker)).objects == ()


def test_objects_are_placed_in_base_link():
    street = Street(radius_m=50.0)
    pose = street.place(30.0)
    ahead, left = 20.0, 3.0
    x = pose.x_m + ahead * math.cos(pose.yaw_rad) - left * math.sin(pose.yaw_rad)
    y = pose.y_m + ahead * math.sin(pose.yaw_rad) + left * math.cos(pose.yaw_rad)
    thing = _only(_facts(_scene(actor('car', x, y, speed_mps=3.0), street=street, s_m=30.0)))
    assert (thing.ahead_m, thing.left_m) == pytest.approx((ahead, left))
    assert thing.bearing == 'ahead left'


def test_a_crossing_car_is_told_with_its_way():
    path = np.column_stack([np.full(20, 130.0), np.linspace(12.0, -8.0, 20)])
    crossing = actor('car', 130.0, 12.0, yaw=-math.pi / 2, speed_mps=6.0, path=path)
    thing = _only(_facts(_scene(crossing)))
    assert thing.action == 'drives from left to right'
    assert thing.why in ('its way crosses the one of the ego', 'goes first')


def test_words_are_mirrored_with_the_scene():
    def side(sign: float):
        walker = actor(
            'walker', 115.0, sign * 5.0, yaw=-sign * math.pi / 2, kind=ActorKind.PEDESTRIAN
        )
        return _only(_facts(_scene(replace(walker, speed_mps=1.0))))

    left, right = side(1.0), side(-1.0)
    assert (left.bearing, right.bearing) == ('ahead left', 'ahead right')
    assert left.action == 'walks from left to right'
    assert right.action == 'walks from right to left'
    assert left.why == right.why


def test_a_car_that_brakes_is_said_to_brake():
    lead = actor('lead', 130.0, 0.0, speed_mps=6.0)
    assert _only(_facts(_scene(replace(lead, brake_lights=True)))).action == 'brakes'
    assert _only(_facts(_scene(lead))).action == 'drives the same way'


@pytest.mark.parametrize(
    ('thing', 'action', 'why'),
    [
        (actor('a', 130.0, 3.5, yaw=math.pi, speed_mps=8.0), 'other way', 'towards'),
        (actor('a', 130.0, 3.5, speed_mps=8.0), 'same way', 'beside'),
        (actor('a', 130.0, -2.8, parked=True), 'parked', 'narrows'),
        (actor('a', 130.0, -4.0, kind=ActorKind.PEDESTRIAN), 'stands', 'may step'),
        (actor('a', 120.0, 0.0, kind=ActorKind.CONE), 'stands', 'way'),
    ],
)
def test_everybody_is_told_for_a_reason(thing, action, why):
    told = _only(_facts(_scene(thing)))
    assert action in told.action
    assert why in told.why


def test_who_matters_more_is_told_before_who_is_nearer():
    others = (
        actor('beside', 109.0, 3.5, speed_mps=8.0),
        actor('oncoming', 115.0, 3.5, yaw=math.pi, speed_mps=8.0),
        actor('parked', 122.0, -3.2, parked=True),
        actor('walker', 130.0, -4.5, kind=ActorKind.PEDESTRIAN),
        actor('far on the way', 150.0, 0.0, speed_mps=14.0),
    )
    for k in range(3):
        told = _facts(_scene(*others[k : k + 3])).objects
        assert [thing.id for thing in told] == [one.id for one in others[k : k + 3]][::-1]


@pytest.mark.parametrize(
    ('light_level', 'fog', 'words'),
    [
        (1.0, 0.0, 'bright day, clear'),
        (0.7, 0.005, 'dull day, light fog'),
        (0.4, 0.012, 'dusk, thick fog'),
    ],
)
def test_weather_has_words(light_level, fog, words):
    assert weather_words(Weather(light_level, fog)) == words


def test_a_lane_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match='need a lane of 0 to 0, got 1'):
        replace(_facts(_scene()), lane_index=1)


def test_too_many_objects_are_refused():
    facts = _facts(_scene(actor('lead', 125.0, 0.0, speed_mps=4.0)))
    with pytest.raises(ValueError, match='need 3 objects at most, got 4'):
        replace(facts, objects=4 * facts.objects)

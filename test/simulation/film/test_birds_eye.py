"""Laws of the view from above."""

from __future__ import annotations

import math

import numpy as np
import pytest
from simulation.bend_with_traffic import (
    LANE_M,
    VEHICLE,
    actor,
    busy,
    driven,
    observation,
    place,
    plan_map,
    roads,
)

from emma_planner.planning.types import Pose
from emma_planner.simulation.drive import Infraction, InfractionKind
from emma_planner.simulation.film.birds_eye import draw_birds_eye
from emma_planner.simulation.observation import ActorKind, Light, LightState, Observation
from emma_planner.simulation.roads.road_map import LaneLine, LineKind, RoadMap

SIDE = 360
METRES = 60.0
EGO_ROW, EGO_COLUMN = 0.68 * SIDE, SIDE / 2.0


def _changed(with_it: Observation, without: Observation, **options: object) -> np.ndarray:
    """``(N, 2)`` row, column of pixels that differ."""
    one = draw_birds_eye(with_it, VEHICLE, **options)  # type: ignore[arg-type]
    other = draw_birds_eye(without, VEHICLE, **options)  # type: ignore[arg-type]
    return np.argwhere((one != other).any(axis=2))


def _added(**options: object) -> np.ndarray:
    """``(N, 2)`` row, column of pixels that an option changes."""
    seen = observation(curvature=0.0)
    plain = draw_birds_eye(seen, VEHICLE)
    return np.argwhere((draw_birds_eye(seen, VEHICLE, **options) != plain).any(axis=2))  # type: ignore[arg-type]


def _pixel(ahead_m: float, left_m: float) -> tuple[float, float]:
    return EGO_ROW - ahead_m * SIDE / METRES, EGO_COLUMN - left_m * SIDE / METRES


@pytest.mark.parametrize('s_m', [30.0, 120.0])
@pytest.mark.parametrize(
    ('ahead_m', 'left_m'), [(15.0, 0.0), (4.0, 5.0), (4.0, -5.0), (-9.0, 2.0)]
)
def test_a_car_is_drawn_where_it_is_seen_from_the_ego(s_m, ahead_m, left_m):
    ego = place(s_m)
    cos, sin = math.cos(ego.yaw_rad), math.sin(ego.yaw_rad)
    pose = Pose(
        ego.x_m + cos * ahead_m - sin * left_m,
        ego.y_m + sin * ahead_m + cos * left_m,
        ego.yaw_rad,
    )
    pixels = _changed(observation(s_m, actors=(actor('car', pose),)), observation(s_m))
    assert np.allclose(pixels.mean(axis=0), _pixel(ahead_m, left_m), atol=1.5)
    length, width = np.ptp(pixels, axis=0) + 1
    edge_px = 5.0
    assert length - edge_px == pytest.approx(4.5 * SIDE / METRES, abs=2)
    assert width - edge_px == pytest.approx(1.8 * SIDE / METRES, abs=2)


def test_the_ego_sits_in_the_lower_third_and_points_up():
    picture = draw_birds_eye(observation(), VEHICLE)
    rows, columns = np.nonzero((picture == 255).all(axis=2))
    assert columns.mean() == pytest.approx((SIDE - 1) / 2, abs=0.6)
    above, below = EGO_ROW - rows.min(), rows.max() - EGO_ROW
    assert above == pytest.approx(VEHICLE.front_overhang_m * SIDE / METRES, abs=2)
    assert below == pytest.approx(VEHICLE.rear_overhang_m * SIDE / METRES, abs=2)


def test_a_mirrored_scene_is_a_mirrored_picture():
    def scene(side: float) -> np.ndarray:
        bend = 0.01 * side
        actors = (
            actor('car', place(45.0, 3.0 * side, bend)),
            actor('walker', place(48.0, -4.0 * side, bend), ActorKind.PEDESTRIAN),
        )
        lane = np.array(
            [(20.0, 2.0 * side), (70.0, 2.0 * side), (70.0, 9 * side), (20.0, 9 * side)]
        )
        line = np.array([(20.0, -3.0 * side), (70.0, -3.0 * side)])
        kinds = (LineKind.SOLID, LineKind.BROKEN)
        return draw_birds_eye(
            observation(curvature=bend, actors=actors),
            VEHICLE,
            roads=RoadMap(
                (lane,), tuple(LaneLine(line - (0, side * k), kinds[k]) for k in (0, 1))
            ),
            plan_map=plan_map(curvature=bend),
            path_driven=driven(curvature=bend),
        ).astype(int)

    left, right = scene(1.0)[:-30], scene(-1.0)[:-30, ::-1]  # without the scale bar
    # the route's room is not symmetric, but its end is out of view here
    different = np.abs(left - right).max(axis=2) > 60
    assert different.mean() < 0.004
    assert (np.abs(left - left[:, ::-1]).max(axis=2) > 60).mean() > 0.03


@pytest.mark.parametrize(
    ('state', 'strong', 'weak'),
    [
        (LightState.RED, [0], [1, 2]),
        (LightState.YELLOW, [0, 1], [2]),
        (LightState.GREEN, [1], [0]),
    ],
)
def test_a_light_is_a_stop_line_of_its_colour_at_its_place_on_the_route(state, strong, weak):
    light = Light('light', state, 50.0, place(60.0))
    seen = observation(30.0, curvature=0.0, lights=(light,))
    pixels = _changed(seen, observation(30.0, curvature=0.0))
    picture = draw_birds_eye(seen, VEHICLE).astype(int)
    coloured = (picture[..., strong].min(axis=2) > 180) & (picture[..., weak].max(axis=2) < 110)
    rows, columns = np.nonzero(coloured)
    assert len(rows) > 50
    assert pixels[:, 0].mean() == pytest.approx(_pixel(20.0, 0.0)[0], abs=2)
    assert columns.min() == pytest.approx(_pixel(0.0, 1.5 * LANE_M)[1], abs=3)
    assert columns.max() == pytest.approx(_pixel(0.0, -0.5 * LANE_M)[1], abs=5)


def test_every_kind_of_actor_has_a_colour_of_its_own():
    colours = set()
    for kind in ActorKind:
        seen = observation(actors=(actor('it', place(30.0, 8.0), kind),))
        row, column = np.round(_pixel(-0.3, 8.0)).astype(int)
        colours.add(tuple(draw_birds_eye(seen, VEHICLE)[row, column].tolist()))
    assert len(colours) == len(ActorKind)


def test_a_parked_car_looks_unlike_a_moving_one_and_a_touching_one_has_a_red_edge():
    pose = place(42.0, 3.0)
    moving = observation(actors=(actor('car', pose),))
    assert len(_changed(observation(actors=(actor('car', pose, parked=True),)), moving)) > 100
    touching = draw_birds_eye(
        observation(actors=(actor('car', pose),), contacts=('car',)), VEHICLE
    ).astype(int)
    red = (touching[..., 0] > 150) & (touching[..., 1:].max(axis=2) < 90)
    assert red.sum() > 30
    assert not len(_changed(observation(contacts=('ground',)), observation()))


def test_a_car_has_a_tick_at_its_front():
    ahead, back = place(42.0, 3.0, 0.0), place(42.0, 3.0, 0.0)
    turned = Pose(back.x_m, back.y_m, math.pi)
    one = observation(curvature=0.0, actors=(actor('car', ahead),))
    other = observation(curvature=0.0, actors=(actor('car', turned),))
    dark = [
        np.argwhere(draw_birds_eye(seen, VEHICLE)[150:200, 155:170].max(axis=2) < 80)[:, 0].mean()
        for seen in (one, other)
    ]
    assert dark[0] < dark[1]


def test_the_plan_lies_ahead_and_the_driven_trail_behind():
    plan = _added(plan_map=plan_map(curvature=0.0))
    trail = _added(path_driven=driven(curvature=0.0))
    assert plan[:, 0].min() == pytest.approx(_pixel(30.0, 0.0)[0], abs=4)
    assert plan[:, 0].max() < EGO_ROW
    assert trail[:, 0].min() > EGO_ROW
    assert np.allclose([plan[:, 1].mean(), trail[:, 1].mean()], (SIDE - 1) / 2, atol=0.6)


def test_a_plan_in_a_bend_is_drawn_along_its_arc_not_its_chords():
    turn = np.array([place(12.0 * k, 0.0, 0.05).as_array() for k in range(3)])
    fine = np.array([place(1.2 * k, 0.0, 0.05).as_array() for k in range(21)])
    seen = observation(0.0, curvature=0.0)
    coarse, exact = (draw_birds_eye(seen, VEHICLE, plan_map=poses) for poses in (turn, fine))
    row, column = np.round(
        (EGO_ROW - place(6.0, 0.0, 0.05).x_m * 6, EGO_COLUMN - place(6.0, 0.0, 0.05).y_m * 6)
    ).astype(int)
    plain = draw_birds_eye(seen, VEHICLE)
    for picture in (coarse, exact):
        assert (picture[row, column] != plain[row, column]).any()


def test_a_fallback_is_orange_and_a_plan_is_not():
    def orange(valid: bool) -> int:
        picture = draw_birds_eye(
            observation(curvature=0.0),
            VEHICLE,
            plan_map=plan_map(curvature=0.0),
            plan_valid=valid,
        )
        return int((picture == (255, 152, 0)).all(axis=2).sum())

    assert orange(False) > 100
    assert orange(True) == 0


def test_an_infraction_is_marked_red_at_its_place():
    x_m, y_m = place(48.0, 6.0, 0.0).as_array()[:2].tolist()
    mark = Infraction(InfractionKind.OFF_ROAD, 1.0, 18.0, x_m, y_m, True, '', '')
    pixels = _added(infractions=(mark,))
    assert np.allclose(pixels.mean(axis=0), _pixel(18.0, 6.0), atol=1.5)


def test_lanes_that_touch_meet_without_a_seam():
    lanes = tuple(
        np.array([(0.0, y), (100.0, y + 7.3), (100.0, y + 10.8), (0.0, y + 3.5)])
        for y in (-9.0, -5.5, -2.0, 1.5)
    )
    road = RoadMap(lanes, ())
    picture = draw_birds_eye(observation(30.0, curvature=0.0), VEHICLE, roads=road)
    left_of_the_route = picture[20:60, 125:168].reshape(-1, 3)  # two borders run through it
    assert len(np.unique(left_of_the_route, axis=0)) == 1


def test_broken_lines_have_gaps_and_solid_ones_none():
    def covered(kind: LineKind) -> float:
        line = LaneLine(np.array([(0.0, 5.0), (100.0, 5.0)]), kind)
        rows = _added(roads=RoadMap((), (line,)))[:, 0]
        return len(set(rows.tolist())) / SIDE

    assert covered(LineKind.SOLID) == 1.0
    assert covered(LineKind.YELLOW) == 1.0
    assert 0.25 < covered(LineKind.BROKEN) < 0.6


def test_the_end_of_the_route_is_marked():
    def light_pixels(s_m: float) -> int:
        return int((draw_birds_eye(observation(s_m), VEHICLE)[:200] > 240).all(axis=2).sum())

    assert light_pixels(185.0) > 30
    assert light_pixels(100.0) == 0


@pytest.mark.parametrize('size_px', [60, 360, 720])
def test_the_same_view_is_drawn_at_every_size(size_px):
    options = {'roads': roads(), 'plan_map': plan_map(), 'path_driven': driven()}
    picture = draw_birds_eye(busy(), VEHICLE, size_px=size_px, **options)
    assert picture.shape == (size_px, size_px, 3)
    assert picture.dtype == np.uint8
    large = draw_birds_eye(busy(), VEHICLE, size_px=360, **options)
    assert np.allclose(picture.mean(axis=(0, 1)), large.mean(axis=(0, 1)), atol=8)


def test_what_is_far_away_or_missing_draws_nothing_and_breaks_nothing():
    far = observation(actors=(actor('far', Pose(1e9, -1e9, 0.0)),))
    assert not len(_changed(far, observation()))
    assert not len(_added(plan_map=np.empty((0, 3)), path_driven=np.empty((0, 2))))
    assert not len(_added(plan_map=plan_map()[:1], roads=RoadMap((), ())))


@pytest.mark.parametrize('options', [{'size_px': 20}, {'metres': 0.0}, {'metres': math.nan}])
def test_a_picture_without_size_is_refused(options):
    with pytest.raises(ValueError, match='need at least 60 px and more than 0 m'):
        draw_birds_eye(observation(), VEHICLE, **options)


def test_a_road_map_of_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r'lane outline: need shape \(at least 3, 2\)'):
        RoadMap((np.zeros((2, 2)),), ())
    with pytest.raises(ValueError, match=r'lane line: need shape \(at least 2, 2\)'):
        LaneLine(np.zeros((5, 3)), LineKind.SOLID)
    with pytest.raises(ValueError, match='need finite points'):
        LaneLine(np.full((2, 2), np.nan), LineKind.SOLID)

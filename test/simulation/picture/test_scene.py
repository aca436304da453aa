"""The picture shows what is there, where it is, as the weather has it, and the same every time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from emma_planner.planning.types import Pose
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.observation import Actor, ActorKind, LightState
from emma_planner.simulation.population.signals import SignalHead
from emma_planner.simulation.roads.road_map import LaneLine, LineKind, RoadMap
from emma_planner.simulation.scenario import Weather

pytest.importorskip('panda3d')

from emma_planner.simulation.picture.scene import Scene

pytestmark = pytest.mark.sim
CAMERA = CameraSettings(width=320, height=180)
EGO = Pose(0.0, 0.0, 0.0)
CLEAR = Weather()


def _road() -> RoadMap:
    x = np.linspace(-20.0, 200.0, 221)
    lane = np.concatenate(
        [np.column_stack([x, 0 * x + 1.75]), np.column_stack([x, 0 * x - 1.75])[::-1]]
    )
    edge = LaneLine(np.column_stack([x, 0 * x + 1.75]), LineKind.SOLID)
    return RoadMap((lane,), (edge,))


def _actor(x: float, y: float = 0.0, kind: ActorKind = ActorKind.VEHICLE, name: str = 'car-00'):
    size = (4.6, 1.85, 1.5) if kind is ActorKind.VEHICLE else (0.7, 0.7, 1.75)
    return Actor(name, kind, Pose(x, y, 0.0), 0.0, *size, parked=False, path=np.zeros((0, 2)))


def _head(state: LightState) -> SignalHead:
    return SignalHead('head', ('a', 'b'), state, Pose(25.0, -2.0, math.pi), 4.0, (25.0, -5.0))


@pytest.fixture(scope='module')
def scene():
    scene = Scene(CAMERA)
    yield scene
    scene.close()


def _draw(scene, actors=(), heads=(), weather=CLEAR) -> np.ndarray:
    scene.reset(_road(), weather)
    return scene.render(EGO, actors, heads).astype(int)


def _changed(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.nonzero(np.abs(after - before).max(axis=2) > 25)


def test_the_road_is_grey_the_grass_green_and_the_sky_above(scene):
    picture = _draw(scene)
    road, grass, sky = picture[150, 160], picture[120, 10], picture[10, 160]
    assert np.ptp(road) < 20
    assert grass[1] > grass[2] + 15
    assert sky[2] >= sky[0] - 5
    assert sky.mean() > road.mean()


@pytest.mark.parametrize(('x', 'y'), [(15.0, 0.0), (30.0, 3.0), (50.0, -4.0)])
def test_a_car_is_seen_where_it_is(scene, x, y):
    rows, columns = _changed(_draw(scene), _draw(scene, [_actor(x, y)]))
    depth = x - CAMERA.position_m[0]
    assert columns.mean() == pytest.approx(CAMERA.cx - CAMERA.fx * y / depth, abs=0.06 * 320)
    ground = CAMERA.cy + CAMERA.fy * CAMERA.position_m[2] / (depth - 2.3)
    assert rows.max() == pytest.approx(ground, abs=3.0)


def test_what_is_nearer_is_larger(scene):
    empty = _draw(scene)
    sizes = [len(_changed(empty, _draw(scene, [_actor(x)]))[0]) for x in (12.0, 24.0, 48.0)]
    assert sizes[0] > 2 * sizes[1] > 4 * sizes[2] > 0


@pytest.mark.parametrize(
    ('state', 'channel'), [(LightState.RED, 0), (LightState.GREEN, 1)], ids=['red', 'green']
)
def test_a_light_glows_in_its_colour(scene, state, channel):
    picture = _draw(scene, heads=[_head(state)])
    depth = 25.0 - CAMERA.position_m[0]
    u = round(CAMERA.cx + CAMERA.fx * 2.0 / depth)
    v = round(CAMERA.cy - CAMERA.fy * (4.0 - CAMERA.position_m[2]) / depth)
    around = picture[v - 6 : v + 7, u - 5 : u + 6].reshape(-1, 3)
    other = 1 - channel
    assert (around[:, channel] - around[:, other]).max() > 80
    assert (around[:, other] - around[:, channel]).max() < 60


@pytest.mark.parametrize(
    'size', [(4.6, 1.85, 1.5), (4.3, 1.7, 1.55), (5.3, 2.0, 2.2), (5.74, 2.3, 2.8)]
)
def test_who_brakes_is_seen_to(scene, size):
    length, width, height = size
    car = replace(_actor(20.0), length_m=length, width_m=width, height_m=height)
    dark, lit = (_draw(scene, [replace(car, brake_lights=b)]) for b in (False, True))
    rows, columns = np.nonzero((lit - dark)[..., 0] > 60)
    assert {int(column > CAMERA.cx) for column in columns} == {0, 1}
    assert len(rows) >= 8
    redder = (lit - lit.mean(axis=2, keepdims=True))[rows, columns, 0]
    assert redder.min() > 25
    elsewhere = np.abs(lit - dark).max(axis=2)
    elsewhere[rows, columns] = 0
    assert (elsewhere > 25).sum() <= 2 * len(rows)


@pytest.mark.parametrize('heading', [0.0, math.pi], ids=['from behind', 'from ahead'])
@pytest.mark.parametrize(('indicator', 'side'), [('left', 1.0), ('right', -1.0)])
def test_who_is_about_to_turn_is_seen_to(scene, indicator, side, heading):
    car = replace(_actor(15.0), pose=Pose(15.0, 0.0, heading))
    dark, lit = (_draw(scene, [replace(car, indicator=name)]) for name in ('', indicator))
    rows, columns = np.nonzero(np.abs(lit - dark).max(axis=2) > 60)
    assert len(rows) >= 4
    left = (columns < CAMERA.cx).mean()
    assert left == (1.0 if side * math.cos(heading) > 0.0 else 0.0)
    red, green, blue = lit[rows, columns].mean(axis=0)
    assert red > green > blue + 50


def test_less_light_is_darker_and_fog_hides_what_is_far(scene):
    day = _draw(scene)
    assert _draw(scene, weather=replace(CLEAR, light=0.4)).mean() < 0.8 * day.mean()
    far = [_actor(70.0)]
    clear = len(_changed(day, _draw(scene, far))[0])
    fog = replace(CLEAR, fog=0.04)
    assert len(_changed(_draw(scene, weather=fog), _draw(scene, far, weather=fog))[0]) < clear


def test_who_goes_is_gone_and_the_same_scene_is_the_same_picture(scene):
    empty = _draw(scene)
    crowd = [_actor(20.0), _actor(14.0, 4.0, ActorKind.PEDESTRIAN, 'pedestrian-0')]
    crowded = _draw(scene, crowd)
    assert len(_changed(empty, crowded)[0]) > 50
    assert (scene.render(EGO, ()) == empty).all()
    assert (scene.render(EGO, crowd) == crowded).all()

"""Laws of films: what is in a frame, and what is in the file."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from simulation.bend_with_traffic import VEHICLE, busy, driven, observation, place, plan_map, roads

from emma_planner.perception.camera import Camera
from emma_planner.planning.fallback import Source
from emma_planner.planning.kinematics import to_base
from emma_planner.planning.types import Reasoning
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.drive import Infraction, InfractionKind
from emma_planner.simulation.film.birds_eye import draw_birds_eye
from emma_planner.simulation.film.film import END_SHOWN_S, FilmWriter, film_camera
from emma_planner.simulation.film.film_files import FilmError
from emma_planner.simulation.film.film_picture import FilmFrame, compose
from emma_planner.simulation.film.film_text import cut, printable, text_width, wrap

CAMERA = CameraSettings(pitch_deg=3.0)
VIEW = film_camera(CAMERA)
SUFFIXES = ['.webp', '.mp4']
HIT = Infraction(InfractionKind.COLLISION_VEHICLE, 3.2, 20.0, 20.0, 0.0, True, 'x', 'hit a car')


def _frame(k: int = 0, **changes: object) -> FilmFrame:
    image = np.full((360, 640, 3), 90 + k % 100, dtype=np.uint8)
    seen = replace(busy(30.0 + k, time_s=0.2 * k), image=image)
    return FilmFrame(seen, 'expert', roads(), plan_map(30.0 + k), **changes)  # type: ignore[arg-type]


def _camera_part(frame: FilmFrame, camera: Camera = VIEW) -> np.ndarray:
    return compose(frame, VEHICLE, camera, 1.0)[:360, :640].astype(int)


def _words(frame: FilmFrame) -> np.ndarray:
    return compose(frame, VEHICLE, VIEW, 1.0)[360:].astype(int)


def _durations_ms(path: Path) -> list[int]:
    with Image.open(path) as film:
        durations = []
        for k in range(film.n_frames):
            film.seek(k)
            film.load()
            durations.append(film.info['duration'])
    return durations


def _pictures(path: Path) -> list[np.ndarray]:
    if path.suffix == '.mp4':
        video, pictures = cv2.VideoCapture(str(path)), []
        while (read := video.read())[0]:
            pictures.append(read[1][..., ::-1])
        return pictures
    with Image.open(path) as film:
        pictures = []
        for k in range(film.n_frames):
            film.seek(k)
            pictures.append(np.array(film.convert('RGB')))
    return pictures


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_a_film_shows_the_frames_that_were_added_in_order(tmp_path, suffix):
    path = tmp_path / 'new folder' / f'drive{suffix}'
    with FilmWriter(path, VEHICLE, CAMERA) as film:
        for k in range(6):
            film.add(_frame(3 * k))
    pictures = _pictures(path)
    assert len(pictures) == 6
    path_driven: list[tuple[float, float]] = []
    for k, picture in enumerate(pictures):
        frame = _frame(3 * k)
        path_driven.append((frame.observation.pose.x_m, frame.observation.pose.y_m))
        wanted = compose(frame, VEHICLE, VIEW, 0.6 * k, np.array(path_driven))
        assert picture.shape == wanted.shape
        assert np.abs(picture.astype(int) - wanted).mean() < 4.0


@pytest.mark.parametrize('every_s', [0.2, 0.5])
def test_each_frame_shows_for_its_time_and_the_last_one_long_enough_to_read(tmp_path, every_s):
    webp, mp4 = tmp_path / 'drive.webp', tmp_path / 'drive.mp4'
    for path in (webp, mp4):
        with FilmWriter(path, VEHICLE, CAMERA, every_s=every_s) as film:
            for k in range(3):
                film.add(_frame(k, end='arrived' if k == 2 else ''))
    ms = round(every_s * 1000)
    assert _durations_ms(webp) == [ms, ms, round(END_SHOWN_S * 1000)]
    video = cv2.VideoCapture(str(mp4))
    seconds = video.get(cv2.CAP_PROP_FRAME_COUNT) / video.get(cv2.CAP_PROP_FPS)
    assert seconds == pytest.approx(2 * every_s + END_SHOWN_S)


def test_a_frame_is_due_at_the_start_and_then_at_every_interval(tmp_path):
    with FilmWriter(tmp_path / 'drive.webp', VEHICLE, CAMERA, every_s=0.5) as film:
        due = []
        for k in range(12):
            seen = observation(time_s=0.1 * k)
            if film.due(seen.stamp_ns):
                due.append(k)
                film.add(FilmFrame(seen, 'expert'))
    assert due == [0, 5, 10]


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_what_was_added_before_a_drive_broke_off_is_kept(tmp_path, suffix):
    path = tmp_path / f'drive{suffix}'

    def drive() -> None:
        with FilmWriter(path, VEHICLE, CAMERA) as film:
            for k in range(4):
                film.add(_frame(k))
            raise RuntimeError('the planner died')

    with pytest.raises(RuntimeError, match='the planner died'):
        drive()
    assert len(_pictures(path)) == 4


def test_a_webp_can_be_read_after_every_frame_without_being_closed(tmp_path):
    path = tmp_path / 'drive.webp'
    film = FilmWriter(path, VEHICLE, CAMERA)
    for k in range(3):
        film.add(_frame(k))
        assert len(_pictures(path)) == k + 1
    film.close()
    film.close()
    with path.open('ab') as broken:  # the process died while it wrote the next one
        broken.write(b'ANMF\x00\x10\x00\x00 and no more')
    assert len(_pictures(path)) == 3


def test_a_standing_scene_costs_next_to_nothing(tmp_path):
    path = tmp_path / 'drive.webp'
    with FilmWriter(path, VEHICLE, CAMERA) as film:
        film.add(_frame())
        first = path.stat().st_size
        for _ in range(5):
            film.add(_frame())
    assert len(_durations_ms(path)) == 6
    assert path.stat().st_size - first < 0.1 * first
    assert np.abs(_pictures(path)[-1].astype(int) - _pictures(path)[0]).mean() < 1.0


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_memory_does_not_grow_with_the_film(tmp_path, suffix):
    with FilmWriter(tmp_path / f'drive{suffix}', VEHICLE, CAMERA) as film:
        for k in range(2):
            film.add(_frame(k))
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        for k in range(7):
            film.add(_frame(k))
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    raw = 472 * 1000 * 3
    assert after - before < 2 * raw  # the one frame that the next is compared with, not seven


@pytest.mark.parametrize('name', ['drive.gif', 'drive', 'drive.webp.part'])
def test_a_suffix_that_is_not_known_is_refused(tmp_path, name):
    with pytest.raises(FilmError, match=r'need a film named \*\.webp or \*\.mp4'):
        FilmWriter(tmp_path / name, VEHICLE, CAMERA)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('every_s', [0.0, -1.0, float('nan'), float('inf')])
def test_a_time_between_frames_that_is_none_is_refused(tmp_path, every_s):
    with pytest.raises(FilmError, match=r'need 0\.02 to 60 s between frames'):
        FilmWriter(tmp_path / 'drive.webp', VEHICLE, CAMERA, every_s=every_s)


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_a_place_that_cannot_be_written_is_named(tmp_path, suffix):
    (tmp_path / 'file').write_text('not a folder')
    (tmp_path / f'folder{suffix}').mkdir()
    for path in (tmp_path / 'file' / f'drive{suffix}', tmp_path / f'folder{suffix}'):
        with pytest.raises(FilmError, match=rf'{path.name}: cannot write the film'):
            FilmWriter(path, VEHICLE, CAMERA)


def test_a_frame_without_a_camera_picture_still_shows_the_view_from_above():
    with_image = compose(_frame(), VEHICLE, VIEW, 1.0, driven())
    blind = replace(_frame(), observation=replace(_frame().observation, image=None))
    without = compose(blind, VEHICLE, VIEW, 1.0, driven())
    assert without.shape == with_image.shape == (472, 1000, 3)
    assert np.array_equal(without[:, 640:], with_image[:, 640:])
    assert np.array_equal(without[360:], with_image[360:])
    assert without[:360, :640].mean() < 50


def test_the_view_from_above_shows_what_was_driven():
    seen = compose(_frame(), VEHICLE, VIEW, 1.0, driven())[:360, 640:]
    wanted = draw_birds_eye(
        busy(), VEHICLE, roads=roads(), plan_map=plan_map(), path_driven=driven()
    )
    assert np.array_equal(seen[:, 2:], wanted[:, 2:])


def test_the_camera_of_the_simulator_is_the_camera_of_the_drawing():
    settings = CameraSettings(800, 400, 70.0, (1.2, 0.1, 1.4), 5.0)
    camera = film_camera(settings)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx(
        (settings.fx, settings.fy, settings.cx, settings.cy)
    )
    assert (camera.x_m, camera.y_m, camera.z_m, camera.pitch_deg) == (1.2, 0.1, 1.4, 5.0)
    pixel, _ = camera.project([[11.2, 0.1]])  # 10 m ahead on the ground, seen 8.0 deg down
    down = np.arctan(1.4 / 10.0) - np.radians(5.0)
    assert pixel[0, 1] == pytest.approx(settings.cy + settings.fy * np.tan(down))


@pytest.mark.parametrize('driven_m', [0.0, 3.0])
def test_the_path_stays_on_the_road_while_the_ego_drives_on_beside_it(driven_m):
    """The ego has left the path by half a metre; the path lies where it was planned."""
    pose = place(30.0 + driven_m, 0.5)
    seen = replace(_frame().observation, pose=pose)
    frame = replace(_frame(), observation=seen, plan_map=plan_map(30.0))
    bare = replace(frame, plan_map=None)
    drawn = np.abs(_camera_part(frame) - _camera_part(bare)).max(axis=2) > 20
    for s_m in (44.0, 48.0):
        for offset_m, inside in ((-1.2, False), (-0.7, True), (0.7, True), (1.2, False)):
            point = place(s_m, offset_m).as_array()[None]
            (column, row), _ = (part[0] for part in VIEW.project(to_base(point, pose)[:, :2]))
            assert drawn[round(row), round(column)] == inside, (s_m, offset_m)


def test_a_fallback_shows_in_orange_under_a_banner_and_a_plan_does_not():
    plan = _camera_part(_frame())
    fallback = _camera_part(_frame(source=Source.LAST_PLAN, reason='timeout'))
    nothing = _camera_part(
        replace(_frame(source=Source.NONE, reason='no_odometry'), plan_map=None)
    )
    for picture, banner in ((plan, False), (fallback, True), (nothing, True)):
        assert (picture[0, 600] == (213, 47, 47)).all() == banner
    ground = slice(300, 360), slice(300, 340)
    assert fallback[ground][..., 0].mean() > fallback[ground][..., 2].mean() + 50
    assert plan[ground][..., 0].mean() < plan[ground][..., 1].mean()
    assert np.array_equal(nothing[300:], _camera_part(replace(_frame(), plan_map=None))[300:])


def test_a_short_path_ends_where_it_ends():
    frame = replace(_frame(), plan_map=plan_map(30.0)[:5])
    bare = replace(frame, plan_map=None)
    drawn = np.abs(_camera_part(frame) - _camera_part(bare)).max(axis=2) > 20
    far, _ = VIEW.project([[14.0, 0.98]])
    assert not drawn[: round(far[0, 1])].any()
    assert drawn[round(far[0, 1]) + 20 :].any()


def test_a_picture_of_another_shape_keeps_its_proportions():
    seen = replace(busy(), image=np.full((400, 400, 3), 200, dtype=np.uint8))
    part = _camera_part(FilmFrame(seen, 'expert'), Camera.from_fov(90.0, 400, 400))
    bright = (part == 200).all(axis=2)
    assert bright[:, 140:500].all()
    assert not bright[:, :140].any()
    assert not bright[:, 500:].any()


def test_the_last_infraction_and_nothing_else_is_written_in_red():
    def red(frame: FilmFrame) -> int:
        strip = _words(frame)
        return int(((strip[..., 0] > 200) & (strip[..., 1:].max(axis=2) < 120)).sum())

    assert red(_frame(infractions=(HIT,))) > 100
    assert red(_frame(end='arrived')) == 0
    other = replace(HIT, detail='hit something else')
    last = _words(_frame(infractions=(other, HIT)))
    assert np.array_equal(last, _words(_frame(infractions=(HIT, HIT))))
    assert not np.array_equal(last, _words(_frame(infractions=(HIT, other))))


@pytest.mark.parametrize(
    'changes',
    [
        {'reasoning': Reasoning(scene='rain')},
        {'reasoning': Reasoning(objects=('a car',))},
        {'reasoning': Reasoning(intent='brake')},
        {'source': Source.STOP},
        {'reason': 'timeout'},
        {'end': 'arrived'},
        {'planner': 'another'},
        {'infractions': (HIT,)},
    ],
)
def test_everything_that_a_frame_says_is_written(changes):
    assert not np.array_equal(_words(_frame()), _words(replace(_frame(), **changes)))


@pytest.mark.parametrize('change', [{'speed_mps': 3.0}, {'command': 'turn left'}])
def test_the_state_of_the_ego_is_written(change):
    moved = replace(_frame(), observation=replace(_frame().observation, **change))
    assert not np.array_equal(_words(_frame()), _words(moved))
    assert not np.array_equal(
        compose(_frame(), VEHICLE, VIEW, 1.0)[360:], compose(_frame(), VEHICLE, VIEW, 2.0)[360:]
    )


def test_long_text_stays_inside_its_rows():
    long = 'a very long text that goes on and on without an end ' * 20
    infraction = replace(HIT, detail=long)
    strip = _words(
        _frame(
            reasoning=Reasoning(long, (long,), long),
            end=long,
            reason=long,
            infractions=(infraction,) * 3,
            source=Source.LAST_PLAN,
        )
    )
    assert (strip[:, :10] == strip[0, 0]).all()
    assert (strip[:, -10:] == strip[0, 0]).all()


def test_wrapped_text_keeps_every_word_while_there_is_room_and_says_when_there_is_none():
    text = 'the lead car brakes and a pedestrian waits at the kerb to cross'
    assert ' '.join(wrap(text, 15, 200.0, 9)) == text
    rows = wrap(text, 15, 200.0, 2)
    assert len(rows) == 2
    assert rows[-1].endswith('...')
    assert all(text_width(row, 15) <= 200.0 for row in rows)
    assert all(text_width(row, 15) <= 200.0 for row in wrap('x' * 500, 15, 200.0, 2))
    assert wrap('', 15, 200.0, 2) == []
    assert cut('short', 15, 200.0) == 'short'


def test_letters_that_the_font_lacks_are_replaced_by_near_ones():
    assert printable('Straße → „grün“\n3 m/s²') == 'Strasse -> "grun" 3 m/s2'
    assert printable('κ = 0.1 m⁻¹, 5°, 左') == '? = 0.1 m-1, 5°, ?'

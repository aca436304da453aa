"""One frame of a film: front camera with the path on it, bird's-eye view, and words.

In: what was seen, planned and done at one instant. Out: an RGB picture. Knows no world and no
planner: whoever drives says what to show.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike

from emma_planner.perception.camera import Camera
from emma_planner.planning.fallback import Source
from emma_planner.planning.kinematics import integrate, invert, to_base
from emma_planner.planning.types import (
    NUM_STEPS,
    ByteArray,
    FloatArray,
    Pose,
    Reasoning,
    Trajectory,
)
from emma_planner.simulation.drive import Infraction
from emma_planner.simulation.film.birds_eye import draw_birds_eye
from emma_planner.simulation.film.film_text import Text, cut, text_width, wrap, write
from emma_planner.simulation.film.map_canvas import DARK, GROUND
from emma_planner.simulation.observation import Observation, VehicleShape
from emma_planner.simulation.roads.road_map import RoadMap
from emma_planner.visualization.overlay import Colour, draw_plan

CAMERA_WIDTH_PX, CAMERA_HEIGHT_PX = 640, 360
TEXT_HEIGHT_PX = 112
WIDTH_PX, HEIGHT_PX = CAMERA_WIDTH_PX + CAMERA_HEIGHT_PX, CAMERA_HEIGHT_PX + TEXT_HEIGHT_PX
VIEW_M = 60.0
"""Side of the bird's-eye view on the ground."""

_MARGIN_PX = 14
_ROOM_PX = WIDTH_PX - 2 * _MARGIN_PX
_BASELINES_PX = (26, 51, 74, 100)
"""Of the rows of text, from the top of their strip."""
_COLUMNS_PX = (_MARGIN_PX, 90, 260, 470)
"""Where time, speed and command start; the end of the command."""
_LARGE_PX, _SMALL_PX = 17, 15
_STRIP: Colour = (24, 28, 35)
_WHITE: Colour = (255, 255, 255)
_GREY: Colour = (170, 178, 189)
_RED: Colour = (255, 92, 84)
_ORANGE: Colour = (255, 172, 48)
_GREEN: Colour = (72, 220, 132)
_SAID = {
    Source.PLAN: 'plan',
    Source.LAST_PLAN: 'fallback: last plan',
    Source.STOP: 'fallback: stop',
    Source.NONE: 'no path',
}
"""What is driven, for people."""


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """One instant of a drive.

    :param planner: name of what plans
    :param plan_map: ``(N, 3)`` x [m], y [m], yaw [rad], map, 0.5 s apart: the path that is
        driven, the first pose where it starts (the ego at its t0); None without
    :param source: where that path comes from
    :param reason: reason code of a plan that is missing or not valid
    :param reasoning: chain of thought of the newest plan
    :param infractions: so far, oldest first
    :param end: why the drive ended, on its last frame; empty before
    """

    observation: Observation
    planner: str
    roads: RoadMap | None = None
    plan_map: FloatArray | None = None
    source: Source = Source.PLAN
    reason: str = ''
    reasoning: Reasoning = field(default_factory=Reasoning)
    infractions: tuple[Infraction, ...] = ()
    end: str = ''


def compose(
    frame: FilmFrame,
    vehicle: VehicleShape,
    camera: Camera,
    time_s: float,
    path_driven: ArrayLike | None = None,
) -> ByteArray:
    """Lay out one frame: camera left, bird's-eye view right, words below.

    :param time_s: since the start of the drive
    :param path_driven: ``(M, 2 or 3)`` x [m], y [m], map, up to now
    :returns: ``(472, 1000, 3)`` uint8 RGB
    """
    picture = np.empty((HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    picture[:CAMERA_HEIGHT_PX, :CAMERA_WIDTH_PX] = _camera_view(frame, camera)
    picture[:CAMERA_HEIGHT_PX, CAMERA_WIDTH_PX:] = draw_birds_eye(
        frame.observation,
        vehicle,
        roads=frame.roads,
        plan_map=frame.plan_map,
        plan_valid=frame.source == Source.PLAN,
        path_driven=path_driven,
        infractions=frame.infractions,
        size_px=CAMERA_HEIGHT_PX,
        metres=VIEW_M,
    )
    picture[:CAMERA_HEIGHT_PX, CAMERA_WIDTH_PX : CAMERA_WIDTH_PX + 2] = DARK
    picture[CAMERA_HEIGHT_PX:] = _words(frame, time_s)
    return picture


def _camera_view(frame: FilmFrame, camera: Camera) -> ByteArray:
    """The camera's picture with the path, fitted into its place."""
    view = np.empty((CAMERA_HEIGHT_PX, CAMERA_WIDTH_PX, 3), dtype=np.uint8)
    view[:] = GROUND
    image = frame.observation.image
    if image is None:
        text = 'no camera picture'
        left = (CAMERA_WIDTH_PX - text_width(text, _LARGE_PX)) / 2.0
        return write(view, [(text, left, CAMERA_HEIGHT_PX / 2.0, _LARGE_PX, _GREY)])
    height, width = image.shape[:2]
    scale = min(CAMERA_WIDTH_PX / width, CAMERA_HEIGHT_PX / height)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    method = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    fitted = cv2.resize(image, (width, height), interpolation=method)
    left, top = (CAMERA_WIDTH_PX - width) // 2, (CAMERA_HEIGHT_PX - height) // 2
    view[top : top + height, left : left + width] = _with_path(np.asarray(fitted), frame, camera)
    return view


def _with_path(image: ByteArray, frame: FilmFrame, camera: Camera) -> ByteArray:
    valid = frame.source == Source.PLAN
    trajectory = None
    if frame.plan_map is not None and len(frame.plan_map) > 1:
        start = Pose(*frame.plan_map[0].tolist())
        trajectory = _trajectory(to_base(frame.plan_map[1:], start))
        camera = _seen_from(camera, frame.observation.pose, start)
    if valid and trajectory is None:
        return image
    return draw_plan(
        image,
        trajectory if valid else None,
        camera,
        valid=valid,
        reason=frame.reason,
        fallback=None if valid else trajectory,
        inset=False,
    )


def _trajectory(poses: FloatArray) -> Trajectory:
    """A path as a trajectory from where it starts; one that ends early stands still there."""
    poses = poses[:NUM_STEPS]
    padded = np.vstack([poses, np.repeat(poses[-1:], NUM_STEPS - len(poses), axis=0)])
    speeds, curvatures = invert(padded)
    return Trajectory(speeds, curvatures, integrate(speeds, curvatures))


def _seen_from(camera: Camera, ego: Pose, start: Pose) -> Camera:
    """The camera mounted on where the path starts, at the place where the ego has taken it.

    So the path stays where it lies on the road, whatever the ego has driven since.
    """
    x, y, yaw = to_base(ego.as_array()[None], start)[0]
    cos, sin = np.cos(yaw), np.sin(yaw)
    return replace(
        camera,
        x_m=float(x + cos * camera.x_m - sin * camera.y_m),
        y_m=float(y + sin * camera.x_m + cos * camera.y_m),
        yaw_deg=camera.yaw_deg + float(np.degrees(yaw)),
    )


def _words(frame: FilmFrame, time_s: float) -> ByteArray:
    """The strip below: state, chain of thought in two rows, the end and the last infraction."""
    strip = np.empty((TEXT_HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    strip[:] = _STRIP
    texts = _state(frame, time_s)
    for row, thought in enumerate(_thoughts(frame.reasoning)):
        texts.append((thought, _MARGIN_PX, _BASELINES_PX[1 + row], _SMALL_PX, _GREY))
    return write(strip, texts + _last_words(frame))


def _state(frame: FilmFrame, time_s: float) -> list[Text]:
    """Time, speed and command in columns of their own; planner and what is driven at the right."""
    seen, baseline = frame.observation, _BASELINES_PX[0]
    mps = round(seen.speed_mps, 1) + 0.0  # no -0.0 for who stands
    speed = f'{mps:.1f} m/s ({round(3.6 * mps) + 0} km/h)'
    columns = (f'{time_s:.1f} s', speed, seen.command)
    texts: list[Text] = [
        (cut(text, _LARGE_PX, end - left - _MARGIN_PX), left, baseline, _LARGE_PX, _WHITE)
        for text, left, end in zip(columns, _COLUMNS_PX[:-1], _COLUMNS_PX[1:], strict=True)
    ]
    driven = _SAID[frame.source] + (f' ({frame.reason})' if frame.reason else '')
    driven = cut(driven, _LARGE_PX, 310)
    left = WIDTH_PX - _MARGIN_PX - text_width(driven, _LARGE_PX)
    colour = _GREEN if frame.source == Source.PLAN else _ORANGE
    texts.append((driven, left, baseline, _LARGE_PX, colour))
    planner = cut(frame.planner, _LARGE_PX, left - _COLUMNS_PX[-1] - _MARGIN_PX)
    left -= text_width(planner, _LARGE_PX) + _MARGIN_PX
    texts.append((planner, left, baseline, _LARGE_PX, _GREY))
    return texts


def _thoughts(reasoning: Reasoning) -> list[str]:
    """What is seen and what is meant, a row each; one of them alone may take both."""
    seen = '; '.join(part.strip(' .') for part in (reasoning.scene, *reasoning.objects) if part)
    intent = f'Intent: {reasoning.intent}' if reasoning.intent else ''
    if seen and intent:
        return [cut(seen, _SMALL_PX, _ROOM_PX), cut(intent, _SMALL_PX, _ROOM_PX)]
    return wrap(seen or intent, _SMALL_PX, _ROOM_PX, 2)


def _last_words(frame: FilmFrame) -> list[Text]:
    """Why the drive ended, and the last infraction in red, in the last row."""
    left = float(_MARGIN_PX)
    texts: list[Text] = []
    if frame.end:
        room = _ROOM_PX * (0.55 if frame.infractions else 1.0)
        end = cut(f'End: {frame.end}', _LARGE_PX, room)
        texts.append((end, left, _BASELINES_PX[3], _LARGE_PX, _WHITE))
        left += text_width(end, _LARGE_PX) + 2 * _MARGIN_PX
    if frame.infractions:
        last, count = frame.infractions[-1], len(frame.infractions)
        said = f'{last.time_s:.1f} s {last.kind.value.replace("_", " ")}: {last.detail}'
        said = (f'[{count}] ' if count > 1 else '') + said
        said = cut(said, _LARGE_PX, WIDTH_PX - _MARGIN_PX - left)
        texts.append((said, left, _BASELINES_PX[3], _LARGE_PX, _RED))
    return texts

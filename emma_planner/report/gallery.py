"""Plans to look at: the best, those in the middle and the worst, as pictures with words."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emma_planner.evaluation.manoeuvres import errors_of
from emma_planner.evaluation.predictions import Prediction
from emma_planner.perception.camera import Camera
from emma_planner.planning.kinematics import invert
from emma_planner.planning.types import ByteArray, FloatArray, InputError, Trajectory
from emma_planner.recordings.dataset import HEADER
from emma_planner.report.charts import path_chart
from emma_planner.runs.picture_file import read_rgb
from emma_planner.visualization.overlay import draw_plan

EACH = 3
"""Plans of each kind."""
WIDTH_PX = 480
QUALITY = 80


@dataclass(frozen=True)
class Shown:
    """One plan.

    :param picture: data URL of the camera picture with plan and truth on it, empty without
    :param view: SVG from above
    """

    kind: str
    title: str
    picture: str
    view: str
    scene: str
    objects: tuple[str, ...]
    intent: str
    true: str
    detail: str


def gallery(predictions: Sequence[Prediction]) -> list[Shown]:
    """Choose plans by their error, each of another scene where there are enough."""
    errors = errors_of(predictions)
    known = [k for k in np.argsort(errors).tolist() if np.isfinite(errors[k])]
    middle = sorted(known, key=lambda k: abs(errors[k] - np.median(errors[known])))
    chosen = [('best', known), ('median', middle), ('worst', known[::-1])]
    used: set[int] = set()
    shown = []
    for kind, order in chosen:
        for k in _of_different_scenes(predictions, order, used):
            used.add(k)
            shown.append(_shown(kind, predictions[k], float(errors[k])))
    return shown


def jpeg_url(rgb: ByteArray) -> str:
    """Return a picture as a data URL."""
    from PIL import Image

    picture, file = Image.fromarray(rgb), io.BytesIO()
    if picture.width > WIDTH_PX:
        height = max(1, round(picture.height * WIDTH_PX / picture.width))
        picture = picture.resize((WIDTH_PX, height), Image.Resampling.LANCZOS)
    picture.save(file, format='JPEG', quality=QUALITY)
    return f'data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}'


def read_picture(path: Path) -> ByteArray | None:
    """Return ``(H, W, 3)``, None where there is no picture."""
    try:
        return read_rgb(path)
    except InputError:
        return None


def _of_different_scenes(
    predictions: Sequence[Prediction], order: Sequence[int], used: set[int]
) -> list[int]:
    free = [k for k in order if k not in used]
    scenes: set[str] = set()
    first = []
    for k in free:
        if predictions[k].scene not in scenes:
            scenes.add(predictions[k].scene)
            first.append(k)
        if len(first) == EACH:
            return first
    return (first + [k for k in free if k not in first])[:EACH]


def _shown(kind: str, item: Prediction, error_m: float) -> Shown:
    assert item.poses is not None
    paths = [('plan', _from_origin(item.poses)), ('driven', _from_origin(item.truth))]
    return Shown(
        kind=kind,
        title=f'{item.scene} at {item.stamp_ns / 1e9:.1f} s: ADE {error_m:.2f} m',
        picture=_picture(item),
        view=path_chart(paths),
        scene=item.said.scene,
        objects=item.said.objects,
        intent=item.said.intent,
        true='' if item.true is None else item.true.intent,
        detail=item.detail,
    )


def _from_origin(poses: FloatArray) -> FloatArray:
    known = poses[np.isfinite(poses).all(axis=1)]
    return np.vstack([np.zeros(2), known[:, :2]])


def _picture(item: Prediction) -> str:
    """Draw on the picture where its camera is known; else show it as it is."""
    rgb = read_picture(Path(item.image)) if item.image else None
    if rgb is None:
        return ''
    camera, poses = _camera_of(Path(item.image), rgb), item.poses
    if camera is None or poses is None or not np.isfinite(poses).all():
        return jpeg_url(rgb)
    truth = item.truth[np.isfinite(item.truth).all(axis=1)]
    plan = Trajectory(*invert(poses), poses)
    return jpeg_url(
        draw_plan(rgb, plan, camera, truth=truth, inset=False, valid=not item.reason,
                  reason=item.reason)
    )  # fmt: skip


def _camera_of(image: Path, rgb: ByteArray) -> Camera | None:
    """Return the camera that a data set says its pictures were taken with."""
    if len(image.parents) < 3:
        return None
    try:
        header = json.loads((image.parents[2] / HEADER).read_text(encoding='utf-8'))
        told = header['camera']
        x, y, z = told['position_m']
        height, width = rgb.shape[:2]
        return Camera.from_fov(
            told['fov_deg'], width, height, x_m=x, y_m=y, z_m=z, pitch_deg=told['pitch_deg']
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None

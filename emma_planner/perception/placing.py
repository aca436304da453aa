"""Boxes of a picture to objects on the road: where they stand, and how large their kind is.

Monocular and on flat ground: what stands on the road stands where the lower edge of its box meets
the ground; what hangs, or stands too far away for that, is as far as its height says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emma_planner.perception.camera import Camera
from emma_planner.planning.types import DetectedObject, FloatArray

SIZES_M = {
    'car': (4.5, 1.8, 1.5),
    'truck': (8.0, 2.5, 3.2),
    'bus': (11.0, 2.5, 3.2),
    'motorcycle': (2.2, 0.8, 1.5),
    'bicycle': (1.8, 0.6, 1.7),
    'pedestrian': (0.5, 0.6, 1.7),
    'traffic light': (0.3, 0.4, 1.0),
    'stop sign': (0.1, 0.75, 0.75),
}
"""Usual length, width and height of a kind."""
HANGING = ('traffic light', 'stop sign')
KINDS = {
    **{kind: kind for kind in SIZES_M},
    'person': 'pedestrian',
    'person_sitting': 'pedestrian',
    'van': 'car',
    'cyclist': 'bicycle',
    'rider': 'bicycle',
    'tram': 'bus',
    'train': 'bus',
}
"""Labels of COCO, KITTI and BDD100K, in small letters, to kinds; nothing else matters."""
GROUND_MAX_M = 40.0
"""Farther away a pixel of the lower edge is metres of road: the height says more."""
SEEN_M = 100.0


@dataclass(frozen=True)
class Box:
    """What a detector found in a picture.

    :param label: as the detector names it
    :param score: 0 ... 1
    :param left: columns and rows of its edges [px]
    """

    label: str
    score: float
    left: float
    top: float
    right: float
    bottom: float


def place(boxes: list[Box], camera: Camera) -> tuple[DetectedObject, ...]:
    """Return the road users, lights and signs among boxes, the nearest first.

    :param camera: of the picture that the boxes are in
    """
    found = [thing for box in boxes if (thing := _placed(box, camera)) is not None]
    return tuple(sorted(found, key=lambda thing: (thing.distance_m, thing.kind)))


def _placed(box: Box, camera: Camera) -> DetectedObject | None:
    kind = KINDS.get(box.label.lower())
    edges = (box.left, box.top, box.right, box.bottom)
    if kind is None or not np.isfinite(edges).all() or box.bottom <= box.top:
        return None
    foot = camera.rays([((box.left + box.right) / 2.0, box.bottom)])[0]
    eye = np.array([camera.x_m, camera.y_m, camera.z_m])
    depth_m = _depth(box, kind, camera, foot)
    ahead_m, left_m, _ = (eye + depth_m * foot).tolist()
    if not 0.0 < depth_m <= SEEN_M:
        return None
    return DetectedObject(kind, box.score, ahead_m, left_m, SIZES_M[kind])


def _depth(box: Box, kind: str, camera: Camera, foot: FloatArray) -> float:
    """Distance along the optical axis [m]."""
    by_height = camera.fy * SIZES_M[kind][2] / (box.bottom - box.top)
    if kind in HANGING or foot[2] >= 0.0:
        return by_height
    on_ground = -camera.z_m / float(foot[2])
    return on_ground if on_ground <= GROUND_MAX_M else by_height

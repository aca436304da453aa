"""Everybody on the road as arrays, and what one car sees of them along its track."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emma_planner.planning.types import FloatArray, Pose
from emma_planner.simulation.observation import Actor, ActorKind
from emma_planner.simulation.population.cars import CarState, EgoMotion
from emma_planner.simulation.roads.boxes import corners_of
from emma_planner.simulation.roads.polyline import project

EGO = 'ego'
LOOK_M = 60.0
BEHIND_M = 8.0
THINGS = (ActorKind.CONE, ActorKind.BARRIER, ActorKind.WARNING)


@dataclass(frozen=True, eq=False)
class RoadUsers:
    """Everybody, the ego first.

    :param points: ``(N, 5, 2)`` corners and middle [m]
    :param stays: does not move, ever
    :param walks: on foot, and with a way still to go
    """

    names: tuple[str, ...]
    points: FloatArray
    yaw_rad: FloatArray
    speed_mps: FloatArray
    stays: tuple[bool, ...]
    walks: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Seen:
    """Those near a car, on its track.

    :param who: ``(n,)`` numbers of users
    :param s_m: ``(n, 5)`` along the track, corners and middle
    :param offset_m: ``(n, 5)`` beside it, left positive
    :param from_m: the track was looked at between here and ``to_m``
    """

    who: NDArray[np.intp]
    s_m: FloatArray
    offset_m: FloatArray
    from_m: float
    to_m: float

    def standing(self, users: RoadUsers) -> Iterable[tuple[FloatArray, FloatArray]]:
        """Where things are that do not move: ``(5,)`` along and ``(5,)`` beside the track."""
        for k, s, offset in zip(self.who, self.s_m, self.offset_m, strict=True):
            if users.stays[k] and self.from_m + 0.5 < s[4] < self.to_m - 0.5:
                yield s, offset


def road_users(
    ego: EgoMotion, cars: Iterable[CarState], obstacles: tuple[Actor, ...]
) -> RoadUsers:
    """Put everybody into arrays."""
    rows = [(EGO, ego.centre, ego.shape.length_m, ego.shape.width_m, ego.speed_mps)]
    rows += [(car.id, car.pose, car.length_m, car.width_m, car.speed_mps) for car in cars]
    moving = len(rows)
    rows += [(o.id, o.pose, o.length_m, o.width_m, o.speed_mps) for o in obstacles]
    return RoadUsers(
        tuple(row[0] for row in rows),
        np.array([_outline(pose, length, width) for _, pose, length, width, _ in rows]),
        np.array([row[1].yaw_rad for row in rows]),
        np.array([row[4] for row in rows]),
        (False,) * moving + tuple(o.parked or o.kind in THINGS for o in obstacles),
        (False,) * moving + tuple(_walks(o) for o in obstacles),
    )


def look(car: CarState, users: RoadUsers) -> Seen:
    """Project those within :data:`LOOK_M` onto a car's track."""
    points, s_m = car.track.window(car.s_m - BEHIND_M, car.s_m + LOOK_M)
    apart = np.hypot(users.points[:, 4, 0] - car.pose.x_m, users.points[:, 4, 1] - car.pose.y_m)
    near = np.flatnonzero(apart < LOOK_M)
    s, offset = project(points, s_m, users.points[near])
    return Seen(near, s, offset, float(s_m[0]), float(s_m[-1]))


def _walks(actor: Actor) -> bool:
    return actor.kind is ActorKind.PEDESTRIAN and len(actor.path) > 0


def _outline(pose: Pose, length_m: float, width_m: float) -> FloatArray:
    """Return corners and middle ``(5, 2)`` x, y [m]."""
    corners = corners_of(pose, -length_m / 2, length_m / 2, width_m)
    return np.vstack([corners, (pose.x_m, pose.y_m)])

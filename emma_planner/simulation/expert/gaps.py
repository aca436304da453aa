"""Is there room beside the ego? Gap acceptance for lane changes and for passing obstacles."""

from __future__ import annotations

import math

import numpy as np

from emma_planner.simulation.expert.conflicts import way_of
from emma_planner.simulation.expert.frame import RouteFrame, corners
from emma_planner.simulation.observation import Actor, ActorKind, VehicleShape

SAME_WAY_COS = 0.3
DRIFT_S = 2.0
"""Whoever will be there within this time, by its own way, counts as there."""
FRONT_GAP_M = 2.0
FRONT_HEADWAY_S = 0.3
FRONT_BRAKING_MPS2 = 2.5
REAR_GAP_M = 2.5
REAR_HEADWAY_S = 0.8
REAR_BRAKING_MPS2 = 1.8
"""What others are asked for at most."""
EGO_GAIN_MPS = 2.0
"""The ego speeds up by this while it moves over."""


def blocker(
    frame: RouteFrame,
    actors: tuple[Actor, ...],
    ego: tuple[float, float],
    band: tuple[float, float],
    vehicle: VehicleShape,
    scale: float,
) -> Actor | None:
    """Return who forbids the ego to move into a band beside the route, None when it is free.

    :param ego: base_link along the route [m] and speed [m/s]
    :param band: right and left end of the band, offsets from the route [m]
    :param scale: of the gaps wanted, below 1 for who has waited long
    """
    s_ego, v = ego
    front, rear = s_ego + vehicle.front_overhang_m, s_ego - vehicle.rear_overhang_m
    for actor in actors:
        if actor.parked or actor.kind is not ActorKind.VEHICLE:
            continue
        s_m, d_m = frame.locate(corners(actor))
        turned = actor.pose.yaw_rad - float(frame.yaw_at(s_m.mean()))
        if math.cos(turned) < SAME_WAY_COS or not _reaches(frame, actor, d_m, band):
            continue
        other = max(actor.speed_mps, 0.0)
        if s_m.min() > front:
            closing = max(v * v - other * other, 0.0) / (2.0 * FRONT_BRAKING_MPS2)
            needed, gap = FRONT_GAP_M + FRONT_HEADWAY_S * v + closing, s_m.min() - front
        elif s_m.max() < rear:
            gained = min(v + EGO_GAIN_MPS, max(v, other))
            closing = max(other**2 - gained**2, 0.0) / (2.0 * REAR_BRAKING_MPS2)
            needed, gap = REAR_GAP_M + REAR_HEADWAY_S * other + closing, rear - s_m.max()
        else:
            return actor
        if gap < scale * needed:
            return actor
    return None


def _reaches(frame: RouteFrame, actor: Actor, d_m: np.ndarray, band: tuple[float, float]) -> bool:
    low, high = d_m.min(), d_m.max()
    u, points, _ = way_of(actor)
    soon = points[u <= DRIFT_S * actor.speed_mps]
    if len(soon):
        _, drift = frame.locate(soon)
        half = 0.5 * actor.width_m
        low, high = min(low, drift.min() - half), max(high, drift.max() + half)
    return bool(low < band[1] and high > band[0])

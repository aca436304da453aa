"""How fast the expert drives along its line: limits, bends, who is ahead, where to stop.

Gap keeping is the improved intelligent driver model of Kesting, Treiber and Helbing, Enhanced
intelligent driver model to access the impact of driving strategies on traffic capacity (2010),
equations 2 to 6, whose constant-acceleration heuristic takes a cut-in calmly. Stops and slower
places are speed profiles v(s) = sqrt(2 b (s_end - s)), followed with a short preview, so that the
car comes to rest where it should without a jerk. Knows no lanes and no rules of the road.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from emma_planner.planning.types import FloatArray

DT_S = 0.1
ACCELERATION_MPS2 = 1.8
BRAKING_MPS2 = 1.8
"""Comfortable, both."""
FIRM_MPS2 = 2.4
"""Who needs more braking than this for a stop brakes as hard as needed."""
EMERGENCY_MPS2 = 7.0
JERK_MPS3 = 3.5
EMERGENCY_JERK_MPS3 = 20.0
PREVIEW_S = 0.5
HEADWAY_S = 1.2
STANDSTILL_M = 3.0
"""Behind who stands."""
COOLNESS = 0.99
MATTERS_MPS2 = 0.2
"""What takes less from the acceleration does not limit."""
RESTS_MPS = 0.05
STARTS_M = 0.6
"""A car that stands goes on for no less."""


class Limit(str, Enum):
    """What keeps the ego from going faster."""

    FREE = 'free road'
    CURVE = 'curve'
    LEAD = 'lead'
    RED_LIGHT = 'red light'
    PEDESTRIAN = 'pedestrian'
    YIELD = 'yield'
    OBSTACLE = 'obstacle'
    DESTINATION = 'destination'

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Cause:
    """A limit, and who or what it is for.

    :param place_s_m: where it is along the route
    """

    limit: Limit
    who: str = ''
    place_s_m: float = math.nan


FREE = Cause(Limit.FREE)


@dataclass(frozen=True)
class Cap:
    """No faster than a speed between two places of base_link."""

    from_s_m: float
    to_s_m: float
    speed_mps: float
    cause: Cause


@dataclass(frozen=True)
class Stop:
    """The front bumper shall not pass a place."""

    front_s_m: float
    cause: Cause


@dataclass(frozen=True)
class Follow:
    """Stay behind somebody.

    :param rear_s_m: its rear along the route, now
    :param unless_stop_m: where the front may as well stop in place of following
    """

    rear_s_m: float
    speed_mps: float
    acceleration_mps2: float
    cause: Cause
    unless_stop_m: float = math.nan


@dataclass(frozen=True, eq=False)
class Motion:
    """Motion along the line from now on, at the ends of steps of :data:`DT_S`.

    :param s_m: ``(T,)`` base_link along the route
    :param speeds_mps: ``(T,)``
    :param accelerations_mps2: ``(T,)`` during each step
    :param cause: what limits it first
    """

    s_m: FloatArray
    speeds_mps: FloatArray
    accelerations_mps2: FloatArray
    cause: Cause

    def time_at(self, s_m: float) -> float:
        """When base_link passes a place [s], inf when not within the horizon."""
        if self.s_m[-1] < s_m:
            return math.inf
        k = int(np.searchsorted(self.s_m, s_m))
        return k * DT_S


class Profile:
    """Highest speed by place, so that every slower place ahead is met with gentle braking.

    :param s_m: ``(N,)`` places a metre apart
    :param limit_mps: ``(N,)`` posted
    :param caps: lower ones
    """

    def __init__(self, s_m: FloatArray, limit_mps: FloatArray, caps: Sequence[Cap]) -> None:
        speeds, who = limit_mps.tolist(), [FREE] * len(s_m)
        for cap in caps:
            first = max(int(np.searchsorted(s_m, cap.from_s_m)) - 1, 0)
            for k in range(first, int(np.searchsorted(s_m, cap.to_s_m)) + 1):
                if k < len(speeds) and cap.speed_mps < speeds[k]:
                    speeds[k], who[k] = cap.speed_mps, cap.cause
        for k in range(len(speeds) - 2, -1, -1):
            reachable = math.sqrt(speeds[k + 1] ** 2 + 2.0 * BRAKING_MPS2)
            if reachable < speeds[k]:
                speeds[k], who[k] = reachable, who[k + 1]
        self._speeds, self._who, self._first = speeds, who, float(s_m[0])

    def at(self, s_m: float) -> tuple[float, Cause]:
        """Return speed [m/s] and what sets it."""
        place = min(max(s_m - self._first, 0.0), len(self._speeds) - 1.001)
        k = int(place)
        part = place - k
        return self._speeds[k] * (1.0 - part) + self._speeds[k + 1] * part, self._who[k + 1]


def drive(
    start: tuple[float, float, float],
    front_m: float,
    profile: Profile,
    stops: Sequence[Stop],
    follows: Sequence[Follow],
    num_steps: int,
) -> Motion:
    """Drive on along the line.

    :param start: base_link along the route [m], speed [m/s], acceleration [m/s^2]
    :param front_m: base_link to the front bumper
    """
    s, v, a = start
    places, speeds, accelerations = [], [], []
    cause: Cause | None = None
    for k in range(num_steps):
        wanted, why, free = _wanted(s, v, k * DT_S, front_m, profile, stops, follows)
        a = _smooth(a, wanted)
        if v < RESTS_MPS and wanted <= 0.0:
            a = -v / DT_S
        after = max(v + a * DT_S, 0.0)
        a = (after - v) / DT_S
        s += 0.5 * (v + after) * DT_S
        v = after
        places.append(s)
        speeds.append(v)
        accelerations.append(a)
        if cause is None and k <= 30 and wanted < free - MATTERS_MPS2:
            cause = why
    return Motion(np.array(places), np.array(speeds), np.array(accelerations), cause or FREE)


def _wanted(
    s: float,
    v: float,
    time_s: float,
    front_m: float,
    profile: Profile,
    stops: Sequence[Stop],
    follows: Sequence[Follow],
) -> tuple[float, Cause, float]:
    """Wanted acceleration, what limits it, and what it would be on a free road."""
    allowed, why = profile.at(s + PREVIEW_S * v)
    wanted = min((allowed - v) / PREVIEW_S, ACCELERATION_MPS2)
    wanted = max(wanted, -EMERGENCY_MPS2 if v > allowed + 6.0 else -3.0)
    free = ACCELERATION_MPS2 if why is not FREE else wanted
    for stop in stops:
        a = _stopping(v, stop.front_s_m - s - front_m)
        if a < wanted:
            wanted, why = a, stop.cause
    for follow in follows:
        a = _following(s + front_m, v, time_s, follow)
        if follow.unless_stop_m == follow.unless_stop_m:
            a = max(a, _stopping(v, follow.unless_stop_m - s - front_m))
        if a < wanted:
            wanted, why = a, follow.cause
    return max(wanted, -EMERGENCY_MPS2), why, free


def _stopping(v: float, distance_m: float) -> float:
    """Acceleration that brings the front to rest at a distance."""
    if v < 0.3 and distance_m < STARTS_M:
        return -v / PREVIEW_S
    left = distance_m - PREVIEW_S * v
    allowed = math.sqrt(2.0 * BRAKING_MPS2 * max(left, 0.0))
    a = (allowed - v) / PREVIEW_S
    needed = v * v / (2.0 * max(distance_m, 0.1))
    if needed > FIRM_MPS2:
        return -needed * 1.05
    return max(a, -max(1.1 * BRAKING_MPS2, 1.2 * needed)) if a < 0.0 else a


def _following(front_s_m: float, v: float, time_s: float, follow: Follow) -> float:
    lead, a_lead = follow.speed_mps, min(follow.acceleration_mps2, 0.0)
    braked = min(time_s, -lead / a_lead) if a_lead < -0.1 else time_s
    place = follow.rear_s_m + lead * braked + 0.5 * a_lead * braked**2
    lead_now = max(lead + a_lead * braked, 0.0)
    if a_lead >= -0.1:
        place, lead_now = follow.rear_s_m + lead * time_s, lead
    return gap_keeping(v, place - front_s_m, lead_now, a_lead if lead_now > 0.0 else 0.0)


def gap_keeping(v: float, gap_m: float, lead_mps: float, lead_mps2: float) -> float:
    """Acceleration behind a leader, without the term of the wanted speed."""
    gap = max(gap_m, 0.1)
    root = 2.0 * math.sqrt(ACCELERATION_MPS2 * BRAKING_MPS2)
    wanted_gap = STANDSTILL_M + max(HEADWAY_S * v + v * (v - lead_mps) / root, 0.0)
    idm = ACCELERATION_MPS2 * (1.0 - (wanted_gap / gap) ** 2)
    a_lead = min(lead_mps2, ACCELERATION_MPS2)
    if lead_mps * (v - lead_mps) <= -2.0 * gap * a_lead and (lead_mps > 0.0 or a_lead < 0.0):
        cah = v * v * a_lead / max(lead_mps**2 - 2.0 * gap * a_lead, 1e-3)
    else:
        cah = a_lead - max(v - lead_mps, 0.0) ** 2 / (2.0 * gap)
    if idm >= cah:
        return idm
    calm = cah + BRAKING_MPS2 * math.tanh((idm - cah) / BRAKING_MPS2)
    return max((1.0 - COOLNESS) * max(idm, -EMERGENCY_MPS2) + COOLNESS * calm, -EMERGENCY_MPS2)


def _smooth(last: float, wanted: float) -> float:
    """Limit jerk; braking hard may come quickly."""
    hard = wanted < -3.2 or last < -3.2
    down = (EMERGENCY_JERK_MPS3 if hard else JERK_MPS3) * DT_S
    up = (EMERGENCY_JERK_MPS3 if last < -3.2 else JERK_MPS3) * DT_S
    return min(max(wanted, last - down), last + up)

"""Is a parsed trajectory drivable, is it an echo of the history, does it fit the stated intent.

Pure functions over core types. A failed check is a reason code, never a correction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.types import (
    DT_S,
    EgoHistory,
    FloatArray,
    PlanningError,
    Reason,
    Trajectory,
)

ECHO_TOLERANCE_MPS = 0.011
ECHO_TOLERANCE_1PM = 1.1e-4
"""Two decimals of the prompt's numbers: closer than this is the same number written again."""
STEADY_MPS = 0.1
STEADY_1PM = 1e-3
"""A history that varies less than this says the same as its own continuation: no echo."""
TURN_RAD = np.deg2rad(15.0)
"""Heading change over 5 s from which a trajectory counts as turning."""
SPEED_CHANGE_MPS = 1.0
STOPPED_MPS = 0.3


@dataclass(frozen=True)
class PlausibilityLimits:
    """What a road car can do; see the parameters of the same names.

    Defaults: about 1 g in any direction, and the curvature of a 2.9 m radius.
    """

    max_speed_mps: float = 60.0
    max_acceleration_mps2: float = 10.0
    max_lateral_acceleration_mps2: float = 10.0
    max_curvature_1pm: float = 0.35


class PlanCheckError(PlanningError):
    """The numbers parse but are not to be driven."""


def check_plausible(
    trajectory: Trajectory, history: EgoHistory, limits: PlausibilityLimits
) -> None:
    """Check speed, acceleration (also from the current speed), curvature, lateral acceleration.

    :raises PlanCheckError: ``implausible``, naming the first limit broken and where
    """
    speeds = np.concatenate([history.speeds_mps[-1:], trajectory.speeds_mps])
    with np.errstate(over='ignore', invalid='ignore'):
        acceleration = np.diff(speeds) / DT_S
        lateral = trajectory.speeds_mps**2 * trajectory.curvatures_1pm
    for what, values, limit, unit in (
        ('speed', trajectory.speeds_mps, limits.max_speed_mps, 'm/s'),
        ('curvature', trajectory.curvatures_1pm, limits.max_curvature_1pm, '1/m'),
        ('acceleration', acceleration, limits.max_acceleration_mps2, 'm/s^2'),
        ('lateral acceleration', lateral, limits.max_lateral_acceleration_mps2, 'm/s^2'),
    ):
        step = int(np.argmax(np.abs(values)))
        if abs(values[step]) > limit:
            raise PlanCheckError(
                Reason.IMPLAUSIBLE,
                f'need |{what}| up to {limit:g} {unit}, got {values[step]:.3g} in step {step + 1}',
            )


def check_echo(
    trajectory: Trajectory, history_speeds_mps: FloatArray, history_curvatures_1pm: FloatArray
) -> None:
    """Check that the plan is not the history written again.

    :param history_speeds_mps: ``(10,)`` [m/s], to the resolution of the reply's format
    :param history_curvatures_1pm: ``(10,)`` [1/m], likewise
    :raises PlanCheckError: ``history_echo``
    """
    if _steady(history_speeds_mps, STEADY_MPS) and _steady(history_curvatures_1pm, STEADY_1PM):
        return
    same_speed = np.abs(trajectory.speeds_mps - history_speeds_mps) < ECHO_TOLERANCE_MPS
    same_curvature = (
        np.abs(trajectory.curvatures_1pm - history_curvatures_1pm) < ECHO_TOLERANCE_1PM
    )
    if same_speed.all() and same_curvature.all():
        raise PlanCheckError(
            Reason.HISTORY_ECHO, 'need the next 5 s, got the ten history pairs written again'
        )


def _steady(values: FloatArray, tolerance: float) -> bool:
    return bool(np.ptp(values) < tolerance)


_BESIDE = re.compile(r'\b(change|pass)[^,.;]*', re.IGNORECASE)
"""A change of lanes, or of the place in the lane: its side is no turn."""
_LATERAL = {
    'left': re.compile(r'\bleft\b', re.IGNORECASE),
    'right': re.compile(r'\bright\b', re.IGNORECASE),
    'straight': re.compile(r'\b(straight|keep (the )?lane|follow (the )?lane)\b', re.IGNORECASE),
}
_LONGITUDINAL = {
    'stop': re.compile(r'\b(stop|halt|stand)', re.IGNORECASE),
    'decelerate': re.compile(r'\b(decelerat|slow|brak|yield)', re.IGNORECASE),
    'accelerate': re.compile(r'\b(accelerat|speed up|faster)', re.IGNORECASE),
    'keep': re.compile(r'\b(keep|maintain|constant|same) .{0,12}speed\b', re.IGNORECASE),
}


def lateral_motion(trajectory: Trajectory) -> str:
    """``left``, ``right`` or ``straight``, by the heading change over the horizon."""
    turn = trajectory.poses[-1, 2]
    if abs(turn) < TURN_RAD:
        return 'straight'
    return 'left' if turn > 0 else 'right'


def longitudinal_motion(trajectory: Trajectory) -> str:
    """``stop``, ``decelerate``, ``accelerate`` or ``keep``, by first and last speed."""
    first, last = trajectory.speeds_mps[0], trajectory.speeds_mps[-1]
    if abs(last) < STOPPED_MPS:
        return 'stop'
    if abs(last - first) < SPEED_CHANGE_MPS:
        return 'keep'
    return 'accelerate' if last > first else 'decelerate'


_LEFTNESS = {'left': 1, 'straight': 0, 'right': -1}
_FASTNESS = {'accelerate': 1, 'keep': 0, 'decelerate': -1, 'stop': -1}


def missed_intent(intent: str, trajectory: Trajectory) -> tuple[int, int] | None:
    """How a trajectory would have to change to do what the intent says.

    Stopping counts as decelerating; the side of a lane change is no turn. A word about an object
    on one side is read as a turn, so this is no reason to refuse a plan.

    :returns: 1 for faster, -1 for slower, 0 for as it is; 1 for more to the left, -1 to the right;
        None where the intent says nothing checkable
    """
    turns = _BESIDE.sub('', intent)
    lateral = [name for name, pattern in _LATERAL.items() if pattern.search(turns)]
    longitudinal = [name for name, pattern in _LONGITUDINAL.items() if pattern.search(intent)]
    faster, lefter = 0, 0
    if len(longitudinal) == 1:
        does = longitudinal_motion(trajectory)
        faster = int(np.sign(_FASTNESS[longitudinal[0]] - _FASTNESS[does]))
    if len(lateral) == 1:
        lefter = int(np.sign(_LEFTNESS[lateral[0]] - _LEFTNESS[lateral_motion(trajectory)]))
    is_checkable = 1 in (len(longitudinal), len(lateral))
    return (faster, lefter) if is_checkable else None


def intent_agrees(intent: str, trajectory: Trajectory) -> bool | None:
    """Whether the trajectory does what the intent says; None where it says nothing checkable."""
    missed = missed_intent(intent, trajectory)
    return None if missed is None else missed == (0, 0)

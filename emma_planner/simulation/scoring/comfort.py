"""How comfortable a drive is: accelerations and jerks within limits.

Speeds and yaw rates in, verdicts per segment out. The limits are nuPlan's, which Bench2Drive and
NAVSIM took over; they say when people in a car stop being at ease. Derivatives are smoothed as
these do, by Savitzky-Golay filters (Analytical Chemistry 36(8), 1964): a polynomial fitted to a
short window around every sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from emma_planner.planning.types import FloatArray

MIN_LON_ACCELERATION_MPS2 = -4.05
MAX_LON_ACCELERATION_MPS2 = 2.40
MAX_LAT_ACCELERATION_MPS2 = 4.89
MAX_JERK_MPS3 = 8.37
MAX_LON_JERK_MPS3 = 4.13
MAX_YAW_ACCELERATION_RADPS2 = 1.93
MAX_YAW_RATE_RADPS = 0.95
"""Limits of nuPlan's ego_is_comfortable, as in Bench2Drive's
tools/efficiency_smoothness_benchmark.py and NAVSIM's pdm_comfort_metrics.py."""
SEGMENT_SAMPLES = 20
"""Bench2Drive's per_step: 2 s at 10 Hz."""
WINDOW_SAMPLES = 7
POLYNOMIAL_ORDER = 2
"""Bench2Drive's window_size and poly_order."""


@dataclass(frozen=True, eq=False)
class Motion:
    """What is felt in the car, smoothed; every array is ``(N,)``, in base_link.

    :param lateral_mps2: speed times yaw rate, as a car that does not slip
    :param jerk_mps3: change of the acceleration's magnitude
    """

    longitudinal_mps2: FloatArray
    lateral_mps2: FloatArray
    jerk_mps3: FloatArray
    longitudinal_jerk_mps3: FloatArray
    yaw_rate_radps: FloatArray
    yaw_acceleration_radps2: FloatArray


def comfortable_segments(
    speeds_mps: FloatArray, yaw_rates_radps: FloatArray, step_s: float
) -> NDArray[np.bool_]:
    """Whether each segment of 20 samples keeps all limits.

    Bench2Drive, seg_compute_comfort_metric (arXiv 2406.03877, Smoothness): every segment is
    filtered by itself, a rest shorter than a segment is left out, a drive that is no longer than
    one is a segment. Its code tests the yaw rate against the limit of the yaw acceleration; here
    that is the acceleration, as in nuPlan. CARLA's accelerations come from its physics; here they
    are the derivative of the speed over the whole drive.

    :param speeds_mps: ``(N,)`` along body x
    :param yaw_rates_radps: ``(N,)`` left positive
    :returns: ``(S,)``, empty for an empty drive
    """
    num = len(speeds_mps)
    accelerations = savitzky_golay(speeds_mps, step_s, derivative=1)
    if num <= SEGMENT_SAMPLES:
        bounds = [slice(0, num)] if num else []
    else:
        starts = range(0, num - SEGMENT_SAMPLES + 1, SEGMENT_SAMPLES)
        bounds = [slice(start, start + SEGMENT_SAMPLES) for start in starts]
    return np.array(
        [
            _is_within(_motion(speeds_mps[at], accelerations[at], yaw_rates_radps[at], step_s))
            for at in bounds
        ],
        dtype=np.bool_,
    )


def savitzky_golay(
    values: FloatArray,
    step_s: float,
    *,
    derivative: int = 0,
    window: int = WINDOW_SAMPLES,
    order: int = POLYNOMIAL_ORDER,
) -> FloatArray:
    """Smooth values or their derivative, by least squares over a sliding window.

    Samples nearer to an end than half a window are taken from the first or the last fit. A
    shorter signal is one window; one too short for the order gets a lower one.

    :param values: ``(N,)`` at equal steps
    :param step_s: between samples
    :param derivative: 0 for the values, 1 for their change [1/s]
    :returns: ``(N,)``
    """
    num = len(values)
    window = min(window, num)
    order = min(order, window - 1)
    if derivative > order:
        return np.zeros(num)
    ticks = np.arange(window) - window // 2
    fits = sliding_window_view(values, window) @ np.linalg.pinv(_powers(ticks, order)).T
    first = np.clip(np.arange(num) - window // 2, 0, num - window)
    offsets = np.arange(num) - first - window // 2
    terms = _powers(offsets, order)
    if derivative:
        terms = np.zeros_like(terms)
        terms[:, 1:] = np.arange(1, order + 1) * _powers(offsets, order - 1)
    smooth: FloatArray = (fits[first] * terms).sum(axis=1) / step_s**derivative
    return smooth


def _powers(ticks: NDArray[np.int64], order: int) -> FloatArray:
    powers: FloatArray = np.vander(ticks.astype(np.float64), order + 1, increasing=True)
    return powers


def _motion(
    speeds: FloatArray, accelerations: FloatArray, yaw_rates: FloatArray, step_s: float
) -> Motion:
    lateral = speeds * yaw_rates
    longitudinal = savitzky_golay(accelerations, step_s)
    magnitude = savitzky_golay(np.hypot(accelerations, lateral), step_s)
    return Motion(
        longitudinal_mps2=longitudinal,
        lateral_mps2=savitzky_golay(lateral, step_s),
        jerk_mps3=savitzky_golay(magnitude, step_s, derivative=1),
        longitudinal_jerk_mps3=savitzky_golay(longitudinal, step_s, derivative=1),
        yaw_rate_radps=savitzky_golay(yaw_rates, step_s),
        yaw_acceleration_radps2=savitzky_golay(yaw_rates, step_s, derivative=1),
    )


def _is_within(motion: Motion) -> bool:
    lowest = motion.longitudinal_mps2.min(initial=0.0)
    highest = motion.longitudinal_mps2.max(initial=0.0)
    return (
        lowest > MIN_LON_ACCELERATION_MPS2
        and highest < MAX_LON_ACCELERATION_MPS2
        and _peak(motion.lateral_mps2) < MAX_LAT_ACCELERATION_MPS2
        and _peak(motion.jerk_mps3) < MAX_JERK_MPS3
        and _peak(motion.longitudinal_jerk_mps3) < MAX_LON_JERK_MPS3
        and _peak(motion.yaw_rate_radps) < MAX_YAW_RATE_RADPS
        and _peak(motion.yaw_acceleration_radps2) < MAX_YAW_ACCELERATION_RADPS2
    )


def _peak(values: FloatArray) -> float:
    return float(np.abs(values).max(initial=0.0))

"""A planner whose model is told what a detector found in the front picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from emma_planner.perception.camera import Camera
from emma_planner.perception.placing import Box, place
from emma_planner.planning.planner import Planner, failed_plan
from emma_planner.planning.types import ByteArray, Plan, PlannerInput, PlanningError


class Finder(Protocol):
    """Anything that finds things in pictures."""

    def find(self, rgb: ByteArray) -> list[Box]:
        """Find everything in a picture ``(H, W, 3)``; raises :class:`ModelError`."""
        ...


class DetectingPlanner:
    """Looks for objects, then plans. Inputs that bring their objects are taken as they are.

    :param camera_of: width and height of a picture [px] to its camera
    """

    def __init__(
        self, planner: Planner, detector: Finder, camera_of: Callable[[int, int], Camera]
    ) -> None:
        self._planner = planner
        self._detector = detector
        self._camera_of = camera_of

    @property
    def name(self) -> str:
        """The planner's."""
        return self._planner.name

    def plan(self, planner_input: PlannerInput, time_limit_s: float | None = None) -> Plan:
        """Plan once; the time that the detector takes counts as encoding."""
        if planner_input.objects is not None:
            return self._planner.plan(planner_input, time_limit_s)
        begin = time.perf_counter()
        rgb = planner_input.frames[0].rgb
        try:
            boxes = self._detector.find(rgb)
        except PlanningError as err:
            return failed_plan(planner_input.stamp_ns, err)
        height, width = rgb.shape[:2]
        told = replace(planner_input, objects=place(boxes, self._camera_of(width, height)))
        took_s = time.perf_counter() - begin
        left_s = None if time_limit_s is None else time_limit_s - took_s
        plan = self._planner.plan(told, left_s)
        latency = replace(
            plan.latency,
            encode_ms=plan.latency.encode_ms + 1e3 * took_s,
            total_ms=plan.latency.total_ms + 1e3 * took_s,
        )
        return replace(plan, latency=latency)

"""What a detector finds reaches the prompt, and only where it is wanted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from emma_planner.perception.camera import Camera
from emma_planner.perception.detecting_planner import DetectingPlanner
from emma_planner.perception.placing import Box
from emma_planner.planning.actions import ActionTokens, TextActions
from emma_planner.planning.chat import ModelError
from emma_planner.planning.prompts import Told, plan_prompt, reason_prompt
from emma_planner.planning.types import (
    CameraFrame,
    EgoHistory,
    Latency,
    Plan,
    PlannerInput,
    Pose,
    Reason,
)

CAR = Box('car', 0.8, 300.0, 180.0, 340.0, 230.0)


class Asked:
    """A planner that remembers what it was asked; never a plan."""

    name = 'asked'

    def __init__(self) -> None:
        self.inputs: list[PlannerInput] = []
        self.limits_s: list[float | None] = []

    def plan(self, planner_input: PlannerInput, time_limit_s: float | None = None) -> Plan:
        self.inputs.append(planner_input)
        self.limits_s.append(time_limit_s)
        return Plan(
            planner_input.stamp_ns, None, reason=Reason.FORMAT, latency=Latency(1.0, 2.0, 3.0, 6.0)
        )


class Eyes:
    """Finds the same in every picture."""

    def __init__(self, *boxes: Box, fails: bool = False) -> None:
        self._boxes, self._fails, self.pictures = list(boxes), fails, 0

    def find(self, rgb: np.ndarray) -> list[Box]:
        self.pictures += 1
        if self._fails:
            raise ModelError('detector eyes: it is dark')
        return self._boxes


def _input() -> PlannerInput:
    history = EgoHistory(7, np.full(10, 5.0), np.zeros(10), Pose(0.0, 0.0, 0.0), 'map')
    frame = CameraFrame(7, 'front', np.zeros((360, 640, 3), np.uint8))
    return PlannerInput((frame,), history)


def _planner(inner: Asked, eyes: Eyes) -> DetectingPlanner:
    return DetectingPlanner(
        inner, eyes, lambda width, height: Camera.from_fov(90.0, width, height)
    )


def test_what_was_found_is_told_and_its_time_counts():
    inner, eyes = Asked(), Eyes(CAR)
    plan = _planner(inner, eyes).plan(_input(), 3.0)
    (objects,) = (given.objects for given in inner.inputs)
    assert [thing.kind for thing in objects] == ['car']
    assert inner.limits_s[0] < 3.0
    extra = plan.latency.encode_ms - 1.0
    assert extra > 0.0
    assert plan.latency.total_ms == pytest.approx(6.0 + extra)
    text = reason_prompt(inner.inputs[0], TextActions())
    assert f'A detector found: car {objects[0].distance_m:.0f} m ahead.' in text
    assert 'A detector found' in plan_prompt(inner.inputs[0], TextActions(), reasoned=False)


def test_nothing_found_is_said_and_nobody_looking_is_not():
    inner = Asked()
    _planner(inner, Eyes()).plan(_input())
    assert 'A detector found: nothing.' in reason_prompt(inner.inputs[0], TextActions())
    assert 'detector' not in reason_prompt(_input(), TextActions())


def test_what_is_not_to_be_told_is_not_nor_to_a_model_that_has_not_learned_it():
    inner = Asked()
    _planner(inner, Eyes(CAR)).plan(_input())
    assert 'detector' not in reason_prompt(inner.inputs[0], TextActions(), Told(objects=False))
    assert 'detector' not in reason_prompt(inner.inputs[0], ActionTokens())


def test_the_nearest_eight_are_told():
    boxes = [
        dataclasses.replace(CAR, left=20.0 * k, right=20.0 * k + 15.0, bottom=220.0 + k)
        for k in range(12)
    ]
    inner = Asked()
    _planner(inner, Eyes(*boxes)).plan(_input())
    assert len(inner.inputs[0].objects) == 12
    assert reason_prompt(inner.inputs[0], TextActions()).count('car ') - 1 == 8


def test_objects_that_are_there_are_taken_as_they_are():
    inner, eyes = Asked(), Eyes(CAR)
    _planner(inner, eyes).plan(dataclasses.replace(_input(), objects=()))
    assert inner.inputs[0].objects == ()
    assert eyes.pictures == 0


def test_a_detector_that_fails_is_a_failed_plan():
    inner = Asked()
    plan = _planner(inner, Eyes(fails=True)).plan(_input())
    assert plan.reason is Reason.MODEL_ERROR
    assert 'it is dark' in plan.detail
    assert inner.inputs == []

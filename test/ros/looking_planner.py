"""A planner whose plans depend on all of its inputs to the last bit; runs as a planner_node.

It drives on at 6 m/s, bends with the picture's mean and the command, takes a time that the picture
sets, and fails now and then: any difference in what it is given soon moves the car elsewhere.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from zlib import crc32

import numpy as np

from emma_planner.planning.kinematics import integrate
from emma_planner.planning.types import (
    NUM_STEPS,
    Latency,
    Plan,
    PlannerInput,
    Reason,
    Reasoning,
    Trajectory,
)

SPEED_MPS = 6.0


class LookingPlanner:
    """See above."""

    name = 'looking'

    def plan(self, planner_input: PlannerInput, time_limit_s: float | None = None) -> Plan:
        history, rgb = planner_input.history, planner_input.frames[0].rgb
        picture = crc32(np.ascontiguousarray(rgb).tobytes())
        toward = history.speeds_mps[-1] + 0.5 * np.arange(1, NUM_STEPS + 1)
        speeds = np.minimum(np.maximum(toward, 0.0), SPEED_MPS)
        command = crc32(planner_input.command.encode()) % 5
        bend = 0.004 * (rgb.mean() / 128.0 - 1.0) + 1e-3 * command
        curvatures = np.full(NUM_STEPS, bend) - 0.2 * history.curvatures_1pm[-1]
        plan = Plan(
            history.stamp_ns,
            Trajectory(speeds, curvatures, integrate(speeds, curvatures)),
            Reasoning(scene='a road', intent=f'picture {picture:08x}'),
            latency=Latency(total_ms=60.0 + picture % 300),
        )
        is_lost = round(history.stamp_ns / 5e8) % 7 == 6
        return replace(plan, reason=Reason.FORMAT, detail='now and then') if is_lost else plan


def main() -> int:
    """Run planner_node with this planner."""
    from emma_planner.ros import planner_node

    planner_node.build_planner = lambda config: LookingPlanner()
    return planner_node.main()


if __name__ == '__main__':
    sys.exit(main())

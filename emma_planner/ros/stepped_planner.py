"""The planner with its inputs, fed with messages and ticked by its owner: no clock of its own.

Replay in lock-step and the closed loop drive it as the live node drives itself, so all three see
the same inputs for the same image and publish alike. Knows no rclpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emma_planner.assemble import build_inputs
from emma_planner.config import PlannerConfig
from emma_planner.planning.inputs import Snapshot
from emma_planner.planning.planner import Planner, failed_plan, plan_snapshot
from emma_planner.planning.types import InputError, Plan
from emma_planner.ros.conversions import EGO_READERS, stamp_of
from emma_planner.ros.diagnostics import Counters
from emma_planner.ros.images import to_rgb
from emma_planner.ros.messages import MessageFactory
from emma_planner.ros.plan_publisher import PlanPublisher

NAME = 'planner'
"""The live node's default name, so that all bags read alike."""


@dataclass(frozen=True, eq=False)
class Planned:
    """A plan that is not published yet.

    :param snapshot: None where the inputs did not allow a plan
    """

    snapshot: Snapshot | None
    plan: Plan


class SteppedPlanner:
    """Planner, inputs and publisher, one call at a time.

    :param topics: where plans are published to, see :class:`PlanPublisher`
    :param make: makes the messages that ``topics`` take
    """

    def __init__(
        self,
        planner: Planner,
        config: PlannerConfig,
        topics: Mapping[str, Any],
        make: MessageFactory,
    ) -> None:
        self._planner = planner
        self._inputs = build_inputs(config)
        self._counters = Counters()
        self._publisher = PlanPublisher(
            topics,
            make,
            self._inputs,
            self._counters,
            config,
            name=NAME,
            model=planner.name,
        )

    def receive(self, role: str, message: Any) -> None:
        """Take one message.

        :param role: ``image``, ``camera_info``, ``command``, or a key of ``EGO_READERS``
        """
        if role == 'image':
            self._counters.images += 1
            self._inputs.add_image(stamp_of(message.header), message)
        elif role == 'camera_info':
            self._publisher.camera_info = message
        elif role == 'command':
            self._inputs.command = message.data
        else:
            self._counters.ego_messages += 1
            self._inputs.add_ego(EGO_READERS[role][1](message), role)

    def plan(self, tick_ns: int) -> Planned:
        """Plan with what has been received; inputs that do not allow it give their reason."""
        self._counters.ticks += 1
        try:
            snapshot = self._inputs.snapshot(tick_ns)
        except InputError as err:
            return Planned(None, failed_plan(tick_ns, err))
        plan = plan_snapshot(self._planner, snapshot, to_rgb)
        self._counters.planned += 1
        self._counters.valid += plan.valid
        return Planned(snapshot, plan)

    def publish(self, planned: Planned, now_ns: int) -> dict[str, Any]:
        """Publish a plan, or the fallback in its place.

        :returns: the record of the plan log
        """
        return self._publisher.publish(planned.snapshot, planned.plan, now_ns)

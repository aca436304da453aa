"""The one place that publishes a plan: path, speed, reasoning, diagnostics, pictures.

The live node gives it publishers, the replay topics of a bag. Knows no rclpy and no clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from emma_planner.assemble import build_path_keeper
from emma_planner.config import PlannerConfig
from emma_planner.planning.fallback import DrivenPath
from emma_planner.planning.inputs import InputBuffer, Snapshot
from emma_planner.planning.types import DT_NS, NS_PER_S, InputError, Plan
from emma_planner.recordings.plan_log import plan_record, to_json_line
from emma_planner.ros import conversions
from emma_planner.ros.diagnostics import Counters, plan_statuses, waiting_status
from emma_planner.ros.images import to_rgb
from emma_planner.ros.messages import MessageFactory

RATE_OVER = 10
"""The rate in diagnostics is measured over this many outputs."""


class PlanPublisher:
    """Publishes plans, and the fallback in place of those that are not valid.

    :param outputs: name to publisher: path, target_speed, reasoning, markers, overlay,
        /diagnostics
    :param make: makes the messages that ``outputs`` take
    :param inputs: asked for the ego state when there is no path to fall back to
    :param counters: counted by the node, said in diagnostics
    :param name: the node's name
    :param model: what plans
    """

    def __init__(
        self,
        outputs: Mapping[str, Any],
        make: MessageFactory,
        inputs: InputBuffer,
        counters: Counters,
        config: PlannerConfig,
        *,
        name: str,
        model: str,
    ) -> None:
        self.camera_info: Any = None
        self._keeper = build_path_keeper(config)
        self._outputs = outputs
        self._inputs = inputs
        self._counters = counters
        self._config = config
        self._name = name
        self._model = model
        self._make = make
        self._times_ns: deque[int] = deque(maxlen=RATE_OVER)

    def publish(self, snapshot: Snapshot | None, plan: Plan, now_ns: int) -> dict[str, Any]:
        """Publish all outputs of one tick.

        :param snapshot: None where the inputs did not allow a plan
        :param now_ns: ROS time [ns]; poses up to it are left out of the path
        :returns: the record of the plan log
        """
        driven = self._driven(snapshot, plan, now_ns)
        ahead = driven.after(now_ns)
        make, outputs = self._make, self._outputs
        outputs['path'].publish(conversions.path_message(make, ahead, plan.stamp_ns))
        outputs['target_speed'].publish(
            conversions.speed_message(make, ahead.target_speed_mps, self._config.target_speed_unit)
        )
        record = self._record(snapshot, plan, driven, now_ns)
        outputs['reasoning'].publish(conversions.string_message(make, to_json_line(record)))
        self._publish_diagnostics(snapshot, plan, ahead, now_ns)
        if outputs['markers'].get_subscription_count():
            outputs['markers'].publish(
                conversions.markers_message(make, ahead, plan.stamp_ns, plan.reasoning.intent)
            )
        if snapshot is not None and outputs['overlay'].get_subscription_count():
            self._publish_overlay(snapshot, plan, driven)
        return record

    def clear(self) -> None:
        """Forget what was published: time was set back."""
        self._keeper.clear()
        self._times_ns.clear()

    def publish_heartbeat(self, now_ns: int) -> None:
        """Say in diagnostics that the node lives but no tick comes."""
        status = waiting_status(self._counters, name=self._name, clock_runs=now_ns != 0)
        self._outputs['/diagnostics'].publish(
            conversions.diagnostics_message(self._make, [status], now_ns, self._name)
        )

    def _driven(self, snapshot: Snapshot | None, plan: Plan, now_ns: int) -> DrivenPath:
        if plan.valid and snapshot is not None:
            return self._keeper.accept(plan, snapshot.history)
        if snapshot is not None and now_ns - snapshot.stamp_ns < DT_NS:
            history = snapshot.history
            return self._keeper.fallback(now_ns, history.ego_state(), history.frame_id)
        # a stop that began at an older t0 would be over, or half over, by now
        ego = self._inputs.latest_ego(now_ns)
        return self._keeper.fallback(now_ns, ego, self._inputs.ego.frame_id)

    def _record(
        self, snapshot: Snapshot | None, plan: Plan, driven: DrivenPath, now_ns: int
    ) -> dict[str, Any]:
        return plan_record(
            plan,
            driven,
            model=self._model,
            tick_ns=snapshot.tick_ns if snapshot else now_ns,
            command=snapshot.command if snapshot else self._inputs.command,
            history=snapshot.history if snapshot else None,
        )

    def _publish_diagnostics(
        self, snapshot: Snapshot | None, plan: Plan, driven: DrivenPath, now_ns: int
    ) -> None:
        self._times_ns.append(now_ns)
        span_s = (self._times_ns[-1] - self._times_ns[0]) / NS_PER_S
        statuses = plan_statuses(
            plan,
            driven,
            self._counters,
            name=self._name,
            model=self._model,
            age_ms=None if snapshot is None else (now_ns - plan.stamp_ns) / 1e6,
            rate_hz=(len(self._times_ns) - 1) / span_s if span_s > 0 else 0.0,
        )
        self._outputs['/diagnostics'].publish(
            conversions.diagnostics_message(self._make, statuses, now_ns, self._name)
        )

    def _publish_overlay(self, snapshot: Snapshot, plan: Plan, driven: DrivenPath) -> None:
        from emma_planner.visualization.plan_picture import camera_of, draw

        try:
            rgb = to_rgb(snapshot.image)
        except InputError:
            return  # the plan's reason code already says so
        camera = camera_of(self._config, self.camera_info, rgb)
        picture = draw(rgb, plan, driven, snapshot.history, camera, self._model)
        frame_id = snapshot.image.header.frame_id
        self._outputs['overlay'].publish(
            conversions.image_message(self._make, picture, plan.stamp_ns, frame_id)
        )

"""The planner as a lifecycle node.

Callbacks convert and store. A ROS-time timer takes a snapshot of the inputs and hands it to one
worker thread; with ``on_image`` each image does, once ego motion has reached its stamp, so that
plans are a function of messages and their stamps alone, as a simulator in lock-step needs. That
thread publishes the plan as soon as it is there: an executor that just takes a large image would
keep it waiting. One lock guards what both threads touch; inference runs without
it. Parameters take effect on configure.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import rclpy
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from emma_planner.assemble import build_inputs, build_planner
from emma_planner.config import ConfigError, PlannerConfig
from emma_planner.planning.inputs import InputBuffer, Snapshot
from emma_planner.planning.planner import Planner, failed_plan, plan_snapshot
from emma_planner.planning.types import NS_PER_S, InputError, Plan, PlanningError, Reason
from emma_planner.ros.conversions import EGO_READERS, stamp_of
from emma_planner.ros.diagnostics import Counters
from emma_planner.ros.images import to_rgb
from emma_planner.ros.managed_node import ManagedNode, logged, not_for_ros
from emma_planner.ros.messages import RclpyMessages, message_class
from emma_planner.ros.parameters import read_parameters
from emma_planner.ros.plan_publisher import PlanPublisher
from emma_planner.ros.run_node import run
from emma_planner.ros.worker import Done, NewestWinsWorker

HEARTBEAT_S = 1.0
STOP_WORKER_S = 3.0
"""Longest wait for a running inference when the node stops; nothing can interrupt it."""
IMAGE_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
EGO_QOS = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE_QOS = QoSProfile(depth=10)
LATCHED_QOS = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""What CARLA's local planner needs for waypoints and speed_command: a volatile publisher is never
matched by its transient local subscription."""

_OUTPUTS = {
    'path': ('nav_msgs/msg/Path', LATCHED_QOS),
    'target_speed': ('std_msgs/msg/Float64', LATCHED_QOS),
    'reasoning': ('std_msgs/msg/String', RELIABLE_QOS),
    'markers': ('visualization_msgs/msg/MarkerArray', RELIABLE_QOS),
    'overlay': ('sensor_msgs/msg/Image', RELIABLE_QOS),
    '/diagnostics': ('diagnostic_msgs/msg/DiagnosticArray', RELIABLE_QOS),
}


class PlannerNode(ManagedNode):
    """Plans at a fixed rate and publishes path, target speed, reasoning and diagnostics.

    :raises ConfigError: a parameter is unknown, of the wrong type or out of range
    """

    # made on configure
    _planner: Planner
    # made on activate
    _inputs: InputBuffer
    _publisher: PlanPublisher
    _counters: Counters

    def __init__(self, **options: Any) -> None:
        super().__init__('planner', PlannerConfig, **options)
        self._lock = threading.Lock()
        self._config = PlannerConfig()
        self._wake: Any = None
        self._worker: NewestWinsWorker[Snapshot, Plan] | None = None
        self._jumps: Any = None
        self._jumped_back = False
        self._is_overdue = False
        self._unplanned_ns: int | None = None
        self._ego_ns = 0
        self._awaits_clock = False
        self._last_output_s = 0.0

    # life cycle

    @logged
    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read parameters, load the model, create publishers."""
        try:
            self._config = read_parameters(self, PlannerConfig)
            self.get_logger().info(f'loading {self._config.planner} {self._config.model}')
            self._planner = build_planner(self._config)
        except (ConfigError, PlanningError) as err:
            self.get_logger().error(str(err))
            return TransitionCallbackReturn.FAILURE
        self._outputs = {
            name: self.create_lifecycle_publisher(message_class(kind), name, qos)
            for name, (kind, qos) in _OUTPUTS.items()
        }
        self.get_logger().info(f'configured with {self._planner.name}')
        return super().on_configure(state)

    @logged
    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Create subscriptions, timers and the worker."""
        if self._worker is not None and not self._stop_worker(0.0):
            self.get_logger().error('inference of the last activation still runs, try later')
            return TransitionCallbackReturn.FAILURE
        super().on_activate(state)  # publishers first: a heartbeat may come at once
        self._inputs = build_inputs(self._config)
        self._counters = Counters()
        self._publisher = PlanPublisher(
            self._outputs,
            RclpyMessages(),
            self._inputs,
            self._counters,
            self._config,
            name=self.get_name(),
            model=self._planner.name,
        )
        self._wake = self.create_guard_condition(self._locked(self._on_wake))
        self._worker = NewestWinsWorker(self._work, self._publish_finished)
        self._jumped_back = self._is_overdue = False
        self._unplanned_ns, self._ego_ns = None, 0
        self._subscribe()
        self._jumps = self.get_clock().create_jump_callback(
            JumpThreshold(
                min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False
            ),
            post_callback=self._on_jump,
        )
        self._start_timers()
        return TransitionCallbackReturn.SUCCESS

    # inputs: convert and store

    def _subscribe(self) -> None:
        config = self._config
        # in lock-step a lost message would never be answered
        image_qos = QoSProfile(depth=10) if config.on_image else IMAGE_QOS
        ego_qos = QoSProfile(depth=200) if config.on_image else EGO_QOS
        for kind, topic, qos, callback in (
            ('sensor_msgs/msg/Image', config.image_topic, image_qos, self._on_image),
            (
                'sensor_msgs/msg/CompressedImage',
                config.compressed_topic,
                image_qos,
                self._on_image,
            ),
            (
                'sensor_msgs/msg/CameraInfo',
                config.camera_info_topic,
                IMAGE_QOS,
                self._on_camera_info,
            ),
            ('std_msgs/msg/String', config.command_topic, LATCHED_QOS, self._on_command),
        ):
            self._inlets.append(
                self.create_subscription(message_class(kind), topic, self._locked(callback), qos)
            )
        for source, (kind, read) in EGO_READERS.items():
            topic = getattr(config, f'{source}_topic')
            self._inlets.append(
                self.create_subscription(
                    message_class(kind),
                    topic,
                    self._locked(self._ego_callback(source, read)),
                    ego_qos,
                )
            )

    def _locked(self, callback: Callable[..., None]) -> Callable[..., None]:
        def run(*arguments: Any) -> None:
            with self._lock:
                callback(*arguments)

        return run

    def _ego_callback(self, source: str, read: Any) -> Any:
        def on_ego(message: Any) -> None:
            self._counters.ego_messages += 1
            measurement = read(message)
            self._inputs.add_ego(measurement, source)
            self._ego_ns = measurement.stamp_ns
            if self._unplanned_ns is not None:
                self._wake.trigger()

        return on_ego

    def _on_image(self, message: Any) -> None:
        self._counters.images += 1
        stamp_ns = stamp_of(message.header)
        self._inputs.add_image(stamp_ns, message)
        if self._config.on_image:
            if self._unplanned_ns is not None and self._unplanned_ns < stamp_ns:
                self._plan_at(self._unplanned_ns)  # says what was missing
            self._unplanned_ns = stamp_ns
            # not yet: what came before this image may still wait for its callback
            self._wake.trigger()

    def _on_camera_info(self, message: Any) -> None:
        self._publisher.camera_info = message

    def _on_command(self, message: Any) -> None:
        self._inputs.command = message.data

    # ticks

    def _start_timers(self) -> None:
        """Tick at whole multiples of the period of ROS time, and beat in steady time."""
        now_ns, period_ns = self._now_ns(), self._period_ns()
        phase_ns = now_ns % period_ns
        self._awaits_clock = now_ns == 0
        first = self._on_tick if phase_ns == 0 else self._align_then_tick
        until_ns = period_ns - phase_ns
        beat = self._locked(self._on_heartbeat)
        if not self._config.on_image:
            self._own_timers.append(self.create_timer(until_ns / NS_PER_S, self._locked(first)))
        self._own_timers.append(self.create_timer(HEARTBEAT_S, beat, clock=self._steady_clock))

    def _align_then_tick(self) -> None:
        self.destroy_timer(self._own_timers[0])
        period_s = self._period_ns() / NS_PER_S
        self._own_timers[0] = self.create_timer(period_s, self._locked(self._on_tick))
        self._on_tick()

    def _on_tick(self) -> None:
        now_ns = self._now_ns()
        if now_ns == 0 or self._worker is None:
            return
        if self._awaits_clock:
            # the first /clock fires the timer wherever it stands, after that it keeps in step
            self._awaits_clock = False
            if now_ns % self._period_ns():
                return
        self._plan_at(now_ns)

    def _plan_at(self, now_ns: int) -> None:
        if self._worker is None:
            return
        self._counters.ticks += 1
        try:
            snapshot = self._inputs.snapshot(now_ns)
        except InputError as err:
            plan = failed_plan(now_ns, InputError(err.reason, f'{err}{self._missing(err)}'))
            self._publish_plan(None, plan, now_ns)
            return
        self._counters.superseded += self._worker.submit(snapshot)
        busy_s = self._worker.busy_s()
        if busy_s > self._config.deadline_s:
            self._counters.deadline_misses += not self._is_overdue
            self._is_overdue = True
            error = PlanningError(
                Reason.TIMEOUT,
                f'need a plan within {self._config.deadline_s:g} s, still waiting after '
                f'{busy_s:.1f} s',
            )
            self._publish_plan(None, failed_plan(now_ns, error), now_ns)

    def _missing(self, err: InputError) -> str:
        """Name the topics on which nothing has come: what a newcomer looks for first."""
        config = self._config
        if err.reason is Reason.NO_IMAGE and not self._counters.images:
            return f' on {config.image_topic} or {config.compressed_topic}'
        if err.reason is Reason.NO_ODOMETRY and not self._counters.ego_messages:
            return f' on {config.odometry_topic}, {config.twist_topic} or {config.pose_topic}'
        return ''

    def _on_heartbeat(self) -> None:
        now_s = self._steady_s()
        if now_s - self._last_output_s < max(HEARTBEAT_S, 1.5 / self._config.rate_hz):
            return
        self._publisher.publish_heartbeat(self._now_ns())

    def _on_jump(self, jump: Any) -> None:
        """Time was set back. Runs inside the clock's update, where timers must not be made."""
        self._jumped_back = True
        self._wake.trigger()

    def _on_wake(self) -> None:
        if self._wake is None:  # woken, then deactivated
            return
        if self._jumped_back:
            self._recover_from_jump()
        if (stamp_ns := self._unplanned_ns) is not None and self._ego_ns >= stamp_ns:
            self._unplanned_ns = None
            self._plan_at(stamp_ns)

    def _recover_from_jump(self) -> None:
        self._jumped_back = self._is_overdue = False
        self._unplanned_ns = None
        self._counters.time_jumps += 1
        self._inputs.clear_after_jump()
        self._publisher.clear()
        if self._worker is not None:
            self._worker.clear()
        for timer in self._own_timers:
            self.destroy_timer(timer)
        self._own_timers.clear()
        self._start_timers()

    # inference, in the worker's thread

    def _work(self, snapshot: Snapshot, waited_s: float) -> Plan:
        limit_s = max(self._config.deadline_s - waited_s, 0.0)
        return plan_snapshot(self._planner, snapshot, to_rgb, limit_s)

    def _publish_finished(self) -> None:
        try:
            with self._lock:
                while self._worker is not None and (done := self._worker.fetch()) is not None:
                    self._publish_done(done)
        except Exception as err:  # whatever a plan held, the worker goes on
            self.log_callback_error(err)

    # outputs

    def _publish_done(self, done: Done[Snapshot, Plan]) -> None:
        snapshot, plan = done.job, done.result
        if isinstance(plan, Exception):
            error = PlanningError(Reason.MODEL_ERROR, f'{type(plan).__name__}: {plan}')
            plan = failed_plan(snapshot.stamp_ns, error)
        elif plan.valid and done.took_s > self._config.deadline_s:
            detail = (
                f'need a plan within {self._config.deadline_s:g} s, got it in {done.took_s:.2f} s'
            )
            plan = replace(plan, reason=Reason.TIMEOUT, detail=detail)
        self._counters.planned += 1
        self._counters.valid += plan.valid
        self._counters.deadline_misses += plan.reason is Reason.TIMEOUT and not self._is_overdue
        self._is_overdue = False
        # the clock may be on its way still, or may not run
        self._publish_plan(snapshot, plan, max(self._now_ns(), snapshot.tick_ns))

    def _publish_plan(self, snapshot: Snapshot | None, plan: Plan, now_ns: int) -> None:
        self._last_output_s = self._steady_s()
        self._publisher.publish(snapshot, plan, now_ns)
        if not plan.valid:
            self._warn(f'{plan.reason}: {plan.detail}')

    # clocks and tear-down

    def close(self) -> bool:
        """Stop working, whatever the state.

        :returns: whether the worker's thread ended; one alive at exit ends in an abort
        """
        self._stop()
        return self._worker is None

    def _period_ns(self) -> int:
        return round(NS_PER_S / self._config.rate_hz)

    def _steady_s(self) -> float:
        return int(self._steady_clock.now().nanoseconds) / NS_PER_S

    def _stop(self) -> None:
        super()._stop()
        if self._jumps is not None:
            self._jumps.unregister()
            self._jumps = None
        if self._worker is not None and not self._stop_worker(STOP_WORKER_S):
            self.get_logger().warning(f'inference still runs after {STOP_WORKER_S:g} s')
        if self._wake is not None:
            self.destroy_guard_condition(self._wake)
            self._wake = None

    def _stop_worker(self, timeout_s: float) -> bool:
        """Stop the worker; one that does not end in time is kept, so that no second one starts."""
        if self._worker is not None and self._worker.stop(timeout_s):
            self._worker = None
        return self._worker is None

    def _release(self) -> None:
        super()._release()
        if hasattr(self, '_planner'):
            del self._planner  # frees the model's memory


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node until it is told to stop.

    :returns: 0 stopped, 1 could not start
    """
    argv = sys.argv if arguments is None else ['planner_node', *arguments]
    try:
        _parser().parse_args(not_for_ros(argv))
        rclpy.init(args=argv)
        node = PlannerNode()
    except (ConfigError, RuntimeError) as err:  # RCLError: arguments or parameter file
        print(f'planner_node: {err}', file=sys.stderr)
        rclpy.try_shutdown()
        return 1
    return run(node)


def _parser() -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog='planner_node',
        description='The planner as a lifecycle node. Parameters (config/planner.yaml lists them) '
        'come after --ros-args: -p NAME:=VALUE, --params-file YAML, -r FROM:=TO.',
    )


if __name__ == '__main__':
    sys.exit(main())

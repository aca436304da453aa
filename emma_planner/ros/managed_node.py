"""What the lifecycle nodes of this package have in common: parameters, transitions, errors, end.

Knows neither what a node plans nor what it drives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.utilities import remove_ros_args

from emma_planner.config import ConfigError, Parameters
from emma_planner.ros.conversions import printable
from emma_planner.ros.parameters import declare_parameters

LOG_EVERY_S = 5.0
_Transition = Callable[[Any, LifecycleState], TransitionCallbackReturn]


def logged(transition: _Transition) -> _Transition:
    """Log what ends a transition: rclpy goes to error processing without a word."""

    @wraps(transition)
    def run(node: Any, state: LifecycleState) -> TransitionCallbackReturn:
        try:
            return transition(node, state)
        except Exception as err:
            node.get_logger().error(f'{transition.__name__}: {type(err).__name__}: {err}')
            raise

    return run


class ManagedNode(LifecycleNode):  # type: ignore[misc]
    """A lifecycle node whose parameters are a dataclass, and that destroys what it has created.

    What ``on_configure`` makes goes into ``_outputs``; what ``on_activate`` makes into ``_inlets``
    and ``_own_timers``.

    :param kind: the dataclass, with a parameter ``autostart``
    :raises ConfigError: a parameter is unknown, of the wrong type or out of range
    """

    def __init__(self, name: str, kind: type[Parameters], **options: Any) -> None:
        super().__init__(name, **options)
        given = {name: value.value for name, value in self._parameter_overrides.items()}
        try:
            declare_parameters(self, kind, given)
        except ConfigError:
            self.destroy_node()
            raise
        self._steady_clock = Clock(clock_type=ClockType.STEADY_TIME)
        self._outputs: dict[str, Any] = {}
        self._inlets: list[Any] = []
        self._own_timers: list[Any] = []

    def start(self) -> bool:
        """Configure and activate, unless a lifecycle manager is to do that.

        :returns: False where a transition failed
        """
        if not self.get_parameter('autostart').value:
            self.get_logger().info('waiting for a lifecycle manager (autostart is false)')
            return True
        success = TransitionCallbackReturn.SUCCESS
        return bool(self.trigger_configure() == success and self.trigger_activate() == success)

    @logged
    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working: destroy what on_activate created."""
        self._stop()
        return super().on_deactivate(state)

    @logged
    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Destroy what on_configure created."""
        self._release()
        return super().on_cleanup(state)

    @logged
    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Destroy everything."""
        self._stop()
        self._release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Fall back to unconfigured."""
        self._stop()
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _stop(self) -> None:
        """Destroy what on_activate created; a second time does nothing."""
        for timer in self._own_timers:
            self.destroy_timer(timer)
        self._own_timers.clear()
        for inlet in self._inlets:
            self.destroy_subscription(inlet)
        self._inlets.clear()

    def _release(self) -> None:
        """Destroy what on_configure created; a second time does nothing."""
        for publisher in self._outputs.values():
            self.destroy_lifecycle_publisher(publisher)
        self._outputs.clear()

    def _now_ns(self) -> int:
        """Return ROS time [ns]."""
        return int(self.get_clock().now().nanoseconds)

    def _warn(self, text: str) -> None:
        """Warn, at most once in a while of steady time."""
        self.get_logger().warning(
            printable(text),
            throttle_duration_sec=LOG_EVERY_S,
            throttle_time_source_type=self._steady_clock,
        )

    def log_callback_error(self, err: Exception) -> None:
        """Say what a callback ended in; the node goes on."""
        self.get_logger().error(
            f'{type(err).__name__} in a callback: {printable(str(err))}',
            throttle_duration_sec=LOG_EVERY_S,
        )

    def destroy_node(self) -> None:
        """Destroy the node with its state machine, which rclpy leaves to the garbage collector.

        Until then its DDS participant lives on, with its threads and shared memory.
        """
        super().destroy_node()
        self._state_machine = None


def not_for_ros(argv: Sequence[str]) -> list[str]:
    """Return arguments that ROS does not take; it still swallows ``a:=b`` without --ros-args."""
    ours = argv[1 : argv.index('--ros-args')] if '--ros-args' in argv else argv[1:]
    return [*remove_ros_args(argv)[1:], *(item for item in ours if ':=' in item)]

"""A road for one planner node: sensors, ``/clock`` and a listener, over real DDS.

The node spins in a thread of its own; the test publishes, steps the clock and waits for answers
with a deadline. Time is ROS time in seconds after :data:`T0_NS`, so five seconds of driving pass
as fast as the messages do.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import rclpy
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from emma_planner.ros import conversions
from emma_planner.ros.messages import RclpyMessages, message_class
from emma_planner.ros.planner_node import PlannerNode

T0_NS = 1_700_000_000_000_000_000
PERIOD_S = 0.5
ODOMETRY_STEP_S = 0.1
WAIT_S = 30.0
BURST = 20
"""Messages sent without waiting: fewer than the node's queue holds."""
MAKE = RclpyMessages()
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
SENSORS = {
    '/clock': 'rosgraph_msgs/msg/Clock',
    'image': 'sensor_msgs/msg/Image',
    'image/compressed': 'sensor_msgs/msg/CompressedImage',
    'camera_info': 'sensor_msgs/msg/CameraInfo',
    'odometry': 'nav_msgs/msg/Odometry',
    'twist': 'geometry_msgs/msg/TwistStamped',
    'pose': 'geometry_msgs/msg/PoseStamped',
}
KEEP_ALL_LATCHED = QoSProfile(depth=50, durability=DurabilityPolicy.TRANSIENT_LOCAL)
OUTPUTS = {
    'path': ('nav_msgs/msg/Path', KEEP_ALL_LATCHED),
    'target_speed': ('std_msgs/msg/Float64', KEEP_ALL_LATCHED),
    'reasoning': ('std_msgs/msg/String', QoSProfile(depth=50)),
    '/diagnostics': ('diagnostic_msgs/msg/DiagnosticArray', QoSProfile(depth=50)),
}
PER_TICK = ('path', 'target_speed', 'reasoning', 'plans')
"""What each tick publishes; ``plans`` are diagnostics that are no heartbeat."""


@dataclass(frozen=True)
class Answer:
    """What the node published for one tick."""

    path: Any
    target_speed: float
    record: dict[str, Any]
    diagnostics: Any

    @property
    def reason(self) -> str | None:
        return self.record['reason']

    @property
    def source(self) -> str:
        return self.record['source']

    def status(self, name: str) -> Any:
        """Return one of the four statuses."""
        (status,) = [s for s in self.diagnostics.status if s.name.endswith(f': {name}')]
        return status

    def value(self, name: str, key: str) -> str:
        """Return a value of a status."""
        (value,) = [pair.value for pair in self.status(name).values if pair.key == key]
        return value

    def pose_stamps_s(self) -> list[float]:
        return [seconds(conversions.stamp_of(pose.header)) for pose in self.path.poses]


def seconds(stamp_ns: int) -> float:
    """Time after T0 [s], to the microsecond."""
    return round((stamp_ns - T0_NS) / 1e9, 6)


def nanoseconds(time_s: float) -> int:
    """ROS time [ns] of a time after T0."""
    return T0_NS + round(time_s * 1e9)


class Road:
    """A planner node, and all that it is connected to.

    :param speed_mps: of the car, along x of ``odom``, on a circle with ``curvature_1pm``
    :param parameters: of the node
    """

    def __init__(
        self, *, speed_mps: float = 8.0, use_sim_time: bool = True, **parameters: Any
    ) -> None:
        self.speed_mps = speed_mps
        self.use_sim_time = use_sim_time
        self.received: dict[str, list[Any]] = defaultdict(list)
        self.sent: dict[str, int] = defaultdict(int)
        self.driven_s = 0.0
        """Odometry has been sent up to here."""
        self._is_closed = False
        self.context = Context()
        rclpy.init(context=self.context)
        values = {'planner': 'constant-action', 'use_sim_time': use_sim_time, **parameters}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.node = PlannerNode(context=self.context, parameter_overrides=overrides)
        self._node_executor = SingleThreadedExecutor(context=self.context)
        self._node_executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin_node)
        self.tester = rclpy.create_node('tester', context=self.context)
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self.tester)
        self._publishers = {
            name: self.tester.create_publisher(message_class(kind), name, QoSProfile(depth=100))
            for name, kind in SENSORS.items()
        }
        self._listeners: dict[str, Any] = {}
        for name, (kind, qos) in OUTPUTS.items():
            self.listen(name, kind, qos)
        self.listen('/rosout', 'rcl_interfaces/msg/Log', QoSProfile(depth=100))
        self._change = self.tester.create_client(ChangeState, 'planner/change_state')
        self._get_state = self.tester.create_client(GetState, 'planner/get_state')
        self._thread.start()

    def close(self) -> None:
        """Shut everything down and join the node's thread."""
        if self._is_closed:
            return
        self._is_closed = True
        self._node_executor.shutdown()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        self.node.close()
        self._executor.shutdown()
        self.node.destroy_node()
        self.tester.destroy_node()
        self.context.try_shutdown()
        self.context.destroy()  # else its DDS participant lives on until it is collected

    def _spin_node(self) -> None:
        with suppress(ExternalShutdownException):
            self._node_executor.spin()

    # life cycle

    def change(self, transition: str) -> bool:
        """Ask the node for a transition; return whether it succeeded."""
        request = ChangeState.Request()
        request.transition.label = transition
        return bool(self._call(self._change, request).success)

    def state(self) -> str:
        return str(self._call(self._get_state, GetState.Request()).current_state.label)

    def start(self, at_s: float | None = 0.0) -> Road:
        """Configure and activate at a time, and wait until all are connected."""
        assert self.change('configure')
        if at_s is not None and self.use_sim_time:
            self.clock(at_s)
        assert self.change('activate')
        self.wait_connected()
        return self

    def wait_connected(self) -> None:
        """Wait until both ends of every topic know each other: best effort loses what is early."""
        for name in OUTPUTS:
            self.wait(self.node._outputs[name].get_subscription_count, f'a listener to {name}')
            self.wait(self._listeners[name].get_publisher_count, f'a publisher of {name}')
        for name in SENSORS:
            if name != '/clock' or self.use_sim_time:
                self._wait_sensor(name)

    def _wait_sensor(self, name: str) -> None:
        self.wait(self._publishers[name].get_subscription_count, f'a subscription of {name}')
        self.wait_publishers(name, 1)

    def wait_publishers(self, name: str, count: int) -> None:
        """Wait until the node's subscription knows this many publishers."""
        full_name = '/' + name.removeprefix('/')
        (inlet,) = [s for s in self.node.subscriptions if s.topic_name == full_name]
        self.wait(lambda: inlet.get_publisher_count() >= count, f'{count} publishers of {name}')

    def _call(self, client: Any, request: Any) -> Any:
        assert client.wait_for_service(WAIT_S)
        future = client.call_async(request)
        self.wait(future.done, 'a service reply', 60.0)
        return future.result()

    # listening

    def listen(self, name: str, kind: str, qos: QoSProfile) -> None:
        """Collect what is published on a topic in ``received``."""

        def collect(message: Any) -> None:
            self.received[name].append(message)
            if name == '/diagnostics' and len(message.status) > 1:
                self.received['plans'].append(message)

        listener = self.tester.create_subscription(message_class(kind), name, collect, qos)
        self._listeners[name] = listener

    def wait(
        self, condition: Callable[[], Any], what: str = 'a message', limit_s: float = WAIT_S
    ) -> None:
        """Spin the listener until a condition holds.

        :raises AssertionError: not within the time
        """
        end_s = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end_s, f'waited {limit_s:g} s for {what}'
            self._executor.spin_once(timeout_sec=0.01)

    def answers(self) -> int:
        """Return how many ticks have been answered in full."""
        return min(len(self.received[name]) for name in PER_TICK)

    def answer(self, number: int = -1) -> Answer:
        path, speed, record, diagnostics = (self.received[name][number] for name in PER_TICK)
        return Answer(path, speed.data, json.loads(record.data), diagnostics)

    def next_answer(self, after: int) -> Answer:
        """Wait for the answer with this number."""
        self.wait(lambda: self.answers() > after, f'answer {after}')
        return self.answer(after)

    def log(self) -> str:
        """Return all log messages so far."""
        return '\n'.join(message.msg for message in self.received['/rosout'])

    # sensors

    def publish(self, name: str, message: Any) -> None:
        self._publishers[name].publish(message)
        self.sent[name] += 1

    def drive(self, until_s: float, step_s: float = ODOMETRY_STEP_S, **changes: Any) -> None:
        """Send odometry up to a time and wait until the node has it."""
        while self.driven_s + step_s <= until_s + 1e-6:
            self.driven_s = round(self.driven_s + step_s, 6)
            self.odometry(self.driven_s, **changes)
            if self.sent_ego() % BURST == 0:
                self.wait_ego()
        self.wait_ego()

    def wait_ego(self) -> None:
        """Wait until the node has all ego motion that was sent."""
        self.wait(lambda: self.node._counters.ego_messages == self.sent_ego(), 'odometry')

    def sent_ego(self) -> int:
        return sum(self.sent[name] for name in ('odometry', 'twist', 'pose'))

    def odometry(self, time_s: float, frame_id: str = 'map', **changes: float) -> None:
        message = odometry_message(time_s, self.speed_mps, frame_id)
        message.twist.twist.linear.x = changes.get('speed_mps', self.speed_mps)
        self.publish('odometry', message)

    def image(self, time_s: float, **changes: Any) -> None:
        """Send a raw image and wait until the node has it."""
        self._send_image('image', image_message(time_s, **changes))

    def jpeg(self, time_s: float, data: bytes | None = None) -> None:
        """Send a compressed image and wait until the node has it."""
        self._send_image('image/compressed', jpeg_message(time_s, data))

    def _send_image(self, name: str, message: Any) -> None:
        before = self.node._counters.images
        self.publish(name, message)
        self.wait(lambda: self.node._counters.images > before, 'an image')

    def clock(self, time_s: float) -> None:
        """Set ROS time, and wait until the node has it."""
        self._wait_sensor('/clock')
        stamp = conversions.time_message(MAKE, nanoseconds(time_s))
        self.publish('/clock', message_class('rosgraph_msgs/msg/Clock')(clock=stamp))
        node_clock = self.node.get_clock()
        self.wait(lambda: node_clock.now().nanoseconds == nanoseconds(time_s), '/clock')

    # driving

    def tick(self, time_s: float) -> Answer:
        """Set the clock to the time of a tick and return what is published."""
        before = self.answers()
        self.clock(time_s)
        return self.next_answer(before)

    def plan(self, time_s: float) -> Answer:
        """Drive up to a tick with a new image at it, and return what is published."""
        self.drive(time_s)
        self.image(time_s)
        return self.tick(time_s)


def odometry_message(time_s: float, speed_mps: float, frame_id: str = 'map') -> Any:
    """The car at a time, straight on along x."""
    message = message_class('nav_msgs/msg/Odometry')()
    message.header = conversions.header_message(MAKE, nanoseconds(time_s), frame_id)
    message.child_frame_id = 'base_link'
    message.pose.pose.position.x = float(speed_mps * time_s)
    message.pose.pose.orientation.w = 1.0
    message.twist.twist.linear.x = float(speed_mps)
    return message


def image_message(time_s: float, **changes: Any) -> Any:
    """A small raw image; fields may be changed to break it."""
    rgb = np.full((24, 32, 3), 90, dtype=np.uint8)
    message = conversions.image_message(MAKE, rgb, nanoseconds(time_s), 'camera')
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def jpeg_message(time_s: float, data: bytes | None = None) -> Any:
    """A small JPEG."""
    if data is None:
        data = jpeg_bytes()
    return conversions.jpeg_message(MAKE, data, nanoseconds(time_s), 'camera')


def jpeg_bytes() -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return cv2.imencode('.jpg', noise)[1].tobytes()

"""What the live node adds beside inference, on real DDS between two processes.

One process publishes 1600x900 bgr8 images at 20 Hz and odometry at 100 Hz; this one runs the
planner node with a small random-weight model. Measured in one run:

- image receipt to model input: the image callback, and from the tick to the call of the planner
  with the decoded picture (waiting for the tick is the rate's, waiting for the plan before is
  the model's: ticks that found the worker busy are counted apart)
- plan to published Path: from the planner's return to the end of ``publish``
- odometry samples sent and received while inference runs
- resident memory once a second, and its slope after the first minute

    python benchmarks/node_overhead.py --minutes 10
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT = 1600, 900
IMAGE_HZ, ODOMETRY_HZ = 20.0, 100.0
SPEED_MPS = 8.0


def publish_sensors(seconds: float) -> None:
    """Publish images and odometry at their rates; print how many. Runs in its own process."""
    import rclpy
    from rclpy.qos import QoSProfile, ReliabilityPolicy

    from emma_planner.planning.types import NS_PER_S
    from emma_planner.ros.conversions import header_message, image_message
    from emma_planner.ros.messages import RclpyMessages, message_class

    rclpy.init()
    node = rclpy.create_node('sensors')
    image_qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    images = node.create_publisher(message_class('sensor_msgs/msg/Image'), 'image', image_qos)
    odometry_type = message_class('nav_msgs/msg/Odometry')
    odometry = node.create_publisher(odometry_type, 'odometry', 50)
    make = RclpyMessages()
    noise = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture = image_message(make, noise, 0, 'camera')
    picture.encoding = 'bgr8'
    while not (images.get_subscription_count() and odometry.get_subscription_count()):
        time.sleep(0.05)
    begin = time.perf_counter()
    count_images = count_odometry = 0
    while (now := time.perf_counter() - begin) < seconds:
        stamp_ns = time.time_ns()
        if now >= count_odometry / ODOMETRY_HZ:
            message = odometry_type(
                header=header_message(make, stamp_ns, 'odom'), child_frame_id='base_link'
            )
            message.pose.pose.position.x = SPEED_MPS * stamp_ns % (10**6 * NS_PER_S) / NS_PER_S
            message.twist.twist.linear.x = SPEED_MPS
            odometry.publish(message)
            count_odometry += 1
        if now >= count_images / IMAGE_HZ:
            picture.header = header_message(make, stamp_ns, 'camera')
            images.publish(picture)
            count_images += 1
        time.sleep(0.001)
    time.sleep(0.5)
    print(json.dumps({'images': count_images, 'odometry': count_odometry}))
    node.destroy_node()
    rclpy.shutdown()


class Probe:
    """Wraps the planner and the publishers of a node and keeps times."""

    def __init__(self) -> None:
        self.callback_ms: list[float] = []
        self.tick_to_model_ms: list[float] = []
        self.plan_to_path_ms: list[float] = []
        self.inference_ms: list[float] = []
        self.found_busy = 0
        self._tick_s: dict[int, float] = {}
        self._plan_end_s: dict[int, float] = {}

    def attach(self, node: Any) -> None:
        """Put the probe between the node's parts."""
        on_image, snapshot = node._on_image, node._inputs.snapshot
        plan, publish = node._planner.plan, node._outputs['path'].publish

        def timed_image(message: Any) -> None:
            begin = time.perf_counter()
            on_image(message)
            self.callback_ms.append((time.perf_counter() - begin) * 1e3)

        def timed_snapshot(now_ns: int) -> Any:
            begin = time.perf_counter()
            busy = node._worker.busy_s() > 0.0
            taken = snapshot(now_ns)
            self.found_busy += busy
            if not busy:
                self._tick_s[taken.stamp_ns] = begin
            return taken

        def timed_plan(planner_input: Any, time_limit_s: float | None = None) -> Any:
            begin = time.perf_counter()
            tick_s = self._tick_s.pop(planner_input.stamp_ns, None)
            if tick_s is not None:
                self.tick_to_model_ms.append((begin - tick_s) * 1e3)
            result = plan(planner_input, time_limit_s)
            self._plan_end_s[planner_input.stamp_ns] = time.perf_counter()
            self.inference_ms.append((time.perf_counter() - begin) * 1e3)
            return result

        def timed_publish(message: Any) -> None:
            publish(message)
            stamp = message.header.stamp
            ended = self._plan_end_s.pop(stamp.sec * 10**9 + stamp.nanosec, None)
            if ended is not None:
                self.plan_to_path_ms.append((time.perf_counter() - ended) * 1e3)

        node._on_image = timed_image
        node._inputs.snapshot = timed_snapshot
        node._planner.plan = timed_plan
        node._outputs['path'].publish = timed_publish


def resident_mb() -> float:
    """Resident memory of this process [MB]."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def run(minutes: float, rate_hz: float, reason_tokens: int) -> dict[str, Any]:
    """Run the node beside the sensors and return what was measured."""
    from emma_planner.replay.live import prepare_dds

    os.environ.setdefault('ROS_DOMAIN_ID', str(100 + os.getpid() % 100))
    prepare_dds()
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.parameter import Parameter

    from emma_planner.ros.planner_node import PlannerNode

    rclpy.init()
    node = PlannerNode(
        parameter_overrides=[
            Parameter('rate_hz', value=rate_hz),
            Parameter('num_threads', value=1),
            Parameter('reason_tokens', value=reason_tokens),
        ]
    )
    probe = Probe()
    node.trigger_configure()
    subscribe = node._subscribe
    node._subscribe = lambda: (probe.attach(node), subscribe())
    node.trigger_activate()
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    command = [sys.executable, __file__, '--sensors', str(minutes * 60.0)]
    sensors = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    memory_mb: list[float] = []
    begin = time.perf_counter()
    while sensors.poll() is None:
        executor.spin_once(timeout_sec=0.2)
        if time.perf_counter() - begin > len(memory_mb):
            memory_mb.append(resident_mb())
    counts = json.loads(sensors.communicate()[0])
    received = {
        'images': node._counters.images,
        'odometry': node._counters.ego_messages,
        'superseded': node._counters.superseded,
        'ticks': node._counters.ticks,
        'plans': node._counters.planned,
    }
    node.close()
    executor.shutdown()
    node.destroy_node()
    rclpy.shutdown()
    return _report(probe, counts, received, memory_mb)


def _report(
    probe: Probe, sent: dict[str, int], received: dict[str, int], memory_mb: list[float]
) -> dict[str, Any]:
    callback = np.array(probe.callback_ms)
    tick = np.array(probe.tick_to_model_ms)
    slope = None
    if len(memory_mb) > 120:
        settled = np.array(memory_mb[60:])
        slope = float(np.polyfit(np.arange(len(settled)) / 60.0, settled, 1)[0])
    return {
        'inference_ms': _percentiles(np.array(probe.inference_ms)),
        'image_callback_ms': _percentiles(callback),
        'tick_to_model_input_ms': _percentiles(tick),
        'receipt_to_model_input_p99_ms': round(
            float(np.percentile(callback, 99) + np.percentile(tick, 99)), 2
        ),
        'plan_to_path_ms': _percentiles(np.array(probe.plan_to_path_ms)),
        'ticks that found the worker busy': probe.found_busy,
        'sent': sent,
        'received': received,
        'memory_mb': {
            'after 60 s': round(memory_mb[min(60, len(memory_mb) - 1)], 1),
            'end': round(memory_mb[-1], 1),
            'slope per minute': None if slope is None else round(slope, 3),
        },
    }


def _percentiles(values: Any) -> dict[str, float]:
    return {
        f'p{share}': round(float(np.percentile(values, share)), 3) for share in (50, 95, 99)
    } | {'n': len(values)}


def main() -> None:
    """Print the measurements as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=10.0)
    parser.add_argument('--rate', type=float, default=2.0, help='plans per second')
    parser.add_argument('--reason-tokens', type=int, default=64)
    parser.add_argument('--sensors', type=float, metavar='SECONDS', help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sensors:
        publish_sensors(options.sensors)
        return
    print(json.dumps(run(options.minutes, options.rate, options.reason_tokens), indent=2))


if __name__ == '__main__':
    main()

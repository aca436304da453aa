"""Says what is sensed in a simulated world, topic by topic; no rclpy.

Pictures are made only where somebody listens.
"""

from __future__ import annotations

from typing import Any

from emma_planner.ros.conversions import image_message, jpeg_message, string_message
from emma_planner.ros.world_messages import (
    CAMERA,
    camera_info_message,
    clock_message,
    odometry_message,
    static_tf_message,
    tf_message,
)
from emma_planner.ros.world_port import WorldPort
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.observation import Observation
from emma_planner.simulation.picture.jpeg import to_jpeg

IMAGE, COMPRESSED, INFO = 'image', 'image/compressed', 'camera_info'
ODOMETRY, COMMAND, CLOCK = 'odometry', 'command', '/clock'
TF, TF_STATIC = '/tf', '/tf_static'


class WorldVoice:
    """Publishes observations.

    :param camera: None for a world without pictures
    """

    def __init__(self, port: WorldPort, camera: CameraSettings | None) -> None:
        self._port = port
        self._camera = camera
        self._command: str | None = None
        self._is_placed = False
        self.now_ns = 0
        """Simulated time that was said last [ns]."""

    def clock(self, now_ns: int) -> None:
        """Say what time it is."""
        self.now_ns = now_ns
        self._port.outputs[CLOCK].publish(clock_message(self._port.make, now_ns))

    def motion(self, observation: Observation) -> Any:
        """Say where the ego is and what the route wants.

        :returns: the odometry message
        """
        make, outputs, now_ns = self._port.make, self._port.outputs, observation.stamp_ns
        if observation.command != self._command:
            self._command = observation.command
            outputs[COMMAND].publish(string_message(make, self._command))
            self._port.wait_until_received(COMMAND)  # a plan must not be made without it
        if TF in outputs:
            outputs[TF].publish(tf_message(make, observation))
        odometry = odometry_message(make, observation)
        outputs[ODOMETRY].publish(odometry)
        if self._camera is not None and TF_STATIC in outputs and not self._is_placed:
            outputs[TF_STATIC].publish(static_tf_message(make, self._camera, now_ns))
            self._is_placed = True
        return odometry

    def picture(self, observation: Observation) -> None:
        """Show what the camera sees, uncompressed where somebody listens to that."""
        if observation.image is None or self._camera is None:
            return
        make, outputs, now_ns = self._port.make, self._port.outputs, observation.stamp_ns
        outputs[INFO].publish(camera_info_message(make, self._camera, now_ns))
        if outputs[IMAGE].get_subscription_count():
            outputs[IMAGE].publish(image_message(make, observation.image, now_ns, CAMERA))
        else:
            self._jpeg(observation)

    def jpeg_too(self, observation: Observation) -> None:
        """Show the same compressed, where :meth:`picture` has not."""
        if self._port.outputs[IMAGE].get_subscription_count():
            self._jpeg(observation)

    def _jpeg(self, observation: Observation) -> None:
        output = self._port.outputs[COMPRESSED]
        if observation.image is not None and output.get_subscription_count():
            jpeg = to_jpeg(observation.image)
            output.publish(jpeg_message(self._port.make, jpeg, observation.stamp_ns, CAMERA))

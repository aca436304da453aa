"""What a drive leaves: an MCAP bag that can be replayed, the plan log, a film on request."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emma_planner.control.config import FollowerConfig
from emma_planner.control.control import Control
from emma_planner.planning.types import NS_PER_S, ByteArray
from emma_planner.recordings.bags import BagWriter
from emma_planner.recordings.plan_log import PlanLogHeader, PlanLogWriter
from emma_planner.replay.outputs import LATCHED, BagOutputs
from emma_planner.ros.control_messages import ControlMessages
from emma_planner.ros.conversions import jpeg_message, string_message
from emma_planner.ros.world_messages import (
    CAMERA,
    camera_info_message,
    odometry_message,
    static_tf_message,
    tf_message,
)
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.drive import DriveRecord
from emma_planner.simulation.drives.drive_recorder import DriveRecorder
from emma_planner.simulation.drives.drivers import Driver
from emma_planner.simulation.film.film import FilmWriter
from emma_planner.simulation.film.film_picture import FilmFrame
from emma_planner.simulation.observation import Observation, VehicleShape
from emma_planner.simulation.picture.jpeg import to_jpeg
from emma_planner.simulation.roads.road_map import RoadMap
from emma_planner.simulation.world import BEGIN_NS

BAG_FOLDER = 'drive'
PLAN_LOG = 'plans.jsonl'
FILM = 'film'
FILM_EVERY_S = 0.2
LATCHED_TOPICS = (*LATCHED, '/tf_static', '/command')


@dataclass(frozen=True)
class FilesOptions:
    """What is written of a drive.

    :param image_rate_hz: pictures in the bag; 0 only those that the planner asks for
    :param film: suffix of a film (``webp``, ``mp4``), empty for none
    """

    image_rate_hz: float = 0.0
    film: str = ''


class DriveFiles:
    """Files of one drive, in one folder; a context manager.

    :param folder: made here; must not hold a drive
    :param header: of the plan log
    """

    def __init__(
        self,
        folder: Path,
        header: PlanLogHeader,
        camera: CameraSettings | None,
        options: FilesOptions,
    ) -> None:
        self._folder = folder
        self._header = header
        self._camera = camera
        self._options = options
        self._stack = ExitStack()
        self._film: FilmWriter | None = None
        self._command = ''
        self._next_image_ns = 0
        self._last_image: ByteArray | None = None

    def __enter__(self) -> DriveFiles:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._log = self._stack.enter_context(PlanLogWriter(self._folder / PLAN_LOG, self._header))
        self._bag = self._stack.enter_context(BagWriter(self._folder / BAG_FOLDER, LATCHED_TOPICS))
        self.make = self._bag.make
        self._outputs = BagOutputs(self._bag, overlay=False)
        self.topics: dict[str, Any] = dict(self._outputs.topics)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, vehicle: VehicleShape) -> None:
        """Begin, once the vehicle is known."""
        config = FollowerConfig(wheelbase_m=vehicle.wheelbase_m)
        self._controls = ControlMessages(self.make, config)
        if self._options.film and self._camera is not None:
            self._film = self._stack.enter_context(
                FilmWriter(
                    self._folder / f'{FILM}.{self._options.film}',
                    vehicle,
                    self._camera,
                    every_s=FILM_EVERY_S,
                )
            )

    def log(self, record: dict[str, Any]) -> None:
        """Write a record of the plan log."""
        self._log.write(record)

    def needs_image(self, stamp_ns: int) -> bool:
        """Whether a film or the bag wants a picture."""
        if self._camera is None:
            return False
        if self._film is not None and self._film.due(stamp_ns):
            return True
        return self._options.image_rate_hz > 0.0 and stamp_ns >= self._next_image_ns

    def observe(self, observation: Observation) -> None:
        """Write what is sensed now."""
        now_ns = observation.stamp_ns
        self._outputs.now_ns = now_ns
        self._write('/odometry', odometry_message(self.make, observation), now_ns)
        self._write('/tf', tf_message(self.make, observation), now_ns)
        if observation.command != self._command:
            self._command = observation.command
            self._write('/command', string_message(self.make, self._command), now_ns)
        if observation.image is not None and self._camera is not None:
            self._last_image = observation.image
            self._write_image(observation.image, self._camera, now_ns)

    def write_control(self, stamp_ns: int, control: Control) -> None:
        """Write what is done about it."""
        message = self._controls.message(control, stamp_ns, control.speed_mps)
        self._write('/control', message, stamp_ns)

    def write_raw(self, topic: str, type_name: str, cdr: bytes, now_ns: int) -> None:
        """Write what another node said."""
        self._bag.write_raw(topic, type_name, cdr, now_ns)

    def show(
        self, observation: Observation, driver: Driver, roads: RoadMap, recorder: DriveRecorder
    ) -> None:
        """Add a frame to the film when one is due."""
        if self._film is not None and self._film.due(observation.stamp_ns):
            self._film.add(_frame(observation, driver, roads, recorder, ''))

    def finish(
        self,
        observation: Observation,
        driver: Driver,
        roads: RoadMap,
        recorder: DriveRecorder,
        record: DriveRecord,
    ) -> None:
        """Show how it ended."""
        if self._film is not None:
            if observation.image is None:
                observation = replace(observation, image=self._last_image)
            end = f'{record.end.value}: {record.detail}' if record.detail else record.end.value
            self._film.add(_frame(observation, driver, roads, recorder, end))

    def _write_image(self, rgb: ByteArray, camera: CameraSettings, now_ns: int) -> None:
        if self._next_image_ns == 0:
            self._write('/tf_static', static_tf_message(self.make, camera, now_ns), now_ns)
        if self._options.image_rate_hz > 0.0:
            if now_ns < self._next_image_ns:
                return
            self._next_image_ns = now_ns + round(NS_PER_S / self._options.image_rate_hz)
        else:
            self._next_image_ns = BEGIN_NS
        jpeg = jpeg_message(self.make, to_jpeg(rgb), now_ns, CAMERA)
        self._write('/camera/image/compressed', jpeg, now_ns)
        self._write('/camera/camera_info', camera_info_message(self.make, camera, now_ns), now_ns)

    def _write(self, topic: str, message: Any, now_ns: int) -> None:
        self._bag.write(topic, message, now_ns)


def _frame(
    observation: Observation, driver: Driver, roads: RoadMap, recorder: DriveRecorder, end: str
) -> FilmFrame:
    shown = driver.shown
    return FilmFrame(
        observation=observation,
        planner=driver.name,
        roads=roads,
        plan_map=shown.path_map,
        source=shown.source,
        reason=shown.reason,
        reasoning=shown.reasoning,
        infractions=recorder.monitor.infractions,
        end=end,
    )

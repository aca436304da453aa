"""A drive as a moving picture in a file, added frame by frame while it is driven."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np

from emma_planner.perception.camera import Camera
from emma_planner.planning.types import NS_PER_S
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.film.film_files import FilmError, open_film
from emma_planner.simulation.film.film_picture import HEIGHT_PX, WIDTH_PX, FilmFrame, compose
from emma_planner.simulation.observation import VehicleShape

END_SHOWN_S = 2.0
"""The last frame stays this long, so that its words can be read."""


class FilmWriter:
    """Writes a film frame by frame; what was added is kept when a drive breaks off.

    :param path: ``*.webp`` or ``*.mp4``
    :param camera: the front camera
    :param every_s: time between frames
    :raises FilmError: suffix not known, or the file cannot be written
    """

    def __init__(
        self, path: Path, vehicle: VehicleShape, camera: CameraSettings, *, every_s: float = 0.2
    ) -> None:
        self._path = path
        self._vehicle = vehicle
        self._camera = film_camera(camera)
        self._file = open_film(path, WIDTH_PX, HEIGHT_PX, every_s)
        self._every_ns = round(every_s * NS_PER_S)
        self._start_ns: int | None = None
        self._next_ns: int | None = None
        self._driven: list[tuple[float, float]] = []

    def due(self, stamp_ns: int) -> bool:
        """Whether a frame is to be added at this time; the first one always is."""
        return self._next_ns is None or stamp_ns >= self._next_ns

    def add(self, frame: FilmFrame) -> None:
        """Add a frame, due or not.

        :raises FilmError: the file cannot be written
        """
        seen = frame.observation
        if self._start_ns is None or self._next_ns is None:
            self._start_ns = self._next_ns = seen.stamp_ns
        while self._next_ns <= seen.stamp_ns:
            self._next_ns += self._every_ns
        self._driven.append((seen.pose.x_m, seen.pose.y_m))
        time_s = (seen.stamp_ns - self._start_ns) / NS_PER_S
        picture = compose(frame, self._vehicle, self._camera, time_s, np.array(self._driven))
        shown_s = END_SHOWN_S if frame.end else self._every_ns / NS_PER_S
        try:
            self._file.add(picture, shown_s)
        except OSError as err:
            raise FilmError(f'{self._path}: cannot write the film: {err}') from err

    def close(self) -> None:
        """Finish the film; a second time does nothing."""
        self._file.close()

    def __enter__(self) -> FilmWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def film_camera(settings: CameraSettings) -> Camera:
    """The simulated camera as drawings need it."""
    x_m, y_m, z_m = settings.position_m
    return Camera.from_matrix(
        settings.intrinsics,
        settings.width,
        settings.height,
        x_m=x_m,
        y_m=y_m,
        z_m=z_m,
        pitch_deg=settings.pitch_deg,
    )

"""What a replay leaves: plans.jsonl, a bag for RViz and Foxglove, metrics.json, the table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from emma_planner.config import PlannerConfig
from emma_planner.evaluation.open_loop import Scores
from emma_planner.recordings.bags import BagWriter
from emma_planner.recordings.plan_log import (
    PlanLogHeader,
    PlanLogWriter,
    plan_record,
    to_json_line,
)
from emma_planner.replay.lockstep import PlannedTick
from emma_planner.ros import conversions
from emma_planner.ros.diagnostics import Counters, plan_statuses
from emma_planner.ros.images import ImageError, to_rgb

PLAN_LOG = 'plans.jsonl'
BAG_FOLDER = 'replay'
METRICS = 'metrics.json'
OVERLAY_QUALITY = 85


class OutputError(Exception):
    """The output folder cannot be used."""


def prepare_folder(folder: Path, *, overwrite: bool) -> None:
    """Make the output folder; results of an earlier run are kept unless told otherwise.

    :raises OutputError: there are results already, or the folder cannot be written
    """
    found = [path for path in output_paths(folder).values() if path.exists()]
    if found and not overwrite:
        raise OutputError(
            f'{folder}: need a folder without results, got {found[0].name}; '
            'name another --out or give --overwrite'
        )
    try:
        for path in found:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise OutputError(f'{folder}: need a writable folder, got {err.strerror}') from err


def output_paths(folder: Path) -> dict[str, Path]:
    """What was written, by kind."""
    return {
        'plan log': folder / PLAN_LOG,
        'bag': folder / BAG_FOLDER,
        'metrics': folder / METRICS,
    }


class ReplayWriter:
    """Writes each tick as it is planned; a context manager.

    :param folder: prepared output folder
    :param model: name of what plans
    :param overlay: whether to draw each plan on its picture
    """

    def __init__(
        self, folder: Path, header: PlanLogHeader, config: PlannerConfig, *, overlay: bool
    ) -> None:
        self.records: list[dict[str, Any]] = []
        self._log = PlanLogWriter(folder / PLAN_LOG, header)
        self._bag = BagWriter(folder / BAG_FOLDER)
        self._model = header.model
        self._config = config
        self._overlay = overlay
        self._counters = Counters()

    def __enter__(self) -> ReplayWriter:
        self._bag.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._bag.__exit__()
        self._log.close()

    def write(self, tick: PlannedTick) -> None:
        """Write one tick to the plan log and the bag."""
        record = plan_record(
            tick.plan,
            tick.driven,
            tick_ns=tick.tick_ns,
            command=tick.snapshot.command if tick.snapshot else self._config.default_command,
            history=tick.snapshot.history if tick.snapshot else None,
        )
        self.records.append(record)
        self._log.write(record)
        self._count(tick)
        make, plan, driven = self._bag.make, tick.plan, tick.driven
        statuses = plan_statuses(
            plan,
            driven,
            self._counters,
            name='planner',
            model=self._model,
            age_ms=(tick.tick_ns - plan.stamp_ns) / 1e6,
            rate_hz=self._config.rate_hz,
        )
        stamp_ns = plan.stamp_ns
        for topic, message in (
            ('path', conversions.path_message(make, driven, stamp_ns)),
            (
                'target_speed',
                conversions.speed_message(
                    make, driven.target_speed_mps, self._config.target_speed_unit
                ),
            ),
            ('reasoning', conversions.string_message(make, to_json_line(record))),
            (
                'markers',
                conversions.markers_message(make, driven, stamp_ns, plan.reasoning.intent),
            ),
        ):
            self._bag.write(f'/planner/{topic}', message, tick.tick_ns)
        self._bag.write(
            '/diagnostics',
            conversions.diagnostics_message(make, statuses, tick.tick_ns, 'planner'),
            tick.tick_ns,
        )
        if self._overlay and tick.snapshot is not None:
            self._write_overlay(tick)

    def _count(self, tick: PlannedTick) -> None:
        self._counters.ticks += 1
        self._counters.planned += tick.snapshot is not None
        self._counters.valid += tick.plan.valid

    def _write_overlay(self, tick: PlannedTick) -> None:
        import cv2

        from emma_planner.visualization.plan_picture import camera_of, draw

        assert tick.snapshot is not None
        try:
            rgb = to_rgb(tick.snapshot.image)
        except ImageError:
            return  # the tick's reason code already says so
        camera = camera_of(self._config, tick.camera_info, rgb)
        picture = draw(rgb, tick.plan, tick.driven, tick.snapshot.history, camera, self._model)
        quality = [cv2.IMWRITE_JPEG_QUALITY, OVERLAY_QUALITY]
        _, jpeg = cv2.imencode('.jpg', cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
        header = tick.snapshot.image.header
        message = conversions.jpeg_message(
            self._bag.make, jpeg.tobytes(), tick.plan.stamp_ns, header.frame_id
        )
        self._bag.write('/planner/overlay/compressed', message, tick.tick_ns)


def write_metrics(folder: Path, scores: Scores, extra: dict[str, Any]) -> None:
    """Write metrics.json beside the plan log."""
    text = json.dumps({**extra, **scores.to_json()}, indent=2, allow_nan=False)
    (folder / METRICS).write_text(text + '\n', encoding='utf-8')

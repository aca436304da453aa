"""What a replay leaves: plans.jsonl, a bag for RViz and Foxglove, metrics.json, the table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner.evaluation.open_loop import Scores
from emma_planner.recordings.bags import BagWriter
from emma_planner.ros.conversions import jpeg_message, stamp_of

NAMESPACE = '/planner'
PLAN_LOG = 'plans.jsonl'
BAG_FOLDER = 'replay'
METRICS = 'metrics.json'
LATCHED = (f'{NAMESPACE}/path', f'{NAMESPACE}/target_speed')
"""Topics that the node offers to who comes later, as trackers want them."""
OVERLAY_QUALITY = 85


class OutputError(Exception):
    """The output folder cannot be used."""


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check for results of an earlier run, before time is spent on a model.

    :raises OutputError: there are some, and they are not to be overwritten
    """
    try:
        found = [path for path in output_paths(folder).values() if path.exists()]
    except OSError as err:
        raise OutputError(f'{folder}: need a writable folder, got {err.strerror}') from err
    if found and not overwrite:
        raise OutputError(
            f'{folder}: need a folder without results, got {found[0].name}; '
            'name another --out or give --overwrite'
        )


def prepare_folder(folder: Path, *, overwrite: bool) -> None:
    """Make the output folder; results of an earlier run are kept unless told otherwise.

    :raises OutputError: there are results already, or the folder cannot be written
    """
    check_folder(folder, overwrite=overwrite)
    try:
        remove_results(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise OutputError(f'{folder}: need a writable folder, got {err.strerror}') from err


def remove_results(folder: Path) -> None:
    """Remove what a replay left, and nothing else.

    :raises OSError: no permission
    """
    for path in output_paths(folder).values():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def output_paths(folder: Path) -> dict[str, Path]:
    """What was written, by kind."""
    return {
        'plan log': folder / PLAN_LOG,
        'bag': folder / BAG_FOLDER,
        'metrics': folder / METRICS,
    }


class BagOutputs:
    """The planner's output topics in a bag, as its publisher wants them.

    :param bag: opened for writing
    :param overlay: whether pictures are wanted
    """

    def __init__(self, bag: BagWriter, *, overlay: bool) -> None:
        self.now_ns = 0
        """Time of recording of what is published next [ns]."""
        self.make = bag.make
        self.topics: dict[str, BagTopic] = {
            name: BagTopic(self, bag, f'{NAMESPACE}/{name}')
            for name in ('path', 'target_speed', 'reasoning', 'markers')
        }
        self.topics['/diagnostics'] = BagTopic(self, bag, '/diagnostics')
        self.topics['overlay'] = JpegTopic(
            self, bag, f'{NAMESPACE}/overlay/compressed', wanted=overlay
        )


class BagTopic:
    """A topic of a bag with the methods of a publisher."""

    def __init__(
        self, outputs: BagOutputs, bag: BagWriter, name: str, *, wanted: bool = True
    ) -> None:
        self._outputs = outputs
        self._bag = bag
        self._name = name
        self._wanted = wanted

    def get_subscription_count(self) -> int:
        """Whether somebody wants it."""
        return int(self._wanted)

    def publish(self, message: Any) -> None:
        """Write a message at the outputs' time."""
        self._bag.write(self._name, message, self._outputs.now_ns)


class JpegTopic(BagTopic):
    """Takes sensor_msgs/Image and writes JPEG, a tenth of the size."""

    def publish(self, message: Any) -> None:
        """Compress and write."""
        import cv2

        data = np.frombuffer(message.data, dtype=np.uint8)
        rgb = data.reshape(message.height, message.width, 3)
        quality = [cv2.IMWRITE_JPEG_QUALITY, OVERLAY_QUALITY]
        _, jpeg = cv2.imencode('.jpg', cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), quality)
        header = message.header
        super().publish(
            jpeg_message(self._outputs.make, jpeg.tobytes(), stamp_of(header), header.frame_id)
        )


def write_metrics(folder: Path, scores: Scores, extra: dict[str, Any]) -> None:
    """Write metrics.json beside the plan log.

    :raises OutputError: it cannot be written
    """
    text = json.dumps({**extra, **scores.to_json()}, indent=2, allow_nan=False)
    try:
        (folder / METRICS).write_text(text + '\n', encoding='utf-8')
    except OSError as err:
        raise OutputError(f'{folder / METRICS}: need room to write, got {err.strerror}') from err

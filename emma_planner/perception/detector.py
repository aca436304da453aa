"""A detector of road users behind transformers' ``AutoModelForObjectDetection``."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForObjectDetection

from emma_planner.models.checkpoints import (
    check_weights,
    locate,
    named_failure,
    quiet_transformers,
    torch_device,
)
from emma_planner.perception.placing import KINDS, Box
from emma_planner.planning.chat import ModelError
from emma_planner.planning.types import ByteArray


class Detector:
    """Finds road users in pictures; loaded once.

    :param source: folder or hub id of a DETR, RT-DETR, D-FINE, YOLOS, ... in safetensors
    :param score: less certain finds are left out, 0 ... 1
    :param device: torch device; 'auto' takes CUDA where there is one
    :raises ModelError: not loadable, or none of its labels matters on a road
    """

    def __init__(self, source: str, score: float, device: str = 'auto') -> None:
        self.name = source
        self._score = score
        self._device = torch_device(device)
        source, is_local = locate(source)
        safe: dict[str, Any] = {'trust_remote_code': False, 'local_files_only': is_local}
        with quiet_transformers(), named_failure(source):
            self._processor = AutoImageProcessor.from_pretrained(source, **safe)
            model, report = AutoModelForObjectDetection.from_pretrained(
                source,
                use_safetensors=True,
                ignore_mismatched_sizes=True,  # told in the report, and refused below
                output_loading_info=True,
                **safe,
            )
            check_weights(source, report)
        self._model = model.to(self._device).eval()
        self._labels: dict[int, str] = {int(k): v for k, v in model.config.id2label.items()}
        if not any(label.lower() in KINDS for label in self._labels.values()):
            some = ', '.join(list(self._labels.values())[:5])
            raise ModelError(
                f'{source}: need a detector of road users ({", ".join(KINDS)}), got labels {some}'
            )

    def find(self, rgb: ByteArray) -> list[Box]:
        """Find everything in a picture.

        :param rgb: ``(H, W, 3)`` uint8
        :raises ModelError: the detector fails
        """
        try:
            with torch.inference_mode():
                inputs = self._processor(images=Image.fromarray(rgb), return_tensors='pt')
                outputs = self._model(**inputs.to(self._device))
            (found,) = self._processor.post_process_object_detection(
                outputs, threshold=self._score, target_sizes=[rgb.shape[:2]]
            )
        except (RuntimeError, ValueError, TypeError, IndexError) as err:
            raise ModelError(f'detector {self.name}: {type(err).__name__}: {err}') from err
        columns = (found['labels'].tolist(), found['scores'].tolist(), found['boxes'].tolist())
        return [
            Box(self._labels.get(label, ''), score, *edges)
            for label, score, edges in zip(*columns, strict=True)
        ]

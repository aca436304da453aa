"""A checkpoint's processor (tokenizer, image processor, chat template), for images only.

``AutoProcessor`` wants torchvision for every family whose processor can also take videos
(Qwen2-VL, Qwen2.5-VL, Qwen3-VL, SmolVLM, InternVL), and there is no torchvision beside the CPU
torch that this package runs on. A planner sends images, so such processors are loaded as a
subclass that has no video part. All others come from ``AutoProcessor`` as they are.
"""

from __future__ import annotations

import inspect
from typing import Any

from transformers import AutoProcessor, PreTrainedConfig, ProcessorMixin, SmolVLMProcessor
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

_VIDEO = 'video_processor'


def load_processor(
    source: str, config: PreTrainedConfig, *, local_files_only: bool = False
) -> Any:
    """Load the processor of a checkpoint.

    :param source: folder or hub id
    :param config: the checkpoint's model configuration, which names the family
    :param local_files_only: do not ask the hub
    """
    options = {'trust_remote_code': False, 'local_files_only': local_files_only}
    base = PROCESSOR_MAPPING.get(type(config), None)
    if base is None or _VIDEO not in inspect.signature(base.__init__).parameters:
        return AutoProcessor.from_pretrained(source, config=config, **options)
    return _image_only(base).from_pretrained(source, **options)


def _image_only(base: type[ProcessorMixin]) -> type[ProcessorMixin]:
    if issubclass(base, SmolVLMProcessor):
        return _ImageOnlySmolVLM

    class ImageOnly(base):  # type: ignore[misc]
        @classmethod
        def get_attributes(cls) -> list[str]:
            # ProcessorMixin loads, checks and saves exactly what this names.
            return [name for name in super().get_attributes() if name != _VIDEO]

    # Saved configurations carry the class name, which must be the family's.
    ImageOnly.__name__ = base.__name__
    return ImageOnly


class _ImageOnlySmolVLM(SmolVLMProcessor):  # type: ignore[misc]
    """SmolVLM's own constructor insists on a video processor and on num2words for its captions."""

    def __init__(
        self,
        image_processor: Any,
        tokenizer: Any,
        image_seq_len: int = 169,
        chat_template: str | None = None,
    ) -> None:
        names = {
            'fake_image_token': '<fake_token_around_image>',
            'image_token': '<image>',
            'end_of_utterance_token': '<end_of_utterance>',
            'global_image_token': '<global-img>',
            'video_token': '<video>',
        }
        for name, default in names.items():
            setattr(self, name, getattr(tokenizer, name, default))
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.image_seq_len = image_seq_len
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    def apply_chat_template(self, *args: Any, **kwargs: Any) -> Any:
        """Skip SmolVLM's override, which reads the video processor's frame rate."""
        return ProcessorMixin.apply_chat_template(self, *args, **kwargs)


_ImageOnlySmolVLM.__name__ = SmolVLMProcessor.__name__

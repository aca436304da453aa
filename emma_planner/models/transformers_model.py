"""Any ``AutoModelForImageTextToText`` checkpoint as a :class:`ChatModel`.

A conversation encodes its images once: one key-value cache is carried from turn to turn, and a
later turn only feeds what is new. Token ids are appended, never text decoded and tokenised again,
so that the model always sees exactly what it wrote. Formats are enforced while decoding.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import torch
from PIL import Image
from transformers import (
    BatchFeature,
    DynamicCache,
    GenerationMixin,
    LogitsProcessorList,
    StoppingCriteriaList,
)

from emma_planner.config import PlannerConfig
from emma_planner.models.checkpoints import UNTRAINED_KEY, Checkpoint, open_checkpoint
from emma_planner.models.decoding import (
    Mask,
    MaskedScores,
    QuantileScores,
    SamplingNoise,
    TokenMask,
    TurnEnd,
    Vocabulary,
)
from emma_planner.models.earlier_pictures import num_earlier, with_earlier
from emma_planner.models.fused_steps import FusedSteps, can_fuse
from emma_planner.planning.chat import ModelError, Reply, ReplyFormat
from emma_planner.planning.types import ByteArray, CameraFrame

_SENTINEL = 'REPLY'
"""Stands for a reply when the chat template is asked what follows one."""

ONE_THREAD_PARAMETERS = 50_000_000
"""A smaller model gains nothing from a second thread, and loses much to it on a busy machine."""

_STEP_ARGUMENTS = signature(GenerationMixin.prepare_inputs_for_generation).parameters
CACHE_ARGUMENT = 'cache' if 'cache' in _STEP_ARGUMENTS else 'past_key_values'
"""What ``generate`` calls the KV cache: transformers 5.24 renamed it."""

_PLACEHOLDER_NAMES = (
    'image_token_id',
    'image_token_index',
    'video_token_id',
    'vision_start_token_id',
    'vision_end_token_id',
)


class TransformersModel:
    """A checkpoint that holds conversations; one reply at a time, whoever asks.

    :param checkpoint: model and processor
    :param name: model id for logs and tables
    :param temperature: 0 is greedy
    :param max_size_px: (width, height) that larger images are scaled down to; 0 keeps
    :param decoding: ``auto`` takes the fused steps where the architecture has them; ``plain`` is
        always ``generate``
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        name: str,
        *,
        temperature: float = 0.0,
        max_size_px: tuple[int, int] = (0, 0),
        decoding: str = 'auto',
    ) -> None:
        self.model = checkpoint.model
        is_fused = decoding == 'auto' and can_fuse(checkpoint.model)
        self.fused = FusedSteps(checkpoint.model) if is_fused else None
        self.processor = checkpoint.processor
        self.temperature = temperature
        self.max_size_px = max_size_px
        self.lock = threading.Lock()
        self._name = name
        closing_ids = self.ids_after_reply('question', 'next question')[:1]
        self.vocabulary = _vocabulary(self.model, self.processor, closing_ids)

    @classmethod
    def from_config(
        cls, config: PlannerConfig, source: str | None = None, name: str | None = None
    ) -> TransformersModel:
        """Load the checkpoint that the configuration names.

        :param source: folder or hub id to load in place of ``config.model``
        :param name: model id, that of the source by default
        :raises ModelError: not a checkpoint that can be used
        """
        source = source or config.model
        checkpoint = open_checkpoint(source, device=config.device, dtype=config.dtype)
        is_small = checkpoint.model.num_parameters() < ONE_THREAD_PARAMETERS
        if num_threads := config.num_threads or int(is_small):
            torch.set_num_threads(num_threads)
        model_config = checkpoint.model.config
        is_untrained = getattr(model_config, UNTRAINED_KEY, False)
        return cls(
            checkpoint,
            f'untrained:{model_config.model_type}' if is_untrained else name or source,
            temperature=config.temperature,
            max_size_px=(config.image_max_width_px, config.image_max_height_px),
            decoding=config.decoding,
        )

    @property
    def name(self) -> str:
        """Model id; begins with ``untrained:`` for random weights."""
        return self._name

    @property
    def num_earlier(self) -> int:
        """Earlier pictures that the model was made for."""
        return num_earlier(self.model)

    def start(
        self,
        frames: Sequence[CameraFrame],
        *,
        earlier: Sequence[CameraFrame | None] = (),
        seed: int = 0,
    ) -> TransformersChat:
        """Open a conversation; see :class:`ChatModel`."""
        past = to_earlier_images(self, earlier) if frames else []
        return TransformersChat(self, to_images(self, frames), past, seed)

    def has_tokens(self, tokens: Sequence[str]) -> bool:
        """Whether each string is one token of the vocabulary."""
        known = self.processor.tokenizer.get_vocab()
        return all(token in known for token in tokens)

    def ids_after_reply(self, question: str, next_question: str) -> list[int]:
        """Return the ids from the end of a reply to the start of the next one.

        They close the assistant's turn and carry the next question. The template says what they
        are: a conversation with a stand-in reply is rendered and cut behind the stand-in.
        """
        messages = [
            message('user', question),
            message('assistant', _SENTINEL),
            message('user', next_question),
        ]
        text = self.processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        _, found, after = text.partition(_SENTINEL)
        if not found:
            raise ModelError(f'{self._name}: need a chat template that shows replies, got none')
        tokenizer = self.processor.tokenizer
        before_ids = tokenizer(_SENTINEL, add_special_tokens=False)['input_ids']
        ids = tokenizer(_SENTINEL + after, add_special_tokens=False)['input_ids']
        if ids[: len(before_ids)] == before_ids:
            # Tokenised behind a word, not as the start of a text, where some add a space.
            return list(ids[len(before_ids) :])
        return list(tokenizer(after, add_special_tokens=False)['input_ids'])


def to_images(owner: TransformersModel, frames: Sequence[CameraFrame]) -> list[Image.Image]:
    """Return the pictures as the model's processor takes them."""
    return [_image(frame.rgb, owner.max_size_px) for frame in frames]


def to_earlier_images(
    owner: TransformersModel, earlier: Sequence[CameraFrame | None]
) -> list[Image.Image | None]:
    """Return as many earlier pictures as the model was made for, None where there is none."""
    given = [*earlier, *[None] * owner.num_earlier][: owner.num_earlier]
    return [None if frame is None else _image(frame.rgb, owner.max_size_px) for frame in given]


def first_turn(
    owner: TransformersModel,
    question: str,
    images: Sequence[Image.Image],
    earlier: Sequence[Image.Image | None],
) -> dict[str, Any]:
    """Return what the model is given first: ids, pixels and what else its processor makes.

    :param earlier: front camera's earlier pictures; none for a model that was made without
    """
    inputs = dict(
        owner.processor.apply_chat_template(
            [message('user', question, images)],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors='pt',
        )
    )
    if earlier:
        inputs['pixel_values'] = with_earlier(
            inputs['pixel_values'], earlier, owner.processor.image_processor
        )
    return inputs


class TransformersChat:
    """One conversation of a :class:`TransformersModel`.

    :param images: what the first turn carries
    :param earlier: earlier pictures of the front camera, for a model that was made for them
    :param seed: seed of this conversation's sampling
    """

    def __init__(
        self,
        owner: TransformersModel,
        images: list[Image.Image],
        earlier: list[Image.Image | None],
        seed: int,
    ) -> None:
        self._owner = owner
        self._images = images
        self._earlier = earlier
        self._generator = torch.Generator().manual_seed(seed)
        self._cache = self._new_cache()
        self._inputs: dict[str, Any] = {}
        self._before: tuple[dict[str, Any], int] = ({}, 0)
        self._rope_deltas: Any = None
        self._question = ''
        self._is_broken = False

    def ask(
        self,
        text: str,
        *,
        max_tokens: int,
        time_limit_s: float | None = None,
        reply_format: ReplyFormat | None = None,
        again: bool = False,
    ) -> Reply:
        """Add a user turn and return the answer to it; see :class:`Chat`."""
        with self._owner.lock:
            start_s = time.perf_counter()
            if self._is_broken:
                raise ModelError('need a new conversation, got one that failed before')
            mask = self._owner.vocabulary.mask(reply_format)
            with self._failing():
                if again:
                    self._forget_turn()
                self._before = (self._inputs, self._cache.get_seq_length())
                is_first = not self._inputs
                inputs = self._first_turn(text) if is_first else self._next_turn(text)
                num_prompt = inputs['input_ids'].shape[1]
                deadline_s = None if time_limit_s is None else start_s + time_limit_s
                end = TurnEnd(mask, num_prompt, deadline_s)
                sequence = self._generate(inputs, mask, end, max_tokens)
            reply_ids = sequence[0, num_prompt:].tolist()
            text_ids = self._remember(inputs, sequence, reply_ids)
            now_s = time.perf_counter()
        encode_s = (end.first_token_s or now_s) - start_s if is_first else 0.0
        return Reply(
            text=self._decode(text_ids),
            stop=end.stop(ended=len(text_ids) < len(reply_ids)),
            prompt_tokens=num_prompt,
            generated_tokens=len(reply_ids),
            encode_ms=1000.0 * encode_s,
            generate_ms=1000.0 * (now_s - start_s - encode_s),
        )

    def _new_cache(self) -> DynamicCache:
        return DynamicCache(config=self._owner.model.config.get_text_config())

    def _forget_turn(self) -> None:
        """Go back to before the last question."""
        self._inputs, num_read = self._before
        if not num_read:
            self._cache = self._new_cache()
        elif num_new := self._cache.get_seq_length() - num_read:
            self._cache.crop(-num_new)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn what the model raises into a ModelError; the cache is then of no more use."""
        self._is_broken = True
        try:
            yield
        except ModelError:
            raise
        except Exception as err:
            line = (str(err).strip().splitlines() or [''])[0]
            raise ModelError(
                f'need a reply of {self._owner.name}, got {type(err).__name__}: {line}'
            ) from err
        self._is_broken = False

    def _first_turn(self, text: str) -> dict[str, Any]:
        self._question = text
        inputs = first_turn(self._owner, text, self._images, self._earlier)
        model = self._owner.model
        return dict(BatchFeature(inputs).to(model.device, dtype=model.dtype))

    def _next_turn(self, text: str) -> dict[str, Any]:
        """Append the question to all ids so far; the images are in the cache already."""
        new_ids = self._owner.ids_after_reply(self._question, text)
        inputs = dict(self._inputs)
        inputs['input_ids'] = _append(inputs['input_ids'], new_ids)
        length = inputs['input_ids'].shape[1]
        inputs['attention_mask'] = torch.ones_like(inputs['input_ids'])
        for name, value in inputs.items():
            if name.endswith('token_type_ids'):
                inputs[name] = _append(value, [0] * (length - value.shape[1]))
        return inputs

    def _generate(
        self, inputs: Mapping[str, Any], mask: Mask, end: TurnEnd, max_tokens: int
    ) -> torch.Tensor:
        owner = self._owner
        num_prompt = inputs['input_ids'].shape[1]
        scores = LogitsProcessorList()
        if owner.temperature > 0:
            scores.append(SamplingNoise(owner.temperature, self._generator))
        scores.append(MaskedScores(mask, num_prompt))
        if owner.temperature == 0 and isinstance(mask, TokenMask):
            scores.append(QuantileScores(mask, num_prompt))
        # Qwen-VL models keep the last conversation's position offset on the module itself.
        holders = [module for module in owner.model.modules() if hasattr(module, 'rope_deltas')]
        for holder in holders:
            holder.rope_deltas = self._rope_deltas
        if owner.fused is not None:
            return self._generate_fused(owner.fused, inputs, scores, end, max_tokens)
        with torch.inference_mode():
            sequence = owner.model.generate(
                **inputs,
                **{CACHE_ARGUMENT: self._cache},
                do_sample=False,
                max_new_tokens=max_tokens,
                eos_token_id=list(owner.vocabulary.end_ids),
                pad_token_id=owner.vocabulary.end_ids[0],
                logits_processor=scores,
                stopping_criteria=StoppingCriteriaList([end]),
            )
        for holder in holders:
            self._rope_deltas = holder.rope_deltas
        return sequence

    def _generate_fused(
        self,
        fused: FusedSteps,
        inputs: Mapping[str, Any],
        scores: LogitsProcessorList,
        end: TurnEnd,
        max_tokens: int,
    ) -> torch.Tensor:
        ends = self._owner.vocabulary.end_ids
        with torch.inference_mode():
            return fused.generate(
                inputs,
                self._cache,
                CACHE_ARGUMENT,
                lambda ids, logits: scores(ids, logits.float()).argmax(-1, keepdim=True),
                lambda ids: bool(end(ids, None)) or int(ids[0, -1]) in ends,
                max_tokens,
            )

    def _remember(
        self, inputs: dict[str, Any], sequence: torch.Tensor, reply_ids: list[int]
    ) -> list[int]:
        """Keep the conversation up to the reply's text, without its end-of-turn token.

        The template closes the turn when the next question comes. The last token was never fed to
        the model, so the cache holds no more than what is kept.

        :returns: ids of the reply's text
        """
        ends = self._owner.vocabulary.end_ids
        text_ids = reply_ids[:-1] if reply_ids and reply_ids[-1] in ends else reply_ids
        num_kept = sequence.shape[1] - (len(reply_ids) - len(text_ids))
        kept = {
            name: value
            for name, value in inputs.items()
            if name.endswith(('token_type_ids', 'grid_thw'))
        }
        self._inputs = {'input_ids': sequence[:, :num_kept], **kept}
        return text_ids

    def _decode(self, ids: Sequence[int]) -> str:
        tokenizer = self._owner.processor.tokenizer
        return str(tokenizer.decode(ids, skip_special_tokens=False))


def _vocabulary(model: Any, processor: Any, closing_ids: Iterable[int]) -> Vocabulary:
    """Gather what ends a turn and what stands for an image.

    :param closing_ids: first id behind a reply in the chat template; ends a turn if it is a
        control token, also where the generation configuration does not list it
    """
    tokenizer = processor.tokenizer
    configured = model.generation_config.eos_token_id
    ends = list(configured) if isinstance(configured, list | tuple) else [configured]
    added = tokenizer.added_tokens_decoder
    closing = [index for index in closing_ids if index in added and added[index].special]
    ends = [index for index in (*closing, *ends, tokenizer.eos_token_id) if index is not None]
    if not ends:
        raise ModelError('need an end-of-turn token in the generation configuration, got none')
    named = [getattr(model.config, name, None) for name in _PLACEHOLDER_NAMES]
    return Vocabulary(
        tokenizer=tokenizer,
        num_logits=model.get_output_embeddings().weight.shape[0],
        end_ids=tuple(dict.fromkeys(ends)),
        placeholder_ids=tuple({index for index in named if isinstance(index, int)}),
    )


def message(role: str, text: str, images: Sequence[Image.Image] = ()) -> dict[str, Any]:
    """Return one turn as chat templates take it."""
    parts: list[dict[str, Any]] = [{'type': 'image', 'image': image} for image in images]
    return {'role': role, 'content': [*parts, {'type': 'text', 'text': text}]}


def _append(ids: torch.Tensor, new_ids: Sequence[int]) -> torch.Tensor:
    tail = torch.tensor([new_ids], dtype=ids.dtype, device=ids.device)
    return torch.cat([ids, tail], dim=1)


def _image(rgb: ByteArray, max_size_px: tuple[int, int]) -> Image.Image:
    """Make a PIL image, scaled down to fit ``max_size_px`` with its aspect ratio kept."""
    image = Image.fromarray(rgb)
    limits = zip(max_size_px, image.size, strict=True)
    scale = min([1.0, *(limit / size for limit, size in limits if limit)])
    if scale < 1.0:
        width, height = (max(1, round(size * scale)) for size in image.size)
        image = image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return image

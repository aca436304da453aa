"""Examples to tensors: the conversation as the planner holds it, with what is to be learned.

Works for every model that the planner runs: the processor writes the first turn, the chat template
says what follows a reply, the action codec how actions are written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from emma_planner.models.earlier_pictures import with_earlier
from emma_planner.models.transformers_model import TransformersModel, first_turn
from emma_planner.planning import prompts
from emma_planner.planning.actions import ActionCodec
from emma_planner.recordings.dataset import COLUMNS, DIGITS, ROWS, Example
from emma_planner.training.learned_examples import (
    Schedule,
    made_faster,
    mirrored,
    with_past_hidden,
    with_unknown_picture,
)
from emma_planner.training.motion_labels import IGNORED, motion_of_ego, things_that_move
from emma_planner.training.seen_pictures import (
    Pictures,
    as_other_camera,
    as_outlier,
    in_mirror,
    pictures_of,
    without_earlier,
)

REASON, PLAN = 1, 2
"""Parts of a conversation that the model writes."""
DESCRIBE = 'Describe.'
LOST = 0.1
"""Share of the samples without earlier pictures: as when a drive begins, or some were dropped."""
FASTER = 0.5
"""Share of the samples of nothing known that move as nothing known moves."""
_BLANK = np.zeros((1, 1, 3), dtype=np.uint8)


@dataclass(frozen=True, eq=False)
class Turn:
    """Token ids of one example behind its picture.

    :param ids: of the whole conversation
    :param parts: :data:`REASON` or :data:`PLAN` where the model writes, else 0
    """

    ids: list[int]
    parts: list[int]

    @property
    def written(self) -> list[int]:
        """Ids that the model writes."""
        return [k for k, part in zip(self.ids, self.parts, strict=True) if part]


class Conversations:
    """Writes conversations for one model.

    :param owner: tokenizer, processor, chat template
    """

    def __init__(self, owner: TransformersModel, codec: ActionCodec) -> None:
        self._owner = owner
        self._codec = codec

    @cached_property
    def _end_id(self) -> int:
        return self._owner.vocabulary.end_ids[0]

    def inputs(self, example: Example, pictures: Pictures) -> tuple[dict[str, Any], Turn]:
        """Return what the processor makes of the first turn, and the whole conversation.

        :param pictures: the present one, then the earlier ones
        """
        planner_input = example.planner_input(_BLANK)
        question = prompts.reason_prompt(planner_input, self._codec)
        has_words = bool(example.reasoning)
        if not has_words:
            question = prompts.plan_prompt(planner_input, self._codec, reasoned=False)
        first = self._first_turn(question, pictures)
        ids = first.pop('input_ids')[0].tolist()
        parts = [0] * len(ids)
        if has_words:
            self._write(ids, parts, example.reasoning, REASON)
            asked = prompts.plan_prompt(planner_input, self._codec, reasoned=True)
            after = self._owner.ids_after_reply(question, asked)
            ids, parts = ids[:-1] + after, parts[:-1] + [0] * len(after)
            # the end of the first reply is the first id of what follows it
            parts[len(parts) - len(after)] = REASON
        plan = example.planned
        self._write(ids, parts, self._codec.encode(plan.speeds_mps, plan.curvatures_1pm), PLAN)
        return first, Turn(ids, parts)

    def caption(self, example: Example, pictures: Pictures) -> tuple[dict[str, Any], Turn]:
        """Return a conversation in which the scene and its objects are described, no more."""
        first = self._first_turn(DESCRIBE, pictures)
        ids = first.pop('input_ids')[0].tolist()
        parts = [0] * len(ids)
        text = example.reasoning.partition('\nIntent:')[0]
        self._write(ids, parts, text, REASON)
        return first, Turn(ids, parts)

    def _first_turn(self, question: str, pictures: Pictures) -> dict[str, Any]:
        present, *earlier = pictures
        assert present is not None
        first = first_turn(self._owner, question, [present], earlier)
        first.pop('attention_mask')
        return first

    def _write(self, ids: list[int], parts: list[int], text: str, part: int) -> None:
        tokenizer = self._owner.processor.tokenizer
        new = [*tokenizer(text, add_special_tokens=False)['input_ids'], self._end_id]
        ids += new
        parts += [part] * len(new)


class LearnedSamples(torch.utils.data.Dataset):  # type: ignore[misc]
    """Sample ``k`` of a run, ready to be put into a batch.

    :param num_earlier: earlier pictures that the model sees
    :param jitter: share of the pictures that are changed as another camera would
    """

    def __init__(
        self,
        examples: Sequence[Example],
        schedule: Schedule,
        conversations: Conversations | None,
        image_processor: Any,
        *,
        num_earlier: int = 0,
        captions: bool = False,
        jitter: float = 0.0,
    ) -> None:
        self._examples = examples
        self._schedule = schedule
        self._conversations = conversations
        self._image_processor = image_processor
        self._num_earlier = num_earlier
        self._captions = captions
        self._jitter = jitter

    def __getitem__(self, k: int) -> dict[str, Any]:
        draw = self._schedule.sample(k)
        example = self._examples[draw.number]
        if draw.is_past_hidden:
            example = with_past_hidden(example)
        pictures = pictures_of(example, self._num_earlier)
        has_motion = None not in pictures
        if draw.is_outlier:
            pictures = as_outlier(pictures, draw.rng)
            if draw.rng.random() < FASTER:
                example = made_faster(example, draw.rng)
            example, has_motion = with_unknown_picture(example), False
        elif draw.rng.random() < self._jitter:
            pictures = as_other_camera(pictures, draw.rng)
        if self._num_earlier and draw.rng.random() < LOST:
            pictures, has_motion = without_earlier(pictures), False
        if draw.is_mirrored:
            example, pictures = mirrored(example), in_mirror(pictures)
        patches = _patches(example, flipped=draw.is_mirrored)
        seen = example if has_motion and self._num_earlier else None
        sample: dict[str, Any] = {'patches': patches, 'motion': _motion(seen, *patches)}
        if self._conversations is None:
            present, *earlier = pictures
            given = dict(self._image_processor(images=present, return_tensors='pt'))
            given['pixel_values'] = with_earlier(
                given['pixel_values'], earlier, self._image_processor
            )
            sample['inputs'] = given
            return sample
        write = self._conversations.caption if self._captions else self._conversations.inputs
        sample['inputs'], sample['turn'] = write(example, pictures)
        return sample


def collate(samples: Sequence[Mapping[str, Any]], pad_id: int) -> dict[str, torch.Tensor]:
    """Put samples into a batch, padded on the right.

    :returns: what the model takes; ``parts`` ``(B, T)`` of what it writes, and ``written`` that
        alone; ``classes``, ``depths``, ``motions`` and ``speeds`` ``(B, 12, 22)`` of the patches,
        ``ego`` ``(B, 2)`` of its motion, NaN where it is not to be seen
    """
    batch: dict[str, torch.Tensor] = {
        name: torch.cat([sample['inputs'][name] for sample in samples])
        for name in samples[0]['inputs']
        if not name.endswith('token_type_ids')
    }
    for of, names in (
        ('patches', ('classes', 'depths')),
        ('motion', ('motions', 'speeds', 'ego')),
    ):
        for k, name in enumerate(names):
            batch[name] = torch.stack([sample[of][k] for sample in samples])
    if 'turn' not in samples[0]:
        return batch
    turns = [sample['turn'] for sample in samples]
    written = [turn.written for turn in turns]
    longest = max(map(len, written))
    batch['written'] = torch.full((len(turns), longest), pad_id, dtype=torch.long)
    for k, ids in enumerate(written):
        batch['written'][k, : len(ids)] = torch.tensor(ids)
    length = max(len(turn.ids) for turn in turns)
    rows = {'input_ids': pad_id, 'parts': 0, 'attention_mask': 0}
    for name, fill in rows.items():
        batch[name] = torch.full((len(turns), length), fill, dtype=torch.long)
    for k, turn in enumerate(turns):
        batch['input_ids'][k, : len(turn.ids)] = torch.tensor(turn.ids)
        batch['parts'][k, : len(turn.ids)] = torch.tensor(turn.parts)
        batch['attention_mask'][k, : len(turn.ids)] = 1
    for name in samples[0]['inputs']:
        if name.endswith('token_type_ids'):
            batch[name] = torch.zeros((len(turns), length), dtype=torch.long)
            for k, sample in enumerate(samples):
                value = sample['inputs'][name][0]
                batch[name][k, : len(value)] = value
    return batch


def _motion(
    example: Example | None, classes: torch.Tensor, depths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    if example is None:
        unknown = torch.full(classes.shape, math.nan)
        return torch.full_like(classes, IGNORED), unknown, torch.full((2,), math.nan)
    return *things_that_move(example, classes, depths), motion_of_ego(example)


def _patches(example: Example, *, flipped: bool) -> tuple[torch.Tensor, torch.Tensor]:
    if example.patches is None:
        nothing = torch.full((ROWS, COLUMNS), IGNORED, dtype=torch.long)
        return nothing, nothing
    grids = []
    for name in ('classes', 'depths'):
        values = [DIGITS.index(digit) for digit in example.patches[name]]
        grid = torch.tensor(values, dtype=torch.long).reshape(ROWS, COLUMNS)
        grids.append(grid.flip(1) if flipped else grid)
    return grids[0], grids[1]

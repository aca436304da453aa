"""A plan that a model wrote, fed to it again in one pass: what in the picture made it?

Knows no file and no planner: frames and a plan in, gradients and pictures out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from emma_planner.models.transformers_model import (
    TransformersModel,
    first_turn,
    to_earlier_images,
    to_images,
)
from emma_planner.planning.chat import ModelError
from emma_planner.planning.types import ByteArray, CameraFrame, FloatArray, Plan

Earlier = Sequence[CameraFrame | None]
CHANNELS = 3
"""Of one picture; those of earlier ones follow."""
PGD_STEPS = 10
MOST_STRETCHED = 0.5
"""A token covers at most e^0.5 = 1.6 times as much in one direction as in the other."""
PGD_STEP_SHARE = 0.25
"""Of the largest change, in each step (Madry et al., ICLR 2018)."""


def gradient_saliency(
    owner: TransformersModel,
    frames: Sequence[CameraFrame],
    plan: Plan,
    earlier: Earlier = (),
) -> FloatArray:
    """Return how much each pixel moves the likelihood of the plan's own actions.

    Simonyan, Vedaldi, Zisserman, Deep inside convolutional networks (2014).

    :param earlier: the front camera's earlier pictures, for a model that sees them
    :returns: ``(H, W)`` at the size that the model sees, 0 to 1
    :raises ModelError: the model does not take a picture as such
    """
    inputs, written = _conversation(owner, frames, plan, earlier)
    gradient = _gradient(owner, inputs, _actions(owner, plan, written))
    heat = gradient.abs().sum(dim=(0, 1))
    return np.asarray((heat / heat.max().clamp_min(1e-12)).cpu().numpy(), dtype=np.float64)


def attention_saliency(
    owner: TransformersModel,
    frames: Sequence[CameraFrame],
    plan: Plan,
    earlier: Earlier = (),
) -> FloatArray:
    """Return how much each token of the picture is attended to when the plan's actions are chosen.

    The mean over layers, heads and actions. Attention is where a model reads, which need not be
    what it plans by (Jain, Wallace, Attention is not explanation, NAACL 2019): see the gradient,
    or what occlusion changes, beside it.

    :param earlier: the front camera's earlier pictures, for a model that sees them
    :returns: ``(rows, columns)`` of the picture's tokens, 0 to 1
    :raises ModelError: the model does not take a picture as such, or its tokens are no grid
    """
    inputs, written = _conversation(owner, frames, plan, earlier)
    seen = (inputs['input_ids'][0] == _image_id(owner)).nonzero().ravel()
    decoder = owner.model.get_decoder()
    before = decoder.config._attn_implementation  # there is no other way to ask
    values = inputs['pixel_values'].to(owner.model.dtype)
    with owner.lock, torch.inference_mode():
        decoder.set_attn_implementation('eager')
        try:
            found = owner.model(
                **{**inputs, 'pixel_values': values}, use_cache=False, output_attentions=True
            )
        finally:
            decoder.set_attn_implementation(before)
    layers = torch.stack([layer[0].float() for layer in found.attentions])
    choosing = _actions(owner, plan, written)[0].roll(-1)  # an id is chosen one place before it
    heat = layers.mean(dim=(0, 1))[choosing][:, seen].mean(dim=0)
    height, width = inputs['pixel_values'].shape[-2:]
    rows, columns = grid_of(len(seen), width / height)
    heat = (heat / heat.max().clamp_min(1e-12)).reshape(rows, columns)
    return np.asarray(heat.cpu().numpy(), dtype=np.float64)


def grid_of(count: int, aspect: float) -> tuple[int, int]:
    """Return rows and columns of a picture's tokens: of all that fit, the nearest to its shape.

    :param aspect: width over height of the picture
    :raises ModelError: no such grid is near it
    """
    rows = [row for row in range(1, count + 1) if count % row == 0]
    if rows:
        best = min(rows, key=lambda row: abs(math.log(count / row / row / aspect)))
        if abs(math.log(count / best / best / aspect)) < MOST_STRETCHED:
            return best, count // best
    raise ModelError(f'need tokens in a grid of width/height {aspect:.2f}, got {count} of them')


def attacked(
    owner: TransformersModel,
    frames: Sequence[CameraFrame],
    plan: Plan,
    earlier: Earlier = (),
    *,
    kind: str,
    size_px: float,
) -> ByteArray:
    """Return a picture, hardly another, from which the plan is as unlikely as can be.

    FGSM (Goodfellow, Shlens, Szegedy, ICLR 2015) is one step, PGD (Madry et al., ICLR 2018) ten.

    :param earlier: the front camera's earlier pictures, for a model that sees them; they stay
    :param kind: ``fgsm`` or ``pgd``
    :param size_px: largest change of a pixel, of 255
    :returns: ``(H, W, 3)`` at the size that the model sees
    :raises ModelError: the model does not take a picture as such
    """
    inputs, written = _conversation(owner, frames, plan, earlier)
    present, past = inputs['pixel_values'].split(
        [CHANNELS, inputs['pixel_values'].shape[1] - CHANNELS], dim=1
    )
    mean, std = _scales(owner, present)
    start = present * std + mean
    most = size_px / 255.0
    step = most if kind == 'fgsm' else PGD_STEP_SHARE * most
    picture = start.clone()
    for _ in range(1 if kind == 'fgsm' else PGD_STEPS):
        inputs['pixel_values'] = torch.cat([(picture - mean) / std, past], dim=1)
        gradient = _gradient(owner, inputs, written)
        picture = picture + step * gradient.sign()
        picture = torch.minimum(torch.maximum(picture, start - most), start + most).clamp(0.0, 1.0)
    rgb = (picture[0] * 255.0).round().to(torch.uint8).permute(1, 2, 0)
    return np.ascontiguousarray(rgb.cpu().numpy())


def as_seen(owner: TransformersModel, frames: Sequence[CameraFrame]) -> ByteArray:
    """Return the front picture at the size that the model sees ``(H, W, 3)``."""
    values = _pixels(owner, dict(owner.processor.image_processor(
        images=to_images(owner, frames), return_tensors='pt')))  # fmt: skip
    mean, std = _scales(owner, values)
    rgb = ((values[0] * std[0] + mean[0]) * 255.0).round().clamp(0, 255).to(torch.uint8)
    return np.ascontiguousarray(rgb.permute(1, 2, 0).cpu().numpy())


def _conversation(
    owner: TransformersModel, frames: Sequence[CameraFrame], plan: Plan, earlier: Earlier
) -> tuple[dict[str, Any], torch.Tensor]:
    """Inputs of the whole conversation, and ``(1, T)`` which ids the model wrote."""
    if not plan.replies:
        raise ModelError('need a plan that the model wrote, got one without replies')
    past = to_earlier_images(owner, earlier)
    first = first_turn(owner, plan.prompts[0], to_images(owner, frames), past)
    ids = first['input_ids'][0].tolist()
    parts = [False] * len(ids)
    for number, reply in enumerate(plan.replies):
        if number:
            after = owner.ids_after_reply(plan.prompts[number - 1], plan.prompts[number])
            ids += after
            parts += [False] * len(after)
        new = owner.processor.tokenizer(reply, add_special_tokens=False)['input_ids']
        ids += new
        parts += [True] * len(new)
    inputs = {name: value for name, value in first.items() if not name.endswith('token_type_ids')}
    inputs |= {
        'input_ids': torch.tensor([ids]),
        'attention_mask': torch.ones(1, len(ids), dtype=torch.long),
    }
    device = owner.model.device
    inputs = {name: value.to(device) for name, value in inputs.items()}
    inputs['pixel_values'] = _pixels(owner, inputs).to(torch.float32)
    return inputs, torch.tensor([parts], device=device)


def _gradient(
    owner: TransformersModel, inputs: dict[str, Any], written: torch.Tensor
) -> torch.Tensor:
    """Gradient of the loss of what was written, by the present picture."""
    pixels = inputs['pixel_values'].detach().clone().requires_grad_(True)
    with owner.lock, torch.enable_grad():
        values = pixels.to(owner.model.dtype)
        logits = owner.model(**{**inputs, 'pixel_values': values}, use_cache=False).logits
        labels = inputs['input_ids'][:, 1:][written[:, 1:]]
        loss = nn.functional.cross_entropy(logits[:, :-1][written[:, 1:]].float(), labels)
        (gradient,) = torch.autograd.grad(loss, pixels)
    return gradient[:, :CHANNELS]


def _pixels(owner: TransformersModel, inputs: dict[str, Any]) -> torch.Tensor:
    values = inputs['pixel_values']
    known = (CHANNELS, CHANNELS * (1 + owner.num_earlier))
    if values.ndim != 4 or values.shape[0] != 1 or values.shape[1] not in known:
        raise ModelError(
            f'{owner.name}: need a model that takes one picture as (1, 3, H, W), '
            f'got {tuple(values.shape)}'
        )
    return values


def _image_id(owner: TransformersModel) -> int:
    config = owner.model.config
    return int(getattr(config, 'image_token_id', None) or config.image_token_index)


def _scales(owner: TransformersModel, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    processor = owner.processor.image_processor
    return (
        torch.tensor(processor.image_mean).to(like).view(1, 3, 1, 1),
        torch.tensor(processor.image_std).to(like).view(1, 3, 1, 1),
    )


def _actions(owner: TransformersModel, plan: Plan, written: torch.Tensor) -> torch.Tensor:
    """Which of the written ids are of the last reply: actions, or words of an unknown scene."""
    last = owner.processor.tokenizer(plan.replies[-1], add_special_tokens=False)['input_ids']
    actions = written.clone()
    actions[:, : -len(last)] = False
    return actions

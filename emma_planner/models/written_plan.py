"""A plan that a model wrote, fed to it again in one pass: what in the picture made it?

Knows no file and no planner: frames and a plan in, gradients and pictures out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from emma_planner.models.transformers_model import TransformersModel, message, to_images
from emma_planner.planning.chat import ModelError
from emma_planner.planning.types import ByteArray, CameraFrame, FloatArray, Plan

PGD_STEPS = 10
PGD_STEP_SHARE = 0.25
"""Of the largest change, in each step (Madry et al., ICLR 2018)."""


def gradient_saliency(
    owner: TransformersModel, frames: Sequence[CameraFrame], plan: Plan
) -> FloatArray:
    """Return how much each pixel moves the likelihood of the plan's own actions.

    Simonyan, Vedaldi, Zisserman, Deep inside convolutional networks (2014).

    :returns: ``(H, W)`` at the size that the model sees, 0 to 1
    :raises ModelError: the model does not take a picture as such
    """
    inputs, written = _conversation(owner, frames, plan)
    last = torch.zeros_like(written)
    last[:, -_length(owner, plan.replies[-1]) :] = True  # the actions alone
    gradient = _gradient(owner, inputs, written & last)
    heat = gradient.abs().sum(dim=(0, 1))
    return np.asarray((heat / heat.max().clamp_min(1e-12)).cpu().numpy(), dtype=np.float64)


def attacked(
    owner: TransformersModel,
    frames: Sequence[CameraFrame],
    plan: Plan,
    *,
    kind: str,
    size_px: float,
) -> ByteArray:
    """Return a picture, hardly another, from which the plan is as unlikely as can be.

    FGSM (Goodfellow, Shlens, Szegedy, ICLR 2015) is one step, PGD (Madry et al., ICLR 2018) ten.

    :param kind: ``fgsm`` or ``pgd``
    :param size_px: largest change of a pixel, of 255
    :returns: ``(H, W, 3)`` at the size that the model sees
    :raises ModelError: the model does not take a picture as such
    """
    inputs, written = _conversation(owner, frames, plan)
    mean, std = _scales(owner, inputs['pixel_values'])
    start = inputs['pixel_values'] * std + mean
    most = size_px / 255.0
    step = most if kind == 'fgsm' else PGD_STEP_SHARE * most
    picture = start.clone()
    for _ in range(1 if kind == 'fgsm' else PGD_STEPS):
        inputs['pixel_values'] = (picture - mean) / std
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
    owner: TransformersModel, frames: Sequence[CameraFrame], plan: Plan
) -> tuple[dict[str, Any], torch.Tensor]:
    """Inputs of the whole conversation, and ``(1, T)`` which ids the model wrote."""
    if not plan.replies:
        raise ModelError('need a plan that the model wrote, got one without replies')
    first = owner.processor.apply_chat_template(
        [message('user', plan.prompts[0], to_images(owner, frames))],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors='pt',
    )
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
    """Gradient of the loss of what was written, by the picture."""
    pixels = inputs['pixel_values'].detach().clone().requires_grad_(True)
    with owner.lock, torch.enable_grad():
        values = pixels.to(owner.model.dtype)
        logits = owner.model(**{**inputs, 'pixel_values': values}, use_cache=False).logits
        labels = inputs['input_ids'][:, 1:][written[:, 1:]]
        loss = nn.functional.cross_entropy(logits[:, :-1][written[:, 1:]].float(), labels)
        (gradient,) = torch.autograd.grad(loss, pixels)
    return gradient


def _pixels(owner: TransformersModel, inputs: dict[str, Any]) -> torch.Tensor:
    values = inputs['pixel_values']
    if values.ndim != 4 or values.shape[0] != 1 or values.shape[1] != 3:
        raise ModelError(
            f'{owner.name}: need a model that takes one picture as (1, 3, H, W), '
            f'got {tuple(values.shape)}'
        )
    return values


def _scales(owner: TransformersModel, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    processor = owner.processor.image_processor
    return (
        torch.tensor(processor.image_mean).to(like).view(1, 3, 1, 1),
        torch.tensor(processor.image_std).to(like).view(1, 3, 1, 1),
    )


def _length(owner: TransformersModel, reply: str) -> int:
    return len(owner.processor.tokenizer(reply, add_special_tokens=False)['input_ids'])

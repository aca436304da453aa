"""Make a checkpoint smaller: whole neurons taken out, or single weights set to 0.

Structured pruning takes the neurons of each feed-forward layer whose weights are smallest (Ma,
Fang, Wang, LLM-Pruner, NeurIPS 2023, by magnitude) and leaves a checkpoint of the same
architecture that is smaller and faster; magnitude pruning (Han et al., NeurIPS 2015) sets the
smallest weights of each linear layer of the language model to 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from emma_planner.planning.chat import ModelError

NEURONS, WEIGHTS = 'neurons', 'weights'
KINDS = (NEURONS, WEIGHTS)
MULTIPLE = 8
"""Neurons are kept in multiples of this, as matrix products like them."""


def prune(model: Any, kind: str, share: float) -> int:
    """Prune a model in place; return how many weights are gone or 0.

    :param kind: one of :data:`KINDS`
    :param share: what goes, 0 to below 1
    :raises ModelError: the architecture has no such layers
    """
    return _prune_neurons(model, share) if kind == NEURONS else _prune_weights(model, share)


def _prune_neurons(model: Any, share: float) -> int:
    layers = list(_feed_forward(model))
    sizes = {layer.down_proj.in_features for layer in layers}
    if len(sizes) != 1:
        raise ModelError(
            f'neurons: need gated feed-forward layers of one size, got sizes {sorted(sizes)}'
        )
    (size,) = sizes
    kept = max(MULTIPLE, round((1.0 - share) * size / MULTIPLE) * MULTIPLE)
    before = sum(parameter.numel() for parameter in model.parameters())
    for layer in layers:
        rows = [layer.gate_proj.weight, layer.up_proj.weight, layer.down_proj.weight.T]
        strength = torch.stack([row.float().norm(dim=1) for row in rows]).prod(dim=0)
        chosen = strength.topk(kept).indices.sort().values
        layer.gate_proj = _linear(layer.gate_proj, layer.gate_proj.weight[chosen], chosen)
        layer.up_proj = _linear(layer.up_proj, layer.up_proj.weight[chosen], chosen)
        layer.down_proj = _linear(layer.down_proj, layer.down_proj.weight[:, chosen], None)
    model.config.get_text_config().intermediate_size = kept
    after = sum(parameter.numel() for parameter in model.parameters())
    return int(before - after)


def _prune_weights(model: Any, share: float) -> int:
    gone = 0
    for layer in _language_model(model).modules():
        if isinstance(layer, nn.Linear):
            weights = layer.weight.data
            count = int(share * weights.numel())
            if count:
                edge = weights.abs().flatten().kthvalue(count).values
                weights[weights.abs() <= edge] = 0.0
            gone += int((weights == 0.0).sum())
    return gone


def _feed_forward(model: Any) -> Iterator[Any]:
    for module in _language_model(model).modules():
        if all(hasattr(module, f'{name}_proj') for name in ('gate', 'up', 'down')):
            yield module


def _language_model(model: Any) -> Any:
    core = getattr(model, 'model', model)
    for name in ('language_model', 'text_model'):
        if hasattr(core, name):
            return getattr(core, name)
    raise ModelError(f'need a language model inside {type(model).__name__}, got none')


def _linear(layer: nn.Linear, weight: torch.Tensor, rows: torch.Tensor | None) -> nn.Linear:
    smaller = nn.Linear(weight.shape[1], weight.shape[0], bias=layer.bias is not None)
    smaller = smaller.to(weight)
    smaller.weight = nn.Parameter(weight.detach().clone())
    if layer.bias is not None:
        bias = layer.bias if rows is None else layer.bias[rows]
        smaller.bias = nn.Parameter(bias.detach().clone())
    return smaller

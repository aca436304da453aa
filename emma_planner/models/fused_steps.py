"""Decoding one token at a time without the overhead of ``generate``, for Llama language models.

A small model spends most of a step between its matrix products. Here the projections of a layer
are one product each, keys and values go into buffers that do not grow, and nothing is dispatched
that is not needed. What earlier replies suggest is read beside the last token, in the same step.
The tokens are those of ``generate`` (a test holds it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers import LlamaModel

from emma_planner.models.drafts import FIRST, Drafts, next_length

ROOM = 64
"""Buffers grow in steps of so many tokens."""


@dataclass(frozen=True, eq=False)
class _Layer:
    norm: torch.Tensor
    qkv: torch.Tensor
    out: torch.Tensor
    mlp_norm: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


def can_fuse(model: Any) -> bool:
    """Whether a model's language model is one that this module steps."""
    text: Any = getattr(getattr(model, 'model', None), 'language_model', None)
    if type(text) is not LlamaModel or type(model).__name__ != 'LlavaForConditionalGeneration':
        return False
    if type(text.layers[0].mlp.down_proj.weight.data) is not torch.Tensor:
        return False  # quantised
    config = text.config
    plain = not config.attention_bias and not config.mlp_bias and config.hidden_act == 'silu'
    rope = (getattr(config, 'rope_parameters', None) or {}).get('rope_type', 'default')
    return bool(plain and rope == 'default')


class FusedSteps:
    """Steps of one model; not for two conversations at the same time.

    :param model: for which :func:`can_fuse` holds
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        text = model.model.language_model
        self._eps = text.config.rms_norm_eps
        self._heads = text.config.num_attention_heads
        self._kv_heads = text.config.num_key_value_heads
        self._head_dim = text.layers[0].self_attn.head_dim
        self._layers = [
            _Layer(
                norm=layer.input_layernorm.weight,
                qkv=torch.cat(
                    [
                        layer.self_attn.q_proj.weight,
                        layer.self_attn.k_proj.weight,
                        layer.self_attn.v_proj.weight,
                    ]
                ),
                out=layer.self_attn.o_proj.weight,
                mlp_norm=layer.post_attention_layernorm.weight,
                gate_up=torch.cat([layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight]),
                down=layer.mlp.down_proj.weight,
            )
            for layer in text.layers
        ]
        self._norm = text.norm.weight
        self._embedding = model.get_input_embeddings().weight
        self._head = model.get_output_embeddings().weight
        self._buffers: torch.Tensor | None = None
        self._drafts = Drafts()

    def generate(
        self,
        inputs: Mapping[str, Any],
        cache: Any,
        cache_argument: str,
        choose: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        is_done: Callable[[torch.Tensor], bool],
        max_tokens: int,
    ) -> torch.Tensor:
        """Write a reply.

        :param inputs: of the whole conversation, with pictures on its first turn
        :param cache: what the model has read of it; holds all but the last token afterwards
        :param cache_argument: what the model calls it
        :param choose: ids ``(1, T)`` and logits ``(1, V)`` to the next id ``(1, 1)``
        :param is_done: whether the reply ends with its last id
        :returns: ids ``(1, T + reply)``
        """
        ids = inputs['input_ids']
        read = cache.get_seq_length()
        first = {**inputs, 'input_ids': ids[:, read:], cache_argument: cache}
        logits = self._model(**first, use_cache=True, logits_to_keep=1).logits[:, -1]
        prompt, end = ids.shape[1], ids.shape[1] + max_tokens
        ids = torch.cat([ids, choose(ids, logits)], dim=1)
        self._fill(cache, end)
        done, most = is_done(ids), FIRST
        while not done and ids.shape[1] < end:
            most = min(most, end - ids.shape[1] - 1)
            draft = self._drafts.after(ids[0, prompt:].tolist(), most)
            logits = self._steps([int(ids[0, -1]), *draft], ids.shape[1] - 1)
            kept = 0
            for scores in logits.split(1):
                ids = torch.cat([ids, choose(ids, scores)], dim=1)
                done = is_done(ids)
                if done or kept == len(draft) or int(ids[0, -1]) != draft[kept]:
                    break
                kept += 1
            most = next_length(len(draft), kept)
        self._empty(cache, ids.shape[1] - 1)
        self._drafts.remember(ids[0, prompt:].tolist())
        return ids

    def _fill(self, cache: Any, room: int) -> None:
        """Take over what the cache holds."""
        text = self._model.model.language_model
        sample = cache.layers[0].keys
        length = sample.shape[-2]
        if self._buffers is None or self._buffers.shape[3] < room:
            size = -(-room // ROOM) * ROOM
            shape = (len(self._layers), 2, self._kv_heads, size, self._head_dim)
            self._buffers = sample.new_empty(shape)
            places = torch.arange(size, device=sample.device)[None]
            cos, sin = text.rotary_emb(sample.new_empty(1, 1, 1), places)
            half = self._head_dim // 2
            # rotate_half(x) * sin is x with its halves swapped, the first half's sine negated
            sin = torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)
            self._cos, self._sin = cos[0], sin[0]
        for buffer, layer in zip(self._buffers, cache.layers, strict=True):
            buffer[0, :, :length] = layer.keys[0]
            buffer[1, :, :length] = layer.values[0]

    def _empty(self, cache: Any, length: int) -> None:
        """Hand back what was read since."""
        assert self._buffers is not None
        for buffer, layer in zip(self._buffers, cache.layers, strict=True):
            layer.keys = buffer[0, :, :length].clone()[None]
            layer.values = buffer[1, :, :length].clone()[None]

    def _steps(self, token_ids: list[int], place: int) -> torch.Tensor:
        """Read n tokens; return logits ``(n, V)`` of the one behind each."""
        assert self._buffers is not None
        count, end = len(token_ids), place + len(token_ids)
        cos, sin = self._cos[place:end, None], self._sin[place:end, None]
        earlier = None
        if count > 1:
            earlier = torch.ones(count, end, dtype=torch.bool, device=cos.device).tril(place)
        width = (self._norm.shape[0],)
        half = self._head_dim // 2
        turned = self._heads + self._kv_heads
        state = self._embedding[token_ids]
        for layer, buffer in zip(self._layers, self._buffers, strict=True):
            normed = functional.rms_norm(state, width, layer.norm, self._eps)
            qkv = functional.linear(normed, layer.qkv).view(count, -1, self._head_dim)
            qk = qkv[:, :turned]
            qk = qk * cos + torch.cat([qk[..., half:], qk[..., :half]], dim=-1) * sin
            buffer[0, :, place:end] = qk[:, self._heads :].transpose(0, 1)
            buffer[1, :, place:end] = qkv[:, turned:].transpose(0, 1)
            seen = functional.scaled_dot_product_attention(
                qk[None, :, : self._heads].transpose(1, 2),
                buffer[None, 0, :, :end],
                buffer[None, 1, :, :end],
                attn_mask=earlier,
                enable_gqa=self._heads != self._kv_heads,
            )
            seen = seen[0].transpose(0, 1).reshape(count, -1)
            state = state + functional.linear(seen, layer.out)
            normed = functional.rms_norm(state, width, layer.mlp_norm, self._eps)
            gate, up = functional.linear(normed, layer.gate_up).chunk(2, dim=-1)
            state = state + functional.linear(functional.silu(gate) * up, layer.down)
        state = functional.rms_norm(state, width, self._norm, self._eps)
        return functional.linear(state, self._head)

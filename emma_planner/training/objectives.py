"""What training minimises: dense labels of patches, words, actions.

Tensors in, scalars out. Actions are learned over the action tokens alone, as they are decoded, and
with their neighbours: a bin that is nearly right is nearly right.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from emma_planner.planning.actions import ActionTokens
from emma_planner.recordings.dataset import CLASSES, DEPTHS
from emma_planner.training.batches import PLAN, REASON
from emma_planner.training.motion_labels import IGNORED, MOTIONS

SPLIT = 2
"""A token of the tower covers 2 x 2 labelled patches."""
CLASS_WEIGHTS = (0.5, 1.0, 1.0, 2.0, 4.0, 3.0, 6.0, 6.0, 6.0)
"""Rare classes count more; in the order of :data:`CLASSES`."""
DEPTH_WEIGHT = 0.5


class PatchHead(nn.Module):  # type: ignore[misc]
    """Class and distance of the patches under each token of a vision tower.

    :param width: of the tokens
    :param grid: rows and columns of tokens
    """

    def __init__(self, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.linear = nn.Linear(width, SPLIT * SPLIT * (len(CLASSES) + DEPTHS))
        self.register_buffer('weights', torch.tensor(CLASS_WEIGHTS))

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits ``(B, 9, 12, 22)`` of classes and ``(B, 32, 12, 22)`` of distances."""
        values = _of_patches(self.linear(tokens), self.grid)
        return values[:, : len(CLASSES)], values[:, len(CLASSES) :]

    def loss(
        self, tokens: torch.Tensor, classes: torch.Tensor, depths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss, and the share of patches whose class is right."""
        of_class, of_depth = self(tokens)
        known = classes != IGNORED
        loss = _mean_loss(of_class, classes, self.weights[classes[known]].sum(), self.weights)
        near = depths.masked_fill(depths == DEPTHS - 1, IGNORED)
        loss = loss + DEPTH_WEIGHT * _mean_loss(of_depth, near, (near != IGNORED).sum())
        right = (of_class.argmax(1) == classes)[known].float().mean()
        return loss, right


class MotionHead(nn.Module):  # type: ignore[misc]
    """How what is in a patch moves, and how the ego does, of the tokens of a vision tower.

    :param width: of the tokens
    :param grid: rows and columns of tokens
    """

    def __init__(self, width: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = grid
        self.of_things = nn.Linear(width, SPLIT * SPLIT * len(MOTIONS))
        self.of_speeds = nn.Linear(width, SPLIT * SPLIT)
        self.of_ego = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 2))

    def loss(
        self,
        tokens: torch.Tensor,
        motions: torch.Tensor,
        speeds: torch.Tensor,
        ego: torch.Tensor,
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Return the loss and its parts; 0 where nothing is known.

        :param motions: ``(B, 12, 22)`` of :data:`MOTIONS`
        :param speeds: ``(B, 12, 22)``, NaN where they are not known
        :param ego: ``(B, 2)`` likewise
        """
        values = _of_patches(self.of_things(tokens), self.grid).float()
        things = _mean_loss(values, motions, (motions != IGNORED).sum())
        along = _of_patches(self.of_speeds(tokens), self.grid).float()[:, 0]
        parts = {
            'motions': things,
            'speeds': _known_loss(along, speeds),
            'ego': _known_loss(self.of_ego(tokens).mean(1).float(), ego),
        }
        return sum(parts.values()), {name: part.detach() for name, part in parts.items()}


class ActionTargets:
    """Where the action tokens are in a vocabulary, and what is right beside a bin.

    :param ids: of all speed tokens, then of all curvature tokens
    :param smoothing_bins: width of the neighbourhood; 0 for none
    """

    def __init__(self, ids: Sequence[Sequence[int]], smoothing_bins: float) -> None:
        self._ids = [torch.tensor(kind) for kind in ids]
        self._targets = [_neighbours(len(kind), smoothing_bins) for kind in ids]

    @classmethod
    def of_tokenizer(cls, tokenizer: object, smoothing_bins: float) -> ActionTargets:
        """Look the tokens up."""
        kinds = (ActionTokens.speed_tokens, ActionTokens.curvature_tokens)
        ids = [tokenizer.convert_tokens_to_ids(list(kind)) for kind in kinds]  # type: ignore[attr-defined]
        return cls(ids, smoothing_bins)

    def loss(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return ``(n,)`` losses of action tokens; 0 where the label is none.

        :param logits: ``(n, V)``
        :param labels: ``(n,)`` ids
        """
        loss = torch.zeros(len(labels), device=logits.device)
        for ids, targets in zip(self._ids, self._targets, strict=True):
            known = ids.to(labels.device)
            first, last = int(ids[0]), int(ids[-1])
            mine = (labels >= first) & (labels <= last)
            if not mine.any():
                continue
            scores = torch.log_softmax(logits[mine][:, known].float(), dim=-1)
            wanted = targets.to(labels.device)[labels[mine] - first]
            # what no model can do better than
            least = torch.xlogy(wanted, wanted).sum(-1)
            loss[mine] = least - (wanted * scores).sum(-1)
        return loss


def conversation_loss(
    logits: torch.Tensor,
    input_ids: torch.Tensor,
    parts: torch.Tensor,
    actions: ActionTargets,
    part_weights: tuple[float, float],
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Return the weighted mean loss of what the model writes.

    :param logits: ``(B, T, V)``
    :param parts: ``(B, T)`` which part each token is of
    :param part_weights: of a token of the chain of thought, of an action token
    """
    written = parts[:, 1:] > 0
    labels, of_part = input_ids[:, 1:][written], parts[:, 1:][written]
    scores = logits[:, :-1][written]
    words, plans = of_part == REASON, of_part == PLAN
    word_loss = nn.functional.cross_entropy(scores[words].float(), labels[words], reduction='sum')
    plan_loss = actions.loss(scores[plans], labels[plans]).sum()
    weights = part_weights[0] * words.sum() + part_weights[1] * plans.sum()
    loss = (part_weights[0] * word_loss + part_weights[1] * plan_loss) / _of_a_process(weights)
    return loss, {
        'reason': word_loss.detach() / words.sum().clamp_min(1),
        'plan': plan_loss.detach() / plans.sum().clamp_min(1),
    }


def contrastive_loss(
    pictures: torch.Tensor, texts: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Match pictures with their texts in a batch, both ways.

    Radford et al., Learning transferable visual models from natural language supervision (CLIP,
    2021), figure 3. Texts that are the same are no wrong matches of each other's pictures.

    :param pictures: ``(B, C)``
    :param texts: ``(B, C)``
    :param scale: logarithm of the inverse temperature
    :returns: the loss, and the share of pictures whose text is nearest
    """
    one = nn.functional.normalize(pictures, dim=-1)
    other = nn.functional.normalize(texts, dim=-1)
    scores = scale.exp().clamp(max=100.0) * one @ other.T
    same = (other @ other.T) > 1.0 - 1e-5
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    scores = scores.masked_fill(same & ~own, float('-inf'))
    labels = torch.arange(len(scores), device=scores.device)
    loss = nn.functional.cross_entropy(scores, labels)
    loss = (loss + nn.functional.cross_entropy(scores.T, labels)) / 2
    return loss, (scores.argmax(1) == labels).float().mean()


def _of_patches(values: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """``(B, rows * columns, 4 C)`` of tokens to ``(B, C, 2 rows, 2 columns)`` of patches."""
    return nn.functional.pixel_shuffle(values.unflatten(1, grid).permute(0, 3, 1, 2), SPLIT)


def _of_a_process(count: torch.Tensor) -> torch.Tensor:
    """Return how much there is to learn in a process, on average over all that train together.

    What is divided by it, averaged over the processes as their gradients are, is the mean over all
    of the batch, however it is split.
    """
    mean = count.detach().float()
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        mean = mean.clone()
        torch.distributed.all_reduce(mean)
        mean = mean / torch.distributed.get_world_size()
    return mean.clamp_min(1e-6)


def _mean_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    count: torch.Tensor,
    weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean cross-entropy over what is labelled; 0 where nothing is.

    :param logits: ``(B, C, ...)``
    :param labels: ``(B, ...)`` or :data:`IGNORED`
    :param count: of the labels, weighted
    :param weights: ``(C,)``
    """
    total = nn.functional.cross_entropy(
        logits, labels, weight=weights, ignore_index=IGNORED, reduction='sum'
    )
    return total / _of_a_process(count)


def _known_loss(guessed: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Mean distance from what is right, where it is known (not NaN); 0 where nothing is."""
    known = ~right.isnan()
    wanted = torch.where(known, right, guessed.detach())
    off = nn.functional.smooth_l1_loss(guessed, wanted, reduction='sum', beta=0.1)
    return off / _of_a_process(known.sum())


def _neighbours(count: int, width: float) -> torch.Tensor:
    """Rows of how right each bin is beside the right one, in all 1 each."""
    if width <= 0.0:
        return torch.eye(count)
    apart = (torch.arange(count)[:, None] - torch.arange(count)).abs()
    near = torch.exp(-apart / width) * (apart <= 4 * width)
    return near / near.sum(-1, keepdim=True)

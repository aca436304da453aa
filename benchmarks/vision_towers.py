"""Which vision tower learns from scratch on little data: convolutional, or a plain transformer.

    emma dataset build --split train --seeds 0-415 --out out/ds/train
    emma dataset build --split test --seeds 0-15 --disturbed 0 --out out/ds/test
    python benchmarks/vision_towers.py out/ds/train --test out/ds/test

Each tower, as large and with as many tokens as the other, learns to plan through the same small
head, with dense pretraining on the simulator's labels of patches and without: the same samples in
the same order. L2 of the test split with its pictures, and with pictures of other windows: a tower
that is not used loses nothing by the swap.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import AutoImageProcessor, ViTConfig, ViTModel

from emma_planner.config import SHIPPED
from emma_planner.models.conv_tower import STRIDE, ConvTower, ConvTowerConfig
from emma_planner.planning.kinematics import integrate
from emma_planner.recordings.dataset import Example, read_examples
from emma_planner.resources import model_path
from emma_planner.training.batches import LearnedSamples, collate
from emma_planner.training.build_model import SmallModel
from emma_planner.training.learned_examples import Schedule, weights_of
from emma_planner.training.objectives import PatchHead

SIZES = SmallModel()
GRID = (SIZES.image_px[0] // STRIDE, SIZES.image_px[1] // STRIDE)
COMMANDS = ('follow lane', 'turn left', 'turn right', 'go straight')
SCALES = np.array([10.0, 0.1])
"""Of speed [m/s] and curvature [1/m], in what is learned."""
STEPS_3S = 6


class Transformer(nn.Module):  # type: ignore[misc]
    """A plain vision transformer whose tokens stand for as much of the picture."""

    def __init__(self) -> None:
        super().__init__()
        config = ViTConfig(
            image_size=SIZES.image_px,
            patch_size=STRIDE,
            hidden_size=256,
            num_hidden_layers=7,
            num_attention_heads=4,
            intermediate_size=1024,
        )
        self.vit = ViTModel(config, add_pooling_layer=False)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.vit(pixel_values).last_hidden_state[:, 1:]


class Convolutional(nn.Module):  # type: ignore[misc]
    """The tower of the shipped model."""

    def __init__(self) -> None:
        super().__init__()
        height, width = SIZES.image_px
        self.tower = ConvTower(
            ConvTowerConfig(height, width, SIZES.tower_widths, SIZES.tower_depths)
        )

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.tower(pixel_values).last_hidden_state


TOWERS = {'convolutional': Convolutional, 'transformer': Transformer}


class Planner(nn.Module):  # type: ignore[misc]
    """Tokens, history and command to ten pairs of speed and curvature."""

    def __init__(self, tower: nn.Module) -> None:
        super().__init__()
        self.tower = tower
        self.narrow = nn.Linear(256, 32)
        told = 2 * 10 + len(COMMANDS)
        self.head = nn.Sequential(
            nn.Linear(GRID[0] * GRID[1] * 32 + told, 512),
            nn.ReLU(),
            nn.Linear(512, 256),
            nn.ReLU(),
            nn.Linear(256, 20),
        )

    def forward(self, pixel_values: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        seen = self.narrow(self.tower(pixel_values)).flatten(1)
        return self.head(torch.cat([seen, told], 1)).unflatten(1, (10, 2))


class Data:
    """Examples, and batches of them in an order that depends on the seed alone."""

    def __init__(self, folders: list[Path], seed: int) -> None:
        self.examples = [example for folder in folders for example in read_examples(folder)]
        self.processor = AutoImageProcessor.from_pretrained(model_path(SHIPPED))
        self.seed = seed

    def batches(self, count: int, size: int, first: int) -> Iterator[dict[str, torch.Tensor]]:
        """Yield batches of samples drawn as training draws them."""
        schedule = Schedule(weights_of(self.examples), 0.0, 0.0, self.seed)
        samples = LearnedSamples(self.examples, schedule, None, self.processor, jitter=0.5)
        for step in range(first, first + count):
            numbers = range(step * size, (step + 1) * size)
            batch = collate([samples[k] for k in numbers], 0)
            drawn = [self.examples[schedule.sample(k).number] for k in numbers]
            yield {**batch, 'told': told(drawn), 'wanted': wanted(drawn)}


def told(examples: list[Example]) -> torch.Tensor:
    """Return ``(B, 24)``: history and command."""
    rows = []
    for example in examples:
        command = [float(example.command == name) for name in COMMANDS]
        rows.append(np.concatenate([(example.history / SCALES).ravel(), command]))
    return torch.tensor(np.array(rows), dtype=torch.float32)


def wanted(examples: list[Example]) -> torch.Tensor:
    """Return ``(B, 10, 2)``: speed and curvature that are planned."""
    plans = [example.planned for example in examples]
    pairs = [np.stack([plan.speeds_mps, plan.curvatures_1pm], 1) / SCALES for plan in plans]
    return torch.tensor(np.array(pairs), dtype=torch.float32)


def pretrain(tower: nn.Module, data: Data, options: argparse.Namespace) -> float:
    """Learn the dense labels; return the share of the last patches whose class was right."""
    head = PatchHead(256, GRID)
    optimizer = torch.optim.AdamW([*tower.parameters(), *head.parameters()], options.rate)
    right = []
    batches = data.batches(options.pretrain, options.batch, options.steps)
    for step, batch in enumerate(batches):
        set_rate(optimizer, options.rate, step, options.pretrain)
        loss, share = head.loss(tower(batch['pixel_values']), batch['classes'], batch['depths'])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right.append(float(share))
    return float(np.mean(right[-20:]))


def learn(planner: Planner, data: Data, options: argparse.Namespace) -> None:
    """Learn the plans, by the mean absolute error."""
    optimizer = torch.optim.AdamW(planner.parameters(), options.rate)
    for step, batch in enumerate(data.batches(options.steps, options.batch, 0)):
        set_rate(optimizer, options.rate, step, options.steps)
        planned = planner(batch['pixel_values'], batch['told'])
        loss = nn.functional.l1_loss(planned, batch['wanted'])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def set_rate(optimizer: Any, rate: float, step: int, steps: int) -> None:
    """Rise over a twentieth of the steps, then fall to nothing."""
    share = min(1.0, 20.0 * (step + 1) / steps, (steps - step) / steps)
    for group in optimizer.param_groups:
        group['lr'] = rate * share


@torch.no_grad()
def l2_3s(planner: Planner, data: Data, batch: int, *, swapped: bool) -> float:
    """Return the mean L2 [m] averaged to 3 s."""
    planner.eval()
    order = np.random.default_rng(1).permutation(len(data.examples))
    errors = []
    for begin in range(0, len(order), batch):
        mine = [data.examples[int(k)] for k in order[begin : begin + batch]]
        shown = np.roll(order, 7)[begin : begin + batch] if swapped else order[begin:][:batch]
        pictures = [Image.open(data.examples[int(k)].image).convert('RGB') for k in shown]
        pixels = data.processor(images=pictures, return_tensors='pt')['pixel_values']
        pairs = planner(pixels, told(mine)).double().numpy() * SCALES
        poses = integrate(pairs[..., 0], pairs[..., 1])
        truth = np.array([example.future.poses for example in mine])
        apart = np.linalg.norm(poses[:, :STEPS_3S, :2] - truth[:, :STEPS_3S, :2], axis=-1)
        errors += list(apart.mean(1))
    return float(np.mean(errors))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path, nargs='+')
    parser.add_argument('--test', type=Path, required=True)
    parser.add_argument('--every', type=int, default=5, help='of the test windows')
    parser.add_argument('--steps', type=int, default=500)
    parser.add_argument('--pretrain', type=int, default=500)
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--rate', type=float, default=1e-3)
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args()
    data, test = Data(options.data, options.seed), Data([options.test], 0)
    test.examples = test.examples[:: options.every]
    head = ('tower', 'parameters', 'dense labels', 'patches right', 'L2 3 s', 'swapped', 'time')
    print(''.join(f'{name:>15}' for name in head))
    for name, tower_class in TOWERS.items():
        for is_pretrained in (False, True):
            torch.manual_seed(options.seed)
            begin = time.perf_counter()
            planner = Planner(tower_class())
            size = sum(value.numel() for value in planner.tower.parameters())
            right = pretrain(planner.tower, data, options) if is_pretrained else float('nan')
            learn(planner, data, options)
            took = time.perf_counter() - begin
            errors = [l2_3s(planner, test, options.batch, swapped=it) for it in (False, True)]
            cells = (
                name,
                f'{size / 1e6:.1f} M',
                'yes' if is_pretrained else 'no',
                f'{100.0 * right:.1f} %',
                *(f'{error:.2f} m' for error in errors),
                f'{took:.0f} s',
            )
            print(''.join(f'{cell:>15}' for cell in cells), flush=True)


if __name__ == '__main__':
    main()

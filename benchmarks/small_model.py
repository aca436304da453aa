"""Latency of whole plans of the shipped model, stage by stage, and memory.

    emma dataset build --split test --seeds 0-15 --disturbed 0 --out out/ds/test
    python benchmarks/small_model.py out/ds/test [--model FOLDER] [--examples 100]

With ``generate`` (plain) and with the fused steps, in one run; ten windows in order at a time, as
a node plans them. Its plans and words are scored by ``emma evaluate out/ds/test``, with and
without the picture by ``emma ablate``.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

import numpy as np

from emma_planner.assemble import build_planner
from emma_planner.config import PlannerConfig
from emma_planner.planning.types import PlannerInput
from emma_planner.recordings.dataset import read_examples
from emma_planner.runs.dataset_source import window_of

WARM_UP = 5
IN_ORDER = 10


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path)
    parser.add_argument('--model', default=PlannerConfig().model)
    parser.add_argument('--examples', type=int, default=100)
    options = parser.parse_args()
    examples = list(read_examples(options.data))
    blocks = np.random.default_rng(0).permutation(len(examples) // IN_ORDER)
    chosen = [
        examples[IN_ORDER * int(block) + k]
        for block in sorted(blocks[: max(options.examples // IN_ORDER, 1)])
        for k in range(IN_ORDER)
    ]
    latency(options.model, [window_of(example).load() for example in chosen])


def latency(model: str, inputs: list[PlannerInput]) -> None:
    """Print time by stage, and memory."""
    print(f'{"[ms]":<10}{"encode":>8}{"reason":>8}{"plan":>8}{"total p50":>11}{"p95":>8}')
    for decoding in ('plain', 'auto'):
        planner = build_planner(PlannerConfig(model=model, decoding=decoding))
        for planner_input in inputs[:WARM_UP]:
            planner.plan(planner_input)
        took = [planner.plan(planner_input).latency for planner_input in inputs]
        stages = [
            np.median([getattr(one, name) for one in took])
            for name in ('encode_ms', 'reason_ms', 'plan_ms')
        ]
        p50, p95 = np.percentile([one.total_ms for one in took], (50, 95))
        print(
            f'{decoding:<10}{"".join(f"{value:>8.1f}" for value in stages)}{p50:>11.1f}{p95:>8.1f}'
        )
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(f'peak memory {peak_mb:.0f} MB')


if __name__ == '__main__':
    main()

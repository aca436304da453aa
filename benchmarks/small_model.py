"""The shipped model on examples: plans and words, with and without the picture, and latency.

    emma dataset build --split test --seeds 0-15 --disturbed 0 --out out/ds/test
    python benchmarks/small_model.py out/ds/test [--model FOLDER] [--examples 400]

Every figure stands beside the kinematic baselines; intervals are over drives. ``blank`` takes the
picture away, ``swapped`` gives that of another example. Latency is that of whole plans, with
``generate`` and with the fused steps, in one run.
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from emma_planner.assemble import build_planner
from emma_planner.config import PlannerConfig
from emma_planner.planning.planner import Planner
from emma_planner.planning.types import PlannerInput
from emma_planner.recordings.dataset import Example, read_examples
from emma_planner.training.validation import (
    Validation,
    planner_input_of,
    validate,
    validate_baselines,
)

WARM_UP = 5


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path)
    parser.add_argument('--model', default=PlannerConfig().model)
    parser.add_argument('--examples', type=int, default=400)
    parser.add_argument('--only', choices=('plans', 'latency'))
    options = parser.parse_args()
    examples = list(read_examples(options.data))
    chosen = np.random.default_rng(0).permutation(len(examples))[: options.examples]
    examples = [examples[int(k)] for k in sorted(chosen)]
    if options.only != 'latency':
        plans(build_planner(PlannerConfig(model=options.model)), examples)
    if options.only != 'plans':
        latency(options.model, examples[:100])


def plans(planner: Planner, examples: list[Example]) -> None:
    """Errors, and what is said."""
    print(f'{len(examples)} examples of {len({e.source for e in examples})} drives')
    print(f'{"":<20}{"L2 avg 1 s":>11}{"2 s":>8}{"3 s":>8}{"5 s":>8}   ADE (95 %)')
    found = validate(planner, examples)
    rows = {
        planner.name: found,
        'blank': validate(planner, examples, _blank),
        'swapped': validate(planner, examples, _swap(examples)),
        **validate_baselines(examples),
    }
    for name, row in rows.items():
        l2 = ''.join(f'{row.l2_m(s):>8.2f}' for s in (2, 3, 5))
        ade = row.motion.ade
        print(
            f'{name[-19:]:<20}{row.l2_m(1):>11.2f}{l2}   '
            f'{ade.mean:.2f} ({ade.low:.2f}-{ade.high:.2f})'
        )
    for name in (planner.name, 'blank', 'swapped'):
        print(f'{name[-19:]:<20}{_words(rows[name])}')


def _words(row: Validation) -> str:
    rates = {
        'light': row.light,
        'lead': row.lead,
        'intent': row.intent,
        'agrees': row.agrees,
        'failed': row.failed,
    }
    return '  '.join(
        f'{name} {100 * rate.mean:.1f} % ({100 * rate.low:.1f}-{100 * rate.high:.1f})'
        for name, rate in rates.items()
    )


def _blank(planner_input: PlannerInput) -> PlannerInput:
    frame = planner_input.frames[0]
    grey = np.full_like(frame.rgb, 127)
    return replace(planner_input, frames=(replace(frame, rgb=grey),))


def _swap(examples: list[Example]) -> Callable[[PlannerInput], PlannerInput]:
    order = np.random.default_rng(1).permutation(len(examples))
    calls = iter(order.tolist())

    def swapped(planner_input: PlannerInput) -> PlannerInput:
        other = planner_input_of(examples[next(calls)]).frames[0]
        return replace(planner_input, frames=(replace(planner_input.frames[0], rgb=other.rgb),))

    return swapped


def latency(model: str, examples: list[Example]) -> None:
    """Time of whole plans by stage, and memory."""
    inputs = [planner_input_of(example) for example in examples]
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

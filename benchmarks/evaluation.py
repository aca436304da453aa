"""How fast evaluation is: metrics of many windows, workers, the report of a thousand plans.

    python benchmarks/evaluation.py [--windows 100000]

Windows are made at random; planning with workers is timed with a planner that waits as one on a
device or a server of its own does.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from emma_planner.evaluation.metrics import summarise
from emma_planner.evaluation.open_loop import score
from emma_planner.evaluation.predictions import Prediction, header_line, to_json_line
from emma_planner.fan_out import fan_out
from emma_planner.report.page import write_report
from emma_planner.report.results import read_results

PLAN_S = 0.25
"""What a plan takes on its device."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--windows', type=int, default=100_000)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    _metrics(options.windows, rng)
    _scores(options.windows, rng)
    _workers()
    _report(rng)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(f'peak memory {peak_mb:.0f} MB')


def _poses(count: int, rng: np.random.Generator) -> np.ndarray:
    return np.cumsum(rng.normal(2.0, 1.0, (count, 10, 3)), axis=1)


def _metrics(count: int, rng: np.random.Generator) -> None:
    predicted, truth = _poses(count, rng), _poses(count, rng)
    scenes = np.arange(count) // 40
    begin = time.perf_counter()
    summarise(predicted, truth, scenes=scenes)
    print(f'all metrics of {count} windows, intervals too: {time.perf_counter() - begin:.2f} s')


def _predictions(count: int, rng: np.random.Generator) -> list[Prediction]:
    predicted, truth = _poses(count, rng), _poses(count, rng)
    history = np.column_stack([np.full(10, 5.0), np.zeros(10)])
    return [
        Prediction(f'scene-{k // 40}', k * 500_000_000, predicted[k], truth[k], history)
        for k in range(count)
    ]


def _scores(count: int, rng: np.random.Generator) -> None:
    predictions = _predictions(count, rng)
    begin = time.perf_counter()
    score(predictions, 'x')
    took = time.perf_counter() - begin
    print(f'the same beside three baselines, from predictions: {took:.2f} s')


def plan_scene(_: int) -> int:
    """Wait as a planner does whose model runs elsewhere."""
    for _ in range(8):
        time.sleep(PLAN_S)
    return 8


def _workers() -> None:
    rates = {}
    for workers in (1, 2):
        begin = time.perf_counter()
        plans = sum(count for _, count in fan_out(plan_scene, list(range(8)), workers=workers))
        rates[workers] = plans / (time.perf_counter() - begin)
    print(
        f'plans of {PLAN_S} s on devices of their own: {rates[1]:.2f} Hz with one worker, '
        f'{rates[2]:.2f} Hz with two ({rates[2] / rates[1]:.2f} times)'
    )


def _report(rng: np.random.Generator) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, 'run')
        (run / 'scenes').mkdir(parents=True)
        (run / 'run.json').write_text(json.dumps({'sources': ['x']}))
        lines = [header_line('x', {}), *map(to_json_line, _predictions(1000, rng))]
        (run / 'scenes/0.jsonl').write_text('\n'.join(lines) + '\n')
        begin = time.perf_counter()
        size = write_report(Path(folder, 'r.html'), read_results([run]), title='x', about=())
        took = time.perf_counter() - begin
    print(f'report of 1000 plans: {took:.2f} s, {size / 1e6:.1f} MB')


if __name__ == '__main__':
    main()

"""What an offline replay adds to pure inference: reading, converting, drawing, writing, scoring.

Both are measured in the same run: the time of the whole loop, and the sum of the time inside the
planner.

    python benchmarks/replay_overhead.py BAG
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from emma_planner.assemble import build_planner
from emma_planner.config import PlannerConfig
from emma_planner.recordings.bags import BagReader, BagWriter
from emma_planner.recordings.plan_log import PlanLogHeader, PlanLogWriter
from emma_planner.recordings.topics import find_topics
from emma_planner.replay.lockstep import LockStep
from emma_planner.replay.outputs import BagOutputs


class TimedPlanner:
    """Adds up the time inside a planner."""

    def __init__(self, planner: Any) -> None:
        self.name = planner.name
        self.spent_s = 0.0
        self.plans = 0
        self._planner = planner

    def plan(self, planner_input: Any, time_limit_s: float | None = None) -> Any:
        """Plan, and keep how long it took."""
        begin = time.perf_counter()
        result = self._planner.plan(planner_input, time_limit_s)
        self.spent_s += time.perf_counter() - begin
        self.plans += 1
        return result


def main() -> None:
    """Print the measurements as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('bag', type=Path)
    parser.add_argument('--repeats', type=int, default=3)
    options = parser.parse_args()
    config = PlannerConfig(num_threads=1)
    planner = TimedPlanner(build_planner(config))
    shares = []
    for _ in range(options.repeats):
        planner.spent_s, planner.plans = 0.0, 0
        begin = time.perf_counter()
        with BagReader(options.bag) as reader, tempfile.TemporaryDirectory() as folder:
            topics = find_topics(reader.topics, config)
            header = PlanLogHeader(config.planner, planner.name, config.hash(), options.bag.name)
            with (
                PlanLogWriter(Path(folder) / 'plans.jsonl', header) as log,
                BagWriter(Path(folder) / 'replay') as bag,
            ):
                outputs = BagOutputs(bag, overlay=True)
                for record in LockStep(planner, config, topics, outputs).run(reader):
                    log.write(record)
        total_s = time.perf_counter() - begin
        shares.append(
            {
                'plans': planner.plans,
                'inference s': round(planner.spent_s, 3),
                'replay s': round(total_s, 3),
                'added %': round(100.0 * (total_s / planner.spent_s - 1.0), 2),
            }
        )
    print(json.dumps(shares, indent=2))


if __name__ == '__main__':
    main()

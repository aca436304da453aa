"""Scenarios: what a seed stands for; all that a world needs to start. Splits are fixed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

SPLITS = {'train': (0, 100_000), 'val': (100_000, 100), 'test': (200_000, 100)}
"""First world seed and number of seeds; far apart, so that no two splits can share a world."""
DENSITIES = (0.0, 0.05, 0.1, 0.2)
"""Traffic: vehicles per 10 m of lane, as the simulator counts."""
BLOCKS = 'SCXTOrRyY'
"""Straight, curve, X junction, T junction, roundabout, on-ramp, off-ramp, merge, split."""
MAX_WEIGHT_BLOCKS = 5


class ScenarioError(ValueError):
    """No such scenario."""


MAX_LANES = 5
"""The simulator builds no wider roads: each block that widens one adds a lane at least."""
WIDER, NARROWER = 'Y', 'y'


@dataclass(frozen=True)
class Weather:
    """Light and fog.

    :param light: 1 a bright day, 0.25 dusk
    :param fog: extinction [1/m]; 0 clear, 0.02 thick: 95 % gone after 150 m
    """

    light: float = 1.0
    fog: float = 0.0


@dataclass(frozen=True)
class Scenario:
    """A route with all that happens on it.

    :param name: split and number, as ``val-017``
    :param seed: the world's seed
    :param blocks: road blocks in order, letters of :data:`BLOCKS`
    :param lane_count: lanes per direction at the start
    :param traffic_density: vehicles per 10 m of lane
    :param lights: junctions have traffic lights
    :param pedestrians: who cross the route
    :param parked_cars: at the right edge of the road, in part on the lane
    :param broken_down: cars that stand in a lane, with cones and a warning triangle
    :param cut_ins: cars that change into the ego's lane close ahead
    :param braking_leads: cars ahead that brake to a stop and drive on
    :param roadside: houses, trees and fences along the road
    :param time_limit_s: the drive ends then
    """

    name: str
    seed: int
    blocks: str
    lane_count: int
    traffic_density: float
    lights: bool
    pedestrians: int
    parked_cars: int
    broken_down: int
    cut_ins: int
    braking_leads: int
    weather: Weather
    roadside: bool = True
    time_limit_s: float = 300.0

    def features(self) -> str:
        """Short text for tables: what is on the route."""
        counts = {
            'pedestrians': self.pedestrians,
            'parked': self.parked_cars,
            'broken down': self.broken_down,
            'cut-ins': self.cut_ins,
            'braking leads': self.braking_leads,
        }
        words = [f'{count} {name}' for name, count in counts.items() if count]
        return ', '.join((['lights'] if self.lights else []) + words) or '-'


def split_size(split: str) -> int:
    """Return the number of scenarios of a split.

    :raises ScenarioError: no such split
    """
    if split not in SPLITS:
        raise ScenarioError(f'need a split of {", ".join(SPLITS)}, got {split!r}')
    return SPLITS[split][1]


def scenario_of(
    split: str,
    number: int,
    density: float | None = None,
    time_limit_s: float | None = None,
) -> Scenario:
    """Return the scenario of a split.

    :param number: 0 ... size of the split - 1
    :param density: traffic density instead of the scenario's own
    :param time_limit_s: and longest drive
    :raises ScenarioError: no such split or number
    """
    size = split_size(split)
    first = SPLITS[split][0]
    if not 0 <= number < size:
        raise ScenarioError(f'{split}: need a seed of 0 to {size - 1}, got {number}')
    if density is not None and not 0.0 <= density <= 1.0:
        raise ScenarioError(f'need a traffic density of 0 to 1, got {density:g}')
    scenario = _draw(f'{split}-{number:03d}', first + number)
    if density is not None:
        scenario = replace(scenario, traffic_density=density)
    return scenario if time_limit_s is None else replace(scenario, time_limit_s=time_limit_s)


def _draw(name: str, seed: int) -> Scenario:
    rng = np.random.default_rng(seed)
    blocks = ''.join(rng.choice(list(BLOCKS), size=rng.integers(2, MAX_WEIGHT_BLOCKS)))
    lane_count = int(rng.integers(1, 4))
    return Scenario(
        name=name,
        seed=seed,
        blocks=_narrowed(blocks, lane_count),
        lane_count=lane_count,
        traffic_density=float(rng.choice(DENSITIES)),
        lights=bool(rng.random() < 0.7),
        pedestrians=int(rng.choice((0, 0, 1, 2))),
        parked_cars=int(rng.choice((0, 0, 1, 3))),
        broken_down=int(rng.choice((0, 0, 0, 1))),
        cut_ins=int(rng.choice((0, 0, 1))),
        braking_leads=int(rng.choice((0, 0, 1))),
        weather=Weather(
            light=float(rng.choice((1.0, 1.0, 0.7, 0.4))),
            fog=float(rng.choice((0.0, 0.0, 0.005, 0.012))),
        ),
    )


def _narrowed(blocks: str, lane_count: int) -> str:
    """Let a road that would become too wide become narrower instead."""
    room, kept = MAX_LANES - lane_count, ''
    for block in blocks:
        kept += NARROWER if block == WIDER and room == 0 else block
        room -= block == WIDER and room > 0
    return kept

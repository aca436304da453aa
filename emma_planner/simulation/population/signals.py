"""Traffic lights: one approach of a junction is green at a time, whoever waits longest is next.

In: the roads whose ends are occupied. Out: what every light shows. Knows no cars and no pictures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import FloatArray, Pose
from emma_planner.simulation.observation import Light, LightState
from emma_planner.simulation.roads.road_edges import RoadEdges
from emma_planner.simulation.roads.road_graph import Lane, RoadGraph, RoadId

YELLOW_S = 3.0
"""Longer than 0.5 s + 13.9 m/s / (2 x 3 m/s²): whoever cannot stop comfortably still passes."""
ALL_RED_S = 2.0
CHANGE_S = YELLOW_S + ALL_RED_S
SHORTEST_GREEN_S = 5.0
LONGEST_GREEN_S = 10.0
LONGEST_WAIT_S = 40.0
"""Whoever waits is green by then; bounds the others' green where many approaches compete."""
STOP_BEFORE_END_M = 1.0
"""Stop line before the end of the approach."""

NEAR_HEIGHT_M = 3.0
FAR_HEIGHT_M = 5.5
POLE_OFFSET_M = 1.0
POLE_CLEARANCE_M = 0.7
FAR_BEYOND_M = 3.5
"""The far head hangs this far behind the last middle line inside the junction."""


@dataclass(frozen=True)
class SignalHead:
    """One head of a traffic light.

    :param road: the approach that it rules
    :param pose: where it hangs; yaw is where its lamps shine, against the traffic it rules
    :param height_m: middle of the head above the ground
    :param pole: x, y [m] foot of its pole, beside the road; an arm leads to the head
    """

    id: str
    road: RoadId
    state: LightState
    pose: Pose
    height_m: float
    pole: tuple[float, float]


@dataclass(frozen=True)
class _Place:
    name: str
    road: RoadId
    pose: Pose
    height_m: float
    pole: tuple[float, float]


class Signals(Protocol):
    """Traffic lights, by the lane at whose end they stand."""

    def stops(self, lane_id: str) -> bool:
        """Red or yellow."""
        ...

    def state(self, lane_id: str) -> LightState | None:
        """What it shows; None without a light."""
        ...


class TrafficSignals:
    """All traffic lights of a map.

    :param seed: of the phase that the drive starts in
    :param enabled: without lights nothing stops anybody
    """

    def __init__(self, graph: RoadGraph, seed: int, enabled: bool) -> None:
        self._graph = graph
        self._junctions: dict[RoadId, _Junction] = {}
        self._places: list[_Place] = []
        if not enabled:
            return
        edges = RoadEdges(graph)
        rng = np.random.default_rng((seed, 1))
        for block, approaches in _approaches(graph).items():
            junction = _Junction.drawn(approaches, rng)
            inside = np.concatenate(
                [
                    lane.points
                    for lane in graph.lanes.values()
                    if lane.block == block and lane.kind == 'junction'
                ]
            )
            for road in approaches:
                self._junctions[road] = junction
                self._places += _heads(graph.roads[road], inside, edges)

    @property
    def heads(self) -> tuple[SignalHead, ...]:
        """All heads, two for each approach."""
        return tuple(
            SignalHead(
                place.name,
                place.road,
                self._junctions[place.road].shows(place.road),
                place.pose,
                place.height_m,
                place.pole,
            )
            for place in self._places
        )

    def step(self, dt_s: float, occupied_roads: Iterable[RoadId]) -> None:
        """Let time pass.

        :param occupied_roads: approaches with somebody near their stop line
        """
        occupied = frozenset(occupied_roads)
        for junction in dict.fromkeys(self._junctions.values()):
            junction.step(dt_s, occupied)

    def stops(self, lane_id: str) -> bool:
        """Whether the light at the end of a lane is red or yellow."""
        return self.state(lane_id) in (LightState.RED, LightState.YELLOW)

    def state(self, lane_id: str) -> LightState | None:
        """Return what the light at the end of a lane shows, None where there is none."""
        road = self._graph.lanes[lane_id].road
        return self._junctions[road].shows(road) if road in self._junctions else None

    def lights_of_route(self, lane_ends: Iterable[tuple[str, float]]) -> tuple[Light, ...]:
        """Return the lights of a route, in its order, one for each approach.

        :param lane_ends: id of each lane of the route, distance along the route at its end [m]
        """
        ends = {self._graph.lanes[lane].road: end for lane, end in lane_ends}
        near = {place.road: place for place in reversed(self._places)}
        heads: dict[RoadId, list[tuple[float, float, float]]] = {}
        for place in self._places:
            at = (place.pose.x_m, place.pose.y_m, place.height_m)
            heads.setdefault(place.road, []).append(at)
        return tuple(
            Light(
                f'light-{road[0]}~{road[1]}',
                self._junctions[road].shows(road),
                end - STOP_BEFORE_END_M,
                near[road].pose,
                tuple(heads[road]),
            )
            for road, end in ends.items()
            if road in self._junctions
        )


@dataclass(eq=False)
class _Junction:
    """The lights of one junction.

    :param longest_green_s: with others waiting
    :param waits_s: how long somebody has waited on each approach, 0 without demand or with green
    """

    approaches: tuple[RoadId, ...]
    longest_green_s: float
    current: int
    phase: LightState
    elapsed_s: float
    waits_s: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.waits_s = [0.0] * len(self.approaches)

    @classmethod
    def drawn(cls, approaches: tuple[RoadId, ...], rng: np.random.Generator) -> _Junction:
        """Return one in the middle of a random green."""
        fair = (LONGEST_WAIT_S - CHANGE_S) / (len(approaches) - 1) - CHANGE_S
        longest = float(np.clip(fair, SHORTEST_GREEN_S, LONGEST_GREEN_S))
        current = int(rng.integers(len(approaches)))
        return cls(approaches, longest, current, LightState.GREEN, float(rng.uniform(0, longest)))

    def shows(self, road: RoadId) -> LightState:
        """Return what the light of an approach shows."""
        mine = self.approaches[self.current] == road
        return self.phase if mine else LightState.RED

    def step(self, dt_s: float, occupied: frozenset[RoadId]) -> None:
        self.elapsed_s += dt_s
        for k, road in enumerate(self.approaches):
            waits = road in occupied and self.shows(road) is not LightState.GREEN
            self.waits_s[k] = self.waits_s[k] + dt_s if waits else 0.0
        if self.phase is LightState.GREEN and self._is_over(occupied):
            self._enter(LightState.YELLOW)
        elif self.phase is LightState.YELLOW and self.elapsed_s >= YELLOW_S - 1e-9:
            self._enter(LightState.RED)
        elif self.phase is LightState.RED and self.elapsed_s >= ALL_RED_S - 1e-9:
            if max(self.waits_s) > 0.0:
                self.current = int(np.argmax(self.waits_s))
            self._enter(LightState.GREEN)

    def _is_over(self, occupied: frozenset[RoadId]) -> bool:
        if max(self.waits_s) == 0.0:
            return False
        used = self.approaches[self.current] in occupied
        return self.elapsed_s >= (self.longest_green_s if used else SHORTEST_GREEN_S) - 1e-9

    def _enter(self, phase: LightState) -> None:
        self.phase, self.elapsed_s = phase, 0.0


def _approaches(graph: RoadGraph) -> dict[int, tuple[RoadId, ...]]:
    """Roads that lead into each junction, by its block; none where only one does."""
    found: dict[int, set[RoadId]] = {}
    for lane in graph.lanes.values():
        if lane.kind == 'junction':
            roads = {before.road for before in graph.lanes_before(lane)}
            found.setdefault(lane.block, set()).update(roads)
    return {
        block: tuple(sorted(roads)) for block, roads in sorted(found.items()) if len(roads) > 1
    }


def _heads(lanes: tuple[Lane, ...], inside: FloatArray, edges: RoadEdges) -> list[_Place]:
    """Place the two heads of an approach: right of its end, and over the far side.

    :param inside: ``(N, 2)`` middle lines inside the junction
    """
    road = lanes[0].road
    name = f'light-{road[0]}~{road[1]}'
    right = lanes[-1]
    yaw = float(right.yaw_rad[-1])
    ahead = np.array([np.cos(yaw), np.sin(yaw)])
    aside = np.array([np.sin(yaw), -np.cos(yaw)])  # to the right
    end = right.points[-1]
    half = right.width_m / 2
    facing = wrap_angle(yaw + np.pi)
    near = _clear(end, aside, half + POLE_OFFSET_M, edges)
    far_m = float(((inside - end) @ ahead).max()) + FAR_BEYOND_M
    middle = np.mean([lane.points[-1] for lane in lanes], axis=0)
    far = end + far_m * ahead + float((middle - end) @ aside) * aside
    pole = _clear(end + far_m * ahead, aside, half + POLE_OFFSET_M, edges)
    return [
        _Place(f'{name}-near', road, Pose(*near, facing), NEAR_HEIGHT_M, near),
        _Place(
            f'{name}-far', road, Pose(float(far[0]), float(far[1]), facing), FAR_HEIGHT_M, pole
        ),
    ]


def _clear(
    start: FloatArray, aside: FloatArray, first_m: float, edges: RoadEdges
) -> tuple[float, float]:
    """Return the first place aside of a start that is off every lane."""
    places = start + np.arange(first_m, first_m + 30.0, 0.25)[:, None] * aside
    off = np.flatnonzero(edges.clearance(places) >= POLE_CLEARANCE_M)
    x, y = places[off[0] if len(off) else 0]
    return float(x), float(y)

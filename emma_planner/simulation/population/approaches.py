"""Who is on which lane or comes to it, and whether somebody of them goes first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from emma_planner.simulation.observation import LightState
from emma_planner.simulation.population.cars import CarState, EgoMotion
from emma_planner.simulation.population.priority import Approach, must_yield
from emma_planner.simulation.population.road_users import EGO, LOOK_M
from emma_planner.simulation.population.signals import Signals
from emma_planner.simulation.roads.road_graph import Conflict, Lane, RoadGraph

ON_LANE_M = 3.0
"""The ego is on a lane of its route when it is this near to its middle line."""


@dataclass(frozen=True)
class LaneUser:
    """A road user on a lane, or on its way to it.

    :param distance_m: from its middle to the start of the lane, negative on it
    :param half_m: half of its length
    :param rank: of the lane, see :func:`~emma_planner.simulation.population.priority.rank_of`
    """

    name: str
    distance_m: float
    half_m: float
    speed_mps: float
    waited_s: float
    rank: int
    is_ego: bool = False
    queues: bool = False

    def approach(self, enter_m: float, leave_m: float) -> Approach:
        """Return its approach to a conflict that reaches from here to there on the lane."""
        return Approach(
            self.name,
            self.distance_m + enter_m - self.half_m,
            self.distance_m + leave_m + self.half_m,
            self.speed_mps,
            self.waited_s,
            self.rank,
            self.is_ego,
            self.queues,
        )


class Approaches:
    """Everybody by the lanes that they are on or come to.

    :param ranks: of all lanes
    :param ego_waited_s: how long the ego has stood
    """

    def __init__(
        self,
        graph: RoadGraph,
        ranks: Mapping[str, int],
        cars: Iterable[CarState],
        ego: EgoMotion,
        ego_waited_s: float,
    ) -> None:
        self._graph = graph
        self._ranks = ranks
        self._users: dict[str, list[LaneUser]] = {}
        for car in cars:
            for lane, start in zip(car.track.lanes, car.track.starts_m, strict=True):
                if start - car.s_m > LOOK_M:
                    break
                self._users.setdefault(lane.id, []).append(self.of_car(car, lane, start))
        for lane, distance in _ego_lanes(graph, ego):
            half, rank = ego.shape.length_m / 2.0, ranks[lane.id]
            user = LaneUser(EGO, distance, half, ego.speed_mps, ego_waited_s, rank, is_ego=True)
            self._users.setdefault(lane.id, []).append(user)

    def of_car(self, car: CarState, lane: Lane, start_m: float) -> LaneUser:
        """Return a car on a lane of its track.

        :param start_m: of the lane along the track
        """
        return LaneUser(
            car.id,
            start_m - car.s_m,
            car.length_m / 2.0,
            car.speed_mps,
            car.waited_s,
            self._ranks[lane.id],
            queues=car.queues,
        )

    def someone_first(self, me: LaneUser, conflict: Conflict, signals: Signals) -> bool:
        """Whether I have to wait for somebody on the other lane of a conflict."""
        mine = me.approach(conflict.enter_m, conflict.leave_m)
        for other in self._users.get(conflict.other, ()):
            if other.name == me.name or self._stopped(other, conflict, signals):
                continue
            if must_yield(mine, other.approach(conflict.other_enter_m, conflict.other_leave_m)):
                return True
        return False

    def _stopped(self, other: LaneUser, conflict: Conflict, signals: Signals) -> bool:
        """Whether a red light is before somebody who is not on the lane yet."""
        before = self._graph.lanes_before(self._graph.lanes[conflict.other])
        return other.distance_m > other.half_m and any(
            signals.state(lane.id) is LightState.RED for lane in before
        )


def _ego_lanes(graph: RoadGraph, ego: EgoMotion) -> list[tuple[Lane, float]]:
    """Lanes of the ego's route from where it is, with the distance to their starts."""
    centre, lanes = ego.centre, [graph.lanes[name] for name in ego.route_lane_ids]
    best, best_offset, best_s = None, ON_LANE_M, 0.0
    for k, lane in enumerate(lanes):
        s, offset = lane.locate(centre.x_m, centre.y_m)
        turned = math.cos(lane.place(s)[2] - centre.yaw_rad)
        if 0.0 < s < lane.length_m and abs(offset) < best_offset and turned > 0.5:
            best, best_offset, best_s = k, abs(offset), s
    if best is None:
        return []
    found, distance = [], -best_s
    for k in range(best, len(lanes)):
        if distance > LOOK_M:
            break
        if k > best and lanes[k].road == lanes[k - 1].road:  # a change: side by side
            found.append((lanes[k], distance - lanes[k - 1].length_m))
            continue
        found.append((lanes[k], distance))
        distance += lanes[k].length_m
    return found

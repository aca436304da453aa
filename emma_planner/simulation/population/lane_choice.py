"""Which lanes a car takes, and where in its lane it drives."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from emma_planner.planning.types import FloatArray
from emma_planner.simulation.population.cars import DEADLOCK_S, CarState, EgoMotion
from emma_planner.simulation.population.priority import TURN_RAD
from emma_planner.simulation.population.road_users import RoadUsers, Seen
from emma_planner.simulation.population.speed_choice import BAND_M
from emma_planner.simulation.population.track import Track
from emma_planner.simulation.roads.polyline import project
from emma_planner.simulation.roads.road_graph import Lane, RoadGraph

TRACK_M = 80.0
SHIFT_ROOM_M = 1.0
CUT_IN_AHEAD_M = (7.0, 12.0)
CUT_IN_CLOSING_MPS = (-2.0, 1.0)


class LaneChoice:
    """Lanes of all cars of one drive.

    :param ranks: of all lanes
    """

    def __init__(self, graph: RoadGraph, ranks: Mapping[str, int]) -> None:
        self._graph = graph
        self._ranks = ranks

    def steer(self, car: CarState, ego: EgoMotion, users: RoadUsers, seen: Seen) -> bool:
        """Choose lane and place in it.

        :returns: whether it is another lane now
        """
        track, car.wanted_offset_m = car.track, 0.0
        if abs(car.offset_m) < 0.3:
            self._change_where_needed(car, ego, users, seen)
        if car.track is not track:
            return True
        self._pass_obstacles(car, users, seen)
        return False

    def _change_where_needed(
        self, car: CarState, ego: EgoMotion, users: RoadUsers, seen: Seen
    ) -> None:
        lane = car.track.lanes[0]
        beside = self._graph.beside(lane)
        if car.cut_in_s is not None:
            self._cut_in(car, ego, users)
            return
        planned = [item for item in beside if item.id in car.plan]
        if planned and lane.id in car.plan:
            after = car.plan[car.plan.index(lane.id) + 1 :]
            if planned[0].id in after[:1]:
                self._try_change(car, planned[0], users)
                return
        if lane.kind == 'roundabout' and self._ranks[lane.id]:
            # leave the circle from its outer lane
            for other in beside:
                if other.index > lane.index and self._try_change(car, other, users):
                    return
        elif not self._graph.next_lanes(lane) and self._graph.ends_here(lane):
            for other in beside:
                if self._graph.next_lanes(other) and self._try_change(car, other, users):
                    return
        elif self._is_blocked(car, users, seen):
            for other in beside:
                if self._try_change(car, other, users):
                    return

    def _is_blocked(self, car: CarState, users: RoadUsers, seen: Seen) -> bool:
        """Whether something that does not move stands in the lane ahead."""
        return any(
            abs(_shift_past(offset, car.width_m)) > SHIFT_ROOM_M
            for s, offset in seen.standing(users)
            if car.s_m + 1.0 < s[4] < car.s_m + 40.0
        )

    def _pass_obstacles(self, car: CarState, users: RoadUsers, seen: Seen) -> None:
        """Keep away from what stands in part of the lane."""
        for s, offset in seen.standing(users):
            shift = _shift_past(offset, car.width_m)
            if s[4] < car.s_m + 30.0 and 0.0 < abs(shift) <= SHIFT_ROOM_M:
                car.wanted_offset_m = shift

    def _cut_in(self, car: CarState, ego: EgoMotion, users: RoadUsers) -> None:
        assert car.cut_in_s is not None
        if car.driven_s < car.cut_in_s:
            return
        lane = car.track.lanes[0]
        for other in self._graph.beside(lane):
            if other.id not in ego.route_lane_ids:
                continue
            s, offset = other.locate(ego.centre.x_m, ego.centre.y_m)
            mine, _ = other.locate(car.pose.x_m, car.pose.y_m)
            ahead = mine - s - (car.length_m + ego.shape.length_m) / 2.0
            closing = car.speed_mps - ego.speed_mps
            low, high = CUT_IN_CLOSING_MPS
            if (
                abs(offset) < 1.0
                and CUT_IN_AHEAD_M[0] <= ahead <= CUT_IN_AHEAD_M[1]
                and low <= closing <= high
                and ego.speed_mps > 2.0
                and other.length_m - mine > 15.0
            ):
                car.cut_in_s = None
                self._change(car, other)
                return

    def _try_change(self, car: CarState, lane: Lane, users: RoadUsers) -> bool:
        s, _ = lane.locate(car.pose.x_m, car.pose.y_m)
        x, y, _ = lane.place(s)
        off = math.hypot(x - car.pose.x_m, y - car.pose.y_m)
        if off > lane.width_m + 0.8 or not 2.0 < s < lane.length_m - 2.0:
            return False
        tight = 0.5 if car.waited_s > DEADLOCK_S else 1.0
        before = list(self._graph.lanes_before(lane))[:1]
        track = Track((*before, lane, *self._graph.next_lanes(lane)[:1]))
        mine = s + (track.starts_m[1] if before else 0.0)
        for k, name in enumerate(users.names):
            if name == car.id:
                continue
            if np.hypot(*(users.points[k, 4] - (car.pose.x_m, car.pose.y_m))) > 50.0:
                continue
            along, offset = project(track.points, track.s_m, users.points[k])
            if not (np.abs(offset) < car.width_m / 2.0 + 0.4).any():
                continue
            if along[4] >= mine:
                room = along.min() - mine - car.length_m / 2.0
                closing = max(0.0, car.speed_mps - float(users.speed_mps[k]))
                needed = 3.0 + tight * (0.5 * car.speed_mps + 2.0 * closing)
            else:
                room = mine - car.length_m / 2.0 - along.max()
                closing = max(0.0, float(users.speed_mps[k]) - car.speed_mps)
                needed = 3.0 + tight * (0.6 * float(users.speed_mps[k]) + 2.5 * closing)
            if room < needed and 0.0 < along[4] < track.length_m - 0.1:
                return False
        self._change(car, lane)
        return True

    def _change(self, car: CarState, lane: Lane) -> None:
        """Belong to the other lane from now on, and move over."""
        s, offset = lane.locate(car.pose.x_m, car.pose.y_m)
        car.track, car.s_m = Track((lane,)), s
        car.offset_m, car.wanted_offset_m = offset, 0.0
        self.extend(car)

    def extend(self, car: CarState) -> None:
        """Drop lanes behind and choose lanes ahead."""
        track = car.track
        lanes, s = list(track.lanes), car.s_m
        while len(lanes) > 1 and s > lanes[0].length_m:
            s -= lanes.pop(0).length_m
        while sum(lane.length_m for lane in lanes) - s < TRACK_M:
            following = self._graph.next_lanes(lanes[-1])
            if not following:
                break
            planned = [lane for lane in following if lane.id in car.plan]
            choices = planned or self._fitting(lanes[-1], following)
            lanes.append(choices[int(car.rng.integers(len(choices)))])
        if tuple(lanes) != track.lanes:
            car.track, car.s_m = Track(tuple(lanes)), s

    def _fitting(self, lane: Lane, following: tuple[Lane, ...]) -> list[Lane]:
        """Turn left from the left lane only, right and out of a circle from the right one."""
        last = len(self._graph.roads[lane.road]) - 1
        fitting = []
        for other in following:
            after = self._graph.next_lanes(other)
            if other.kind == 'junction':
                wrong = (other.turn_rad > TURN_RAD and lane.index > 0) or (
                    other.turn_rad < -TURN_RAD and lane.index < last
                )
            else:
                circling = lane.kind == 'roundabout' and any(n.kind == 'roundabout' for n in after)
                wrong = lane.kind == 'roundabout' and not circling and lane.index < last
            if not wrong:
                fitting.append(other)
        return fitting or list(following)


def _shift_past(offset_m: FloatArray, width_m: float) -> float:
    """Return how far to move to pass what lies at these offsets with some room; 0 if free."""
    needed = width_m / 2.0 + BAND_M + 0.1
    if offset_m[4] < 0.0:
        return max(0.0, float(offset_m.max()) + needed)
    return min(0.0, float(offset_m.min()) - needed)

"""The ego's way over the lanes: which lanes, where it changes between them, one line through all.

Pure geometry on a :class:`RoadGraph`; knows no cars.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import FloatArray
from emma_planner.simulation.observation import Route, RouteSpan
from emma_planner.simulation.roads.polyline import quintic_step, way_along
from emma_planner.simulation.roads.road_graph import Lane, RoadGraph, RouteError

FOLLOW, LEFT, RIGHT = 'follow lane', 'change lane left', 'change lane right'
CHANGES = {LEFT: 1.0, RIGHT: -1.0}
ANNOUNCE_M = 30.0
"""A command holds from this far before what it is about."""
CHANGE_M = 40.0
"""Length of a lane change where there is room."""
SHORTEST_CHANGE_M = 15.0
CHANGE_COST_M = 30.0
TURN_RAD = np.pi / 6
"""Less than this through a junction is straight on."""
ROUNDABOUT = 'roundabout'
TURNING_KINDS = ('junction', ROUNDABOUT)
END_MARGIN_M = 6.0
"""The route ends this far before its last lane does, with the ego's front still on it."""


@dataclass(frozen=True)
class LaneStep:
    """A stretch of one lane on the route.

    :param enter_m: distance along the lane where the route comes in; leaves at ``leave_m``
    :param start_s_m: distance along the route there
    """

    lane: Lane
    enter_m: float
    leave_m: float
    start_s_m: float


@dataclass(frozen=True, eq=False)
class _Sample:
    """Points of the route on one lane, for the step before the lane changes."""

    lane: Lane
    s_m: FloatArray
    points: FloatArray
    offset_m: FloatArray
    change: str


def exits_of(graph: RoadGraph, start: Lane) -> tuple[Lane, ...]:
    """Lanes at the end of the map that can be reached, of the last block that has any."""
    reached, todo = {start.id}, [start]
    while todo:
        for lane in _edges(graph, todo.pop()):
            if lane.id not in reached:
                reached.add(lane.id)
                todo.append(lane)
    ends = [graph.lanes[name] for name in sorted(reached)]
    roads_on = {lane.road[0] for lane in graph.lanes.values()}
    ends = [lane for lane in ends if lane.road[1] not in roads_on]
    if not ends:
        raise RouteError(f'need a way out of the map from {start.id}, got none')
    last = max(lane.block for lane in ends)
    return tuple(lane for lane in ends if lane.block == last)


def plan_route(
    graph: RoadGraph, start: Lane, start_m: float, end: Lane
) -> tuple[Route, tuple[LaneStep, ...]]:
    """Return the route from a place on a lane to the end of another one.

    :raises RouteError: there is no way
    """
    samples = _sample(_lane_sequence(graph, start, end), start_m)
    steps, s = [], 0.0
    points, left, right, limits = [], [], [], []
    for sample in samples:
        steps.append(LaneStep(sample.lane, float(sample.s_m[0]), float(sample.s_m[-1]), s))
        points.append(sample.points)
        room = _room(graph, sample)
        left.append(room[0])
        right.append(room[1])
        limits.append(np.full(len(sample.points), sample.lane.speed_limit_mps))
        s += _length(sample.points)
    line = np.concatenate(points)
    keep = np.concatenate([[True], np.hypot(*np.diff(line, axis=0).T) > 1e-6])
    line = line[keep]
    s_m = way_along(line)
    wanted = np.linspace(0.0, s_m[-1] - END_MARGIN_M, max(2, int(s_m[-1] - END_MARGIN_M) + 1))

    def at(values: list[FloatArray]) -> FloatArray:
        resampled: FloatArray = np.interp(wanted, s_m, np.concatenate(values)[keep])
        return resampled

    route = Route(
        points=np.column_stack([np.interp(wanted, s_m, line[:, k]) for k in (0, 1)]),
        s_m=wanted,
        left_m=at(left),
        right_m=at(right),
        speed_limits_mps=at(limits),
        lane_width_m=start.width_m,
        spans=_spans(graph, samples, float(wanted[-1])),
    )
    return route, tuple(steps)


def command_at(route: Route, s_m: float, d_m: float) -> str:
    """Return the route command for an ego at a place: how to reach its lane, or what comes next.

    Told from where the ego is, as lane-level routers do (Apollo's passages): to change lanes as
    long as its middle is in another lane than the one that the route wants, and no longer.

    :param s_m: along the route
    :param d_m: to the left of the route
    """
    announced = [
        span
        for span in route.spans
        if span.command != FOLLOW and span.start_s_m - ANNOUNCE_M <= s_m < span.end_s_m
    ]
    if _span_at(route, s_m).kind in TURNING_KINDS:
        return announced[0].command if announced else FOLLOW
    aside_m = -d_m  # from the ego to the left, where the route wants it
    for span in announced:
        if span.command in CHANGES:
            part = (s_m - span.start_s_m) / (span.end_s_m - span.start_s_m)
            undone = 1.0 - float(quintic_step(np.array(part)))
            aside_m += CHANGES[span.command] * undone * route.lane_width_m
        change = _change_by(route, aside_m)
        if change or span.command not in CHANGES:
            return change or span.command
    return _change_by(route, aside_m) or FOLLOW


def _span_at(route: Route, s_m: float) -> RouteSpan:
    return next((span for span in route.spans if s_m < span.end_s_m), route.spans[-1])


def _change_by(route: Route, aside_m: float) -> str:
    """Return the change of lane that brings the ego so far to the left, none within its own."""
    if abs(aside_m) <= 0.5 * route.lane_width_m:
        return ''
    return LEFT if aside_m > 0.0 else RIGHT


def _edges(graph: RoadGraph, lane: Lane) -> tuple[Lane, ...]:
    beside = tuple(other for other in graph.beside(lane) if _can_change(lane, other))
    return graph.next_lanes(lane) + beside


def _can_change(lane: Lane, other: Lane) -> bool:
    first, last = _overlap(lane, other)
    return last - first >= SHORTEST_CHANGE_M and lane.kind not in TURNING_KINDS


def _overlap(lane: Lane, other: Lane) -> tuple[float, float]:
    """Distances along ``lane`` between which ``other`` lies beside it."""
    first = lane.locate(*other.points[0])[0]
    last = lane.locate(*other.points[-1])[0]
    return first, last


def _lane_sequence(graph: RoadGraph, start: Lane, end: Lane) -> list[Lane]:
    """Dijkstra over lanes; a change costs as much as some metres."""
    best, before = {start.id: 0.0}, {}
    queue = [(0.0, start.id)]
    while queue:
        cost, name = heapq.heappop(queue)
        if name == end.id:
            break
        if cost > best[name]:
            continue
        lane = graph.lanes[name]
        for other in _edges(graph, lane):
            step = CHANGE_COST_M if other.road == lane.road else lane.length_m
            if cost + step < best.get(other.id, np.inf):
                best[other.id] = cost + step
                before[other.id] = name
                heapq.heappush(queue, (cost + step, other.id))
    if end.id not in best:
        raise RouteError(f'need a way from {start.id} to {end.id}, got none')
    names = [end.id]
    while names[-1] != start.id:
        names.append(before[names[-1]])
    return [graph.lanes[name] for name in reversed(names)]


def _sample(lanes: list[Lane], start_m: float) -> list[_Sample]:
    samples, s, k = [], start_m, 0
    while k < len(lanes):
        last = k
        while last + 1 < len(lanes) and lanes[last + 1].road == lanes[k].road:
            last += 1
        for j in range(k, last):
            changing, s = _change(lanes[j], lanes[j + 1], s, last - j)
            samples += changing
        lane = lanes[last]
        samples.append(_straight_on(lane, s, lane.length_m))
        s, k = 0.0, last + 1
    return samples


def _straight_on(lane: Lane, from_m: float, to_m: float) -> _Sample:
    s = np.linspace(from_m, to_m, max(2, int(np.ceil(to_m - from_m)) + 1))
    points = np.array([lane.place(value)[:2] for value in s])
    return _Sample(lane, s, points, np.zeros(len(s)), '')


def _change(lane: Lane, other: Lane, enter_m: float, changes: int) -> tuple[list[_Sample], float]:
    """Return the way up to the change, its two halves, and where it comes out on ``other``."""
    first, last = _overlap(lane, other)
    begin = max(enter_m + 1.0, first + 1.0)
    end = begin + min(CHANGE_M, (last - begin - 1.0) / changes)
    if end - begin < SHORTEST_CHANGE_M / 2:
        raise RouteError(f'{lane.id}: need room for a lane change, got {end - begin:.1f} m')
    s = np.linspace(begin, end, int(np.ceil(end - begin)) + 1)
    part = (s - begin) / (end - begin)
    weight = quintic_step(part)
    mine = np.array([lane.place(value)[:2] for value in s])
    there = np.array([other.locate(*point)[0] for point in mine])
    theirs = np.array([other.place(value)[:2] for value in there])
    points = mine + weight[:, None] * (theirs - mine)
    side = lane.index - other.index  # 1 to the left
    half = len(s) // 2
    change = LEFT if side > 0 else RIGHT
    width = lane.width_m
    return [
        _straight_on(lane, enter_m, begin),
        _Sample(
            lane, s[: half + 1], points[: half + 1], side * width * weight[: half + 1], change
        ),
        _Sample(other, there[half:], points[half:], side * width * (weight[half:] - 1.0), change),
    ], float(there[-1])


def _room(graph: RoadGraph, sample: _Sample) -> tuple[FloatArray, FloatArray]:
    """Return room to the left and right of every point in lanes of the same road."""
    lane, half = sample.lane, sample.lane.width_m / 2
    room = [np.full(len(sample.s_m), half), np.full(len(sample.s_m), half)]
    for side, step in ((0, -1), (1, 1)):
        beside = [
            other for other in graph.roads[lane.road] if (other.index - lane.index) * step > 0
        ]
        for other in beside:
            first, last = _overlap(lane, other)
            there = (sample.s_m >= first - 0.5) & (sample.s_m <= last + 0.5)
            room[side] = room[side] + np.where(there, other.width_m, 0.0)
    return room[0] - sample.offset_m, room[1] + sample.offset_m


def _length(points: FloatArray) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _spans(graph: RoadGraph, samples: list[_Sample], length_m: float) -> tuple[RouteSpan, ...]:
    """Join samples of one kind, block and lane change to spans; a roundabout is one or two."""
    spans: list[RouteSpan] = []
    s, k = 0.0, 0
    while k < len(samples):
        last = k
        while last + 1 < len(samples) and _belongs(samples[last + 1], samples[k]):
            last += 1
        if samples[k].lane.kind == ROUNDABOUT:
            last = k + _passing(graph, samples[k : last + 1]) - 1
        end = s + sum(_length(sample.points) for sample in samples[k : last + 1])
        if s < length_m:
            command = _command(samples[k : last + 1])
            spans.append(RouteSpan(s, min(end, length_m), samples[k].lane.kind, command))
        s, k = end, last + 1
    return tuple(spans)


def _belongs(sample: _Sample, first: _Sample) -> bool:
    same = sample.lane.kind == first.lane.kind and sample.change == first.change
    return same and (
        sample.lane.block == first.lane.block or sample.lane.kind not in TURNING_KINDS
    )


def _passing(graph: RoadGraph, samples: list[_Sample]) -> int:
    """Return how many samples in a roundabout go before the way out is next.

    While there are exits to pass, that is the command: whether to take the one ahead is then
    told by what holds there, not by what was said when the roundabout was entered.
    """
    ways_out = [k for k, sample in enumerate(samples) if len(graph.next_lanes(sample.lane)) > 1]
    passed = [k for k in ways_out if k < len(samples) - 2]  # the last lane leads out
    # behind an exit comes the arc up to where the next road comes in
    return passed[-1] + 2 if passed else len(samples)


def _command(samples: list[_Sample]) -> str:
    first, last = samples[0].lane, samples[-1].lane
    if samples[0].change:
        return samples[0].change
    if first.kind not in TURNING_KINDS:
        return FOLLOW
    if first.kind == ROUNDABOUT:
        leaves = wrap_angle(last.yaw_rad[-1] - last.yaw_rad[0])
        return 'turn right' if leaves < 0.0 else 'go straight'
    turned = last.yaw_rad[-1] - first.yaw_rad[0]
    turned = wrap_angle(turned)
    if abs(turned) < TURN_RAD:
        return 'go straight'
    return 'turn left' if turned > 0 else 'turn right'

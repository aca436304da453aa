"""What goes wrong in a drive, found while it runs; when the drive is over.

Observations in, infractions out, by the rules of the CARLA leaderboard 2.0 (classes, what counts
once, what ends a route). Knows no world, no planner and no score.
"""

from __future__ import annotations

import math
from dataclasses import replace

from emma_planner.planning.types import NS_PER_S
from emma_planner.simulation.drive import End, Infraction, InfractionKind
from emma_planner.simulation.observation import (
    Actor,
    ActorKind,
    Light,
    LightState,
    Observation,
    VehicleShape,
)
from emma_planner.simulation.scenario import Scenario
from emma_planner.simulation.scoring.encounters import is_at_fault

GROUND = 'ground'
"""Contact with kerbs, walls, fences."""
SAME_ACTOR_S = 5.0
"""Contacts with one actor within this count once (CARLA scenario_runner, CollisionTest)."""
SAME_PLACE_M = 5.0
"""And so do those within this of the last collision of their kind (the same)."""
EGO_STANDS_MPS = 0.1
"""CARLA counts no collision of an ego that is slower (CollisionTest.EPSILON)."""
DEVIATION_M = 30.0
"""Further from the route ends the drive (CARLA leaderboard 2.0, InRouteTest.offroad_max)."""
PAST_END_M = 0.01
"""The place on the route is known to this: the last of it is the end."""
BLOCKED_MPS = 0.1
BLOCKED_S = 180.0
"""Slower for so long ends the drive (CARLA leaderboard 2.0, ActorBlockedTest)."""

_COLLISIONS = {
    ActorKind.PEDESTRIAN: InfractionKind.COLLISION_PEDESTRIAN,
    ActorKind.CYCLIST: InfractionKind.COLLISION_PEDESTRIAN,
    ActorKind.VEHICLE: InfractionKind.COLLISION_VEHICLE,
    ActorKind.CONE: InfractionKind.COLLISION_STATIC,
    ActorKind.BARRIER: InfractionKind.COLLISION_STATIC,
    ActorKind.WARNING: InfractionKind.COLLISION_STATIC,
}
_ENDINGS = {
    End.DEVIATED: InfractionKind.DEVIATION,
    End.BLOCKED: InfractionKind.BLOCKED,
    End.TIMEOUT: InfractionKind.TIMEOUT,
}


class InfractionMonitor:
    """Watches one drive, step by step."""

    def __init__(self, scenario: Scenario, vehicle: VehicleShape) -> None:
        self._scenario = scenario
        self._vehicle = vehicle
        self._infractions: list[Infraction] = []
        self._first_ns = 0
        self._moved_ns = 0
        self._last: Observation | None = None
        self._actors: dict[str, Actor] = {}
        self._lights_run: set[str] = set()
        self._end: End | None = None

    @property
    def infractions(self) -> tuple[Infraction, ...]:
        """All so far, in the order of time."""
        return tuple(self._infractions)

    @property
    def end(self) -> End | None:
        """Why the drive is over, None while it goes on."""
        return self._end

    def observe(self, observation: Observation) -> tuple[Infraction, ...]:
        """Judge one step; the first observation is the start of the drive.

        :returns: the infractions of this step
        :raises ValueError: time does not advance, the drive is over, or a contact with an actor
            that was never seen
        """
        self._check(observation)
        if self._last is None:
            self._first_ns = self._moved_ns = observation.stamp_ns
        known = len(self._infractions)
        self._judge_contacts(observation)
        self._judge_lights(observation)
        self._judge_road(observation)
        self._judge_end(observation)
        self._last = observation
        return tuple(self._infractions[known:])

    def _check(self, observation: Observation) -> None:
        if self._end is not None:
            raise ValueError(f'the drive is over ({self._end.value}): need a new monitor')
        if self._last is not None and observation.stamp_ns <= self._last.stamp_ns:
            raise ValueError(
                f'need a stamp after {self._last.stamp_ns} ns, got {observation.stamp_ns} ns'
            )

    def _judge_contacts(self, now: Observation) -> None:
        self._actors.update((actor.id, actor) for actor in now.truth.actors)
        for contact in now.truth.contacts:
            actor = self._actors.get(contact)
            if actor is None and contact != GROUND:
                raise ValueError(f'contact with {contact!r}, which is none of the actors seen')
            self._judge_contact(contact, actor, now)

    def _judge_contact(self, contact: str, actor: Actor | None, now: Observation) -> None:
        kind = InfractionKind.COLLISION_STATIC if actor is None else _COLLISIONS[actor.kind]
        # Speeds of the step before: the impact has already changed those after it.
        before = self._last or now
        speed = before.speed_mps
        stood = abs(speed) < EGO_STANDS_MPS
        if self._is_known(kind, contact, stood, now):
            return
        if actor is not None:
            actor = replace(actor, speed_mps=(before.truth.actor(contact) or actor).speed_mps)
        what = 'the ground' if actor is None else f'{actor.kind.value} {contact}'
        self._add(
            kind,
            now,
            f'{kind.value.replace("_", " with ")}: {what} at {speed:.1f} m/s',
            at_fault=is_at_fault(actor, now, speed, self._vehicle),
            actor=contact,
            ego_stood=stood,
        )

    def _is_known(self, kind: InfractionKind, contact: str, stood: bool, now: Observation) -> bool:
        """Whether this is a collision that was already told.

        A contact while the ego stands counts nowhere, so it must not hide one while it moves.
        """
        earlier = [
            known
            for known in self._infractions
            if known.kind is kind and (stood or not known.ego_stood)
        ]
        if not earlier:
            return False
        since = self._seconds(now) - SAME_ACTOR_S
        place = (earlier[-1].x_m, earlier[-1].y_m)
        near = math.dist(place, (now.pose.x_m, now.pose.y_m)) <= SAME_PLACE_M
        return near or any(known.actor == contact and known.time_s >= since for known in earlier)

    def _judge_lights(self, now: Observation) -> None:
        if self._last is None:
            return
        before = self._last.truth.route_s_m + self._vehicle.front_overhang_m
        after = now.truth.route_s_m + self._vehicle.front_overhang_m
        for light in self._last.truth.lights:
            if before < light.stop_s_m <= after and self._is_run(light):
                self._lights_run.add(light.id)
                self._add(InfractionKind.RED_LIGHT, now, f'ran the red light {light.id}')

    def _is_run(self, light: Light) -> bool:
        """Red as last seen before the line; yellow may be crossed."""
        return light.state is LightState.RED and light.id not in self._lights_run

    def _judge_road(self, now: Observation) -> None:
        was_on_road = self._last is None or self._last.truth.lane.on_road
        if was_on_road and not now.truth.lane.on_road:
            self._add(InfractionKind.OFF_ROAD, now, 'left the drivable surface')

    def _judge_end(self, now: Observation) -> None:
        if abs(now.speed_mps) >= BLOCKED_MPS:
            self._moved_ns = now.stamp_ns
        stood_s = (now.stamp_ns - self._moved_ns) / NS_PER_S
        if now.arrived:
            self._end = End.ARRIVED
        elif abs(now.truth.route_d_m) > DEVIATION_M:
            self._finish(End.DEVIATED, now, f'{now.truth.route_d_m:.1f} m beside the route')
        elif now.truth.route_s_m > now.truth.route.length_m - PAST_END_M:
            beside_m = now.truth.route_d_m
            self._finish(End.DEVIATED, now, f'passed the destination {beside_m:.1f} m beside it')
        elif stood_s >= BLOCKED_S:
            self._finish(End.BLOCKED, now, f'stood for {stood_s:.0f} s')
        elif self._seconds(now) >= self._scenario.time_limit_s:
            self._finish(End.TIMEOUT, now, f'not there after {self._seconds(now):.0f} s')

    def _finish(self, end: End, now: Observation, detail: str) -> None:
        self._end = end
        self._add(_ENDINGS[end], now, detail)

    def _seconds(self, now: Observation) -> float:
        return (now.stamp_ns - self._first_ns) / NS_PER_S

    def _add(
        self,
        kind: InfractionKind,
        now: Observation,
        detail: str,
        *,
        at_fault: bool = True,
        actor: str = '',
        ego_stood: bool = False,
    ) -> None:
        self._infractions.append(
            Infraction(
                kind=kind,
                time_s=self._seconds(now),
                route_s_m=now.truth.route_s_m,
                x_m=now.pose.x_m,
                y_m=now.pose.y_m,
                at_fault=at_fault,
                actor=actor,
                detail=detail,
                ego_stood=ego_stood,
            )
        )

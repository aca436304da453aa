"""Cars in traffic and the ego among them: what others see of them, and what each remembers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import Pose
from emma_planner.simulation.observation import Actor, ActorKind, VehicleShape
from emma_planner.simulation.population.priority import STANDING_MPS, TURN_RAD
from emma_planner.simulation.population.track import Track

SIZES_M = {
    's': (4.3, 1.7, 1.55),
    'm': (4.6, 1.85, 1.5),
    'l': (4.87, 2.05, 1.85),
    'xl': (5.74, 2.3, 2.8),
}
"""Length, width, height by model."""
DEADLOCK_S = 6.0
CREEPING_MPS = 2.0
"""Whoever moves up in a queue has waited all the same."""
CHANGE_MPS = 1.2
"""How fast a car moves sideways in a lane change or around an obstacle."""
BLINKS_M = 0.5
"""Who has to move sideways by more indicates it."""
BLINKS_AHEAD_M = 30.0
"""Who turns within this way indicates it."""
BENDS_RAD = 0.2
"""A lane of a roundabout that turns less is straight: not its circle, nor a way in or out."""
BLINK_S = 0.35
"""Lit for so long, then dark for so long: 86 a minute, of the 60 to 120 of UN Regulation 48."""
BRAKE_LIGHTS_MPS2 = -0.7
"""Who slows down more than this shows it: UN Regulation 13-H, 5.2.22.4, the least that may."""


@dataclass(frozen=True)
class EgoMotion:
    """The ego as others see it.

    :param pose: base_link
    :param route_lane_ids: where it is going
    """

    pose: Pose
    speed_mps: float
    shape: VehicleShape
    route_lane_ids: tuple[str, ...]

    @property
    def centre(self) -> Pose:
        """Middle of its footprint."""
        ahead = (self.shape.front_overhang_m - self.shape.rear_overhang_m) / 2.0
        yaw = self.pose.yaw_rad
        return Pose(
            self.pose.x_m + ahead * math.cos(yaw), self.pose.y_m + ahead * math.sin(yaw), yaw
        )


@dataclass(frozen=True)
class Car:
    """A car now.

    :param model: a key of :data:`SIZES_M`
    :param pose: middle of its footprint
    """

    id: str
    model: str
    pose: Pose
    speed_mps: float
    yaw_rate_radps: float


@dataclass(eq=False)
class CarState:
    """What a car remembers.

    :param s_m: its middle along its track
    :param offset_m: beside the track, left positive; on its way to ``wanted_offset_m``
    :param plan: lanes to take where there is a choice
    :param brakes: seconds of driving at which to brake to a stop
    :param queues: stands behind somebody who stands
    :param ignores: name of who is in the way and waits for this car, empty without
    :param cut_in_s: when to change in front of the ego
    """

    id: str
    model: str
    track: Track
    s_m: float
    speed_mps: float
    factor: float
    rng: np.random.Generator
    offset_m: float = 0.0
    wanted_offset_m: float = 0.0
    waited_s: float = 0.0
    driven_s: float = 0.0
    plan: tuple[str, ...] = ()
    brakes: list[float] = field(default_factory=list)
    braking: tuple[float, float] | None = None
    cut_in_s: float | None = None
    queues: bool = False
    ignores: str = ''
    pose: Pose = field(default_factory=lambda: Pose(0.0, 0.0, 0.0))
    yaw_rate_radps: float = 0.0
    acceleration_mps2: float = 0.0

    @property
    def length_m(self) -> float:
        return SIZES_M[self.model][0]

    @property
    def width_m(self) -> float:
        return SIZES_M[self.model][1]

    @property
    def brake_lights(self) -> bool:
        """Lit while it slows down, and while a foot holds it where it stands."""
        return self.acceleration_mps2 < BRAKE_LIGHTS_MPS2 or self.speed_mps < STANDING_MPS

    @property
    def indicator(self) -> str:
        """``left`` or ``right``: where it is about to go; empty when straight on."""
        aside_m = self.wanted_offset_m - self.offset_m
        if abs(aside_m) > BLINKS_M:
            return 'left' if aside_m > 0.0 else 'right'
        lanes = self.track.lanes
        for k, lane in enumerate(lanes):
            if self.track.starts_m[k] > self.s_m + BLINKS_AHEAD_M:
                break
            if lane.kind == 'junction' and abs(lane.turn_rad) > TURN_RAD:
                return 'left' if lane.turn_rad > 0.0 else 'right'
            if lane.kind == 'roundabout' and lane.turn_rad < -BENDS_RAD:
                circles_on = any(later.turn_rad > BENDS_RAD for later in lanes[k + 1 :])
                if not circles_on:
                    return 'right'
        return ''

    @property
    def lit_indicator(self) -> str:
        """The indicator while it is lit; each car has its own phase."""
        phase_s = BLINK_S * (crc32(self.id.encode()) % 16) / 8.0
        is_lit = math.floor((self.driven_s + phase_s) / BLINK_S) % 2 == 0
        return self.indicator if is_lit else ''

    def update_pose(self, dt_s: float) -> None:
        x, y, yaw = self.track.place(self.s_m)
        x, y = x - self.offset_m * math.sin(yaw), y + self.offset_m * math.cos(yaw)
        sideways = math.copysign(
            min(CHANGE_MPS, abs(self.wanted_offset_m - self.offset_m)),
            self.wanted_offset_m - self.offset_m,
        )
        yaw += math.atan2(sideways, max(self.speed_mps, 4.0)) if self.speed_mps > 0.5 else 0.0
        turned = wrap_angle(yaw - self.pose.yaw_rad)
        self.yaw_rate_radps = turned / dt_s if dt_s > 0.0 else 0.0
        self.pose = Pose(x, y, wrap_angle(yaw))

    def now(self) -> Car:
        return Car(self.id, self.model, self.pose, self.speed_mps, self.yaw_rate_radps)

    def to_actor(self) -> Actor:
        """Return what others see, with the next 40 m of its track."""
        track = self.track
        ahead = self.s_m + np.arange(0.0, 41.0, 2.0)
        ahead = ahead[ahead <= track.length_m]
        path = np.column_stack([np.interp(ahead, track.s_m, track.points[:, k]) for k in (0, 1)])
        return Actor(
            self.id,
            ActorKind.VEHICLE,
            self.pose,
            self.speed_mps,
            *SIZES_M[self.model],
            parked=False,
            path=path,
            brake_lights=self.brake_lights,
            indicator=self.lit_indicator,
        )

    def move(self, acceleration_mps2: float, dt_s: float) -> None:
        """Let it drive for a while, and carry its script on."""
        before = self.speed_mps
        self.speed_mps = max(0.0, before + acceleration_mps2 * dt_s)
        self.acceleration_mps2 = acceleration_mps2
        self.s_m += (before + self.speed_mps) / 2.0 * dt_s
        self.s_m = min(self.s_m, self.track.length_m)
        self.driven_s += dt_s
        if self.speed_mps < STANDING_MPS:
            self.waited_s += dt_s
        elif self.speed_mps > CREEPING_MPS:
            self.waited_s = 0.0
            self.ignores = ''
        self._script(dt_s)
        if self.speed_mps > 0.5:
            most = CHANGE_MPS * dt_s
            step = self.wanted_offset_m - self.offset_m
            self.offset_m += max(-most, min(most, step))
        self.update_pose(dt_s)

    def _script(self, dt_s: float) -> None:
        """Start and end the braking of a lead car."""
        if self.braking is not None:
            strength, left_s = self.braking
            if self.speed_mps < 0.1:
                left_s -= dt_s
            self.braking = (strength, left_s) if left_s > 0.0 else None
        elif self.brakes and self.driven_s >= self.brakes[0]:
            self.brakes.pop(0)
            if self.track.lanes[0].kind in ('straight', 'curve') and self.speed_mps > 3.0:
                strength = float(self.rng.uniform(3.0, 4.5))
                self.braking = (strength, float(self.rng.uniform(1.0, 3.0)))

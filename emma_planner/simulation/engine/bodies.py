"""Physical bodies in the simulator: the ego's chassis, and boxes that move as they are told.

Works on the engine of MetaDrive 0.4.3 (Panda3D's Bullet). Knows no traffic rules and no pictures.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from emma_planner.control.control import Control
from emma_planner.planning.kinematics import wrap_angle
from emma_planner.planning.types import Pose
from emma_planner.simulation.observation import Actor, VehicleShape

SUBSTEPS = 5
SUBSTEP_S = 0.02
STEP_S = SUBSTEPS * SUBSTEP_S
"""Simulated time of one step [s]."""
FULL_THROTTLE_MPS2 = 2.909
"""Acceleration of the ego at full throttle: 4 wheels x 800 N / 1100 kg; linear (measured)."""
FULL_BRAKE_MPS2 = 27.27
"""Deceleration per unit of brake: linear up to the grip of the tyres at about 9 (measured)."""
MAX_BRAKE_MPS2 = 8.5
MAX_STEERING_RAD = float(np.radians(40.0))
MAX_STEERING_RATE_RADPS = 1.0
ROLLING_THROTTLE = 1e-6
"""The simulator brakes by itself at a throttle of exactly zero."""
STANDING_MPS = 0.1
"""Stronger brakes than those of no pedal make a standing car tremble."""
BODY_NAME = 'emma_actor'


class EgoBody:
    """The ego: reads its motion, drives its wheels.

    :param vehicle: ``metadrive.component.vehicle.vehicle_type.StaticDefaultVehicle``
    """

    def __init__(self, vehicle: Any) -> None:
        self._vehicle = vehicle
        self._steering_rad = 0.0
        vehicle.chassis.node().notifyCollisions(False)

    @property
    def shape(self) -> VehicleShape:
        """Size of the vehicle."""
        vehicle = self._vehicle
        rear = float(vehicle.REAR_WHEELBASE)
        half = float(vehicle.LENGTH) / 2
        return VehicleShape(
            length_m=2 * half,
            width_m=float(vehicle.WIDTH),
            height_m=float(vehicle.HEIGHT),
            wheelbase_m=rear + float(vehicle.FRONT_WHEELBASE),
            rear_overhang_m=half - rear,
            front_overhang_m=half + rear,
        )

    @property
    def node(self) -> Any:
        """Chassis in the physics world."""
        return self._vehicle.chassis.node()

    def motion(self) -> tuple[Pose, float, float]:
        """Return pose of base_link, speed along body x [m/s] and yaw rate [rad/s]."""
        vehicle = self._vehicle
        yaw = float(np.radians(vehicle.origin.getH())) + np.pi / 2
        yaw = float(wrap_angle(yaw))
        centre = vehicle.origin.getPos()
        rear = float(vehicle.REAR_WHEELBASE)
        cos, sin = math.cos(yaw), math.sin(yaw)
        pose = Pose(float(centre[0]) - rear * cos, float(centre[1]) - rear * sin, yaw)
        velocity = vehicle.body.getLinearVelocity()
        speed = float(velocity[0]) * cos + float(velocity[1]) * sin
        return pose, speed, float(vehicle.body.getAngularVelocity()[2])

    def drive(self, control: Control) -> None:
        """Set wheels and pedals for the next step."""
        wanted = np.clip(control.steering_angle_rad, -MAX_STEERING_RAD, MAX_STEERING_RAD)
        most = MAX_STEERING_RATE_RADPS * STEP_S
        self._steering_rad += float(np.clip(wanted - self._steering_rad, -most, most))
        acceleration = max(control.acceleration_mps2, -MAX_BRAKE_MPS2)
        if acceleration >= 0.0:
            pedal = max(min(acceleration / FULL_THROTTLE_MPS2, 1.0), ROLLING_THROTTLE)
        elif abs(self._vehicle.speed) < STANDING_MPS:
            pedal = 0.0
        else:
            pedal = acceleration / FULL_BRAKE_MPS2
        self._vehicle._set_action([self._steering_rad / MAX_STEERING_RAD, pedal])


class ActorBodies:
    """Boxes of all other road users: solid for the ego, moved by nobody but their owner.

    :param engine: ``metadrive.engine.base_engine.BaseEngine``
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._bodies: dict[str, tuple[Any, Any]] = {}
        self._from: dict[str, Pose] = {}
        self._to: dict[str, Pose] = {}

    def place(self, actors: tuple[Actor, ...]) -> None:
        """Say where everybody is at the end of the next step; who is not named, goes."""
        named = {actor.id: actor for actor in actors}
        for name in [name for name in self._bodies if name not in named]:
            self._remove(name)
        for name, actor in named.items():
            if name not in self._bodies:
                self._add(actor)
                self._to[name] = actor.pose
            before = self._to[name]
            jumped = np.hypot(actor.pose.x_m - before.x_m, actor.pose.y_m - before.y_m) > 5.0
            self._from[name] = actor.pose if jumped else before
            self._to[name] = actor.pose

    def advance(self, part: float) -> None:
        """Move everybody to a part of the way, 0 ... 1."""
        for name, (body, height) in self._bodies.items():
            start, end = self._from[name], self._to[name]
            turn = wrap_angle(end.yaw_rad - start.yaw_rad)
            body.setPosHpr(
                start.x_m + part * (end.x_m - start.x_m),
                start.y_m + part * (end.y_m - start.y_m),
                height,
                float(np.degrees(start.yaw_rad + part * turn)) - 90.0,
                0.0,
                0.0,
            )

    def touching(self, node: Any) -> tuple[str, ...]:
        """Names of those that touch a body, sorted."""
        result = self._engine.physics_world.dynamic_world.contactTest(node, True)
        names = set()
        for contact in result.getContacts():
            for other in (contact.getNode0(), contact.getNode1()):
                if other.hasPythonTag(BODY_NAME):
                    names.add(other.getPythonTag(BODY_NAME))
        return tuple(sorted(names))

    def clear(self) -> None:
        """Remove everybody."""
        for name in list(self._bodies):
            self._remove(name)

    def _add(self, actor: Actor) -> None:
        from metadrive.constants import CollisionGroup
        from panda3d.bullet import BulletBoxShape, BulletRigidBodyNode
        from panda3d.core import Vec3

        node = BulletRigidBodyNode(BODY_NAME)
        size = Vec3(actor.width_m / 2, actor.length_m / 2, actor.height_m / 2)
        node.addShape(BulletBoxShape(size))
        node.setKinematic(True)
        node.setPythonTag(BODY_NAME, actor.id)
        path = self._engine.worldNP.attachNewNode(node)
        path.setCollideMask(CollisionGroup.Vehicle)
        self._engine.physics_world.dynamic_world.attach(node)
        self._bodies[actor.id] = (path, actor.height_m / 2)

    def _remove(self, name: str) -> None:
        path, _ = self._bodies.pop(name)
        node = path.node()
        self._engine.physics_world.dynamic_world.remove(node)
        node.clearPythonTag(BODY_NAME)
        path.removeNode()
        del self._from[name], self._to[name]

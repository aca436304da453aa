"""One MetaDrive environment that is rebuilt for every scenario: map and ego, nothing else.

The environment's own traffic, rewards, observations and step are not used: they cost time, and
other road users are :class:`Population`'s.
"""

from __future__ import annotations

import ctypes
from typing import Any

from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.engine.adaptation import prepare

LANE_WIDTH_M = 3.5
EXIT_LENGTH_M = 50


def make_env(camera: CameraSettings | None) -> Any:
    """Return an environment; the engine starts at the first :func:`reset_env`.

    :raises AdaptationError: the simulator cannot run here
    """
    config = prepare(camera)

    from metadrive.envs.metadrive_env import MetaDriveEnv
    from metadrive.obs.observation_base import DummyObservation

    vehicle = {**config.pop('vehicle_config', {}), 'vehicle_model': 'static_default'}
    # each sensor costs time at every step, and nobody reads them
    for sensor in ('lidar', 'side_detector', 'lane_line_detector'):
        vehicle[sensor] = {'num_lasers': 0, 'distance': 0}
    return MetaDriveEnv(
        {
            **config,
            'map_config': _map_config('S', 1),
            'start_seed': 0,
            'num_scenarios': 1,
            'store_map': False,
            'traffic_density': 0.0,
            'random_spawn_lane_index': False,
            'agent_observation': DummyObservation,
            'vehicle_config': vehicle,
            'force_destroy': True,
            'num_buffering_objects': 0,
        }
    )


def reset_env(env: Any, seed: int, blocks: str, lane_count: int, start_lane: int) -> Any:
    """Build a map and put the ego onto it.

    :param blocks: letters of the road blocks, in order
    :param start_lane: lane of the ego, 0 = leftmost
    :returns: the ego, ``metadrive.component.vehicle.base_vehicle.BaseVehicle``
    """
    from metadrive.component.pgblock.first_block import FirstPGBlock
    from metadrive.constants import DEFAULT_AGENT
    from metadrive.engine.engine_utils import engine_initialized

    env.config['start_seed'] = env.start_seed = env.start_index = seed
    env.config['map_config'].update(_map_config(blocks, lane_count))
    lane = (FirstPGBlock.NODE_1, FirstPGBlock.NODE_2, start_lane)
    env.config['agent_configs'][DEFAULT_AGENT]['spawn_lane_index'] = lane
    if engine_initialized():
        env.engine.global_config.update(env.config)
        env.engine.map_manager.maps = {seed: None}
    env.reset(seed=seed)
    _give_memory_back()
    return env.agent


def _give_memory_back() -> None:
    """Hand what the last map has left free back to the system, where the C library is glibc.

    Maps of all sizes, one after the other, leave gaps: 11 % more memory after 200 of them, 2 % so.
    """
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is not None:
        trim(0)


def _map_config(blocks: str, lane_count: int) -> dict[str, Any]:
    return {
        'type': 'block_sequence',
        'config': blocks,
        'lane_num': lane_count,
        'lane_width': LANE_WIDTH_M,
        'exit_length': EXIT_LENGTH_M,
    }

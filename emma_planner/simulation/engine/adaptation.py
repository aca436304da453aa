"""Every adaptation of the simulator, for MetaDrive 0.4.3 with Panda3D 1.10.

MetaDrive builds the map and moves the ego; it does not draw. Its own picture costs seconds of CPU
a frame without a GPU, gigabytes of memory, and assets that it downloads at the first start: the
wheel has none, and the download runs even without rendering. The camera's picture is drawn by
:class:`~emma_planner.simulation.picture.scene.Scene`; physics is the same with and without it.

- nothing is downloaded (``BaseEngine.try_pull_asset`` is replaced)
- outcomes do not depend on earlier drives: no object is reused, no map is kept
- no sensor, no window, no interface
- a map that cannot be built is an error after many tries (``BIG.generate`` would try for ever)
- off-ramps lie beside their road whatever its direction (``OutRampOnStraight._get_merge_part``
  lays the start of the lane along the map's x axis, where roads of other directions are not)
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Any

from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.picture.rasterizer import RenderingError, open_pipe

PACKAGE = 'metadrive-simulator'
VERSION = '0.4.3'
"""What this module knows."""
NEWEST_PYTHON = (3, 12)
"""It needs an older one."""
MAX_MAP_STEPS = 400
"""Placing or removing a block; usual maps take less than 50."""
ERRORS_ONLY = 40
"""Level of the standard library's logging."""


class AdaptationError(Exception):
    """The simulator cannot run here."""


def prepare(camera: CameraSettings | None) -> dict[str, Any]:
    """Adapt the simulator in this process and return its configuration.

    :param camera: what will be rendered, None for physics alone, which needs no EGL
    :returns: entries for ``MetaDriveEnv``
    :raises AdaptationError: it is not installed, of another version, or cannot render here
    """
    _check_version()
    if camera is not None:
        _check_rendering()
    from metadrive.engine.base_engine import BaseEngine

    BaseEngine.try_pull_asset = staticmethod(_pull_nothing)
    _lay_off_ramps_along_the_road()
    _give_up_on_impossible_maps()
    return {
        'use_render': False,
        'image_observation': False,
        'show_interface': False,
        'show_terrain': False,
        'preload_models': False,
        'log_level': ERRORS_ONLY,
        'force_destroy': True,
        'num_buffering_objects': 0,
        'store_map': False,
        'vehicle_config': {
            'show_navi_mark': False,
            'show_navigation_arrow': False,
        },
    }


def _check_version() -> None:
    try:
        version = metadata.version(PACKAGE)
    except metadata.PackageNotFoundError as err:
        python = '.'.join(map(str, sys.version_info[:2]))
        how = (
            "pip install 'emma_planner[sim]'"
            if sys.version_info < NEWEST_PYTHON
            else f'it has no package for Python {python}; make simulator gives it an environment '
            'of its own, where simulation_node runs'
        )
        raise AdaptationError(f'need {PACKAGE} {VERSION}, got none: {how}') from err
    if version != VERSION:
        raise AdaptationError(
            f"need {PACKAGE} {VERSION}, got {version}: pip install 'emma_planner[sim]'"
        )


def _check_rendering() -> None:
    try:
        open_pipe()
    except RenderingError as err:
        raise AdaptationError(str(err)) from err


def _pull_nothing() -> None:
    """Instead of the download: no asset is needed."""


def _give_up_on_impossible_maps() -> None:
    from metadrive.component.algorithm.BIG import BIG

    step = BIG.big_helper_func

    def next_step(big: Any) -> Any:
        big.emma_steps = getattr(big, 'emma_steps', 0) + 1
        if big.emma_steps > MAX_MAP_STEPS:
            raise AdaptationError(
                f'need road blocks that fit together, got {big._block_sequence[1:]!r}, which did'
                f' not in {MAX_MAP_STEPS} steps'
            )
        return step(big)

    if step.__name__ != next_step.__name__:
        BIG.big_helper_func = next_step


def _lay_off_ramps_along_the_road() -> None:
    from metadrive.component.lane.straight_lane import StraightLane
    from metadrive.component.pgblock.ramp import OutRampOnStraight

    def merge_part(block: Any, beside: Any, length_m: float) -> Any:
        width = block.lane_width
        start, end = beside.position(0, width), beside.position(length_m, width)
        return StraightLane(start, end, width)

    OutRampOnStraight._get_merge_part = merge_part

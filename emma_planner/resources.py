"""Where shipped files lie (parameters, launch files, recording, model): source tree or installed.

The files that belong to the running code win: those beside the package in a source tree, then
``share/emma_planner`` of the prefix that the package is installed under (colcon, pip, a user
install), last what the ament index names. Reads no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = 'emma_planner'
PACKAGE_FOLDER = Path(__file__).resolve().parent
FASTDDS_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')
"""What Fast DDS reads its profile from; the second until Humble, with a warning since."""
_NOT_PRESETS = ('planner', 'follower', 'follower_simulation', 'simulation')


class ResourceError(Exception):
    """A shipped file is not there; the message lists where it was looked for."""


def config_path(name: str, package_folder: Path = PACKAGE_FOLDER) -> Path:
    """Return the path of a file of ``config/``.

    :param name: relative to ``config/``, e.g. ``kitti.yaml`` or ``rviz/planner.rviz``
    :param package_folder: where the package's code lies
    :raises ResourceError: not there
    """
    return _find(f'config/{name}', package_folder)


def launch_path(name: str, package_folder: Path = PACKAGE_FOLDER) -> Path:
    """Return the path of a file of ``launch/``.

    :raises ResourceError: not there
    """
    return _find(f'launch/{name}', package_folder)


def recording_path(package_folder: Path = PACKAGE_FOLDER) -> Path:
    """Return the shipped recording: a bag folder with camera, ego motion and route command.

    :raises ResourceError: not there
    """
    return _find('recording/drive', package_folder)


def model_path(name: str, package_folder: Path = PACKAGE_FOLDER) -> Path:
    """Return the folder of a shipped model.

    :raises ResourceError: not there
    """
    return _find(f'models/{name}', package_folder)


def preset_names(package_folder: Path = PACKAGE_FOLDER) -> tuple[str, ...]:
    """Names of the shipped presets, sorted: ``carla`` for ``config/carla.yaml``.

    :raises ResourceError: no ``config/`` found
    """
    names = {path.stem for path in _find('config', package_folder).glob('*.yaml')}
    return tuple(sorted(names.difference(_NOT_PRESETS)))


def fastdds_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what to add to the environment of a process that sends or takes large images.

    :param environment: a profile that it names already is left alone
    :raises ResourceError: the profile is not there
    """
    if any(environment.get(variable) for variable in FASTDDS_VARIABLES):
        return {}
    variable = FASTDDS_VARIABLES[environment.get('ROS_DISTRO') == 'humble']
    return {variable: str(config_path('fastdds.xml'))}


def _find(name: str, package_folder: Path) -> Path:
    folders = []
    for folder in _folders(package_folder):
        if (folder / name).exists():
            return folder / name
        folders.append(folder)
    searched = ', '.join(map(str, folders)) or 'no folder'
    raise ResourceError(f'need {name} of {PACKAGE}, not found in {searched}')


def _folders(package_folder: Path) -> Iterator[Path]:
    if (package_folder.parent / 'package.xml').is_file():
        yield package_folder.parent
    for parent in package_folder.parents:
        if (share := parent / 'share' / PACKAGE).is_dir():
            yield share
    yield from _ament_share()


def _ament_share() -> Iterator[Path]:
    try:
        from ament_index_python.packages import PackageNotFoundError, get_package_prefix
    except ImportError:
        return
    try:
        yield Path(get_package_prefix(PACKAGE), 'share', PACKAGE)
    except (PackageNotFoundError, LookupError, OSError):  # not installed; no AMENT_PREFIX_PATH
        return

"""Every parameter of the planner in one dataclass, and how such a dataclass is read from YAML.

A node declares its :class:`Parameters` as ROS parameters, the commands read the same YAML, and a
file of ``config/`` lists each with unit and range; a test holds them equal. Knows no ROS.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

import yaml

from emma_planner.planning.types import DT_S, NUM_HISTORY

SHIPPED = 'emma-small'
UNTRAINED = 'untrained'
"""Model name of a small random-weight model of a stock architecture, built on the spot."""


class ConfigError(Exception):
    """A configuration that cannot be used; the message names key, need and value."""


def parameter(
    default: Any,
    doc: str,
    *,
    unit: str = '',
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a field of :class:`Parameters` with its default and meaning.

    :param low: smallest value, of a number
    :param high: largest value
    :param choices: all values, of a word
    """
    metadata = {'doc': doc, 'unit': unit, 'low': low, 'high': high, 'choices': choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Parameters:
    """Values that check themselves against type, range and choices of their fields.

    :raises ConfigError: wrong type or out of range
    """

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, _checked(item, getattr(self, item.name)))

    def hash(self) -> str:
        """Short hash over all parameters, for logs."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


Config = TypeVar('Config', bound=Parameters)


@dataclass(frozen=True)
class PlannerConfig(Parameters):
    """Parameters of the planner; metadata carries unit, range and meaning."""

    # planner and model
    planner: str = parameter(
        'mllm',
        'who plans: the model or a kinematic baseline',
        choices=('mllm', 'constant-action', 'constant-velocity', 'half-acceleration'),
    )
    model: str = parameter(
        SHIPPED,
        "'emma-small', which is shipped; a checkpoint or adapter folder, a hub id, the http(s):// "
        "address of an OpenAI-compatible server, or 'untrained' / 'untrained:<architecture>'",
    )
    server_model: str = parameter('', "model name at the server; '' takes the only one it lists")
    device: str = parameter('auto', "torch device: 'auto', 'cpu', 'cuda', 'cuda:1', ...")
    dtype: str = parameter(
        'auto',
        'weights in memory; int8 and float8 need torchao',
        choices=('auto', 'float32', 'bfloat16', 'float16', 'int8', 'float8'),
    )
    num_threads: int = parameter(
        0,
        'CPU threads of torch; 0 is one for models below 50 M parameters, else its default',
        unit='threads',
        low=0,
        high=256,
    )
    action_format: str = parameter(
        'auto',
        'how the model writes actions; auto takes tokens where the vocabulary has them',
        choices=('auto', 'text', 'tokens'),
    )
    plan_step_s: float = parameter(
        DT_S,
        'time between the points that a model writes as text: 0.5, 1 or 2.5; each is held',
        unit='s',
        low=DT_S,
        high=2.5,
    )
    use_reasoning: bool = parameter(True, 'ask for the chain of thought before the plan')
    use_image: bool = parameter(True, 'show the model the pictures')
    use_earlier: bool = parameter(
        True, 'show a model that was trained with them the pictures of before'
    )
    history_steps: int = parameter(
        NUM_HISTORY,
        'how much of the last 5 s of motion the model is told, in steps of 0.5 s; 0 for nothing',
        unit='steps',
        low=0,
        high=NUM_HISTORY,
    )
    use_command: bool = parameter(True, 'tell the model the route command')
    use_objects: bool = parameter(True, 'tell the model what the detector found')
    detector: str = parameter(
        '',
        'folder or hub id of a detector (DETR, RT-DETR, D-FINE, YOLOS, ...) whose objects a model '
        "that is asked in words is told; '' for none",
    )
    detector_score: float = parameter(
        0.5, 'less certain finds of the detector are left out', unit='1', low=0.0, high=1.0
    )
    variant: str = parameter(
        '', "changes of the inputs for tests of a planner, as 'image_blank' or 'fog:3+noise:1'"
    )
    attack: str = parameter(
        'none',
        'change the picture against the local model before each plan, to test it',
        choices=('none', 'fgsm', 'pgd'),
    )
    attack_size: int = parameter(
        4, 'largest change of a pixel by an attack, of 255', unit='1', low=1, high=255
    )
    reason_tokens: int = parameter(
        96, 'token budget of the chain of thought', unit='tokens', low=1, high=4096
    )
    temperature: float = parameter(
        0.0,
        'sampling temperature; 0 takes the likeliest token, of action tokens the median',
        unit='1',
        low=0.0,
        high=2.0,
    )
    num_samples: int = parameter(
        1, 'plans to draw and rank for each tick; more than 1 needs a temperature', low=1, high=64
    )
    intent_tries: int = parameter(
        4,
        'further tries at a plan in action tokens that does not do what its intent says, each '
        'leaning more towards it; without success the first is driven',
        low=0,
        high=4,
    )
    unknown_scene: str = parameter(
        'go_on',
        'what is driven where the model says that the scene is unknown: go_on, half-acceleration '
        'in its place; model, what it plans',
        choices=('go_on', 'model'),
    )
    red_light: str = parameter(
        'stand',
        'what is driven where the model names a red light: stand, its plan, slowed where it would '
        'not stand 2 m before it; model, its plan as it is',
        choices=('stand', 'model'),
    )
    decoding: str = parameter(
        'auto',
        "auto takes the small model's own faster steps, which write the same; plain never",
        choices=('auto', 'plain'),
    )
    seed: int = parameter(0, 'seed of sampling and of untrained weights', low=0, high=2**31 - 1)
    image_max_width_px: int = parameter(
        0, 'wider images are scaled down before the model; 0 keeps', unit='px', low=0, high=8192
    )
    image_max_height_px: int = parameter(
        0, 'higher images are scaled down before the model; 0 keeps', unit='px', low=0, high=8192
    )
    request_timeout_s: float = parameter(
        30.0, 'server: longest wait for one reply', unit='s', low=0.1, high=600.0
    )
    request_retries: int = parameter(
        2, 'server: tries after the first, with exponential back-off', low=0, high=10
    )
    # timing
    rate_hz: float = parameter(2.0, 'plans per second of ROS time', unit='Hz', low=0.1, high=50.0)
    on_image: bool = parameter(
        False, 'one plan for each image in place of a fixed rate, for lock-step'
    )
    deadline_s: float = parameter(
        5.0,
        'a plan not ready this long after its tick is a failure',
        unit='s',
        low=0.05,
        high=600.0,
    )
    image_max_age_s: float = parameter(
        0.5, 'an older image at the tick is stale', unit='s', low=0.01, high=60.0
    )
    odometry_max_age_s: float = parameter(
        0.5, 'ego motion may end this long before t0', unit='s', low=0.01, high=60.0
    )
    odometry_max_gap_s: float = parameter(
        1.0, 'longest gap inside the history', unit='s', low=0.05, high=60.0
    )
    fallback_max_age_s: float = parameter(
        3.0, 'the last valid path is driven on for this long', unit='s', low=0.0, high=5.0
    )
    # ego motion
    odometry_source: str = parameter(
        'auto',
        'where speed and yaw rate come from; auto takes the twist unless it stays zero '
        'while the pose moves',
        choices=('auto', 'twist', 'pose'),
    )
    standstill_speed_mps: float = parameter(
        0.5, 'below this speed curvature is held and decays to 0', unit='m/s', low=0.01, high=5.0
    )
    # limits of a plausible plan
    max_speed_mps: float = parameter(
        60.0, 'highest plausible speed', unit='m/s', low=1.0, high=150.0
    )
    max_acceleration_mps2: float = parameter(
        10.0, 'highest plausible |acceleration|', unit='m/s^2', low=0.5, high=50.0
    )
    max_lateral_acceleration_mps2: float = parameter(
        10.0, 'highest plausible |speed^2 curvature|', unit='m/s^2', low=0.5, high=50.0
    )
    max_curvature_1pm: float = parameter(
        0.35, 'highest plausible |curvature|', unit='1/m', low=0.01, high=10.0
    )
    # topics and messages
    image_topic: str = parameter('image', 'sensor_msgs/Image')
    compressed_topic: str = parameter('image/compressed', 'sensor_msgs/CompressedImage')
    camera_info_topic: str = parameter('camera_info', 'sensor_msgs/CameraInfo')
    odometry_topic: str = parameter('odometry', 'nav_msgs/Odometry')
    twist_topic: str = parameter('twist', 'geometry_msgs/TwistStamped')
    pose_topic: str = parameter('pose', 'geometry_msgs/PoseStamped')
    command_topic: str = parameter('command', 'std_msgs/String: route command')
    default_command: str = parameter('follow lane', 'route command until one is received')
    target_speed_unit: str = parameter(
        'mps', 'unit of target_speed; CARLA wants km/h', choices=('mps', 'kmh')
    )
    # camera mounting, for the overlay
    camera_x_m: float = parameter(1.5, 'camera ahead of base_link', unit='m', low=-10.0, high=10.0)
    camera_y_m: float = parameter(0.0, 'camera left of base_link', unit='m', low=-5.0, high=5.0)
    camera_z_m: float = parameter(1.5, 'camera above the road', unit='m', low=0.1, high=10.0)
    camera_pitch_deg: float = parameter(
        0.0, 'camera pitch, down positive', unit='deg', low=-90.0, high=90.0
    )
    camera_yaw_deg: float = parameter(
        0.0, 'camera yaw, left positive', unit='deg', low=-180.0, high=180.0
    )
    camera_fov_deg: float = parameter(
        90.0,
        'horizontal field of view where no camera_info comes',
        unit='deg',
        low=10.0,
        high=170.0,
    )
    # life cycle
    autostart: bool = parameter(True, 'configure and activate the node by itself')


def _checked(item: Any, value: Any) -> Any:
    kind = type(item.default)
    if kind is float and type(value) is int and abs(value) < sys.float_info.max:
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f'{item.name}: need {kind.__name__}, got {value!r}')
    choices, low, high = (item.metadata[key] for key in ('choices', 'low', 'high'))
    if choices and value not in choices:
        raise ConfigError(f'{item.name}: need one of {", ".join(choices)}, got {value!r}')
    if low is not None and not low <= value <= high:
        unit = item.metadata['unit']
        raise ConfigError(
            f'{item.name}: need {low:.10g} to {high:.10g} {unit}'.rstrip() + f', got {value!r}'
        )
    return value


def load_config(
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    base: PlannerConfig | None = None,
) -> PlannerConfig:
    """Read a parameter file (ROS form ``/**: ros__parameters:`` or a plain mapping).

    :param path: YAML file, None for the defaults
    :param overrides: values that win over the file
    :param base: values where neither says anything; None for the defaults
    :raises ConfigError: file not readable, unknown key, wrong type or out of range
    """
    return load_parameters(base or PlannerConfig(), path, overrides)


def load_parameters(
    base: Config, path: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Config:
    """Read a parameter file of any node; :func:`load_config` is this for the planner's.

    :param base: values where neither file nor overrides say anything
    """
    values = dict(_read(path)) if path is not None else {}
    values.update(overrides or {})
    values.pop('use_sim_time', None)
    source = str(path) if path else 'options'
    return update_config(base, values, source)


def update_config(config: Config, values: Mapping[str, Any], source: str) -> Config:
    """Replace values by name.

    :raises ConfigError: unknown key (with the nearest valid name), wrong type or out of range
    """
    known = [item.name for item in fields(config)]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.5)
            hint = f'; nearest is {near[0]}' if near else ''
            raise ConfigError(f'{source}: unknown key {key!r}{hint}')
    try:
        return replace(config, **values)
    except ConfigError as err:
        raise ConfigError(f'{source}: {err}') from err


def _read(path: Path) -> Mapping[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as err:
        raise ConfigError(f'{path}: need a readable YAML file, got {err.strerror}') from err
    except (yaml.YAMLError, ValueError, RecursionError) as err:  # also not UTF-8, no such date
        line = str(err).splitlines()[0]
        raise ConfigError(f'{path}: need valid YAML, got: {line}') from err
    data = {} if data is None else data
    if not isinstance(data, dict):
        raise ConfigError(f'{path}: need a mapping of parameters, got {type(data).__name__}')
    for name, section in data.items():
        if isinstance(section, dict) and 'ros__parameters' in section:
            data = {} if section['ros__parameters'] is None else section['ros__parameters']
            if not isinstance(data, dict):
                raise ConfigError(
                    f'{path}: need a mapping under {name}: ros__parameters, '
                    f'got {type(data).__name__}'
                )
            break
    return dict(data)

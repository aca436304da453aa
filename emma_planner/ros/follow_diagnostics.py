"""How a path is followed, as a line of /diagnostics. Pure: what the node knows comes in."""

from __future__ import annotations

from dataclasses import dataclass

from emma_planner.control.control import Control
from emma_planner.control.following import Following, Mode
from emma_planner.ros.conversions import Status

OK, WARN, ERROR = 0, 1, 2
_MESSAGES = {
    Mode.FOLLOWING: (OK, 'following'),
    Mode.HOLDING: (OK, 'holding: the path stands'),
    Mode.NO_PATH: (WARN, 'need a path on {path}, got none yet: standing'),
    Mode.EMPTY_PATH: (WARN, 'got an empty path: comfortable stop'),
    Mode.PATH_TIMEOUT: (
        WARN,
        'need a path every {timeout:g} s on {path}, last one came {age} s ago: comfortable stop',
    ),
    Mode.PATH_ENDED: (WARN, 'need a path beyond now, its last pose has passed: comfortable stop'),
    Mode.PATH_AHEAD: (
        ERROR,
        'need a path that begins now, it begins seconds ahead: comfortable stop; '
        'are all nodes on one clock (use_sim_time)?',
    ),
    Mode.NO_ODOMETRY: (ERROR, 'need odometry on {odometry}, got none or old: braking'),
}


@dataclass
class FollowCounters:
    """What has happened since the node became active.

    :param refusal: why the last path was refused, '' where it was not
    :param bad_odometry: why the last odometry was refused, '' where it was not
    """

    paths: int = 0
    refused: int = 0
    odometry: int = 0
    controls: int = 0
    refusal: str = ''
    bad_odometry: str = ''


def follow_status(
    following: Following,
    control: Control | None,
    counters: FollowCounters,
    *,
    name: str,
    path_topic: str,
    odometry_topic: str,
    path_timeout_s: float,
) -> Status:
    """Describe what the follower does and why.

    :param control: the last one
    :param name: the node's name
    """
    age_s = following.path_age_s
    age = '' if age_s is None else f'{age_s:.1f}'
    level, text = _MESSAGES[following.mode]
    text = text.format(path=path_topic, odometry=odometry_topic, timeout=path_timeout_s, age=age)
    for what, refusal in (('odometry', counters.bad_odometry), ('path', counters.refusal)):
        if refusal:
            level, text = ERROR, f'{what} refused: {refusal}; {text}'
    tracking = following.tracking
    return Status(
        f'{name}: control',
        level,
        text,
        (
            ('mode', str(following.mode)),
            ('path age [s]', age),
            ('offset [m]', '' if tracking is None else f'{tracking.offset_m:.2f}'),
            ('lag [m]', '' if tracking is None else f'{tracking.lag_m:.2f}'),
            (
                'steering angle [rad]',
                '' if control is None else f'{control.steering_angle_rad:.3f}',
            ),
            ('speed [m/s]', '' if control is None else f'{control.speed_mps:.2f}'),
            (
                'acceleration [m/s^2]',
                '' if control is None else f'{control.acceleration_mps2:.2f}',
            ),
            ('paths', str(counters.paths)),
            ('paths refused', str(counters.refused)),
            ('odometry', str(counters.odometry)),
            ('controls', str(counters.controls)),
        ),
    )

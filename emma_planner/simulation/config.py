"""Every parameter of the simulator's node in one dataclass.

``config/simulation.yaml`` lists each with unit and range; a test holds both equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from emma_planner.config import Parameters, parameter

LOCK_STEP, REAL_TIME = 'lock-step', 'real-time'
ROS, EXPERT = 'ros', 'expert'
MEASURED_S = -1.0
"""Of ``latency_s``: what each plan really took."""
OWN = -1.0
"""Of ``density``: the scenario's own."""


@dataclass(frozen=True)
class SimulationConfig(Parameters):
    """Parameters of the simulator; metadata carries unit, range and meaning."""

    # what is driven
    split: str = parameter('val', 'scenarios to choose from', choices=('train', 'val', 'test'))
    seeds: str = parameter('0', 'scenarios of the split, one drive each, as 0-49 or 3,7,10-12')
    density: float = parameter(
        OWN,
        "vehicles per 10 m of lane; -1 takes each scenario's own",
        unit='1',
        low=-1.0,
        high=1.0,
    )
    time_limit_s: float = parameter(
        0.0, "longest drive; 0 takes each scenario's own", unit='s', low=0.0, high=3600.0
    )
    driver: str = parameter(
        ROS,
        'who drives: planner and follower over ROS, or the expert, whose path is published',
        choices=(ROS, EXPERT),
    )
    mode: str = parameter(
        REAL_TIME,
        'lock-step: the world waits for plan and control; real-time: it does not',
        choices=(LOCK_STEP, REAL_TIME),
    )
    # camera
    camera_width_px: int = parameter(640, 'width of the picture', unit='px', low=16, high=4096)
    camera_height_px: int = parameter(360, 'height of the picture', unit='px', low=16, high=4096)
    # lock-step
    plan_rate_hz: float = parameter(
        2.0, 'plans per simulated second', unit='Hz', low=0.1, high=10.0
    )
    latency_s: float = parameter(
        0.0,
        'simulated time from image to path; -1 takes what each plan took',
        unit='s',
        low=-1.0,
        high=60.0,
    )
    # real time
    real_time_factor: float = parameter(
        1.0, 'simulated seconds per second', unit='1', low=0.05, high=10.0
    )
    image_rate_hz: float = parameter(
        10.0, 'pictures per simulated second', unit='Hz', low=0.1, high=10.0
    )
    # what is missed
    control_timeout_s: float = parameter(
        0.5,
        'no usable control for this long of simulated time is a comfortable stop',
        unit='s',
        low=0.1,
        high=10.0,
    )
    answer_timeout_s: float = parameter(
        5.0,
        'planner or follower silent for this long of wall-clock time ends the drive; a planner '
        'that says in /diagnostics that it lives is waited for',
        unit='s',
        low=0.5,
        high=600.0,
    )
    plan_timeout_s: float = parameter(
        600.0,
        'lock-step: longest wait for one answer in wall-clock time, signs of life or not',
        unit='s',
        low=1.0,
        high=3600.0,
    )
    start_timeout_s: float = parameter(
        600.0,
        'longest wait for planner and follower before the first drive',
        unit='s',
        low=1.0,
        high=3600.0,
    )
    # messages
    control_type: str = parameter(
        'array',
        'std_msgs/Float64MultiArray or ackermann_msgs/AckermannDriveStamped on control',
        choices=('array', 'ackermann'),
    )
    planner_name: str = parameter('planner', "planner's node, as /diagnostics names it")
    follower_name: str = parameter('follower', "follower's node, as /diagnostics names it")
    # what is kept
    out_folder: str = parameter('out/simulation', 'bag, plan log and scores of each drive')
    overwrite: bool = parameter(False, 'replace results of an earlier run in out_folder')
    film: str = parameter('none', 'a film of each drive', choices=('none', 'webp', 'mp4'))

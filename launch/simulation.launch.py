"""The simulated world, the planner and the follower, in lock-step or in real time; RViz on demand.

ros2 launch emma_planner simulation.launch.py seeds:=0-9 mode:=lock-step planner:=constant-action

Every argument of planner.launch.py works here too; the world's are those of simulation.yaml.
The launch ends when the last drive has ended.
"""

from dataclasses import fields

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
    Shutdown,
)
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from emma_planner.resources import config_path, launch_path
from emma_planner.ros.launch_arguments import NOT_GIVEN, typed
from emma_planner.simulation.bridge.lock_step_driver import CONTROL_ODOMETRY, EFFECTIVE_PATH
from emma_planner.simulation.camera_settings import CameraSettings
from emma_planner.simulation.config import EXPERT, LOCK_STEP, SimulationConfig
from emma_planner.simulation.drives.drivers import CAR_LIMITS

WHEELBASE_M = '2.46894'
"""Of the simulator's car."""
NOT_OFFERED = ('planner_name', 'follower_name')


def generate_launch_description() -> LaunchDescription:
    """Include the planner, then start world and follower."""
    planner = PythonLaunchDescriptionSource(str(launch_path('planner.launch.py')))
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(
                    item.name,
                    default_value=str(item.default),
                    description=item.metadata['doc'],
                )
                for item in fields(SimulationConfig)
                if item.name not in NOT_OFFERED
            ),
            DeclareLaunchArgument(
                'rviz', default_value='false', description='show it in RViz: true or false'
            ),
            SetLaunchConfiguration('use_sim_time', 'true'),
            OpaqueFunction(function=_fit_the_planner),
            IncludeLaunchDescription(planner),
            OpaqueFunction(function=_world_and_follower),
            Node(
                package='rviz2',
                executable='rviz2',
                namespace=LaunchConfiguration('namespace'),
                arguments=['-d', str(config_path('rviz/planner.rviz'))],
                parameters=[{'use_sim_time': True}],
                condition=IfCondition(LaunchConfiguration('rviz')),
            ),
        ]
    )


def _fit_the_planner(context: LaunchContext) -> list[SetLaunchConfiguration]:
    """In lock-step the planner plans each picture and is given the time it takes."""
    texts, fitting = context.launch_configurations, {}
    if texts.get('camera_x_m', NOT_GIVEN) == NOT_GIVEN:
        fitting['camera_x_m'] = str(CameraSettings().position_m[0])
    if texts['mode'] == LOCK_STEP:
        fitting |= {'on_image': 'true', 'deadline_s': '600.0'}
    return [SetLaunchConfiguration(name, value) for name, value in fitting.items()]


def _world_and_follower(context: LaunchContext) -> list[Node]:
    texts = context.launch_configurations
    namespace = texts.get('namespace', '')
    given = [item.name for item in fields(SimulationConfig) if item.name not in NOT_OFFERED]
    world = {name: _typed(name, texts[name]) for name in given}
    lock_step = texts['mode'] == LOCK_STEP
    follower = {
        'use_sim_time': True,
        'wheelbase_m': float(WHEELBASE_M),
        **CAR_LIMITS,
        'on_odometry': lock_step,
        'path_topic': EFFECTIVE_PATH if lock_step else 'path',
        'odometry_topic': CONTROL_ODOMETRY if lock_step else 'odometry',
        'control_type': texts['control_type'],
    }
    nodes = [
        Node(
            package='emma_planner',
            executable='simulation_node',
            namespace=namespace,
            parameters=[world],
            output='screen',
            on_exit=Shutdown(),
        )
    ]
    if texts['driver'] != EXPERT:
        nodes.append(
            Node(
                package='emma_planner',
                executable='follower_node',
                namespace=namespace,
                parameters=[follower],
                output='screen',
            )
        )
    return nodes


def _typed(name: str, text: str) -> object:
    """Return the value of the parameter's type; launch would guess a number from a text."""
    kind = type(next(item.default for item in fields(SimulationConfig) if item.name == name))
    return ParameterValue(text, value_type=str) if kind is str else typed(name, text, kind)

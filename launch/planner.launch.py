"""The planner: every parameter is an argument, or stands in a parameter file (config:=YAML).

ros2 launch emma_planner planner.launch.py model:=/models/driver rate_hz:=2.0 namespace:=ego

Precedence: argument, config, preset, default. The node starts by itself; with autostart:=false it
waits unconfigured for a lifecycle manager.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

from emma_planner.resources import fastdds_environment
from emma_planner.ros.launch_arguments import (
    node_arguments,
    output_remappings,
    parameter_arguments,
    read_arguments,
)


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments; the node is made when their values are known."""
    arguments = (*node_arguments(), *parameter_arguments())
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(
                    item.name, default_value=item.default, description=item.description
                )
                for item in arguments
            ),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list[SetEnvironmentVariable | LifecycleNode]:
    texts = context.launch_configurations
    given = read_arguments(texts)
    # launch would guess the type of a text that looks like a number
    values = {
        name: ParameterValue(value, value_type=str) if isinstance(value, str) else value
        for name, value in given.overrides.items()
    }
    node = LifecycleNode(
        package='emma_planner',
        executable='planner_node',
        name=texts['node_name'],
        namespace=texts['namespace'],
        parameters=[*map(str, given.files), *([values] if values else [])],
        remappings=output_remappings(texts),
        ros_arguments=['--log-level', texts['log_level']],
        output='screen',
        emulate_tty=True,
    )
    environment = fastdds_environment(context.environment)
    return [*(SetEnvironmentVariable(*pair) for pair in environment.items()), node]

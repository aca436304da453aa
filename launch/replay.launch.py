"""The planner on a recording: plays a bag with /clock to it once it listens; RViz on demand.

ros2 launch emma_planner replay.launch.py bag:=/data/kitti_0005 rviz:=true

Topics that neither preset, config nor argument names are found in the bag by their type. Every
argument of planner.launch.py works here too. The planner goes on when the bag has been played.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
)
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from emma_planner.recordings.bags import BagReader
from emma_planner.recordings.topics import find_topics
from emma_planner.replay.live import topics_in_config
from emma_planner.resources import config_path, launch_path
from emma_planner.ros.launch_arguments import INPUT_TOPICS, read_arguments

ARGUMENTS = {
    'bag': (None, 'bag folder or file'),
    'rate': ('1.0', 'play speed, times real time'),
    'loop': ('false', 'start the bag again at its end: true or false'),
    'rviz': ('false', 'show it in RViz: true or false'),
    'use_sim_time': ('true', 'take the time from /clock: true or false'),
}


def generate_launch_description() -> LaunchDescription:
    """Name the topics, include the planner, then play."""
    planner = PythonLaunchDescriptionSource(str(launch_path('planner.launch.py')))
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=about)
                for name, (default, about) in ARGUMENTS.items()
            ),
            OpaqueFunction(function=_name_topics),
            IncludeLaunchDescription(planner),
            OpaqueFunction(function=_play),
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


def _name_topics(context: LaunchContext) -> list[SetLaunchConfiguration]:
    config = read_arguments(context.launch_configurations).config
    with BagReader(Path(context.launch_configurations['bag'])) as reader:
        topics = find_topics(reader.topics, config)
        found = topics_in_config(config, topics, reader.topics[topics.image])
    return [
        SetLaunchConfiguration('bag_image_topic', topics.image),
        *(
            SetLaunchConfiguration(name, getattr(found, name))
            for name in INPUT_TOPICS
            if getattr(found, name) != getattr(config, name)
        ),
    ]


def _play(context: LaunchContext) -> list[Node]:
    texts = context.launch_configurations
    loop = ['--loop'] if texts['loop'].lower() in ('true', '1') else []
    wait = ['--wait-for', texts['bag_image_topic']]  # the planner subscribes when it can plan
    return [
        Node(
            package='emma_planner',
            executable='bag_player',
            arguments=[texts['bag'], '--rate', texts['rate'], *wait, *loop],
            output='screen',
        )
    ]

"""The planner for a vehicle of the CARLA ros-bridge, driven by carla_ad_agent's local planner.

ros2 launch emma_planner carla.launch.py role_name:=ego_vehicle model:=/models/driver

In: /carla/ROLE/CAMERA/image (bgra8) and camera_info, /carla/ROLE/odometry (map, child ROLE).
Out: /carla/ROLE/waypoints (nav_msgs/Path in map), /carla/ROLE/speed_command (Float64, km/h).
The local planner subscribes to both with depth 1, transient local: the planner publishes them so,
since a volatile publisher would never be matched. It brakes when a path is used up, and its
steering does not survive a first pose equal to the ego pose: the path starts ahead of it.
carla_waypoint_publisher writes the same waypoints topic: do not run it, or remap one of them.
Every argument of planner.launch.py works here too. Topics follow role_name and camera, whatever a
config file says; image_topic:=... and the like win over them.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from emma_planner.resources import launch_path
from emma_planner.ros.launch_arguments import node_arguments, parameter_arguments

ROLE = ['/carla/', LaunchConfiguration('role_name')]
CAMERA = [*ROLE, '/', LaunchConfiguration('camera')]


def generate_launch_description() -> LaunchDescription:
    """Set the defaults for CARLA and include the planner."""
    defaults = {
        'preset': 'carla',
        'use_sim_time': 'true',
        'image_topic': [*CAMERA, '/image'],
        'camera_info_topic': [*CAMERA, '/camera_info'],
        'odometry_topic': [*ROLE, '/odometry'],
        'path_topic': [*ROLE, '/waypoints'],
        'target_speed_topic': [*ROLE, '/speed_command'],
    }
    about = {item.name: item.description for item in (*node_arguments(), *parameter_arguments())}
    planner = PythonLaunchDescriptionSource(str(launch_path('planner.launch.py')))
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                'role_name', default_value='ego_vehicle', description='role of the vehicle'
            ),
            DeclareLaunchArgument(
                'camera', default_value='rgb_front', description="id of the vehicle's camera"
            ),
            *(
                DeclareLaunchArgument(name, default_value=value, description=about[name])
                for name, value in defaults.items()
            ),
            IncludeLaunchDescription(planner),
        ]
    )

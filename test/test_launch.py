"""The launch files: every parameter an argument, only what is given overrides, the right command.

The pure part runs everywhere; the rest runs where ROS 2's launch and launch_ros are installed.
"""

import ast
import itertools
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from emma_planner.config import ConfigError, PlannerConfig
from emma_planner.resources import (
    FASTDDS_VARIABLES,
    ResourceError,
    config_path,
    fastdds_environment,
    launch_path,
)
from emma_planner.ros.launch_arguments import (
    NOT_GIVEN,
    node_arguments,
    output_remappings,
    parameter_arguments,
    parameter_overrides,
    read_arguments,
)

LAUNCH_FILES = (
    'planner.launch.py',
    'replay.launch.py',
    'carla.launch.py',
    'simulation.launch.py',
)


@pytest.mark.parametrize('name', LAUNCH_FILES)
def test_launch_files_compile_and_say_how_to_use_them(name):
    tree = ast.parse(launch_path(name).read_text())
    assert f'ros2 launch emma_planner {name}' in ast.get_docstring(tree)
    assert 'generate_launch_description' in {getattr(node, 'name', '') for node in tree.body}


def test_every_parameter_has_an_argument_that_is_not_given_by_default():
    arguments = {item.name: item for item in parameter_arguments()}
    assert list(arguments) == [item.name for item in fields(PlannerConfig)]
    assert {item.default for item in arguments.values()} == {NOT_GIVEN}


def test_arguments_say_meaning_unit_range_and_default():
    arguments = {item.name: item.description for item in parameter_arguments()}
    assert arguments['rate_hz'] == 'plans per second of ROS time [Hz]; 0.1 to 50; default 2.0'
    assert 'one of auto, twist, pose' in arguments['odometry_source']
    assert arguments['server_model'].endswith("default ''")


def test_node_arguments_collide_with_no_parameter():
    parameters = {item.name for item in parameter_arguments()}
    assert not parameters.intersection(item.name for item in node_arguments())


def test_arguments_that_are_not_given_override_nothing():
    texts = {item.name: item.default for item in (*node_arguments(), *parameter_arguments())}
    given = read_arguments(texts)
    assert (given.files, given.overrides, given.config) == ((), {}, PlannerConfig())
    assert output_remappings(texts) == []


def test_arguments_become_values_of_the_parameters_type():
    texts = {'rate_hz': '4', 'seed': '7', 'autostart': 'False', 'model': '2', 'bag': 'x'}
    assert parameter_overrides(texts) == {
        'rate_hz': 4.0,
        'seed': 7,
        'autostart': False,
        'model': '2',
    }


@pytest.mark.parametrize(
    ('texts', 'message'),
    [
        ({'autostart': 'yes'}, 'autostart: need true or false'),
        ({'use_sim_time': 'maybe'}, 'use_sim_time: need true or false'),
        ({'seed': '1.5'}, 'seed: need int'),
        ({'rate_hz': 'fast'}, 'rate_hz: need float'),
        ({'rate_hz': '0'}, 'rate_hz: need 0.1 to 50 Hz'),
        ({'config': '/no/such.yaml'}, '/no/such.yaml: need a readable YAML file'),
    ],
)
def test_bad_arguments_are_refused_before_the_node_starts(texts, message):
    with pytest.raises(ConfigError, match=message):
        read_arguments(texts)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ResourceError, match=r'need config/mars\.yaml'):
        read_arguments({'preset': 'mars'})


def test_argument_wins_over_config_and_config_over_preset(tmp_path):
    config = tmp_path / 'mine.yaml'
    config.write_text('/**:\n  ros__parameters: {camera_z_m: 1.2, camera_x_m: 1.1}\n')
    given = read_arguments({'preset': 'kitti', 'config': str(config), 'camera_x_m': '0.9'})
    assert given.files == (config_path('kitti.yaml'), config)
    assert given.overrides == {'camera_x_m': 0.9}
    assert (given.config.camera_x_m, given.config.camera_z_m) == (0.9, 1.2)
    assert given.config.odometry_topic == '/kitti/oxts/odom'


def test_the_fastdds_profile_is_set_unless_the_environment_names_one():
    profile = str(config_path('fastdds.xml'))
    assert fastdds_environment({}) == {'FASTDDS_DEFAULT_PROFILES_FILE': profile}
    assert fastdds_environment({'ROS_DISTRO': 'humble'}) == {
        'FASTRTPS_DEFAULT_PROFILES_FILE': profile
    }
    for variable in FASTDDS_VARIABLES:
        assert fastdds_environment({variable: '/mine.xml'}) == {}


# with ROS 2's launch


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """Return what a launch file comes to: a function of its name and arguments."""
    pytest.importorskip('launch_ros.actions')
    prefix = tmp_path / 'prefix'
    (prefix / 'share/ament_index/resource_index/packages').mkdir(parents=True)
    for package, names in {
        'emma_planner': ('planner_node', 'bag_player', 'follower_node', 'simulation_node'),
        'rviz2': ('rviz2',),
    }.items():
        (prefix / f'share/ament_index/resource_index/packages/{package}').touch()
        folder = prefix / 'lib' / package
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).write_text('#!/bin/sh\n')
            (folder / name).chmod(0o755)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))
    for variable in (
        *FASTDDS_VARIABLES,
        'ROS_DISTRO',
    ):  # launch sets them here
        monkeypatch.setenv(variable, 'restored afterwards')
        monkeypatch.delenv(variable)
    return _Launched


class _Launched:
    """A launch file carried out up to the command lines; no process is started.

    ``nodes`` maps an executable to its command line.
    """

    def __init__(self, name: str, **texts: str) -> None:
        from launch import LaunchContext

        self.context = LaunchContext()
        self.context.launch_configurations.update(texts)
        self.nodes: dict[str, list[str]] = {}
        self._visit(_describe(name))

    def _visit(self, entity) -> None:
        from launch_ros.actions import Node

        if not getattr(entity, 'condition', None) or entity.condition.evaluate(self.context):
            if isinstance(entity, Node):
                self._resolve(entity)
                return
            for child in entity.visit(self.context) or []:
                self._visit(child)

    def _resolve(self, node) -> None:
        from launch.utilities import perform_substitutions

        node._perform_substitutions(self.context)
        self.context.extend_locals(
            {
                'ros_specific_arguments': {
                    'name': f'__node:={node._Node__expanded_node_name}',
                    'ns': f'__ns:={node.expanded_node_namespace}',
                }
            }
        )
        command = [perform_substitutions(self.context, part) for part in node.cmd]
        self.nodes[Path(command[0]).name] = command

    def parameters(self, node: str = 'planner_node') -> dict[str, object]:
        """What the parameter files of a node's command line come to."""
        command, values = self.nodes[node], {}
        for flag, path in itertools.pairwise(command):
            if flag == '--params-file':
                (section,) = yaml.safe_load(Path(path).read_text()).values()
                values.update(section['ros__parameters'])
        return values

    def remappings(self) -> set[str]:
        """All remappings of the planner's command line."""
        command = self.nodes['planner_node']
        return {rule for flag, rule in itertools.pairwise(command) if flag == '-r'}


@pytest.mark.parametrize('name', LAUNCH_FILES)
def test_all_arguments_are_listed(name):
    pytest.importorskip('launch_ros.actions')
    pairs = _describe(name).get_launch_arguments_with_include_launch_description_actions()
    names = {argument.name for argument, _ in pairs}
    assert names >= {item.name for item in (*node_arguments(), *parameter_arguments())}


def test_the_planner_starts_with_its_defaults_when_nothing_is_given(launched):
    plain = launched('planner.launch.py')
    assert plain.parameters() == {}
    assert plain.remappings() == {'__node:=planner', '__ns:=/'}
    assert plain.nodes['planner_node'][1:4] == ['--ros-args', '--log-level', 'info']


def test_given_arguments_reach_the_node_with_their_type(launched):
    given = launched(
        'planner.launch.py',
        preset='kitti',
        model='7',
        rate_hz='4',
        autostart='false',
        use_sim_time='true',
        namespace='ego',
        node_name='driver',
        log_level='debug',
        path_topic='/waypoints',
    )
    values = given.parameters()
    assert values['odometry_topic'] == '/kitti/oxts/odom'
    assert (values['model'], values['rate_hz']) == ('7', 4.0)
    assert (values['autostart'], values['use_sim_time']) == (False, True)
    assert 'seed' not in values
    assert given.remappings() == {'__node:=driver', '__ns:=/ego', 'path:=/waypoints'}
    assert 'debug' in given.nodes['planner_node']


def test_launch_sets_the_fastdds_profile_and_keeps_one_that_is_set(launched, monkeypatch):
    environment = launched('planner.launch.py').context.environment
    assert environment['FASTDDS_DEFAULT_PROFILES_FILE'] == str(config_path('fastdds.xml'))
    monkeypatch.setenv('FASTDDS_DEFAULT_PROFILES_FILE', '/mine.xml')
    environment = launched('planner.launch.py').context.environment
    assert environment['FASTDDS_DEFAULT_PROFILES_FILE'] == '/mine.xml'


def test_carla_launch_maps_topics_of_role_and_camera(launched):
    carla = launched('carla.launch.py', role_name='hero', camera='cam0', rate_hz='5.0')
    values = carla.parameters()
    assert values['image_topic'] == '/carla/hero/cam0/image'
    assert values['camera_info_topic'] == '/carla/hero/cam0/camera_info'
    assert values['odometry_topic'] == '/carla/hero/odometry'
    assert (values['use_sim_time'], values['target_speed_unit']) == (True, 'kmh')
    assert values['rate_hz'] == 5.0
    assert carla.remappings() >= {
        'path:=/carla/hero/waypoints',
        'target_speed:=/carla/hero/speed_command',
    }


def test_given_arguments_win_over_the_defaults_for_carla(launched):
    carla = launched('carla.launch.py', image_topic='/mine', path_topic='/p', use_sim_time='false')
    assert carla.parameters()['image_topic'] == '/mine'
    assert carla.parameters()['use_sim_time'] is False
    assert 'path:=/p' in carla.remappings()


@pytest.mark.recorded
def test_replay_launch_finds_topics_and_plays_when_the_planner_listens(launched):
    bag = str(_bag_or_skip())
    replay = launched('replay.launch.py', bag=bag, rate='2.0', loop='true', namespace='ego')
    image = '/kitti/camera_color_left/image_raw/compressed'
    values = replay.parameters()
    assert values['compressed_topic'] == image
    assert values['odometry_topic'] == '/kitti/oxts/odom'
    assert values['use_sim_time'] is True
    assert replay.nodes['bag_player'][1:7] == [bag, '--rate', '2.0', '--wait-for', image, '--loop']
    assert 'rviz2' not in replay.nodes


@pytest.mark.recorded
def test_rviz_opens_on_demand_in_the_same_namespace(launched):
    bag = str(_bag_or_skip())
    rviz = launched('replay.launch.py', bag=bag, rviz='true', namespace='ego').nodes['rviz2']
    assert str(config_path('rviz/planner.rviz')) in rviz
    assert '__ns:=/ego' in rviz


def _describe(name: str):
    from launch import LaunchContext
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(launch_path(name)))
    return source.get_launch_description(LaunchContext())


def _bag_or_skip() -> Path:
    bag = Path(__file__).parents[2] / 'shared/data/rosbag2_kitti_0005_mcap'
    if not bag.exists():
        pytest.skip(f'needs {bag}')
    return bag


def test_a_simulation_in_lock_step_is_world_planner_and_follower_that_wait_for_each_other(
    launched,
):
    simulation = launched(
        'simulation.launch.py', mode='lock-step', seeds='7', planner='constant-action'
    )
    assert set(simulation.nodes) == {'simulation_node', 'planner_node', 'follower_node'}
    world = simulation.parameters('simulation_node')
    assert (world['mode'], world['seeds'], world['latency_s']) == ('lock-step', '7', 0.0)
    planner = simulation.parameters()
    assert (planner['planner'], planner['on_image']) == ('constant-action', True)
    assert planner['use_sim_time'] is True
    follower = simulation.parameters('follower_node')
    assert (follower['on_odometry'], follower['path_topic']) == (True, 'path/effective')
    assert follower['odometry_topic'] == 'odometry/control'


def test_a_simulation_in_real_time_leaves_planner_and_follower_to_their_topics(launched):
    simulation = launched('simulation.launch.py', density='0.1', rviz='true')
    assert 'rviz2' in simulation.nodes
    assert simulation.parameters('simulation_node')['density'] == 0.1
    follower = simulation.parameters('follower_node')
    assert (follower['on_odometry'], follower['path_topic']) == (False, 'path')
    assert 'on_image' not in simulation.parameters()


def test_the_expert_needs_no_follower(launched):
    assert 'follower_node' not in launched('simulation.launch.py', driver='expert').nodes


def test_the_launch_file_knows_the_car_of_the_simulator():
    pytest.importorskip('metadrive')
    from metadrive.component.vehicle.vehicle_type import StaticDefaultVehicle as Car

    text = launch_path('simulation.launch.py').read_text()
    assert f"'{Car.FRONT_WHEELBASE + Car.REAR_WHEELBASE:.5f}'" in text

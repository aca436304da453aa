"""Shipped files are found in the source tree and installed."""

import sys
from pathlib import Path

import pytest

from emma_planner.config import load_config
from emma_planner.resources import ResourceError, config_path, launch_path, preset_names

ROOT = Path(__file__).parents[1]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return a package folder installed under a prefix, with nothing in the ament index."""
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    package = tmp_path / 'lib/python3.11/site-packages/emma_planner'
    package.mkdir(parents=True)
    config = tmp_path / 'share/emma_planner/config'
    config.mkdir(parents=True)
    for name in ('planner.yaml', 'kitti.yaml', 'fastdds.xml'):
        (config / name).touch()
    return package


def test_in_a_source_tree_its_own_files_are_found():
    if not (ROOT / 'package.xml').samefile(
        launch_path('planner.launch.py').parents[1] / 'package.xml'
    ):
        pytest.skip('the package under test is an installed one')
    assert config_path('rviz/planner.rviz') == ROOT / 'config/rviz/planner.rviz'
    assert launch_path('carla.launch.py') == ROOT / 'launch/carla.launch.py'


def test_installed_files_are_found_under_the_prefix_of_the_package(installed, tmp_path):
    found = config_path('kitti.yaml', installed)
    assert found == tmp_path / 'share/emma_planner/config/kitti.yaml'
    assert preset_names(installed) == ('kitti',)


def test_the_ament_index_is_asked_last(tmp_path, monkeypatch):
    pytest.importorskip('ament_index_python')
    index = tmp_path / 'ament/share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    (index / 'emma_planner').touch()
    config = tmp_path / 'ament/share/emma_planner/config'
    config.mkdir(parents=True)
    (config / 'kitti.yaml').touch()
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path / 'ament'))
    assert config_path('kitti.yaml', tmp_path / 'elsewhere/emma_planner') == config / 'kitti.yaml'


def test_without_ament_only_folders_are_searched(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ament_index_python.packages', None)
    with pytest.raises(ResourceError, match=r'need config/kitti\.yaml.*not found in no folder'):
        config_path('kitti.yaml', tmp_path / 'elsewhere/emma_planner')


def test_a_missing_file_says_where_it_was_searched(installed, tmp_path):
    with pytest.raises(ResourceError, match=r'need config/mars\.yaml') as error:
        config_path('mars.yaml', installed)
    assert str(tmp_path / 'share/emma_planner') in str(error.value)


@pytest.mark.parametrize('name', preset_names())
def test_every_preset_loads_and_names_camera_and_ego_motion(name):
    config = load_config(config_path(f'{name}.yaml'))
    assert config.image_topic.startswith('/')
    assert config.camera_info_topic.startswith('/')
    assert config.odometry_topic.startswith('/')


def test_presets_hold_what_their_sources_need():
    presets = {name: load_config(config_path(f'{name}.yaml')) for name in preset_names()}
    assert set(presets) == {'autoware', 'carla', 'kitti', 'nuscenes'}
    assert presets['carla'].target_speed_unit == 'kmh'
    assert presets['nuscenes'].odometry_source == 'pose'
    assert presets['kitti'].twist_topic == '/kitti/oxts/gps/vel'
    assert presets['autoware'].odometry_topic == '/localization/kinematic_state'

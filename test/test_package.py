"""The package as colcon and pip see it: metadata, dependencies, installed files."""

import ast
import importlib
import os
import re
import runpy
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

import emma_planner

ROOT = Path(__file__).parents[1]
SOURCES = (*(ROOT / 'emma_planner').rglob('*.py'), *(ROOT / 'launch').glob('*.py'))
ROSDEP_KEYS = {
    'PIL': 'python3-pil',
    'cv2': 'python3-opencv',
    'huggingface_hub': 'python3-transformers-pip',
    'numpy': 'python3-numpy',
    'rosbags': 'python3-rosbags-pip',
    'tokenizers': 'python3-transformers-pip',
    'torch': 'python3-pytorch-pip',
    'transformers': 'python3-transformers-pip',
    'jinja2': 'python3-jinja2',
    'matplotlib': 'python3-matplotlib',
    'yaml': 'python3-yaml',
}
CHOSEN_BY_PARAMETER = {'ackermann_msgs', 'carla_msgs'}
"""Needed only where follower_node's control_type says so, which names them when they are missing;
carla_msgs is in no distribution."""
NO_ROSDEP_KEY = {
    'accelerate',
    'llguidance',
    'metadrive',
    'nuscenes',
    'panda3d',
    'peft',
    'ray',
    'torchao',
    'rosbags.image',
}
_ROS = re.compile(
    r'rclpy|launch|launch_ros|cv_bridge|tf_transformations|ament_\w+|rcl_\w+|\w+_msgs'
)
_MESSAGE = re.compile(r"'(\w+)/msg/\w+'")
_EXTRA = re.compile(r'emma_planner\[([\w,]+)\]')


@cache
def _package() -> ElementTree.Element:
    return ElementTree.parse(ROOT / 'package.xml').getroot()


@cache
def _depends() -> set[str]:
    return {str(item.text) for item in _package() if item.tag.endswith('depend')}


@pytest.fixture
def declared(monkeypatch):
    """What setup.py passes to setuptools."""
    setuptools = pytest.importorskip('setuptools')
    given = {}
    monkeypatch.setattr(setuptools, 'setup', lambda **options: given.update(options))
    monkeypatch.chdir(ROOT)
    runpy.run_path('setup.py')
    return given


def _imported() -> set[str]:
    modules = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                modules.add(str(node.module))
    tops = {name if name.startswith('rosbags.image') else name.split('.')[0] for name in modules}
    return tops - set(sys.stdlib_module_names) - {'emma_planner'}


def test_package_xml_is_an_ament_python_package_of_format_3():
    assert _package().get('format') == '3'
    assert _package().findtext('name') == 'emma_planner'
    assert _package().findtext('license') == 'Apache-2.0'
    assert _package().findtext('export/build_type') == 'ament_python'
    assert 'Apache License' in (ROOT / 'LICENSE').read_text()
    assert (ROOT / 'resource/emma_planner').is_file()


def test_the_version_is_the_same_everywhere(declared):
    version = emma_planner.__version__
    assert _package().findtext('version') == version
    assert declared['version'] == version
    assert re.search(rf'\b{re.escape(version)}\b', (ROOT / 'CHANGELOG.rst').read_text())


def test_every_ros_package_in_use_is_a_dependency():
    used = {name for name in _imported() if _ROS.fullmatch(name)}
    for path in SOURCES:
        used.update(_MESSAGE.findall(path.read_text(encoding='utf-8')))
    missing = used - _depends() - CHOSEN_BY_PARAMETER
    assert not missing, f'missing in package.xml: {sorted(missing)}'


def test_every_other_import_has_a_rosdep_key_or_is_documented():
    others = {name for name in _imported() if not _ROS.fullmatch(name)}
    unknown = others - set(ROSDEP_KEYS) - NO_ROSDEP_KEY
    assert not unknown, f'no rosdep key known for {sorted(unknown)}'
    missing = {ROSDEP_KEYS[name] for name in others - NO_ROSDEP_KEY} - _depends()
    assert not missing, f'missing in package.xml: {sorted(missing)}'
    contributing = (ROOT / 'CONTRIBUTING.md').read_text()
    assert all(name.replace('.', '-') in contributing for name in NO_ROSDEP_KEY)


def test_extras_that_messages_and_documents_name_exist(declared):
    texts = [path.read_text(encoding='utf-8') for path in SOURCES]
    texts += [path.read_text(encoding='utf-8') for path in ROOT.glob('*.md')]
    named = {name for text in texts for match in _EXTRA.findall(text) for name in match.split(',')}
    setup = (ROOT / '.ci/setup').read_text()
    named.update(re.search(r'^extras=(.+)$', setup, re.MULTILINE)[1].split(','))
    assert named
    assert named <= set(declared['extras_require'])


def test_the_base_install_is_light(declared):
    base = {re.split(r'[<>=\[ ]', item)[0] for item in declared['install_requires']}
    assert base == {'numpy', 'PyYAML', 'rosbags', 'setuptools'}


@pytest.mark.ros
@pytest.mark.parametrize(
    'name', ['emma', 'planner_node', 'follower_node', 'simulation_node', 'bag_player']
)
def test_executables_can_be_imported(declared, name):
    if name != 'emma':
        pytest.importorskip('rclpy')
    targets = dict(
        re.split(r'\s*=\s*', item) for item in declared['entry_points']['console_scripts']
    )
    module, function = targets[name].split(':')
    assert callable(getattr(importlib.import_module(module), function))


def test_all_launch_and_config_files_are_installed(declared):
    installed = {file for _, files in declared['data_files'] for file in files}
    assert all((ROOT / file).is_file() for file in installed)
    shipped = {
        str(path.relative_to(ROOT))
        for folder in ('launch', 'config')
        for path in (ROOT / folder).rglob('*')
        if path.is_file() and '__pycache__' not in path.parts
    }
    assert shipped <= installed
    assert {'package.xml', 'resource/emma_planner'} <= installed


def _copy_of_sources(folder: Path) -> Path:
    names = ('package.xml', 'setup.py', 'setup.cfg', 'pyproject.toml', 'LICENSE', 'README.md')
    folder.mkdir(parents=True)
    for name in names:
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
    for name in ('emma_planner', 'launch', 'config', 'resource'):
        ignore = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    return folder


def _found_presets(python: str, site: Path) -> str:
    code = 'from emma_planner.resources import *; print(config_path("carla.yaml"))'
    environment = {**os.environ, 'PYTHONPATH': str(site)}
    result = subprocess.run(
        [python, '-c', code], cwd='/', env=environment, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


@pytest.mark.slow
def test_pip_puts_emma_in_bin_and_finds_its_files(tmp_path):
    source, prefix = _copy_of_sources(tmp_path / 'source'), tmp_path / 'prefix'
    command = [
        sys.executable,
        '-m',
        'pip',
        'install',
        '--quiet',
        '--no-deps',
        '--ignore-installed',
    ]
    command += ['--no-build-isolation', '--prefix', str(prefix), str(source)]
    subprocess.run(command, check=True, timeout=200)
    (site,) = prefix.glob('lib*/python*/site-packages')
    environment = {**os.environ, 'PYTHONPATH': str(site)}
    version = subprocess.run(
        [prefix / 'bin/emma', '--version'],
        cwd='/',
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert version.stdout.split() == ['emma_planner', emma_planner.__version__]
    assert _found_presets(sys.executable, site) == str(
        prefix / 'share/emma_planner/config/carla.yaml'
    )


@pytest.mark.slow
def test_colcon_puts_executables_where_ros2_run_looks(tmp_path):
    colcon = shutil.which('colcon')
    if colcon is None:
        pytest.skip('needs colcon')
    _copy_of_sources(tmp_path / 'src/emma_planner')
    subprocess.run([colcon, 'build'], cwd=tmp_path, check=True, timeout=200)
    prefix = tmp_path / 'install/emma_planner'
    executables = {path.name for path in (prefix / 'lib/emma_planner').iterdir()}
    assert executables >= {'emma', 'planner_node', 'follower_node', 'bag_player'}
    assert (prefix / 'share/ament_index/resource_index/packages/emma_planner').is_file()
    assert (prefix / 'share/emma_planner/launch/planner.launch.py').is_file()
    (site,) = prefix.glob('lib/python*/site-packages')
    assert _found_presets(sys.executable, site) == str(
        prefix / 'share/emma_planner/config/carla.yaml'
    )

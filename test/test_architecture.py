"""The rules of the layout: who may import what, and what an import may load."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'emma_planner'
MODULES = sorted(path.relative_to(ROOT) for path in PACKAGE.rglob('*.py'))
HEAVY = ('torch', 'transformers', 'rclpy', 'cv2')
PLANNING = [
    '.'.join(path.with_suffix('').parts)
    for path in MODULES
    if 'planning' in path.parts and path.name != '__init__.py'
]
LIMITED = {
    'torch': ('emma_planner/models/', 'emma_planner/training/', 'emma_planner/perception/'),
    'transformers': ('emma_planner/models/', 'emma_planner/training/', 'emma_planner/perception/'),
    'rclpy': ('emma_planner/ros/*_node.py', 'emma_planner/ros/bag_player.py'),
    'metadrive': ('emma_planner/simulation/engine/*.py',),
    'panda3d': (
        'emma_planner/simulation/engine/*.py',
        'emma_planner/simulation/picture/rasterizer.py',
        'emma_planner/simulation/picture/scene.py',
    ),
    'ray': ('emma_planner/fan_out.py',),
}


def _imports(path: Path) -> Iterator[str]:
    """Top-level names of every package imported anywhere in a module."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or '').split('.')[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith('import_module'):
            argument = node.args[0]
            if isinstance(argument, ast.Constant):
                yield str(argument.value).split('.')[0]


def _is_allowed(path: Path, places: tuple[str, ...]) -> bool:
    return any(
        path.as_posix().startswith(place) if place.endswith('/') else path.match(place)
        for place in places
    )


def test_the_import_contracts_hold():
    pytest.importorskip('importlinter')
    result = subprocess.run(
        [sys.executable, '-c', 'from importlinter.cli import lint_imports_command as run; run()'],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert '0 broken' in result.stdout


@pytest.mark.parametrize('package', LIMITED)
def test_a_heavy_package_is_imported_only_where_the_layout_says(package):
    offenders = [
        path.as_posix()
        for path in MODULES
        if package in _imports(path) and not _is_allowed(path, LIMITED[package])
    ]
    assert offenders == []


def test_planning_imports_numpy_and_the_standard_library_alone():
    allowed = {*sys.stdlib_module_names, 'numpy', 'emma_planner'}
    for path in MODULES:
        if path.match('emma_planner/planning/*.py'):
            assert set(_imports(path)) <= allowed, path


@pytest.mark.parametrize('name', [*PLANNING, 'emma_planner.config', 'emma_planner.cli'])
def test_importing_the_core_loads_nothing_heavy(name):
    if not (ROOT / Path(*name.split('.')).with_suffix('.py')).exists():
        pytest.skip(f'{name} does not exist')
    code = f'import sys, {name}; print([heavy for heavy in {HEAVY} if heavy in sys.modules])'
    result = subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout.strip()) == (0, '[]'), result.stderr


def test_core_modules_name_what_they_are_for():
    vague = {'utils', 'util', 'helpers', 'helper', 'common', 'misc', 'manager', 'tools'}
    assert [path.as_posix() for path in MODULES if vague & set(path.with_suffix('').parts)] == []


def test_no_package_re_exports_what_its_modules_define():
    for path in MODULES:
        if path.name != '__init__.py':
            continue
        tree = ast.parse((ROOT / path).read_text(encoding='utf-8'))
        assert not [name for name in _assigned(tree) if name == '__all__'], path
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('emma_planner'):
                unused = {alias.asname or alias.name for alias in node.names} - used
                assert not unused, f'{path} re-exports {unused}'


def _assigned(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            yield from (ast.unparse(target) for target in node.targets)


@pytest.mark.parametrize('path', MODULES, ids=str)
def test_every_module_says_what_it_is_for(path):
    tree = ast.parse((ROOT / path).read_text(encoding='utf-8'))
    if tree.body:
        assert ast.get_docstring(tree), f'{path} needs a docstring'

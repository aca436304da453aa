"""Parameters: the file lists what the dataclass holds, and a mistake is named with its cure."""

from __future__ import annotations

import itertools
import re
from dataclasses import Field, asdict, fields, replace
from pathlib import Path

import pytest
import yaml

from emma_planner.config import (
    ConfigError,
    PlannerConfig,
    load_config,
    load_parameters,
    update_config,
)
from emma_planner.control.config import FollowerConfig
from emma_planner.simulation.config import SimulationConfig

ROOT = Path(__file__).parents[1]
PLANNER_YAML = ROOT / 'config' / 'planner.yaml'
FILES = {
    PlannerConfig: PLANNER_YAML,
    FollowerConfig: ROOT / 'config' / 'follower.yaml',
    SimulationConfig: ROOT / 'config' / 'simulation.yaml',
}
SOURCES = {
    PlannerConfig: 'emma_planner/config.py',
    FollowerConfig: 'emma_planner/control/config.py',
    SimulationConfig: 'emma_planner/simulation/config.py',
}
each_kind = pytest.mark.parametrize('kind', FILES, ids=lambda kind: kind.__name__)
each = pytest.mark.parametrize(
    ('kind', 'item'),
    [(kind, item) for kind in FILES for item in fields(kind)],
    ids=lambda value: getattr(value, 'name', ''),
)


def _comments(path: Path) -> dict[str, str]:
    """Comment lines right above each key, joined."""
    comments, lines = {}, []
    for line in path.read_text(encoding='utf-8').splitlines():
        if match := re.match(r' +# (.*)', line):
            lines.append(match.group(1))
            continue
        if match := re.match(r' +(\w+): \S', line):
            comments[match.group(1)] = ' '.join(lines)
        lines = []
    return comments


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes) -> Path:
        path = tmp_path / 'planner.yaml'
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def _error(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(f'{path}: ')
    assert '\n' not in message
    return message.removeprefix(f'{path}: ')


@each_kind
def test_the_file_lists_every_parameter_with_its_default_in_order(kind: type):
    values = yaml.safe_load(FILES[kind].read_text(encoding='utf-8'))['/**']['ros__parameters']
    assert list(values.items()) == list(asdict(kind()).items())
    assert [type(value) for value in values.values()] == [
        type(item.default) for item in fields(kind)
    ]


@each_kind
def test_loading_the_file_gives_the_defaults(kind: type):
    assert load_parameters(kind(), FILES[kind]) == kind()


def test_the_planner_is_what_is_loaded_where_nothing_is_said():
    assert load_config(PLANNER_YAML) == load_config() == PlannerConfig()


@each
def test_the_file_states_meaning_unit_and_range(kind: type, item: Field):
    comment = _comments(FILES[kind])[item.name]
    doc, unit, low, high, choices = (
        item.metadata[key] for key in ('doc', 'unit', 'low', 'high', 'choices')
    )
    assert comment.startswith(doc)
    if unit:
        assert f' [{unit}]' in comment
    if low is not None:
        assert comment.endswith(f', {low:.10g} to {high:.10g}')
    if choices:
        assert comment.endswith('; one of ' + ', '.join(choices))


@each_kind
def test_the_file_is_grouped_as_the_dataclass_is(kind: type):
    source = (ROOT / SOURCES[kind]).read_text(encoding='utf-8')
    body = source[source.index(f'class {kind.__name__}') :]
    headings = re.findall(r'^    # (.*)$', body, re.MULTILINE)
    text = FILES[kind].read_text(encoding='utf-8')
    positions = [text.index(f'    # {name[0].upper()}{name[1:]}\n\n') for name in headings]
    assert len(positions) == 7
    assert positions == sorted(positions)


@each
def test_numbers_have_a_range_and_quantities_a_unit(kind: type, item: Field):
    if type(item.default) is float:
        assert item.metadata['unit']
    if type(item.default) in (int, float):
        assert item.metadata['low'] <= item.default <= item.metadata['high']
    suffixes = {'_mps': 'm/s', '_mps2': 'm/s^2', '_1pm': '1/m', '_s': 's', '_m': 'm'}
    suffixes |= {'_hz': 'Hz', '_deg': 'deg', '_px': 'px', '_rad': 'rad', '_radps': 'rad/s'}
    suffixes |= {'_mps3': 'm/s^3', '_1ps': '1/s', '_1ps2': '1/s^2'}
    for suffix, unit in suffixes.items():
        if item.name.endswith(suffix):
            assert item.metadata['unit'] == unit


@each
def test_a_value_outside_its_range_or_choices_is_refused(kind: type, item: Field):
    meta = item.metadata
    if meta['choices']:
        with pytest.raises(ConfigError, match=f"{item.name}: need one of .*, got 'magic'"):
            replace(kind(), **{item.name: 'magic'})
    elif meta['low'] is not None:
        number = type(item.default)
        for bound in (meta['low'], meta['high']):
            replace(kind(), **{item.name: number(bound)})
        for outside in (number(meta['low'] - 1), number(meta['high'] + 1)):
            with pytest.raises(ConfigError, match=f'{item.name}: need .* to .*, got'):
                replace(kind(), **{item.name: outside})


def test_messages_name_key_need_unit_and_value(write):
    assert _error(write('rate_hz: 99.0')) == 'rate_hz: need 0.1 to 50 Hz, got 99.0'
    assert _error(write('seed: -1')) == 'seed: need 0 to 2147483647, got -1'
    assert _error(write('dtype: int3')) == (
        "dtype: need one of auto, float32, bfloat16, float16, int8, float8, got 'int3'"
    )


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('rat_hz: 2', "unknown key 'rat_hz'; nearest is rate_hz"),
        ('max_speed: 2', "unknown key 'max_speed'; nearest is max_speed_mps"),
        ('Model: x', "unknown key 'Model'; nearest is model"),
        ('qqqq: 2', "unknown key 'qqqq'"),
        ('1: 2', 'unknown key 1'),
        ('rate_hz: fast', "rate_hz: need float, got 'fast'"),
        ('rate_hz:', 'rate_hz: need float, got None'),
        ('rate_hz: true', 'rate_hz: need float, got True'),
        ('rate_hz: .nan', 'rate_hz: need 0.1 to 50 Hz, got nan'),
        ('rate_hz: .inf', 'rate_hz: need 0.1 to 50 Hz, got inf'),
        ('seed: true', 'seed: need int, got True'),
        ('seed: 1.0', 'seed: need int, got 1.0'),
        ('use_reasoning: 1', 'use_reasoning: need bool, got 1'),
        ('model: 7', 'model: need str, got 7'),
        ('model: [a, b]', "model: need str, got ['a', 'b']"),
        ('- rate_hz', 'need a mapping of parameters, got list'),
        ('just words', 'need a mapping of parameters, got str'),
        ('/**:\n  ros__parameters: [1]', 'need a mapping under /**: ros__parameters, got list'),
        ('/**:\n  ros__parameters:\n    rat_hz: 2', "unknown key 'rat_hz'; nearest is rate_hz"),
    ],
)
def test_each_mistake_has_one_clear_line(write, text, message):
    assert _error(write(text)) == message


@pytest.mark.parametrize(
    'text',
    [
        'rate_hz: [',
        'a: b: c',
        '\t- x',
        '{[1]: 2}',
        'x: !!python/object:os.system {}',
        'model: 2020-13-45',
        'seed: ' + '9' * 5000,
        '[' * 5000,
        b'\x89PNG\r\n\x1a\n\x00\x00',
        b'\xff\xfe\x00',
        bytes(range(256)),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_what_is_no_yaml_says_so(write, text):
    assert _error(write(text)).startswith('need valid YAML, got: ')


def test_a_whole_number_too_large_for_a_float_is_refused(write):
    assert _error(write('rate_hz: 1' + '0' * 400)).startswith('rate_hz: need float, got 1000')


def test_a_missing_file_is_named(tmp_path):
    assert _error(tmp_path / 'no.yaml') == (
        'need a readable YAML file, got No such file or directory'
    )
    assert _error(tmp_path) == 'need a readable YAML file, got Is a directory'


def test_a_whole_number_is_a_float_where_one_is_needed(write):
    config = load_config(write('rate_hz: 4'))
    assert config.rate_hz == 4.0
    assert type(config.rate_hz) is float


@pytest.mark.parametrize(
    'text',
    [
        'rate_hz: 4.0\nmodel: here',
        '/**:\n  ros__parameters:\n    rate_hz: 4.0\n    model: here',
        '/emma/planner:\n  ros__parameters: {rate_hz: 4.0, model: here, use_sim_time: true}',
        'planner:\n  ros__parameters:\n    rate_hz: 4.0\n    model: here',
        '%YAML 1.1\n---\nrate_hz: 4.0\nmodel: here\n...\n',
    ],
)
def test_plain_and_ros_form_are_read_alike(write, text):
    assert load_config(write(text)) == PlannerConfig(rate_hz=4.0, model='here')


@pytest.mark.parametrize('text', ['', '# nothing', '/**:\n  ros__parameters:', '{}'])
def test_an_empty_file_means_the_defaults(write, text):
    assert load_config(write(text)) == PlannerConfig()


def test_options_win_over_the_file(write):
    config = load_config(write('rate_hz: 4.0\nseed: 3'), {'rate_hz': 8.0})
    assert (config.rate_hz, config.seed) == (8.0, 3)


def test_a_wrong_option_is_named_as_an_option():
    with pytest.raises(ConfigError, match=r"^options: unknown key 'sed'; nearest is seed$"):
        load_config(None, {'sed': 1})


def test_update_changes_what_is_named_alone():
    config = PlannerConfig(seed=5)
    assert update_config(config, {'rate_hz': 1.0}, 'here') == PlannerConfig(seed=5, rate_hz=1.0)
    assert update_config(config, {}, 'here') == config
    with pytest.raises(ConfigError, match=r'^here: seed: need int'):
        update_config(config, {'seed': 'x'}, 'here')


def test_hash_tells_configurations_apart():
    configs = [PlannerConfig(), PlannerConfig(seed=1), PlannerConfig(model='x')]
    hashes = [config.hash() for config in configs]
    assert hashes[0] == PlannerConfig().hash()
    assert all(a != b for a, b in itertools.combinations(hashes, 2))

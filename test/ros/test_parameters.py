"""ROS parameters: declared from the dataclass, checked when given and when set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields

import pytest

pytest.importorskip('rclpy')
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from emma_planner.config import ConfigError, PlannerConfig
from emma_planner.ros.parameters import declare_parameters, read_parameters

pytestmark = pytest.mark.ros
each = pytest.mark.parametrize('item', fields(PlannerConfig), ids=lambda item: item.name)


@pytest.fixture(scope='module')
def context() -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()


@pytest.fixture
def make_node(context) -> Iterator[Callable[..., Node]]:
    nodes = []

    def make(**given) -> Node:
        nodes.append(rclpy.create_node('parameters', context=context))
        declare_parameters(nodes[-1], PlannerConfig, given)
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()


@pytest.fixture(scope='module')
def declared(context) -> Iterator[Node]:
    node = rclpy.create_node('declared', context=context)
    declare_parameters(node, PlannerConfig, {})
    yield node
    node.destroy_node()


@each
def test_every_parameter_is_declared_with_default_meaning_unit_and_range(declared, item):
    assert declared.get_parameter(item.name).value == item.default
    descriptor = declared.describe_parameter(item.name)
    assert item.metadata['doc'] in descriptor.description
    unit, low, high = (item.metadata[key] for key in ('unit', 'low', 'high'))
    assert not unit or descriptor.description.endswith(f'[{unit}]')
    assert descriptor.additional_constraints == ', '.join(item.metadata['choices'])
    ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
    assert [(r.from_value, r.to_value) for r in ranges] == ([] if low is None else [(low, high)])


def test_values_are_read_back_as_they_were_given(make_node):
    given = {'rate_hz': 4.0, 'planner': 'constant-velocity', 'seed': 7, 'autostart': False}
    assert read_parameters(make_node(**given), PlannerConfig) == PlannerConfig(**given)


def test_parameters_of_every_ros_node_are_let_through(make_node):
    make_node(**{'use_sim_time': True, 'qos_overrides./path.publisher.depth': 3})


@pytest.mark.parametrize(
    ('given', 'said'),
    [
        ({'rate': 2.0}, "unknown key 'rate'; nearest is rate_hz"),
        ({'image_topik': 'x'}, "unknown key 'image_topik'; nearest is image_topic"),
        ({'rate_hz': 'fast'}, "rate_hz: need float, got 'fast'"),
        ({'rate_hz': 99.0}, 'rate_hz: need 0.1 to 50 Hz, got 99.0'),
        ({'rate_hz': float('nan')}, 'rate_hz: need 0.1 to 50 Hz, got nan'),
        ({'seed': 1.5}, 'seed: need int, got 1.5'),
        ({'planner': 'magic'}, 'planner: need one of mllm, constant-action'),
    ],
)
def test_what_is_given_wrong_is_refused_with_the_cure(make_node, given, said):
    with pytest.raises(ConfigError, match=r'^parameters: ') as caught:
        make_node(**given)
    assert said in str(caught.value)


def test_a_whole_number_serves_where_a_float_is_needed(make_node):
    node = make_node(rate_hz=4)
    assert read_parameters(node, PlannerConfig).rate_hz == 4.0
    assert node.get_parameter('rate_hz').type_ is Parameter.Type.DOUBLE


@pytest.mark.parametrize(
    ('name', 'value', 'said'),
    [
        ('rate_hz', 99.0, 'rate_hz'),
        ('seed', -1, 'seed'),
        ('planner', 'magic', 'planner: need one of mllm'),
        ('rate_hz', float('nan'), 'rate_hz'),
        ('image_topic', 3, 'Wrong parameter type'),
    ],
)
def test_what_is_set_wrong_at_run_time_is_refused_with_a_reason(make_node, name, value, said):
    node = make_node()
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert said in result.reason
    assert read_parameters(node, PlannerConfig) == PlannerConfig()


def test_what_is_set_right_at_run_time_is_taken(make_node):
    node = make_node()
    (result,) = node.set_parameters([Parameter('rate_hz', value=5.0)])
    assert result.successful
    assert read_parameters(node, PlannerConfig).rate_hz == 5.0

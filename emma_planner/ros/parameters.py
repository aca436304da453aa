"""A node's parameters as ROS parameters: declared, ranged, checked when they are set.

Takes a node by its methods. A parameter that is given but not known ends the start with the
nearest valid name, since rclpy would ignore it without a word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)

from emma_planner.config import Config, ConfigError, update_config

_OF_ROS = ('use_sim_time', 'start_type_description_service', 'qos_overrides.')
"""Parameters that every node has."""


def declare_parameters(node: Any, kind: type[Config], given: Mapping[str, Any]) -> None:
    """Declare every parameter with its meaning, unit and range.

    :param node: an rclpy node
    :param kind: the dataclass that holds its parameters
    :param given: parameter overrides of the command line and of files
    :raises ConfigError: unknown name, wrong type or out of range
    """
    ours = {name: value for name, value in given.items() if not name.startswith(_OF_ROS)}
    config = update_config(kind(), ours, 'parameters')
    for item in fields(kind):
        node.declare_parameter(
            item.name, getattr(config, item.name), _descriptor(item), ignore_override=True
        )
    node.add_on_set_parameters_callback(lambda changes: _check(node, kind, changes))


def read_parameters(node: Any, kind: type[Config]) -> Config:
    """Return the parameters as they are set now.

    :param kind: as it was declared
    """
    names = [item.name for item in fields(kind)]
    return kind(**{name: node.get_parameter(name).value for name in names})


def _check(node: Any, kind: type[Config], changes: Sequence[Any]) -> SetParametersResult:
    names = {item.name for item in fields(kind)}
    values = {change.name: change.value for change in changes if change.name in names}
    try:
        update_config(read_parameters(node, kind), values, 'parameters')
    except ConfigError as err:
        return SetParametersResult(successful=False, reason=str(err))
    return SetParametersResult(successful=True)


def _descriptor(item: Any) -> ParameterDescriptor:
    doc, unit, low, high, choices = (
        item.metadata[key] for key in ('doc', 'unit', 'low', 'high', 'choices')
    )
    descriptor = ParameterDescriptor(
        description=f'{doc} [{unit}]' if unit else doc,
        additional_constraints=', '.join(choices),
    )
    if low is not None and isinstance(item.default, float):
        limits = FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
        descriptor.floating_point_range = [limits]
    elif low is not None:
        limits = IntegerRange(from_value=int(low), to_value=int(high), step=1)
        descriptor.integer_range = [limits]
    return descriptor

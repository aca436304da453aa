"""Make ROS messages for rclpy or for a bag with the same code.

rclpy and rosbags name fields alike; they differ in how a byte and an array of bytes are given.
Setters of rclpy do not check types, so every caller casts numbers itself.
"""

from __future__ import annotations

import array
import importlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from emma_planner.planning.types import ByteArray, FloatArray

_DTYPES = {'byte': 'uint8', 'char': 'uint8', 'octet': 'uint8'}
"""Base types of ROS that numpy calls otherwise."""


class MessageFactory(Protocol):
    """Makes messages of one library."""

    def __call__(self, type_name: str, **fields: Any) -> Any:
        """Make ``pkg/msg/Name`` with all of its fields given."""
        ...

    def byte(self, value: int) -> Any:
        """Return the value for a field of type ``byte``."""
        ...

    def data(self, values: ByteArray) -> Any:
        """Return the value for a field of type ``uint8[]``."""
        ...

    def floats(self, values: Sequence[float]) -> Any:
        """Return the value for a field of type ``float64[]``."""
        ...


class RclpyMessages:
    """Messages that rclpy publishes."""

    def __call__(self, type_name: str, **fields: Any) -> Any:
        """Make a message; fields not given keep their default."""
        return message_class(type_name)(**fields)

    def byte(self, value: int) -> bytes:
        """rclpy wants bytes of length 1."""
        return bytes([value])

    def data(self, values: ByteArray) -> array.array[int]:
        """An array('B') is taken over as it is; an ndarray is converted element by element."""
        data = array.array('B')
        data.frombytes(np.ascontiguousarray(values).tobytes())
        return data

    def floats(self, values: Sequence[float]) -> array.array[float]:
        """rclpy wants an array('d')."""
        return array.array('d', values)


class BagMessages:
    """Messages that rosbags serialises.

    :param typestore: a typestore of rosbags
    """

    def __init__(self, typestore: Any) -> None:
        self._typestore = typestore

    def __call__(self, type_name: str, **fields: Any) -> Any:
        """Make a message; fields not given are zero or empty, as in ROS."""
        missing = {
            name: self._zero(kind)
            for name, kind in self._typestore.fielddefs[type_name][1]
            if name not in fields
        }
        return self._typestore.types[type_name](**fields, **missing)

    def _zero(self, kind: tuple[Any, Any]) -> Any:
        # imported here: the live node on a ROS machine does not need rosbags
        from rosbags.interfaces import Nodetype

        node, what = kind
        if node is Nodetype.BASE:
            return {'string': '', 'bool': False}.get(what[0], 0)
        if node is Nodetype.NAME:
            return self(what)
        element, count = what
        if element[0] is Nodetype.BASE and element[1][0] != 'string':
            return np.zeros(count, dtype=_DTYPES.get(element[1][0], element[1][0]))
        return [self._zero(element) for _ in range(count)]

    def byte(self, value: int) -> int:
        """rosbags wants a number."""
        return value

    def data(self, values: ByteArray) -> ByteArray:
        """rosbags wants a flat array."""
        return np.ascontiguousarray(values).reshape(-1)

    def floats(self, values: Sequence[float]) -> FloatArray:
        """rosbags wants a flat array."""
        return np.array(values, dtype=np.float64)


@lru_cache(maxsize=64)
def message_class(type_name: str) -> Any:
    """Return the class of ``pkg/msg/Name``."""
    package, kind, name = type_name.split('/')
    return getattr(importlib.import_module(f'{package}.{kind}'), name)

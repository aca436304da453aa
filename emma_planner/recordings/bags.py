"""Bags on disk: rosbag2 (sqlite3, MCAP) and rosbag1 in, rosbag2 MCAP out, without ROS.

A damaged bag ends in a :class:`BagError` that says how far it could be read; what was read before
has been handed on by then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from emma_planner.ros.messages import BagMessages

BAG_VERSION: Literal[8, 9] = 8
"""rosbag2 metadata version that Humble to Kilted read."""


class BagError(Exception):
    """A bag that cannot be read or written; the message names file, need and finding."""


@dataclass(frozen=True, eq=False)
class BagMessage:
    """One message as recorded.

    :param log_ns: time at which it was recorded [ns]
    :param raw: serialised as in the bag
    """

    topic: str
    type_name: str
    log_ns: int
    raw: bytes
    _deserialize: Callable[[bytes, str], Any]

    def decode(self) -> Any:
        """Return the message with its fields.

        :raises BagError: the bytes are not such a message
        """
        try:
            return self._deserialize(self.raw, self.type_name)
        except Exception as err:  # rosbags lets struct and index errors of bad bytes through
            raise BagError(
                f'{self.topic}: need a {self.type_name}, got {len(self.raw)} bytes that are none'
            ) from err


class BagReader:
    """A recording opened for reading; a context manager.

    :param path: rosbag2 folder, a single .mcap or .db3 file, or a rosbag1 .bag file
    :raises BagError: on entering: not there, not a bag, damaged, or empty
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: AnyReader | None = None

    def __enter__(self) -> BagReader:
        if not self.path.exists():
            raise BagError(f'{self.path}: need a bag, no such file or folder')
        try:
            store = get_typestore(Stores.ROS2_HUMBLE)
            reader = AnyReader([self._container()], default_typestore=store)
            reader.open()
        except Exception as err:
            raise BagError(f'{self.path}: need a readable bag, got: {_line(err)}') from err
        self._reader = reader
        if reader.message_count == 0:
            self.__exit__()
            raise BagError(f'{self.path}: need messages, the bag holds none')
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @property
    def topics(self) -> dict[str, str]:
        """Topic to message type; topics without messages are left out."""
        reader = self._open()
        return {
            topic: info.msgtype
            for topic, info in reader.topics.items()
            if info.msgcount and info.msgtype
        }

    @property
    def start_ns(self) -> int:
        """Time of the first message [ns]."""
        return int(self._open().start_time)

    @property
    def end_ns(self) -> int:
        """Time of the last message [ns]."""
        return int(self._open().end_time) - 1

    @property
    def is_ros1(self) -> bool:
        """Whether raw messages are ROS 1's, not CDR."""
        return not self._open().is2

    def to_cdr(self, message: BagMessage) -> bytes:
        """Return the message serialised for ROS 2."""
        if not self.is_ros1:
            return bytes(message.raw)
        return bytes(self._open().typestore.ros1_to_cdr(message.raw, message.type_name))

    def messages(self, topics: set[str] | None = None) -> Iterator[BagMessage]:
        """Read in order of recording.

        :param topics: None for all
        :raises BagError: damaged in the middle, saying after how many messages
        """
        reader = self._open()
        wanted = [c for c in reader.connections if topics is None or c.topic in topics]
        if not wanted:
            return
        count = 0
        stream = reader.messages(connections=wanted)
        while True:
            try:
                connection, log_ns, raw = next(stream)
            except StopIteration:
                return
            except Exception as err:
                raise BagError(
                    f'{self.path}: damaged after {count} messages, got: {_line(err)}'
                ) from err
            count += 1
            yield BagMessage(connection.topic, connection.msgtype, log_ns, raw, reader.deserialize)

    def _open(self) -> AnyReader:
        if self._reader is None:
            raise BagError(f'{self.path}: the bag is not open')
        return self._reader

    def _container(self) -> Path:
        """A file of a rosbag2 folder stands for its folder, which knows of further files."""
        beside = self.path.parent / 'metadata.yaml'
        in_rosbag2 = self.path.is_file() and self.path.suffix in ('.mcap', '.db3')
        return self.path.parent if in_rosbag2 and beside.exists() else self.path


class BagWriter:
    """Writes a rosbag2 folder with one MCAP file; a context manager.

    :param folder: made here; must not exist
    :raises BagError: on entering: the folder exists or cannot be written
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._typestore = get_typestore(Stores.ROS2_KILTED)
        self._connections: dict[str, Any] = {}
        self._writer: Writer | None = None
        self.make = BagMessages(self._typestore)

    def __enter__(self) -> BagWriter:
        try:
            writer = Writer(self._folder, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP)
            writer.open()
        except Exception as err:
            raise BagError(f'{self._folder}: need a new writable folder: {_line(err)}') from err
        self._writer = writer
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def write(self, topic: str, message: Any, log_ns: int) -> None:
        """Write a message made by :attr:`make`."""
        type_name = message.__msgtype__
        self.write_raw(topic, type_name, self._typestore.serialize_cdr(message, type_name), log_ns)

    def write_raw(self, topic: str, type_name: str, cdr: bytes | memoryview, log_ns: int) -> None:
        """Write a message that is already serialised."""
        if self._writer is None:
            raise BagError(f'{self._folder}: the bag is not open')
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, type_name, typestore=self._typestore
            )
        self._writer.write(self._connections[topic], log_ns, cdr)


def _line(err: Exception) -> str:
    text = str(err) or type(err).__name__
    return text.splitlines()[0]

"""Bags on disk: rosbag2 (sqlite3, MCAP) and rosbag1 in, rosbag2 MCAP out, without ROS.

A damaged bag ends in a :class:`BagError` that says how far it could be read; what was read before
has been handed on by then. An MCAP file that was cut off is read as far as it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rosbags.highlevel import AnyReader
from rosbags.interfaces import (
    ConnectionExtRosbag2,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from emma_planner.recordings.salvage import CutMcap
from emma_planner.recordings.stamp_time import APART_NS, StampClock, header_stamp
from emma_planner.ros.messages import BagMessages

BAG_VERSION: Literal[8, 9] = 8
"""rosbag2 metadata version that Humble to Kilted read."""
MAX_SILENCE_NS = 60_000_000_000
"""A longer time without any message is skipped in replay: recordings exist whose first messages
were taken before the clock was set, half a century before the others."""
_FOREVER = QosTime(2147483647, 4294967295)
_LATCHED = Qos(
    QosHistory.KEEP_LAST,
    1,
    QosReliability.RELIABLE,
    QosDurability.TRANSIENT_LOCAL,
    _FOREVER,
    _FOREVER,
    QosLiveliness.AUTOMATIC,
    _FOREVER,
    False,
)
"""What the planner node offers path and target speed with; ``ros2 bag play`` takes it over."""


class BagError(Exception):
    """A bag that cannot be read or written; the message names file, need and finding."""


@dataclass(frozen=True, eq=False)
class BagMessage:
    """One message as recorded.

    :param log_ns: time at which it was recorded, or its stamp's, see
        :meth:`BagReader.follow_stamps` [ns]
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
            raise _no_message(self) from err


class BagReader:
    """A recording opened for reading; a context manager.

    :param path: rosbag2 folder, a single .mcap or .db3 file, or a rosbag1 .bag file
    :raises BagError: on entering: not there, not a bag, damaged, or empty
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader: AnyReader | None = None
        self._cut = ''
        """What is wrong with a bag that is read as far as it is whole."""
        self._cdr_types: Any = None
        """Types of a rosbag1 as ROS 2 lays them out, made when first needed."""
        self._stamp_span_ns: tuple[int, int] | None = None
        """First and last stamp where stamps are followed."""

    def __enter__(self) -> BagReader:
        if not self.path.exists():
            raise BagError(f'{self.path}: need a bag, no such file or folder')
        if len(several := _rosbag1_files(self.path)) > 1:
            names = ', '.join(file.name for file in several)
            raise BagError(f'{self.path}: need one bag, the folder holds {names}')
        try:
            self._reader = _opened(self._container())
        except Exception as err:
            self._cut = _line(err)
            self._reader = self._salvaged()
            if self._reader is None:
                raise BagError(f'{self.path}: need a readable bag, got: {_line(err)}') from err
        if self._reader.message_count == 0:
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
        if self._stamp_span_ns is not None:
            return self._stamp_span_ns[0]
        return int(self._open().start_time)

    @property
    def end_ns(self) -> int:
        """Time of the last message [ns]."""
        if self._stamp_span_ns is not None:
            return self._stamp_span_ns[1]
        return int(self._open().end_time) - 1

    @property
    def is_ros1(self) -> bool:
        """Whether raw messages are ROS 1's, not CDR."""
        return not self._open().is2

    @property
    def latched(self) -> set[str]:
        """Topics whose publisher kept its last message for who comes later."""
        return {c.topic for c in self._open().connections if _is_latched(c.ext)}

    def to_cdr(self, message: BagMessage) -> bytes:
        """Return the message serialised for ROS 2.

        :raises BagError: the bytes are not such a message
        """
        if not self.is_ros1:
            return bytes(message.raw)
        try:
            if self._cdr_types is None:
                self._cdr_types = _with_header_of_ros2(self._open().typestore)
            return bytes(self._cdr_types.ros1_to_cdr(message.raw, message.type_name))
        except Exception as err:  # as in decode()
            raise _no_message(message) from err

    def follow_stamps(self, topics: set[str]) -> bool:
        """Take the stamps for the time of recording, where they are of another clock.

        :param topics: with headers, from the beginning to the end of the recording; those of ego
            motion serve
        :returns: whether the stamps are followed
        """
        stamps_ns: list[int] = []
        try:
            for message in self.messages(topics):
                stamp_ns = header_stamp(message.decode())
                if stamp_ns is not None:
                    stamps_ns.append(stamp_ns)
                    if abs(stamp_ns - message.log_ns) <= APART_NS:
                        return False
        except BagError:
            pass  # whoever reads the messages is told
        if stamps_ns:
            self._stamp_span_ns = min(stamps_ns), max(stamps_ns)
        return bool(stamps_ns)

    def messages(self, topics: set[str] | None = None) -> Iterator[BagMessage]:
        """Read in order of recording.

        :param topics: None for all
        :raises BagError: damaged in the middle or cut off, saying after how many messages
        """
        if self._stamp_span_ns is None:
            yield from self._recorded(topics)
            return
        clock = StampClock(self._stamp_span_ns[0])
        for message in self._recorded(topics):
            yield replace(message, log_ns=clock.time_of(message.decode()))

    def _recorded(self, topics: set[str] | None) -> Iterator[BagMessage]:
        reader = self._open()
        wanted = [c for c in reader.connections if topics is None or c.topic in topics]
        count = 0
        stream = reader.messages(connections=wanted) if wanted else iter(())
        while True:
            try:
                connection, log_ns, raw = next(stream)
            except StopIteration:
                break
            except Exception as err:
                raise BagError(
                    f'{self.path}: damaged after {count} messages, got: {_line(err)}'
                ) from err
            count += 1
            yield BagMessage(connection.topic, connection.msgtype, log_ns, raw, reader.deserialize)
        if self._cut:
            raise BagError(f'{self.path}: cut off after {count} messages, got: {self._cut}')

    def _open(self) -> AnyReader:
        if self._reader is None:
            raise BagError(f'{self.path}: the bag is not open')
        return self._reader

    def _container(self) -> Path:
        """A file of a rosbag2 folder stands for its folder, which knows of further files.

        A folder without metadata (a recorder killed) stands for its file where there is only one.
        """
        if self.path.is_dir():
            files = _storage_files(self.path) or _rosbag1_files(self.path)
            alone = len(files) == 1 and not (self.path / 'metadata.yaml').exists()
            return files[0] if alone else self.path
        beside = self.path.parent / 'metadata.yaml'
        in_rosbag2 = self.path.suffix in ('.mcap', '.db3')
        return self.path.parent if in_rosbag2 and beside.exists() else self.path

    def _salvaged(self) -> AnyReader | None:
        """Open what is whole of a cut-off MCAP file; None where that is nothing."""
        files = [self.path] if self.path.is_file() else _storage_files(self.path)
        if len(files) != 1 or files[0].suffix != '.mcap':
            return None
        try:
            reader = _opened(CutMcap(files[0]))
        except Exception:  # what was wrong with the bag as it is has been caught already
            return None
        if reader.message_count:
            return reader
        reader.close()
        return None


class BagWriter:
    """Writes a rosbag2 folder with one MCAP file; a context manager.

    :param folder: made here; must not exist
    :param latched: topics that ``ros2 bag play`` shall keep for who comes later
    :raises BagError: on entering: the folder exists or cannot be written
    """

    def __init__(self, folder: Path, latched: Collection[str] = ()) -> None:
        self._folder = folder
        self._latched = latched
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
                topic,
                type_name,
                typestore=self._typestore,
                offered_qos_profiles=[_LATCHED] if topic in self._latched else [],
            )
        self._writer.write(self._connections[topic], log_ns, cdr)


def _opened(path: Path | CutMcap) -> AnyReader:
    default = get_typestore(Stores.ROS2_HUMBLE)  # for bags without definitions
    reader = AnyReader([path], default_typestore=default)  # type: ignore[list-item]
    reader.open()
    return reader


def _with_header_of_ros2(types: Any) -> Any:
    header = 'std_msgs/msg/Header'  # ROS 2's has no seq
    store = get_typestore(Stores.EMPTY)
    fields = get_typestore(Stores.ROS2_HUMBLE).fielddefs[header]
    store.register({**types.fielddefs, header: fields})
    return store


def _rosbag1_files(folder: Path) -> list[Path]:
    return sorted(folder.glob('*.bag')) if folder.is_dir() else []


def _storage_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in ('.mcap', '.db3'))


def _is_latched(ext: Any) -> bool:
    if isinstance(ext, ConnectionExtRosbag2):
        offered = {qos.durability for qos in ext.offered_qos_profiles}
        return QosDurability.TRANSIENT_LOCAL in offered
    return bool(ext.latching)


def _no_message(message: BagMessage) -> BagError:
    return BagError(
        f'{message.topic}: need a {message.type_name}, got {len(message.raw)} bytes that are none'
    )


def _line(err: Exception) -> str:
    text = str(err) or type(err).__name__
    return text.splitlines()[0].rstrip('.')

"""Which topics of a recording feed the planner: as named, else found by type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from emma_planner.config import PlannerConfig
from emma_planner.ros.conversions import EGO_READERS

IMAGE_TYPES = ('sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage')
CAMERA_INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
EGO_TYPES = {kind: message_type for kind, (message_type, _) in EGO_READERS.items()}
"""Kind of ego motion to message type, the preferred kind first."""
COMMAND_TYPE = 'std_msgs/msg/String'
_PREFERRED = ('front', 'color', 'rgb')
_NOT_PREFERRED = ('depth', 'mask', 'overlay', 'debug', 'segmentation')


class TopicError(Exception):
    """The recording lacks a topic that the planner needs; the message lists what there is."""


@dataclass(frozen=True)
class InputTopics:
    """Topic names in the recording.

    :param image: camera, raw or compressed
    :param ego: kind of ego motion (``odometry``, ``twist``, ``pose``) to topic
    :param camera_info: None where there is none
    :param command: None where there is none
    """

    image: str
    ego: Mapping[str, str]
    camera_info: str | None
    command: str | None

    def names(self) -> dict[str, str]:
        """Topic to role, for all topics that feed the planner."""
        optional = {'camera_info': self.camera_info, 'command': self.command}
        return {
            self.image: 'image',
            **{topic: kind for kind, topic in self.ego.items()},
            **{topic: role for role, topic in optional.items() if topic},
        }


def find_topics(
    available: Mapping[str, str], config: PlannerConfig, *, need_image: bool = True
) -> InputTopics:
    """Choose the topics that feed the planner.

    :param available: topic to message type
    :param need_image: without it, a recording without camera gives an empty image name
    :raises TopicError: no camera or no ego motion, or a topic named in the config is not there
    """
    _check_named_ego(available, config)
    image = _choose(available, config, ('compressed_topic', 'image_topic'), IMAGE_TYPES)
    if image is None and need_image:
        raise TopicError(_missing('a camera', IMAGE_TYPES, available))
    ego = {
        kind: topic
        for kind, message_type in EGO_TYPES.items()
        if (topic := _choose(available, config, (f'{kind}_topic',), (message_type,)))
    }
    if not ego:
        raise TopicError(_missing('ego motion', tuple(EGO_TYPES.values()), available))
    if 'odometry' in ego:
        ego = {'odometry': ego['odometry']}
    named_command = _normal(config.command_topic)
    commands = [t for t, kind in available.items() if kind == COMMAND_TYPE]
    return InputTopics(
        image=image or '',
        ego=ego,
        camera_info=_camera_info(available, config, image),
        command=next((t for t in commands if _normal(t) == named_command), None),
    )


def absolute(topic: str) -> str:
    """Return the name that a node in any namespace finds; ROS 1 may leave the slash out."""
    return '/' + topic.lstrip('/')


def _choose(
    available: Mapping[str, str],
    config: PlannerConfig,
    keys: tuple[str, ...],
    types: tuple[str, ...],
) -> str | None:
    candidates = {t: kind for t, kind in available.items() if kind in types}
    named = _named(config, keys)
    for name in (*named, *(getattr(config, key) for key in keys)):
        if topic := _like(name, candidates):
            return topic
    if named and candidates:
        found = ', '.join(sorted(candidates))
        raise TopicError(_named_missing(named, keys, found))
    return min(candidates, key=_rank, default=None)


def _check_named_ego(available: Mapping[str, str], config: PlannerConfig) -> None:
    """A source of ego motion that is named must not be replaced by another one unasked."""
    named = _named(config, tuple(f'{kind}_topic' for kind in EGO_TYPES))
    found = {t: kind for t, kind in available.items() if kind in EGO_TYPES.values()}
    if found and named and not any(_like(name, found) for name in named):
        listed = ', '.join(f'{topic} ({kind})' for topic, kind in sorted(found.items()))
        keys = tuple(f'{kind}_topic' for kind in EGO_TYPES)
        raise TopicError(_named_missing(named, keys, listed))


def _named(config: PlannerConfig, keys: tuple[str, ...]) -> list[str]:
    """Topics that are not at their defaults."""
    defaults = {item.name: item.default for item in fields(PlannerConfig)}
    return [name for key in keys if (name := getattr(config, key)) != defaults[key]]


def _like(name: str, topics: Iterable[str]) -> str | None:
    return next((topic for topic in topics if _normal(topic) == _normal(name)), None)


def _rank(topic: str) -> tuple[bool, bool, str]:
    name = topic.lower()
    return (
        any(word in name for word in _NOT_PREFERRED),
        not any(word in name for word in _PREFERRED),
        name,
    )


def _camera_info(
    available: Mapping[str, str], config: PlannerConfig, image: str | None
) -> str | None:
    candidates = [t for t, kind in available.items() if kind == CAMERA_INFO_TYPE]
    for topic in candidates:
        if _normal(topic) == _normal(config.camera_info_topic):
            return topic
    # image_transport's rule: camera_info stands beside the image
    base = (image or '').removesuffix('/compressed').rpartition('/')[0]
    return next((t for t in candidates if t.rpartition('/')[0] == base), None)


def _normal(topic: str) -> str:
    return topic.strip('/')


def _named_missing(named: list[str], keys: tuple[str, ...], found: str) -> str:
    wanted = ' or '.join(named)
    return f'need topic {wanted} ({", ".join(keys)}), the recording has {found}'


def _missing(what: str, types: tuple[str, ...], available: Mapping[str, str]) -> str:
    found = (
        ', '.join(f'{topic} ({kind})' for topic, kind in sorted(available.items())) or 'nothing'
    )
    return f'need {what} ({" or ".join(types)}), the recording has {found}'

"""Topics are found as named, else by type, and what is missing is said with what there is."""

from __future__ import annotations

import pytest

from emma_planner.config import PlannerConfig
from emma_planner.recordings.topics import InputTopics, TopicError, absolute, find_topics

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
INFO, STRING = 'sensor_msgs/msg/CameraInfo', 'std_msgs/msg/String'
ODOMETRY = 'nav_msgs/msg/Odometry'
TWIST, POSE = 'geometry_msgs/msg/TwistStamped', 'geometry_msgs/msg/PoseStamped'
EGO = {'/odom': ODOMETRY}


def find(available, need_image=True, **parameters):
    return find_topics(available, PlannerConfig(**parameters), need_image=need_image)


def test_topics_are_found_by_type():
    found = find({'/x/y': COMPRESSED, '/z': ODOMETRY, '/tf': 'tf2_msgs/msg/TFMessage'})
    assert found == InputTopics('/x/y', {'odometry': '/z'}, None, None)


@pytest.mark.parametrize('name', ['/left/image', 'left/image'])
def test_a_named_topic_wins_with_or_without_its_slash(name):
    available = {'/front/image': IMAGE, '/left/image': IMAGE, **EGO}
    assert find(available, image_topic=name).image == '/left/image'


def test_a_named_topic_wins_over_one_with_the_default_name():
    available = {'/image/compressed': COMPRESSED, '/left/image': IMAGE, **EGO}
    assert find(available).image == '/image/compressed'
    assert find(available, image_topic='/left/image').image == '/left/image'


def test_a_preset_names_raw_and_compressed_of_which_one_is_there():
    names = {'image_topic': '/cam/image', 'compressed_topic': '/cam/image/compressed'}
    for topic, kind in (('/cam/image', IMAGE), ('/cam/image/compressed', COMPRESSED)):
        assert find({topic: kind, '/other': IMAGE, **EGO}, **names).image == topic


def test_a_named_camera_that_is_missing_is_said_with_what_there_is():
    with pytest.raises(TopicError) as caught:
        find({'/b': IMAGE, '/a': COMPRESSED, **EGO}, image_topic='/front')
    assert str(caught.value) == (
        'need topic /front (compressed_topic, image_topic), the recording has /a, /b'
    )


def test_named_odometry_is_not_replaced_by_a_twist_unasked():
    with pytest.raises(TopicError) as caught:
        find({'/image': IMAGE, '/velocity': TWIST}, odometry_topic='/ego')
    said = 'need topic /ego (odometry_topic, twist_topic, pose_topic), '
    said += f'the recording has /velocity ({TWIST})'
    assert str(caught.value) == said


def test_a_named_twist_is_enough_beside_other_poses():
    found = find({'/image': IMAGE, '/velocity': TWIST, '/p': POSE}, twist_topic='velocity')
    assert found.ego == {'twist': '/velocity', 'pose': '/p'}


@pytest.mark.parametrize(
    ('topics', 'chosen'),
    [
        (['/cam/back', '/cam/front'], '/cam/front'),
        (['/a/depth', '/z/image'], '/z/image'),
        (['/front/depth', '/z/image'], '/z/image'),
        (['/camera/gray', '/kitti/camera_color_left'], '/kitti/camera_color_left'),
        (['/cam_front_left/image', '/cam_front/image'], '/cam_front/image'),
        (['/b', '/a'], '/a'),
        (['/front/segmentation'], '/front/segmentation'),
    ],
)
def test_of_several_cameras_the_front_one_is_taken(topics, chosen):
    assert find({**dict.fromkeys(topics, IMAGE), **EGO}).image == chosen


def test_odometry_is_preferred_to_twist_and_pose():
    available = {'/image': IMAGE, '/t': TWIST, '/p': POSE}
    assert find({**available, **EGO}).ego == {'odometry': '/odom'}
    assert find(available).ego == {'twist': '/t', 'pose': '/p'}
    assert find({'/image': IMAGE, '/p': POSE}).ego == {'pose': '/p'}


def test_a_recording_without_camera_lists_what_there_is():
    with pytest.raises(TopicError) as caught:
        find({**EGO, '/b': TWIST})
    said = f'need a camera ({IMAGE} or {COMPRESSED}), the recording has /b ({TWIST}), /odom'
    assert str(caught.value).startswith(said)
    assert find(EGO, need_image=False).image == ''


def test_a_recording_without_ego_motion_lists_what_there_is():
    with pytest.raises(TopicError, match=r'need ego motion .* the recording has /image'):
        find({'/image': IMAGE})
    with pytest.raises(TopicError, match='the recording has nothing'):
        find({})


@pytest.mark.parametrize('image', ['/cam/front/image_raw', '/cam/front/image_raw/compressed'])
def test_camera_info_stands_beside_the_image(image):
    kind = COMPRESSED if image.endswith('compressed') else IMAGE
    available = {image: kind, '/cam/back/camera_info': INFO, '/cam/front/camera_info': INFO, **EGO}
    assert find(available).camera_info == '/cam/front/camera_info'
    del available['/cam/front/camera_info']
    assert find(available).camera_info is None
    assert find(available, camera_info_topic='/cam/back/camera_info').camera_info


def test_the_command_is_taken_by_its_name_alone():
    available = {'/image': IMAGE, '/rosout_text': STRING, **EGO}
    assert find(available).command is None
    assert find({**available, '/command': STRING}).command == '/command'
    assert find(available, command_topic='rosout_text').command == '/rosout_text'


def test_roles_are_listed_by_topic():
    topics = InputTopics('/image', {'odometry': '/odom'}, '/info', '/command')
    assert topics.names() == {
        '/image': 'image',
        '/odom': 'odometry',
        '/info': 'camera_info',
        '/command': 'command',
    }


def test_a_node_in_a_namespace_is_given_absolute_names():
    assert absolute('odom') == absolute('/odom') == '/odom'

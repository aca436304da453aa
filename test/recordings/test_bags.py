"""Every format reads alike; a damaged bag hands out what is whole and says one line."""

from __future__ import annotations

import shutil

import pytest
import synthetic_bags as bags

from emma_planner.recordings.bags import BagError, BagReader, BagWriter
from emma_planner.ros.conversions import path_message, stamp_of, string_message

FILLER = '/filler'
"""Large strings, so that a short drive fills several chunks of an MCAP file."""


def long_drive():
    filler = [
        bags.string_sample(FILLER, chr(97 + k % 26) * 150_000, bags.START_NS + k * 500_000_000)
        for k in range(24)
    ]
    return sorted([*bags.drive(), *filler], key=lambda sample: sample.log_ns)


def read(path, topics=None):
    """Messages up to the damage, and what was said about it."""
    found, error = [], None
    try:
        with BagReader(path) as reader:
            for message in reader.messages(topics):
                found.append((message.topic, message.log_ns))
    except BagError as err:
        error = str(err)
    return found, error


def damaged(tmp_path, bag, change):
    """A copy of a bag whose file has been changed."""
    if bag.is_dir():
        copy = shutil.copytree(bag, tmp_path / 'damaged')
    else:
        copy = shutil.copy(bag, tmp_path / 'damaged.bag')
    file = bags.file_of(copy)
    file.write_bytes(change(file.read_bytes()))
    return copy


@pytest.fixture(scope='module', params=bags.FORMATS)
def bag(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return bags.write_bag(folder / 'drive', long_drive(), request.param)


@pytest.fixture(scope='module')
def mcap(tmp_path_factory):
    return bags.write_bag(tmp_path_factory.mktemp('mcap') / 'drive', long_drive(), 'mcap')


def test_messages_come_in_order_of_recording(bag):
    found, error = read(bag)
    assert error is None
    assert found == [(sample.topic, sample.log_ns) for sample in long_drive()]


def test_times_topics_and_types_are_told(bag):
    samples = long_drive()
    with BagReader(bag) as reader:
        assert reader.start_ns == samples[0].log_ns
        assert reader.end_ns == samples[-1].log_ns
        assert reader.topics == {sample.topic: sample.type_name for sample in samples}
        assert reader.is_ros1 == (bag.suffix == '.bag')


def test_only_the_topics_asked_for_are_read(bag):
    found, error = read(bag, {bags.ODOMETRY})
    assert error is None
    assert {topic for topic, _ in found} == {bags.ODOMETRY}
    assert len(found) == 240
    assert read(bag, {'/nothing'}) == ([], None)


def test_messages_decode_to_the_same_fields(bag):
    with BagReader(bag) as reader:
        odometry = next(reader.messages({bags.ODOMETRY})).decode()
        image = next(reader.messages({bags.IMAGE})).decode()
    assert stamp_of(odometry.header) == bags.START_NS
    assert odometry.twist.twist.linear.x == 8.0
    assert bytes(image.data) == bags.jpeg(0)


def test_raw_messages_are_given_as_cdr(bag, mcap):
    with BagReader(bag) as one, BagReader(mcap) as other:
        for topic in (bags.ODOMETRY, bags.IMAGE):
            ours, theirs = next(one.messages({topic})), next(other.messages({topic}))
            assert one.to_cdr(ours) == other.to_cdr(theirs)


def test_a_single_file_is_a_bag(bag, tmp_path):
    file = bags.file_of(bag)
    assert read(file) == read(bag)
    alone = shutil.copy(file, tmp_path / file.name)  # without its metadata
    assert read(alone) == read(bag)


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
def test_a_folder_without_metadata_stands_for_its_file(tmp_path, storage):
    bag = bags.write_bag(tmp_path / 'drive', bags.drive(duration_s=1.0), storage)
    whole = read(bag)
    (bag / 'metadata.yaml').unlink()
    assert read(bag) == whole


def test_a_folder_without_a_bag_is_none(tmp_path):
    _, error = read(tmp_path)
    assert error.startswith(f'{tmp_path}: need a readable bag, got: ')
    assert 'metadata' in error


def test_a_missing_bag_is_named(tmp_path):
    assert read(tmp_path / 'no') == (
        [],
        f'{tmp_path / "no"}: need a bag, no such file or folder',
    )


def test_a_file_of_another_kind_is_none(tmp_path):
    path = tmp_path / 'drive.txt'
    path.write_text('hello')
    _, error = read(path)
    assert "'.txt'" in error


def test_an_empty_file_is_no_bag(tmp_path, bag):
    copy = damaged(tmp_path, bag, lambda data: b'')
    found, error = read(copy)
    assert not found
    assert error.startswith(f'{copy}: need a readable bag, got: ')
    assert '\n' not in error


def test_garbage_is_no_bag(tmp_path, bag):
    copy = damaged(tmp_path, bag, lambda data: b'\x17garbage' * 1000)
    found, error = read(copy)
    assert not found
    assert error.startswith(f'{copy}: need a readable bag, got: ')
    assert '\n' not in error


@pytest.mark.parametrize('share', [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_bag_ends_in_one_line(tmp_path, bag, share):
    copy = damaged(tmp_path, bag, lambda data: data[: int(share * len(data))])
    found, error = read(copy)
    assert error.startswith(f'{copy}: ')
    assert '\n' not in error
    assert found == read(bag)[0][: len(found)]


def test_a_truncated_mcap_is_read_as_far_as_it_is_whole(tmp_path, mcap):
    counts = []
    for share in (0.1, 0.4, 0.6, 0.9, 0.999):
        copy = damaged(
            tmp_path / str(share), mcap, lambda data, s=share: data[: int(s * len(data))]
        )
        found, error = read(copy)
        counts.append(len(found))
        if found:
            assert error == (
                f'{copy}: cut off after {len(found)} messages, got: File end magic is invalid'
            )
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert 0 < counts[1] < counts[2] < counts[3]
    assert counts[4] == len(long_drive())


def test_a_truncated_mcap_without_metadata_is_read_too(tmp_path, mcap):
    file = tmp_path / 'cut.mcap'
    data = bags.file_of(mcap).read_bytes()
    file.write_bytes(data[: len(data) // 2])
    found, error = read(file)
    assert found
    assert 'cut off after' in error


def test_a_cut_inside_any_record_never_raises_anything_else(tmp_path):
    whole = bags.file_of(
        bags.write_bag(tmp_path / 'drive', bags.drive(duration_s=0.2))
    ).read_bytes()
    file = tmp_path / 'cut.mcap'
    for size in range(0, len(whole), 97):
        file.write_bytes(whole[:size])
        _, error = read(file)
        assert error.startswith(f'{file}: ')


def test_damage_in_the_middle_hands_out_what_is_before(tmp_path, mcap):
    def wipe(data):
        middle, size = len(data) // 2, 300_000  # over the borders of messages
        return data[:middle] + b'\xff' * size + data[middle + size :]

    copy = damaged(tmp_path, mcap, wipe)
    found, error = read(copy)
    assert 0 < len(found) < len(long_drive())
    assert error.startswith(f'{copy}: damaged after {len(found)} messages, got: ')
    assert found == read(mcap)[0][: len(found)]


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('version: 8', 'version: 99'),
        ('storage_identifier: mcap', 'storage_identifier: tape'),
        ('nanoseconds_since_epoch', 'centuries'),
        ('rosbag2_bagfile_information:', 'something_else:'),
        ('compression_format', '\t: ['),
        ('mcap\n', 'other.mcap\n'),
    ],
)
def test_bad_metadata_is_said_in_one_line(tmp_path, old, new):
    bag = bags.write_bag(tmp_path / 'drive', bags.drive(duration_s=0.2))
    metadata = bag / 'metadata.yaml'
    assert old in metadata.read_text()
    # the file beside it must not be taken in its place: there may be others that are missing
    metadata.write_text(metadata.read_text().replace(old, new))
    bags.file_of(bag).rename(bag / 'renamed.mcap')
    _, error = read(bag)
    assert error.startswith(f'{bag}: ')
    assert '\n' not in error


def test_a_bag_without_messages_is_said_to_hold_none(tmp_path):
    with BagWriter(tmp_path / 'empty'):
        pass
    assert read(tmp_path / 'empty') == (
        [],
        f'{tmp_path / "empty"}: need messages, the bag holds none',
    )


@pytest.mark.parametrize('storage', bags.FORMATS)
def test_bytes_of_another_type_are_no_message(tmp_path, storage):
    samples = [bags.bytes_sample(bags.ODOMETRY, 'nav_msgs/msg/Odometry', bags.START_NS, b'\x01')]
    with BagReader(bags.write_bag(tmp_path / 'bad', samples, storage)) as reader:
        (message,) = reader.messages()
        said = '/odom: need a nav_msgs/msg/Odometry, got 1 bytes that are none'
        with pytest.raises(BagError, match=said):
            message.decode()
        if reader.is_ros1:
            with pytest.raises(BagError, match=said):
                reader.to_cdr(message)


def test_an_unopened_bag_is_no_use(tmp_path):
    with pytest.raises(BagError, match='the bag is not open'):
        next(BagReader(tmp_path).messages())
    with pytest.raises(BagError, match='the bag is not open'):
        BagWriter(tmp_path).write_raw('/a', 'std_msgs/msg/String', b'', 0)


def test_what_is_written_reads_back(tmp_path):
    with BagWriter(tmp_path / 'out') as writer:
        for k in range(3):
            writer.write('/said', string_message(writer.make, f'word {k}'), 100 + k)
        raw = writer._typestore.serialize_cdr(
            string_message(writer.make, 'raw'), 'std_msgs/msg/String'
        )
        writer.write_raw('/said', 'std_msgs/msg/String', raw, 200)
    with BagReader(tmp_path / 'out') as reader:
        messages = [(m.log_ns, m.decode().data) for m in reader.messages()]
    assert messages == [(100, 'word 0'), (101, 'word 1'), (102, 'word 2'), (200, 'raw')]


def test_latched_topics_are_offered_transient_local(tmp_path, make_driven):
    with BagWriter(tmp_path / 'out', ['/path']) as writer:
        writer.write('/path', path_message(writer.make, make_driven(), 7), 100)
        writer.write('/said', string_message(writer.make, 'a'), 100)
    with BagReader(tmp_path / 'out') as reader:
        assert reader.latched == {'/path'}
    metadata = (tmp_path / 'out' / 'metadata.yaml').read_text()
    assert metadata.count('durability: 1') == 1  # as Humble to Kilted write it


def test_an_existing_folder_is_not_written_over(tmp_path):
    with (
        pytest.raises(BagError, match=f'{tmp_path}: need a new writable folder'),
        BagWriter(tmp_path),
    ):
        pass


def test_a_folder_with_one_rosbag1_stands_for_it(tmp_path):
    bags.write_bag(tmp_path / 'drive', bags.drive(duration_s=1.0), 'rosbag1')
    with BagReader(tmp_path) as reader:
        assert reader.is_ros1


def test_a_folder_with_several_rosbag1_lists_them(tmp_path):
    for name in ('b', 'a'):
        bags.write_bag(tmp_path / name, bags.drive(duration_s=1.0), 'rosbag1')
    with pytest.raises(BagError, match=r'need one bag, the folder holds a\.bag, b\.bag'):
        BagReader(tmp_path).__enter__()

"""Lock-step looks at nothing after the tick or after t0, and plans alike from every format."""

from __future__ import annotations

import math

import numpy as np
import pytest
import synthetic_bags as bags
from synthetic_bags import COMMAND, IMAGE, ODOMETRY, POSE, TWIST

from emma_planner.assemble import build_planner
from emma_planner.config import PlannerConfig
from emma_planner.planning.baselines import BaselinePlanner
from emma_planner.planning.ego_tracks import EgoTracks
from emma_planner.planning.types import Plan
from emma_planner.recordings.bags import BagError, BagReader, BagWriter
from emma_planner.recordings.topics import find_topics
from emma_planner.replay.lockstep import LockStep, read_ego_motion
from emma_planner.replay.outputs import BagOutputs

PERIOD_NS = 500_000_000


class Watcher(BaselinePlanner):
    """A baseline that keeps what it was given."""

    def __init__(self):
        super().__init__('constant-action')
        self.inputs = []

    def plan(self, planner_input, time_limit_s=None) -> Plan:
        self.inputs.append(planner_input)
        return super().plan(planner_input, time_limit_s)


@pytest.fixture
def replay(tmp_path):
    """Return a function from messages to records of the plan log."""
    count = iter(range(100))

    def run(samples, storage='mcap', planner=None, every_image=False, **parameters):
        name = tmp_path / f'drive{next(count)}'
        bag = bags.write_bag(name, samples, storage)
        config = PlannerConfig(planner='constant-action', **parameters)
        planner = planner or build_planner(config)
        out = name.with_name(name.name + '-out')
        with BagReader(bag) as reader, BagWriter(out) as writer:
            topics = find_topics(reader.topics, config)
            outputs = BagOutputs(writer, overlay=False)
            session = LockStep(planner, config, topics, outputs)
            return list(session.run(reader, every_image=every_image))

    return run


def planned(records):
    return [record for record in records if record['history'] is not None]


def plans(records):
    keys = ('stamp_ns', 'tick_ns', 'reason', 'history', 'poses', 'ego_pose')
    return [[record[key] for key in keys] for record in records]


def test_ticks_come_at_whole_multiples_of_the_period_to_the_end(replay):
    samples = bags.drive()
    ticks = [record['tick_ns'] for record in replay(samples)]
    first = (samples[0].log_ns // PERIOD_NS + 1) * PERIOD_NS
    assert ticks == list(range(first, samples[-1].log_ns + 1, PERIOD_NS))
    assert len(ticks) == 24


def test_the_rate_sets_the_ticks(replay):
    ticks = [record['tick_ns'] for record in replay(bags.drive(duration_s=2.0), rate_hz=5.0)]
    assert set(np.diff(ticks)) == {200_000_000}
    assert all(tick % 200_000_000 == 0 for tick in ticks)


def test_ticks_go_on_while_other_topics_do(replay):
    samples = bags.drive(duration_s=2.0)
    samples.append(bags.string_sample('/late', 'x', bags.START_NS + 4_100_000_000))
    ticks = [record['tick_ns'] for record in replay(samples)]
    assert len(ticks) == 8
    assert set(np.diff(ticks)) == {PERIOD_NS}


def test_every_window_with_5_s_of_history_is_planned(replay):
    records = replay(bags.drive())
    assert [record['reason'] for record in records] == ['short_history'] * 9 + [None] * 15
    first = planned(records)[0]
    assert first['stamp_ns'] - bags.START_NS >= 4_500_000_000
    assert first['history']['speeds_mps'] == pytest.approx([8.0] * 10)
    assert first['history']['curvatures_1pm'] == pytest.approx([0.02] * 10)


def test_the_plan_is_anchored_at_the_pose_of_the_image(replay):
    for record in planned(replay(bags.drive())):
        time_s = (record['stamp_ns'] - bags.START_NS) / 1e9
        x, y, yaw, *_ = bags.circle()(time_s)
        assert record['ego_pose'] == pytest.approx([x, y, yaw], abs=1e-6)
        x, y, yaw, *_ = bags.circle()(time_s + 5.0)
        assert record['poses'][-1] == pytest.approx([x, y, yaw], abs=1e-4)


def test_the_image_is_the_newest_before_the_tick(replay):
    stamps = {
        sample.log_ns: sample.log_ns - 3_000_000
        for sample in bags.drive()
        if sample.topic == IMAGE
    }
    for record in planned(replay(bags.drive())):
        before = [log_ns for log_ns in stamps if log_ns <= record['tick_ns']]
        assert record['stamp_ns'] == stamps[max(before)]


def test_a_message_of_the_time_of_the_tick_comes_before_it(replay):
    on_tick = bags.START_NS - 250_000_000
    samples = bags.drive(start_ns=on_tick - 1_000_000, delay_ns=0)
    for record in planned(replay(samples)):
        # images are recorded at whole tenths of a second: the one of the tick is used
        assert record['tick_ns'] == record['stamp_ns']


def test_the_future_is_not_looked_at(replay):
    """What is recorded after a tick may be anything."""
    whole, samples = replay(bags.drive()), bags.drive()
    middle = samples[0].log_ns + 8_000_000_000
    poisoned = [
        sample
        if sample.log_ns < middle or sample.topic != ODOMETRY
        else bags.ego_sample(
            ODOMETRY, sample.log_ns, (math.nan, 1e12, 3.0, -500.0, 9.0), sample.log_ns
        )
        for sample in samples
    ]
    before = [k for k, record in enumerate(whole) if record['tick_ns'] < middle]
    assert plans(replay(poisoned))[: len(before)] == plans(whole)[: len(before)]


def test_ego_motion_stamped_after_the_image_is_not_used(replay):
    """It has been recorded before the tick, but its stamp lies after t0."""
    whole = replay(bags.drive(image_hz=2.0))
    stamps = [record['stamp_ns'] for record in planned(whole)]
    motion = bags.circle()

    def poison(sample):
        stamp_ns = sample.log_ns - 3_000_000
        after = [stamp_ns - t0 for t0 in stamps if 0 < stamp_ns - t0 <= 240_000_000]
        if sample.topic != ODOMETRY or not after:
            return sample
        # the sample right after each image lies; it is far from the next image
        x, y, yaw, *_ = motion((stamp_ns - bags.START_NS) / 1e9)
        lie = (x + 50.0, y, yaw, 30.0, 1.0)
        return bags.ego_sample(ODOMETRY, stamp_ns, lie, sample.log_ns)

    t0, poisoned = stamps[-1], [poison(sample) for sample in bags.drive(image_hz=2.0)]
    (good,) = [record for record in whole if record['stamp_ns'] == t0]
    (same,) = [record for record in replay(poisoned) if record['stamp_ns'] == t0]
    assert good['history']['speeds_mps'][-1] == same['history']['speeds_mps'][-1]
    assert good['ego_pose'] == same['ego_pose']
    assert same['tick_ns'] - t0 > 50_000_000  # poisoned samples lie between


def test_the_same_recording_gives_the_same_plans_twice(replay):
    assert plans(replay(bags.drive())) == plans(replay(bags.drive()))


@pytest.mark.parametrize('storage', bags.FORMATS)
def test_every_format_gives_the_same_plans(replay, storage):
    assert plans(replay(bags.drive(), storage)) == plans(replay(bags.drive()))


def test_every_image_is_planned_when_asked(replay):
    records = replay(bags.drive(duration_s=6.0), every_image=True)
    logs = [sample.log_ns for sample in bags.drive(duration_s=6.0) if sample.topic == IMAGE]
    assert [record['tick_ns'] for record in records] == logs
    assert [record['stamp_ns'] for record in planned(records)] == [
        log_ns - 3_000_000 for log_ns in logs[45:]
    ]


def test_images_between_ticks_are_not_decoded(replay):
    """They may hold anything; an image that is planned from may not."""
    whole = replay(bags.drive())
    used = {record['stamp_ns'] for record in whole}

    def spoil(sample, hits):
        stamp_ns = sample.log_ns - 3_000_000
        if sample.topic != IMAGE or (stamp_ns in used) != hits:
            return sample
        return bags.image_sample(stamp_ns, sample.log_ns, b'\xff\xd8 no picture')

    unused = [spoil(sample, hits=False) for sample in bags.drive()]
    assert plans(replay(unused)) == plans(whole)
    records = planned(replay([spoil(sample, hits=True) for sample in bags.drive()]))
    assert {record['reason'] for record in records} == {'image_truncated'}


def test_the_planner_sees_the_picture_of_the_stamp(replay):
    watcher = Watcher()
    replay(bags.drive(duration_s=6.0), planner=watcher)
    assert watcher.inputs
    for seen in watcher.inputs:
        number = round((seen.stamp_ns - 1_000_000 - bags.START_NS) / 1e8)
        assert abs(int(seen.frames[0].rgb[0, 0, 0]) - (40 + 3 * number) % 256) < 12
        assert seen.frames[0].rgb.shape == (bags.HEIGHT, bags.WIDTH, 3)


def test_a_twist_alone_is_enough(replay):
    (full, alone) = (planned(replay(bags.drive(ego=[topic]))) for topic in (ODOMETRY, TWIST))
    assert len(alone) == len(full) == 15
    for one, other in zip(full, alone, strict=True):
        assert one['history'] == other['history']
        # dead reckoning starts at the origin, as the circle does
        assert one['ego_pose'] == pytest.approx(other['ego_pose'], abs=1e-6)
    assert {record['frame_id'] for record in alone} == {'odom'}


def test_poses_alone_are_enough(replay):
    records = planned(replay(bags.drive(ego=[POSE])))
    assert len(records) == 15
    for record in records:
        assert record['history']['speeds_mps'] == pytest.approx([8.0] * 10, abs=1e-6)
        assert record['history']['curvatures_1pm'] == pytest.approx([0.02] * 10, abs=1e-6)


def test_odometry_wins_over_twist_and_pose_beside_it(replay):
    samples = bags.drive(ego=[ODOMETRY])
    wrong = bags.drive(bags.straight(20.0), ego=[TWIST, POSE], image='')
    both = sorted([*samples, *wrong], key=lambda sample: sample.log_ns)
    assert plans(replay(both)) == plans(replay(samples))


def test_braking_to_standstill_is_planned_through(replay):
    records = planned(replay(bags.drive(bags.braking(4.0))))
    assert len(records) == 15
    assert records[-1]['speeds_mps'] == [0.0] * 10
    assert records[-1]['reason'] is None


def test_late_messages_are_used_when_they_have_arrived(replay):
    """Stamps 120 ms before the time of recording: t0 is the stamp, the tick the log time."""
    records = planned(replay(bags.drive(delay_ns=120_000_000)))
    assert len(records) == 15
    for record in records:
        assert 120_000_000 < record['tick_ns'] - record['stamp_ns'] <= 220_000_000
        assert record['reason'] is None


def test_stamps_of_another_clock_are_stale(replay):
    records = replay(bags.drive(delay_ns=3_600_000_000_000))
    assert {record['reason'] for record in records} == {'stale_image'}
    assert 'got 3600.' in records[-1]['detail']


def test_stamps_ahead_of_the_recording_are_left_for_later_ticks(replay):
    records = replay(bags.drive(delay_ns=-300_000_000))
    for record in planned(records):
        assert record['stamp_ns'] <= record['tick_ns']
    assert len(planned(records)) >= 14


def test_duplicates_change_nothing(replay):
    twice = [copy for sample in bags.drive() for copy in (sample, sample)]
    assert plans(replay(twice)) == plans(replay(bags.drive()))


def test_stamps_set_back_begin_a_new_history(replay):
    """A bag that looped while it was recorded: log time runs on, stamps start again."""
    loop_ns = 12_000_000_000
    again = [
        bags.Sample(sample.topic, sample.type_name, sample.log_ns + loop_ns, sample.build)
        for sample in bags.drive()
    ]
    records = replay([*bags.drive(), *again], image_max_age_s=15.0)
    reasons = [record['reason'] for record in records]
    assert reasons[:24] == ['short_history'] * 9 + [None] * 15
    assert reasons[24:33] == ['time_jump'] * 9
    assert set(reasons[33:]) == {None}
    again = {record['stamp_ns']: record for record in records[33:]}
    for record in records[9:24]:
        if record['stamp_ns'] in again:
            np.testing.assert_allclose(again[record['stamp_ns']]['poses'], record['poses'])


def test_a_message_before_the_clock_was_set_does_not_make_ticks_for_years(replay):
    early = bags.ego_sample(ODOMETRY, 1_000, bags.circle()(0.0), 1_000)
    records = replay([early, *bags.drive(duration_s=6.0)])
    assert len(records) <= 13
    assert len(planned(records)) == 3


def test_a_silence_gives_ticks_that_say_so(replay):
    later = bags.START_NS + 9_000_000_000
    samples = [*bags.drive(duration_s=6.0), *bags.drive(duration_s=1.0, start_ns=later)]
    reasons = [record['reason'] for record in replay(samples)]
    assert reasons == [
        *['short_history'] * 9,
        *[None] * 4,
        *['stale_image'] * 5,
        *['gapped_history'] * 2,
    ]


def test_the_route_command_holds_from_when_it_was_recorded(replay):
    samples = bags.drive()
    samples.insert(1, bags.string_sample(COMMAND, 'turn left', samples[1].log_ns))
    after = samples[0].log_ns + 8_000_000_000
    samples.append(bags.string_sample(COMMAND, 'turn right', after))
    samples.sort(key=lambda sample: sample.log_ns)
    for record in replay(samples):
        said = 'turn left' if record['tick_ns'] <= after else 'turn right'
        assert record['command'] == said


def test_a_message_of_another_type_ends_the_replay_after_the_ticks_before(replay, tmp_path):
    samples = bags.drive()
    bad = bags.bytes_sample(
        ODOMETRY, 'nav_msgs/msg/Odometry', samples[0].log_ns + 7_000_000_000, b'\x00' * 9
    )
    bag = bags.write_bag(tmp_path / 'bad', [*samples, bad])
    config, records = PlannerConfig(planner='constant-action'), []
    with BagReader(bag) as reader, BagWriter(tmp_path / 'out') as writer:
        topics = find_topics(reader.topics, config)
        session = LockStep(
            build_planner(config), config, topics, BagOutputs(writer, overlay=False)
        )
        with pytest.raises(BagError, match='/odom: need a nav_msgs/msg/Odometry, got 9 bytes'):
            records.extend(session.run(reader))
    assert len(records) == 14
    assert records[-1]['reason'] is None


def test_all_ego_motion_is_read_for_the_ground_truth(tmp_path):
    with BagReader(bags.write_bag(tmp_path / 'drive', bags.drive())) as reader:
        tracks = EgoTracks(keep_ns=None)
        read_ego_motion(reader, find_topics(reader.topics, PlannerConfig()), tracks)
    assert len(tracks.poses) == 240
    assert tracks.poses[0].stamp_ns == bags.START_NS

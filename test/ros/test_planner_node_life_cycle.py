"""The planner node's life cycle: what is created is destroyed, and a failed step leaves a node."""

from __future__ import annotations

import gc
import os
import threading

import numpy as np
import pytest

pytest.importorskip('rclpy')
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from road import nanoseconds
from scripted_planner import Gate, straight_plan

from emma_planner.ros import planner_node
from emma_planner.ros.planner_node import PlannerNode

pytestmark = pytest.mark.ros


def entities(node: PlannerNode) -> dict[str, int]:
    """How much of each kind the node holds."""
    return {
        'publishers': len(list(node.publishers)),
        'subscriptions': len(list(node.subscriptions)),
        'timers': len(list(node.timers)),
        'guards': len(list(node.guards)),
        'managed': len(node._managed_entities),
        'workers': sum(t.name == 'planner-worker' for t in threading.enumerate()),
    }


def set_parameter(road, name: str, value: object):
    """Set a parameter over the wire; return the result."""
    client = road.tester.create_client(SetParameters, 'planner/set_parameters')
    parameter = Parameter(name, value=value).to_parameter_msg()
    reply = road._call(client, SetParameters.Request(parameters=[parameter]))
    return reply.results[0]


def listen_to_log(road) -> None:
    """Wait until the node's log reaches the test."""

    def heard() -> bool:
        road.node.get_logger().info('ready')
        return 'ready' in road.log()

    road.wait(heard, 'the log')


def test_twice_around_leaves_nothing_behind(make_road):
    road = make_road()
    fresh = entities(road.node)
    for lap in range(2):
        assert road.change('configure')
        assert road.state() == 'inactive'
        configured = entities(road.node)
        assert configured['publishers'] == fresh['publishers'] + 6
        assert configured['subscriptions'] == fresh['subscriptions']
        road.clock(10.0 * lap)
        assert road.change('activate')
        assert road.state() == 'active'
        road.wait_connected()
        active = entities(road.node)
        assert active['subscriptions'] == fresh['subscriptions'] + 7
        assert (active['timers'], active['workers']) == (2, 1)
        road.sent.clear()
        assert road.plan(10.0 * lap + 5.0).reason is None
        assert road.change('deactivate')
        assert entities(road.node) == configured
        assert road.change('cleanup')
        assert road.state() == 'unconfigured'
        assert entities(road.node) == fresh
        assert not hasattr(road.node, '_planner')


def test_activation_begins_with_empty_inputs_and_counters(make_road):
    road = make_road().start()
    road.plan(5.0)
    assert road.change('deactivate')
    assert road.change('activate')
    assert road.node._counters.ego_messages == 0
    answer = road.tick(5.5)
    assert (answer.reason, answer.source) == ('no_image', 'none')


@pytest.mark.parametrize('state', ['unconfigured', 'inactive', 'active'])
def test_shutdown_destroys_everything_from_any_state(make_road, state):
    road = make_road()
    fresh = entities(road.node)
    if state != 'unconfigured':
        assert road.change('configure')
    if state == 'active':
        assert road.change('activate')
    assert road.change('shutdown')
    assert road.state() == 'finalized'
    assert entities(road.node) == fresh


def test_nothing_is_published_while_inactive(make_road):
    road = make_road().start()
    road.plan(5.0)
    assert road.change('deactivate')
    road.clock(6.0)
    road.clock(7.0)
    assert road.change('activate')
    road.tick(7.5)
    assert road.answers() == 2


def test_a_jump_of_time_while_inactive_is_not_counted(make_road):
    road = make_road().start()
    assert road.change('deactivate')
    road.clock(-1.0)
    assert road.change('activate')
    road.tick(-0.5)
    assert road.node._counters.time_jumps == 0


def test_an_unreadable_model_folder_fails_configure_and_leaves_a_node(make_road, tmp_path):
    pytest.importorskip('transformers')
    road = make_road(planner='mllm', model=str(tmp_path / 'nothing'))
    listen_to_log(road)
    fresh = entities(road.node)
    assert not road.change('configure')
    assert road.state() == 'unconfigured'
    road.wait(lambda: 'need a model folder' in road.log(), 'the error in the log')
    assert str(tmp_path / 'nothing') in road.log()
    assert entities(road.node) == fresh
    assert set_parameter(road, 'planner', 'constant-action').successful
    road.start()
    assert road.plan(5.0).reason is None


def test_an_error_nobody_foresaw_is_logged_and_leaves_a_node(make_road, monkeypatch):
    def crash(config):
        raise OSError('disk on fire')

    monkeypatch.setattr(planner_node, 'build_planner', crash)
    road = make_road()
    listen_to_log(road)
    assert not road.change('configure')
    assert road.state() == 'unconfigured'
    road.wait(lambda: 'on_configure: OSError: disk on fire' in road.log(), 'the error in the log')


def test_a_bad_topic_name_fails_activate_and_leaves_a_node(make_road):
    road = make_road(odometry_topic='not a topic')
    fresh = entities(road.node)
    listen_to_log(road)
    assert road.change('configure')
    assert not road.change('activate')
    assert road.state() == 'unconfigured'
    road.wait(lambda: "'not a topic'" in road.log(), 'the error in the log')
    assert entities(road.node) == fresh
    assert set_parameter(road, 'odometry_topic', 'odometry').successful
    road.start()
    assert road.plan(5.0).reason is None


def test_parameters_take_effect_on_configure(make_road):
    road = make_road().start()
    assert set_parameter(road, 'target_speed_unit', 'kmh').successful
    assert road.plan(5.0).target_speed == pytest.approx(8.0)
    for transition in ('deactivate', 'cleanup', 'configure', 'activate'):
        assert road.change(transition)
    road.wait_connected()
    road.sent.clear()
    assert road.plan(10.0).target_speed == pytest.approx(28.8)


def test_a_second_activation_waits_for_the_inference_of_the_first(
    make_road, scripted, monkeypatch
):
    monkeypatch.setattr(planner_node, 'STOP_WORKER_S', 0.05)
    gate = scripted.answer = Gate()
    road = make_road(deadline_s=60.0).start()
    road.drive(5.0)
    road.image(5.0)
    road.clock(5.0)
    road.wait(gate.entered.is_set, 'the plan')
    listen_to_log(road)
    assert road.change('deactivate')
    road.wait(lambda: 'inference still runs' in road.log(), 'the warning')
    assert not road.change('activate')
    assert road.state() == 'inactive'
    scripted.answer = straight_plan
    worker = road.node._worker
    gate.open()
    road.wait(lambda: worker.stop(0.0), 'the inference to end')
    assert road.change('activate')
    road.wait_connected()
    road.sent.clear()
    assert road.plan(10.0).record['stamp_ns'] == nanoseconds(10.0)
    assert scripted.most_at_once == 1


def test_a_destroyed_node_takes_its_dds_participant_with_it(make_road):
    make_road().start().close()  # what the first participant leaves for all
    before = len(os.listdir('/proc/self/task'))
    road = make_road().start()
    assert len(os.listdir('/proc/self/task')) > before
    gc.disable()
    try:
        road.close()
        assert len(os.listdir('/proc/self/task')) == before
    finally:
        gc.enable()


def test_the_untrained_model_plans_on_the_road(make_road):
    pytest.importorskip('transformers')
    road = make_road(
        planner='mllm', model='untrained', reason_tokens=8, num_threads=1, deadline_s=60.0
    ).start()
    before = road.answers()
    road.drive(5.0)
    road.image(5.0)
    road.clock(5.0)
    road.wait(lambda: road.answers() > before, 'a plan', 60.0)
    answer = road.answer()
    assert answer.record['model'].startswith('untrained')
    assert answer.reason in (None, 'implausible', 'history_echo')
    assert np.shape(answer.record['poses']) == (10, 3)
    assert len(answer.record['prompts']) == len(answer.record['replies']) == 2
    assert answer.record['tokens']['generated'] > 10
    assert answer.value('inference', 'model').startswith('untrained')
    assert float(answer.value('inference', 'latency total [ms]')) > 0.0

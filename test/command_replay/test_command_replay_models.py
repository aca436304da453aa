"""``emma replay`` with servers that plan well, badly, slowly and not at all."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from command_replay.replay_results import metrics, records
from models.server_scripted import Answer, ScriptedServer, completion

from emma_planner.planning.actions import TextActions
from emma_planner.recordings.bags import BagReader


def test_a_model_folder_that_is_not_there_is_named(bag, fails):
    assert fails(bag, '--model', '/no/such/model') == (
        '/no/such/model: need a model folder or a hub id, got no such folder'
    )


def test_a_folder_without_a_model_is_named(bag, tmp_path, fails):
    (tmp_path / 'model').mkdir()
    text = fails(bag, '--model', str(tmp_path / 'model'))
    assert text == f'{tmp_path}/model: need config.json, got none'
    assert not (tmp_path / 'out').exists()


def test_a_server_that_is_down_is_named(bag, fails):
    text = fails(bag, '--model', 'http://127.0.0.1:9')
    assert text == "http://127.0.0.1:9/v1: need a running server, got 'Connection refused'"


def test_a_server_that_serves_pages_is_refused_at_the_start(bag, fails):
    page = Answer(b'<html><body>Hello</body></html>', headers={'Content-Type': 'text/html'})
    with ScriptedServer(models=page) as server:
        text = fails(bag, '--model', server.url)
    assert text.startswith(f'{server.url}/v1')
    assert 'HTML' in text or 'html' in text


SERVER = ('--set', 'use_reasoning=false', '--set', 'request_retries=0')


def plan_reply():
    """A plan as the text format writes it."""
    return TextActions().encode(np.linspace(8.1, 9.0, 10), np.full(10, 0.02))


def test_a_server_that_plans_is_scored(bag, tmp_path, emma):
    with ScriptedServer(Answer(completion(plan_reply()))) as server:
        assert emma(bag, '--model', server.url, *SERVER) == (0, '', [])
    assert metrics(tmp_path / 'out')['counts']['no_input'] == {'short_history': 9}
    assert metrics(tmp_path / 'out')['model'] == 'tiny'


@pytest.mark.parametrize(
    ('answer', 'reason', 'status'),
    [
        (Answer(b'<html>oops</html>', headers={'Content-Type': 'text/html'}), 'model_error', 1),
        (Answer({'error': {'message': 'out of memory'}}, status=500), 'model_error', 1),
        (Answer({'surprise': 1}), 'model_error', 1),
        (Answer(raw=b''), 'model_error', 1),
        (Answer(completion('I would rather not drive today.')), 'format', 0),
    ],
    ids=['page', 'error', 'other json', 'hangs up', 'prose'],
)
def test_a_server_that_answers_nonsense_is_counted(bag, tmp_path, emma, answer, reason, status):
    with ScriptedServer(answer) as server:
        found, table, lines = emma(bag, '--model', server.url, *SERVER, quiet=False)
    assert found == status
    assert re.search(rf'rejected +15   {reason} 15', table)
    assert metrics(tmp_path / 'out')['counts']['rejected'][reason] == 15
    assert len(records(tmp_path / 'out')) == 24
    if status:
        (line,) = lines
        assert line.startswith(
            'emma replay: need a model that answers to the end, got model_error in 15 of 15 plans'
        )
        assert line.endswith(f'; results in {tmp_path}/out')


def test_a_server_that_goes_down_in_the_middle_keeps_the_plans_before(bag, tmp_path, emma):
    good = [Answer(completion(plan_reply()))] * 5
    with ScriptedServer(*good, Answer(raw=b'')) as server:
        status, _, (line,) = emma(bag, '--model', server.url, *SERVER)
    assert status == 1
    assert 'got model_error in 10 of 15 plans, last: ' in line
    counts = metrics(tmp_path / 'out')['counts']
    assert counts['ticks'] == 24
    assert counts['no_input'] == {'short_history': 9}
    assert (counts['plans'], counts['valid']) == (15, 5)
    assert counts['rejected'] == {'model_error': 10}
    assert counts['driven']['plan'] == 5
    assert metrics(tmp_path / 'out')['complete'] is True


def test_a_server_that_comes_back_is_counted_and_no_failure(bag, tmp_path, emma):
    good = Answer(completion(plan_reply()))
    with ScriptedServer(good, Answer({'surprise': 1}), good) as server:
        assert emma(bag, '--model', server.url, *SERVER)[0] == 0
    assert metrics(tmp_path / 'out')['counts']['rejected']['model_error'] == 1


# being told to stop


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_what_has_been_planned(bag, tmp_path, ctrl_c, number):
    slow = Answer(completion(plan_reply()), delay_s=0.2)
    with ScriptedServer(slow) as server:
        command = [sys.executable, '-m', 'emma_planner.cli', 'replay', str(bag), '--quiet']
        command += ['--out', str(tmp_path / 'out'), '--model', server.url, *SERVER]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        end_s = time.monotonic() + 60.0
        while len(server.asked) < 4:
            assert time.monotonic() < end_s
            time.sleep(0.02)
        process.send_signal(number)
        time.sleep(0.05)
        process.send_signal(number)  # an impatient second one takes nothing away
        _, stderr = process.communicate(timeout=30)
    kept = records(tmp_path / 'out')
    assert process.returncode == 1
    assert stderr.splitlines() == [
        f'emma replay: {bag}: interrupted; kept {len(kept)} ticks in {tmp_path}/out'
    ]
    assert 11 <= len(kept) < 24
    assert metrics(tmp_path / 'out')['complete'] is False
    with BagReader(tmp_path / 'out' / 'replay') as reader:
        assert len(list(reader.messages({'/planner/reasoning'}))) == len(kept)


def test_ctrl_c_before_the_first_tick_is_one_line(bag, tmp_path, ctrl_c):
    with ScriptedServer(models=Answer({'data': [{'id': 'x'}]}, delay_s=20.0)) as server:
        command = [sys.executable, '-m', 'emma_planner.cli', 'replay', str(bag), '--quiet']
        command += ['--out', str(tmp_path / 'out'), '--model', server.url]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        end_s = time.monotonic() + 60.0
        while not server.connections:
            assert time.monotonic() < end_s
            time.sleep(0.02)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert stderr == f'emma replay: {bag}: interrupted before the first tick\n'

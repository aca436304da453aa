"""Conversations with real local servers: scripted ones, and one of transformers."""

from __future__ import annotations

import base64
import io
import logging
import re
import socket
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from server_scripted import Answer, ScriptedServer, completion

from emma_planner.config import PlannerConfig
from emma_planner.models import http_json
from emma_planner.models.openai_client import OpenAIChat, OpenAIModel
from emma_planner.planning.actions import TextActions
from emma_planner.planning.chat import ModelError, Stop, TokenFormat
from emma_planner.planning.planner import EmmaOptions, EmmaPlanner, choose_codec
from emma_planner.planning.types import CameraFrame, EgoHistory, PlannerInput, Pose, Reason

SCHEMA = TextActions().reply_format
NO_SCHEMA = {'error': {'message': 'unknown field response_format', 'code': 400}}


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in http_json.KEY_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def make_frame(width: int = 64, height: int = 48) -> CameraFrame:
    """Red grows to the right, green downwards; no blue."""
    rgb = np.zeros((height, width, 3), dtype=np.uint8)
    rgb[..., 0] = np.linspace(0, 255, width)
    rgb[..., 1] = np.linspace(0, 255, height)[:, None]
    return CameraFrame(0, 'front', rgb)


def start(server: ScriptedServer, seed: int = 0, **settings: Any) -> OpenAIChat:
    return OpenAIModel(server.url, 'tiny', **settings).start([make_frame()], seed=seed)


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as listener:
        return int(listener.getsockname()[1])


def config_of(url: str, **values: Any) -> PlannerConfig:
    return PlannerConfig(model=url, request_timeout_s=5.0, request_retries=0, **values)


def error_of(body: Any) -> str:
    """Ask once, and return the one line that the answer leads to."""
    with ScriptedServer(Answer(body)) as server, pytest.raises(ModelError) as caught:
        start(server).ask('where to?', max_tokens=5)
    assert caught.value.reason is Reason.MODEL_ERROR
    assert '\n' not in str(caught.value)
    assert len(server.asked) == 1
    return str(caught.value)


# what is sent


def test_first_turn_carries_image_then_text_and_settings() -> None:
    with ScriptedServer() as server:
        start(server, seed=7, temperature=0.5).ask('where to?', max_tokens=5)
    (request,) = server.asked
    assert request.path == '/v1/chat/completions'
    image, text = request.json['messages'][0]['content']
    kind, data = image['image_url']['url'].split(',')
    assert (image['type'], kind) == ('image_url', 'data:image/jpeg;base64')
    assert base64.b64decode(data).startswith(b'\xff\xd8\xff')
    assert text == {'type': 'text', 'text': 'where to?'}
    sent = {key: value for key, value in request.json.items() if key != 'messages'}
    assert sent == {'model': 'tiny', 'temperature': 0.5, 'seed': 7, 'max_tokens': 5}


def test_later_turns_repeat_the_conversation_byte_for_byte() -> None:
    with ScriptedServer(Answer(completion('a "quoted" ü')), Answer(completion('b'))) as server:
        chat = start(server)
        for text in ('one', 'two', 'three'):
            chat.ask(text, max_tokens=5, reply_format=SCHEMA)
    bodies = [request.body for request in server.asked]
    for earlier, later in pairwise(bodies):
        assert later.startswith(earlier[: earlier.index(b'], "temperature"')])
    messages = server.asked[2].json['messages']
    assert [message['role'] for message in messages] == ['user', 'assistant'] * 2 + ['user']
    assert messages[1]['content'] == 'a "quoted" ü'
    assert bodies[2].count(b'data:image/jpeg') == 1


def test_failed_turn_leaves_no_trace_in_the_conversation() -> None:
    with ScriptedServer(Answer(status=400), Answer(completion('yes'))) as server:
        chat = start(server)
        with pytest.raises(ModelError):
            chat.ask('lost', max_tokens=5)
        chat.ask('kept', max_tokens=5)
    (message,) = server.asked[1].json['messages']
    assert [part['type'] for part in message['content']] == ['image_url', 'text']
    assert message['content'][1]['text'] == 'kept'


@pytest.mark.parametrize('encoder', ['cv2', 'PIL'])
def test_images_keep_colours_and_fit_the_limits(
    encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image_module = pytest.importorskip('PIL.Image')
    pytest.importorskip(encoder)
    monkeypatch.setitem(sys.modules, 'cv2' if encoder == 'PIL' else 'PIL', None)
    frames = [make_frame(400, 100), make_frame(100, 400), make_frame(40, 20)]
    with ScriptedServer() as server:
        model = OpenAIModel(server.url, 'tiny', max_width_px=200, max_height_px=120)
        model.start(frames).ask('?', max_tokens=5)
    parts = server.asked[0].json['messages'][0]['content'][:-1]
    data = [base64.b64decode(part['image_url']['url'].split(',')[1]) for part in parts]
    monkeypatch.undo()
    images = [image_module.open(io.BytesIO(jpeg)) for jpeg in data]
    assert [image.size for image in images] == [(200, 50), (30, 120), (40, 20)]
    for image in images:
        expected = make_frame(*image.size).rgb.astype(float)
        assert np.abs(np.asarray(image) - expected).mean() < 6.0


def test_without_an_image_encoder_the_error_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ('cv2', 'PIL'):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModelError, match=r'OpenCV or Pillow.*emma_planner\[models\]'):
        OpenAIModel('http://127.0.0.1:1', 'tiny').start([make_frame()])


def test_image_too_large_for_jpeg_is_refused() -> None:
    with pytest.raises(ModelError, match='at most 65500 px, got 65501'):
        OpenAIModel('http://127.0.0.1:1', 'tiny').start([make_frame(65501, 1)])


# formats


def test_text_format_travels_as_strict_json_schema() -> None:
    with ScriptedServer() as server:
        start(server).ask('plan', max_tokens=5, reply_format=SCHEMA)
    response_format = server.asked[0].json['response_format']
    assert response_format['type'] == 'json_schema'
    assert response_format['json_schema']['strict'] is True
    assert response_format['json_schema']['schema'] == SCHEMA.json_schema
    assert response_format['json_schema']['name']


@pytest.mark.parametrize('status', [400, 422])
def test_refused_schema_is_dropped_for_the_life_of_the_model(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedServer(Answer(NO_SCHEMA, status), Answer(completion('ok'))) as server:
        model = OpenAIModel(server.url, 'tiny')
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                reply = model.start([make_frame()]).ask('p', max_tokens=5, reply_format=SCHEMA)
                assert reply.text == 'ok'
    assert ['response_format' in request.json for request in server.asked] == [True, False, False]
    assert len(caplog.records) == 1
    assert 'unknown field response_format' in caplog.text


def test_request_wrong_in_itself_does_not_cost_the_schema() -> None:
    too_long = Answer({'error': {'message': 'context too long'}}, 400)
    with ScriptedServer(too_long, too_long, Answer(completion('ok'))) as server:
        chat = start(server)
        with pytest.raises(ModelError, match=r'400.*context too long'):
            chat.ask('p', max_tokens=5, reply_format=SCHEMA)
        chat.ask('p', max_tokens=5, reply_format=SCHEMA)
    assert ['response_format' in request.json for request in server.asked] == [True, False, True]


def test_action_tokens_are_neither_claimed_nor_sent() -> None:
    with ScriptedServer() as server:
        model = OpenAIModel(server.url, 'tiny')
        tokens = TokenFormat((('<speed_0>',),))
        model.start([make_frame()]).ask('plan', max_tokens=5, reply_format=tokens)
    assert not model.has_tokens(['<speed_0>'])
    assert 'response_format' not in server.asked[0].json


# replies


def test_reply_carries_stop_tokens_and_time() -> None:
    usage = {'prompt_tokens': 11, 'completion_tokens': 3}
    answers = Answer(completion('a', 'length', usage=usage)), Answer(completion('b', 'stop'))
    with ScriptedServer(*answers) as server:
        chat = start(server)
        first, second = (chat.ask('?', max_tokens=3) for _ in range(2))
    assert (first.text, first.stop) == ('a', Stop.LENGTH)
    assert (first.prompt_tokens, first.generated_tokens) == (11, 3)
    assert (second.text, second.stop) == ('b', Stop.END)
    assert (second.prompt_tokens, second.generated_tokens) == (0, 0)
    assert first.encode_ms == 0.0
    assert 0.0 < first.generate_ms < 5000.0


@pytest.mark.parametrize(
    'usage', [None, 'many', {'prompt_tokens': -1, 'completion_tokens': True}, [1, 2]]
)
def test_nonsense_token_counts_are_zero(usage: Any) -> None:
    with ScriptedServer(Answer(completion('a', usage=usage))) as server:
        reply = start(server).ask('?', max_tokens=3)
    assert (reply.prompt_tokens, reply.generated_tokens) == (0, 0)


def test_text_parts_are_joined_and_reasoning_content_ignored() -> None:
    parts = [{'type': 'text', 'text': 'a '}, {'type': 'image'}, {'type': 'text', 'text': 'b'}]
    body = completion(parts)
    body['choices'][0]['message']['reasoning_content'] = 'secretly'
    with ScriptedServer(Answer(body)) as server:
        assert start(server).ask('?', max_tokens=3).text == 'a b'


def test_half_surrogate_pair_does_not_reach_the_log() -> None:
    with ScriptedServer(Answer(completion('a\ud800b'))) as server:
        assert start(server).ask('?', max_tokens=3).text == 'a?b'


@pytest.mark.parametrize(
    ('body', 'words'),
    [
        ({'object': 'list'}, "need an answer with choices, got .*'list'"),
        ({'error': {'message': 'no GPU left'}}, 'need an answer with choices, got .*no GPU left'),
        ([1, 2], r'need an answer with choices, got .*\[1, 2\]'),
        ({'choices': None}, 'need an answer with choices, got'),
        ({'choices': []}, 'need a choice, got an empty list'),
        ({'choices': ['hi']}, 'need text as message content, got .*hi'),
        ({'choices': [{'text': 'hi'}]}, 'need text as message content, got .*hi'),
        (completion(None, 'content_filter'), 'need text as message content, got .*None'),
        (completion(3), 'need text as message content, got .*3'),
        (completion([]), 'need text as message content, got'),
        (completion([{'type': 'image'}]), 'need text as message content, got .*image'),
    ],
)
def test_answer_of_another_shape_is_one_line(body: Any, words: str) -> None:
    assert re.search(words, error_of(body))


# the model's name


def test_only_listed_model_is_taken() -> None:
    with ScriptedServer(models=['org/one']) as server:
        assert OpenAIModel.from_config(config_of(server.url)).name == 'org/one'


@pytest.mark.parametrize(
    ('listed', 'words'),
    [
        ([], 'need one model or its name in server_model, got none'),
        (['a', 'b'], "server_model, got 'a', 'b'$"),
        ([f'm{index}' for index in range(20)], "'m7' and 12 more"),
        (Answer({'models': []}), 'need a list of models, got .*models'),
        (Answer({'data': 3}), 'need a list of models, got .*3'),
    ],
)
def test_without_one_model_to_take_a_name_is_asked_for(listed: Any, words: str) -> None:
    with ScriptedServer(models=listed) as server, pytest.raises(ModelError, match=words):
        OpenAIModel.from_config(config_of(server.url))


def test_given_name_need_not_be_listed(caplog: pytest.LogCaptureFixture) -> None:
    with ScriptedServer(models=['other']) as server, caplog.at_level(logging.WARNING):
        model = OpenAIModel.from_config(config_of(server.url, server_model='mine'))
    assert model.name == 'mine'
    assert "does not list model 'mine'" in caplog.text


@pytest.mark.parametrize('status', [404, 500])
def test_given_name_does_without_a_list_but_not_without_an_api(status: int) -> None:
    page = Answer(b'<html>', status, {'Content-Type': 'text/html; charset=utf-8'})
    with ScriptedServer(models=Answer(b'none', status)) as server:
        OpenAIModel.from_config(config_of(server.url, server_model='mine'))
        with pytest.raises(ModelError, match=f'{status}.*name the model in server_model'):
            OpenAIModel.from_config(config_of(server.url))
    with ScriptedServer(models=page) as server, pytest.raises(ModelError, match=r'text/html'):
        OpenAIModel.from_config(config_of(server.url, server_model='mine'))


@pytest.mark.parametrize('status', [401, 503])
def test_refusing_server_fails_while_building(status: int) -> None:
    refusal = Answer({'error': 'no'}, status)
    words = f'models: need .* got {status}'
    with ScriptedServer(models=refusal) as server, pytest.raises(ModelError, match=words):
        OpenAIModel.from_config(config_of(server.url, server_model='mine'))


def test_server_down_fails_while_building() -> None:
    url = f'http://127.0.0.1:{free_port()}'
    with pytest.raises(ModelError, match=f'{url}/v1: need a running server.*refused'):
        OpenAIModel.from_config(config_of(url, server_model='mine'))


@pytest.mark.parametrize(
    ('limits', 'size'),
    [
        ({'image_max_width_px': 32}, (32, 24)),
        ({'image_max_height_px': 12}, (16, 12)),
        ({}, (64, 48)),
    ],
)
def test_settings_come_from_the_configuration(limits: Any, size: tuple[int, int]) -> None:
    image_module = pytest.importorskip('PIL.Image')
    busy = Answer(status=503, headers={'Retry-After': '0'})
    with ScriptedServer(busy, Answer(completion('ok'))) as server:
        config = PlannerConfig(model=server.url, request_retries=1, temperature=0.25, **limits)
        OpenAIModel.from_config(config).start([make_frame()]).ask('?', max_tokens=5)
    body = server.asked[1].json
    assert body['temperature'] == 0.25
    data = body['messages'][0]['content'][0]['image_url']['url'].split(',')[1]
    assert image_module.open(io.BytesIO(base64.b64decode(data))).size == size


@pytest.mark.parametrize(
    ('timeout_s', 'time_limit_s'), [(0.3, None), (0.3, 9.0), (9.0, 0.3)], ids=str
)
def test_shorter_of_both_time_limits_holds(timeout_s: float, time_limit_s: float | None) -> None:
    with ScriptedServer(Answer(completion('late'), delay_s=1.5)) as server:
        config = PlannerConfig(model=server.url, request_timeout_s=timeout_s)
        chat = OpenAIModel.from_config(config).start([make_frame()])
        with pytest.raises(ModelError, match=r'need an answer within 0\.3 s') as caught:
            chat.ask('?', max_tokens=5, time_limit_s=time_limit_s)
    assert caught.value.reason is Reason.TIMEOUT


# a real server


@pytest.fixture(scope='module')
def transformers_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address of ``transformers serve`` with an untrained LLaVA, and the model's name there."""
    for package in ('torch', 'fastapi', 'uvicorn', 'openai'):
        pytest.importorskip(package)
    from transformers.cli.serve import Serve

    from emma_planner.models.untrained import build_untrained

    folder = str(tmp_path_factory.mktemp('models') / 'llava')
    build_untrained(Path(folder), 'llava')
    port = free_port()
    server = Serve(folder, device='cpu', host='127.0.0.1', port=port, non_blocking=True)
    give_up = time.monotonic() + 20.0
    while not server.server.started and time.monotonic() < give_up:
        time.sleep(0.02)
    yield f'http://127.0.0.1:{port}', folder
    server.kill_server()


def real_model(transformers_server: tuple[str, str]) -> OpenAIModel:
    url, name = transformers_server
    return OpenAIModel.from_config(
        PlannerConfig(model=url, server_model=name, request_timeout_s=60.0, request_retries=0)
    )


def test_transformers_server_holds_a_conversation(transformers_server: tuple[str, str]) -> None:
    model = real_model(transformers_server)
    chat = model.start([make_frame(320, 180)])
    first = chat.ask('Describe the scene.', max_tokens=12)
    second = chat.ask('Give the plan.', max_tokens=12)
    assert model.name == transformers_server[1]
    assert 0 < first.generated_tokens <= 12
    assert first.prompt_tokens > 100  # LLaVA's image alone is 100 tokens
    assert second.prompt_tokens > first.prompt_tokens
    assert {first.stop, second.stop} <= {Stop.END, Stop.LENGTH}


def test_transformers_server_answers_alike_and_sees_the_image(
    transformers_server: tuple[str, str],
) -> None:
    model = real_model(transformers_server)
    dark = CameraFrame(0, 'front', np.zeros((180, 320, 3), dtype=np.uint8))
    frames = [make_frame(320, 180), make_frame(320, 180), dark]
    texts = [model.start([frame]).ask('Scene?', max_tokens=16).text for frame in frames]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


@pytest.mark.parametrize('use_reasoning', [False, True])
def test_plan_of_random_weights_is_a_plan_or_a_format_failure(
    use_reasoning: bool, transformers_server: tuple[str, str]
) -> None:
    frame = make_frame(320, 180)
    history = EgoHistory(0, np.full(10, 5.0), np.zeros(10), Pose(0.0, 0.0, 0.0), 'odom')
    model = real_model(transformers_server)
    options = EmmaOptions(use_reasoning=use_reasoning, reason_tokens=16)
    planner = EmmaPlanner(model, choose_codec(model, 'auto'), options, time.perf_counter)
    plan = planner.plan(PlannerInput((frame,), history))
    assert plan.reason in (None, Reason.FORMAT, Reason.LENGTH, Reason.IMPLAUSIBLE)
    assert len(plan.replies) == 1 + use_reasoning
    assert plan.tokens.generated > 0


def test_transformers_server_refuses_another_model(transformers_server: tuple[str, str]) -> None:
    chat = OpenAIModel(transformers_server[0], 'other').start([make_frame()])
    with pytest.raises(ModelError, match=r'400 .*pinned to'):
        chat.ask('?', max_tokens=4)


def test_a_turn_again_takes_the_place_of_the_last() -> None:
    with ScriptedServer(*(Answer(completion(text)) for text in 'abcd')) as server:
        chat = start(server)
        chat.ask('one', max_tokens=5)
        chat.ask('uno', max_tokens=5, again=True)
        chat.ask('two', max_tokens=5)
        chat.ask('due', max_tokens=5, again=True)
    first, again, *_, last = (request.json['messages'] for request in server.asked)
    assert [part['type'] for part in again[0]['content']] == ['image_url', 'text']
    assert (len(first), len(again)) == (1, 1)
    assert again[0]['content'][1]['text'] == 'uno'
    assert [message['content'] for message in last[1:]] == ['b', 'due']

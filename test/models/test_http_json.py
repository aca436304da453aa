"""Every way in which a server can fail, over real sockets."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server_scripted import Answer, ScriptedServer

from emma_planner.models import http_json
from emma_planner.models.http_json import JsonServer, ServerError
from emma_planner.planning.chat import ModelError
from emma_planner.planning.types import Reason

KEY = 'sk-not-for-anyone/0123'
HTML = {'Content-Type': 'text/html'}
NGINX = b'<html>\r\n<head><title>Welcome to nginx!</title></head>\r\n</html>'
BUSY = Answer({'error': 'busy'}, 503)
DONE = Answer({'done': True})


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in http_json.KEY_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_json, 'BACKOFF_S', 0.01)


def call(url: str, *, retries: int = 0, limit_s: float = 5.0) -> Any:
    deadline = time.monotonic() + limit_s
    return JsonServer(url, retries=retries, seed=0).call('ask', {'a': 1}, deadline)


def error_of(
    *answers: Answer, retries: int = 0, limit_s: float = 5.0, tries: int = 1
) -> ServerError:
    """Call once and return the error, which is one line and took so many tries."""
    with ScriptedServer(*answers) as server, pytest.raises(ServerError) as caught:
        call(server.url, retries=retries, limit_s=limit_s)
    assert str(caught.value).startswith(f'{server.url}/v1')
    assert '\n' not in str(caught.value)
    assert len(server.asked) == tries
    return caught.value


def seconds(action: Callable[[], Any]) -> float:
    begin = time.monotonic()
    action()
    return time.monotonic() - begin


# addresses


@pytest.mark.parametrize('end', ['', '/', '/v1', '/v1/'])
@pytest.mark.parametrize('prefix', ['', '/proxy/llm'])
def test_address_is_taken_with_and_without_v1(prefix: str, end: str) -> None:
    with ScriptedServer(DONE) as server:
        assert call(server.url + prefix + end) == {'done': True}
    assert server.asked[0].path == f'{prefix}/v1/ask'


@pytest.mark.parametrize(
    'url',
    ['ftp://host', 'file:///etc/passwd', 'host:8000', 'http://', 'http://h:port', 'http://h:0'],
)
def test_unusable_address_is_refused(url: str) -> None:
    with pytest.raises(ModelError, match='need http://host:port or https://host:port, got'):
        JsonServer(url, retries=0, seed=0)


@pytest.mark.parametrize('url', ['http://me:pass-w0rd@host:x', 'http://host/?key=pass-w0rd'])
def test_secret_in_an_address_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ModelError, match='key goes in EMMA_API_KEY') as caught:
        JsonServer(url, retries=0, seed=0)
    assert 'pass-w0rd' not in str(caught.value)


def test_ipv6_address_without_port_keeps_its_last_group() -> None:
    server = JsonServer('http://[::1]', retries=0, seed=0)
    assert (server._host, server._port) == ('::1', 80)


# no answer, or none of use


def test_server_down_is_one_line() -> None:
    with socket.create_server(('127.0.0.1', 0)) as listener:
        url = f'http://127.0.0.1:{listener.getsockname()[1]}'
    with pytest.raises(ServerError, match=r'need a running server, got .*refused'):
        call(url)


def test_unknown_host_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any) -> None:  # some networks take long to say so
        raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')

    monkeypatch.setattr(socket, 'getaddrinfo', look_up)
    with pytest.raises(ServerError, match=r"resolves, got 'no-such\.invalid: Name or service"):
        call('http://no-such.invalid:8000')


def test_name_look_up_does_not_pass_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, 'getaddrinfo', lambda *_: time.sleep(1.5))
    begin = time.monotonic()
    with pytest.raises(ServerError, match=r'need an answer within 0\.3 s') as caught:
        call('http://slow.invalid:8000', limit_s=0.3)
    assert time.monotonic() - begin < 1.2
    assert caught.value.reason is Reason.TIMEOUT


def test_impossible_host_is_named() -> None:
    with pytest.raises(ServerError, match='need a host name that resolves, got'):
        call(f'http://{"a" * 70}.invalid')


@pytest.mark.parametrize(
    ('answer', 'words'),
    [
        (Answer(NGINX, headers=HTML), "need JSON, got 'text/html' '<html> .*nginx"),
        (Answer(b'\xff\x00\xfe nonsense'), "need JSON, got 'application/json' '.*nonsense"),
        (Answer(b''), "need JSON, got 'application/json' ''"),
        (Answer(b'{"choices": ['), 'need JSON, got'),
        (Answer(b'[' * 200_000), 'need JSON, got'),
        (Answer(b'{"n": ' + b'9' * 5000 + b'}'), 'need JSON, got'),
        (Answer(raw=b'SSH-2.0-OpenSSH_9.2\r\n'), 'need an HTTP answer, got .*BadStatusLine.*SSH'),
        (Answer(b' ' * (8 * 2**20 + 1)), 'need at most 8388608 bytes, got more'),
        (Answer({'error': {'message': 'model x not found'}}, 404), "exist, got 404 'model x not"),
        (Answer({'detail': 'Not Found'}, 404), "the model to exist, got 404 'Not Found'"),
        (Answer({'object': 'error', 'message': 'too long'}, 400), "got 400 'too long'"),
        (Answer({'detail': [{'msg': 'bad field'}]}, 422), 'got 422 .*bad field'),
        (Answer({}, 403), 'need access .none is set in EMMA_API_KEY or OPENAI_API_KEY., got 403'),
        (Answer({}, 401), r'an API key that is accepted \(none is set in EMMA_API_KEY or OPENAI'),
    ],
)
def test_final_fault_is_one_line_and_not_tried_again(answer: Answer, words: str) -> None:
    error = error_of(answer, retries=3)
    assert error.reason is Reason.MODEL_ERROR
    assert re.search(words, str(error))


def test_endless_answer_is_left_at_the_limit() -> None:
    endless = Answer(raw=b'HTTP/1.1 200 OK\r\n\r\n' + b' ' * (8 * 2**20 + 1), hold_s=4.0)
    begin = time.monotonic()
    assert 'need at most 8388608 bytes' in str(error_of(endless))
    assert time.monotonic() - begin < 3.0


@pytest.mark.parametrize(
    'answer',
    [
        Answer(b'{"done"', headers={'Content-Length': '100'}),
        Answer(raw=b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{"done"'),
    ],
    ids=['length', 'chunked'],
)
def test_answer_cut_off_half_way_is_tried_again(answer: Answer, quick: None) -> None:
    with ScriptedServer(answer, DONE) as server:
        assert call(server.url, retries=1) == {'done': True}
    assert 'need a whole answer, got ' in str(error_of(answer, retries=1, tries=2))


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """Certificate of 127.0.0.1 that nobody has signed, and a server's context with it."""
    if shutil.which('openssl') is None:
        pytest.skip('needs the openssl command')
    certificate, key = tmp_path / 'certificate.pem', tmp_path / 'key.pem'
    options = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test'
    extension = ('-addext', 'subjectAltName=IP:127.0.0.1')
    files = ('-keyout', str(key), '-out', str(certificate))
    command = ['openssl', 'req', *options.split(), *extension, *files]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


def test_certificate_that_nobody_signed_is_refused(tls: tuple[Path, ssl.SSLContext]) -> None:
    with (
        ScriptedServer(DONE, tls=tls[1]) as server,
        pytest.raises(ServerError, match=r'need a trusted TLS server, got .*verify failed'),
    ):
        call(server.url, retries=3)
    assert server.connections == 1


def test_trusted_certificate_is_enough_and_the_deadline_holds(
    tls: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('SSL_CERT_FILE', str(tls[0]))
    with ScriptedServer(DONE, Answer(b' ' * 30, trickle_s=0.05), tls=tls[1]) as server:
        assert call(server.url) == {'done': True}
        begin = time.monotonic()
        with pytest.raises(ServerError) as caught:
            call(server.url, limit_s=0.4)
        assert time.monotonic() - begin < 1.2
    assert caught.value.reason is Reason.TIMEOUT


# tries


@pytest.mark.parametrize('status', [408, 429, 500, 502, 503, 529])
def test_passing_trouble_is_tried_again(status: int, quick: None) -> None:
    trouble = Answer(NGINX, status, HTML)
    with ScriptedServer(trouble, Answer(raw=b''), DONE) as server:
        assert call(server.url, retries=2) == {'done': True}
    assert len(server.asked) == 3
    assert len({request.body for request in server.asked}) == 1


@pytest.mark.parametrize('retries', [0, 2])
def test_tries_are_bounded(retries: int, quick: None) -> None:
    error = error_of(BUSY, retries=retries, tries=retries + 1)
    assert (error.status, error.reason) == (503, Reason.MODEL_ERROR)
    assert "got 503 'busy'" in str(error)


def waits_of(seed: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(time, 'sleep', waits.append)
    with ScriptedServer(BUSY) as server, pytest.raises(ServerError):
        JsonServer(server.url, retries=3, seed=seed).call('ask', {}, time.monotonic() + 60.0)
    return [wait_s for wait_s in waits if wait_s]  # the server sleeps too, for 0 s


def test_waits_grow_and_are_spread_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = waits_of(1, monkeypatch)
    assert waits == waits_of(1, monkeypatch) != waits_of(2, monkeypatch)
    assert len(waits) == 3
    for power, wait_s in enumerate(waits):
        assert 0.5 <= wait_s / (http_json.BACKOFF_S * 2**power) <= 1.5


DATES = {'Date': 'Mon, 01 Jan 2024 10:00:00 GMT', 'Retry-After': 'Mon, 01 Jan 2024 10:00:01 GMT'}


@pytest.mark.parametrize('headers', [{'Retry-After': '1'}, DATES], ids=['seconds', 'date'])
def test_wait_asked_for_is_kept(headers: dict[str, str], quick: None) -> None:
    with ScriptedServer(Answer({}, 429, headers), DONE) as server:
        assert 1.0 <= seconds(lambda: call(server.url, retries=1)) < 3.0


@pytest.mark.parametrize('value', ['60', '9' * 400])
def test_wait_beyond_the_deadline_fails_at_once(value: str) -> None:
    answer = Answer({'error': 'slow down'}, 429, {'Retry-After': value})
    assert seconds(lambda: error_of(answer, retries=3, limit_s=2.0)) < 1.0


@pytest.mark.parametrize('value', ['soon', '-5', 'nan', 'Mon, 01 Jan 99999 10:00:00 GMT'])
def test_nonsense_wait_is_ignored(value: str, quick: None) -> None:
    with ScriptedServer(Answer({}, 503, {'Retry-After': value}), DONE) as server:
        assert seconds(lambda: call(server.url, retries=1)) < 1.0


# the deadline


@pytest.mark.parametrize(
    'answer',
    [
        Answer({}, delay_s=1.5),
        Answer(b' ' * 30, trickle_s=0.05),
        Answer(BUSY.body, 503, delay_s=0.2),
    ],
    ids=['silent', 'trickling', 'failing'],
)
def test_deadline_covers_the_answer_and_all_tries(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_json, 'BACKOFF_S', 0.0)
    with ScriptedServer(answer) as server:
        begin = time.monotonic()
        with pytest.raises(ServerError, match=r'need an answer within 0.5 s, got none') as caught:
            call(server.url, retries=10, limit_s=0.5)
        assert 0.45 < time.monotonic() - begin < 1.2
    assert caught.value.reason is Reason.TIMEOUT


def test_trickled_headers_do_not_pass_the_deadline_and_leave_no_thread() -> None:
    leave = threading.Event()
    with socket.create_server(('127.0.0.1', 0)) as listener:

        def trickle() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b'HTTP/1.1 200 OK\r\nX: ')
                while not leave.wait(0.05):
                    try:
                        connection.sendall(b'x')
                    except OSError:
                        return

        thread = threading.Thread(target=trickle)
        thread.start()
        url = f'http://127.0.0.1:{listener.getsockname()[1]}'
        begin = time.monotonic()
        with pytest.raises(ServerError) as caught:
            call(url, limit_s=0.4)
        assert time.monotonic() - begin < 1.2
        thread.join(5.0)
        left = [item for item in threading.enumerate() if item.name == 'emma-request']
        for item in left:
            item.join(1.0)
        assert not thread.is_alive()
        assert not any(item.is_alive() for item in left)
        leave.set()
    assert caught.value.reason is Reason.TIMEOUT


def test_no_time_at_all_asks_nothing() -> None:
    assert error_of(DONE, limit_s=0.0, tries=0).reason is Reason.TIMEOUT


# the key


@pytest.mark.parametrize('variable', http_json.KEY_VARIABLES)
def test_key_is_sent_as_header_only(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, f' {KEY}\n')
    with ScriptedServer(DONE) as server:
        call(server.url)
    (request,) = server.asked
    assert request.headers['Authorization'] == f'Bearer {KEY}'
    assert KEY.encode() not in request.body
    assert KEY not in request.path


def test_own_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('EMMA_API_KEY', KEY)
    monkeypatch.setenv('OPENAI_API_KEY', 'other')
    with ScriptedServer(DONE) as server:
        call(server.url)
    assert server.asked[0].headers['Authorization'] == f'Bearer {KEY}'


def test_without_key_no_header_is_sent() -> None:
    with ScriptedServer(DONE) as server:
        call(server.url)
    assert 'Authorization' not in server.asked[0].headers


ECHO = f'sorry, Bearer {KEY} is not welcome'


@pytest.mark.parametrize(
    'answer',
    [
        Answer({'error': ECHO}, 400),
        Answer({'error': ECHO}, 401),
        Answer({'error': ECHO}, 403),
        Answer({'error': {'text': [ECHO]}}, 422),
        Answer(ECHO.encode(), 500, HTML),
        Answer(ECHO.encode(), headers={'Content-Type': ECHO}),
        Answer(b' ' * 1000 + ECHO.encode()),
        Answer(status=302, headers={'Location': f'http://evil/{KEY}'}),
        Answer(raw=f'{ECHO}\r\n'.encode()),
    ],
)
def test_key_repeated_by_the_server_is_struck_out(
    answer: Answer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv('EMMA_API_KEY', KEY)
    error = error_of(answer)
    assert KEY[:12] not in ''.join(traceback.format_exception(error))
    assert KEY not in caplog.text


def test_refused_key_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', KEY)
    error = error_of(Answer({'error': 'bad key'}, 401), retries=3)
    assert 'accepted (the one in OPENAI_API_KEY was refused), got 401' in str(error)


@pytest.mark.parametrize('key', ['two words', 'line\nbreak', 'schlüssel', 'quo"te', 'back\\slash'])
def test_key_that_no_header_can_carry_is_refused_unseen(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('EMMA_API_KEY', key)
    with pytest.raises(ModelError, match='EMMA_API_KEY: need printable ASCII') as caught:
        JsonServer('http://127.0.0.1:1', retries=0, seed=0)
    assert key not in str(caught.value)


@pytest.mark.parametrize('status', [301, 302, 307, 308])
def test_redirects_are_not_followed(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('EMMA_API_KEY', KEY)
    with ScriptedServer(DONE) as other:
        error = error_of(Answer(status=status, headers={'Location': f'{other.url}/v1/ask'}))
        assert other.requests == []
    assert f"redirects to '{other.url}/v1/ask', got {status}" in str(error)

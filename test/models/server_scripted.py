"""A real HTTP server on 127.0.0.1 whose answers a test scripts, and which records requests."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the server does with one request.

    :param body: bytes as they are, or anything else as JSON
    :param headers: these and Content-Type and Content-Length, which they may replace
    :param delay_s: wait before the first byte [s]
    :param trickle_s: wait before each further byte of the body [s]
    :param raw: bytes to send in place of an HTTP answer; b'' hangs up
    :param hold_s: wait before hanging up after ``raw`` [s]
    """

    body: Any = b''
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    trickle_s: float = 0.0
    raw: bytes | None = None
    hold_s: float = 0.0


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)


def completion(content: Any, finish_reason: Any = 'stop', **more: Any) -> dict[str, Any]:
    """Return a chat completion as servers write it."""
    message = {'role': 'assistant', 'content': content}
    choice = {'index': 0, 'message': message, 'finish_reason': finish_reason}
    return {'object': 'chat.completion', 'choices': [choice], **more}


class ScriptedServer:
    """Answers questions in turn, the last answer for ever; the list of models is apart."""

    def __init__(
        self,
        *answers: Answer,
        models: Sequence[str] | Answer = ('tiny',),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        listed = {'object': 'list', 'data': [{'id': name} for name in _names(models)]}
        self._models = models if isinstance(models, Answer) else Answer(listed)
        self._answers = list(answers) or [Answer(completion('hello'))]
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._server = ThreadingHTTPServer(('127.0.0.1', 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """Address without a path."""
        scheme = 'https' if self._tls else 'http'
        return f'{scheme}://127.0.0.1:{self._server.server_address[1]}'

    @property
    def asked(self) -> list[Request]:
        """Requests for completions, without those for the list of models."""
        return [request for request in self.requests if request.method == 'POST']

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _next(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.method == 'GET':
            return self._models
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                scripted.connections += 1
                if scripted._tls is not None:
                    self.request = scripted._tls.wrap_socket(self.request, server_side=True)
                super().setup()

            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
                request = Request(self.command, self.path, dict(self.headers), body)
                answer = scripted._next(request)
                time.sleep(answer.delay_s)
                with suppress(OSError):  # the client may have left
                    self._send(answer)

            def _send(self, answer: Answer) -> None:
                if answer.raw is not None:
                    self.wfile.write(answer.raw)
                    time.sleep(answer.hold_s)
                    return
                is_bytes = isinstance(answer.body, bytes)
                data = answer.body if is_bytes else json.dumps(answer.body).encode()
                headers = {'Content-Type': 'application/json', 'Content-Length': str(len(data))}
                self.send_response_only(answer.status)
                for name, value in (headers | dict(answer.headers)).items():
                    self.send_header(name, value)
                self.end_headers()
                if not answer.trickle_s:
                    self.wfile.write(data)
                    return
                for byte in data:
                    self.wfile.write(bytes([byte]))
                    time.sleep(answer.trickle_s)

        return Handler


def _names(models: Sequence[str] | Answer) -> Sequence[str]:
    return () if isinstance(models, Answer) else models

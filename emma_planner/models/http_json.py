"""JSON over HTTP with a total deadline, bounded tries and a key that stays secret.

A path and a body go in, the parsed answer comes out, or a :class:`ServerError` of one line that
says what was needed and what the server did. Connections are direct (no proxy) and follow no
redirect, so that the key reaches only the host it was meant for; whatever a server says is
bounded in size and quoted with the key struck out. Knows nothing about models; standard library
only.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import ssl
import threading
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from emma_planner.planning.chat import ModelError
from emma_planner.planning.parsing import quote
from emma_planner.planning.types import Reason

KEY_VARIABLES = ('EMMA_API_KEY', 'OPENAI_API_KEY')
"""Environment variables that may hold the API key; the first one set wins."""
MAX_ANSWER_BYTES = 8 * 2**20
BACKOFF_S = 0.25
"""Mean wait before the second try [s]; doubles with each further one, spread by half."""
_KEY = re.compile(r'[!#-&(-[\]-~]+')
_KEY_CHARACTERS = 'printable ASCII without spaces, quotes and backslashes'
"""What a header can carry and what stays alike when a server repeats it, to be struck out."""
_NOT_JSON = object()
_Request = tuple[str, str, bytes | None, dict[str, str]]
"""Method, path, body, headers."""


class ServerError(ModelError):
    """The server gave no usable answer.

    :param status: HTTP status, 0 where there was none
    :param is_page: the answer was a web page: an API hardly writes these
    :param transient: another try may help
    :param retry_after_s: wait that the server asked for [s]
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        is_page: bool = False,
        transient: bool = False,
        retry_after_s: float | None = None,
        reason: Reason = Reason.MODEL_ERROR,
    ) -> None:
        super().__init__(message, reason)
        self.status = status
        self.is_page = is_page
        self.transient = transient
        self.retry_after_s = retry_after_s


class JsonServer:
    """One server, asked one thing at a time."""

    def __init__(self, url: str, *, retries: int, seed: int) -> None:
        """Hold address and key; nothing is sent yet.

        :param url: ``http(s)://host[:port][/path]``, with or without ``/v1`` at the end
        :param retries: tries after the first
        :param seed: of the spread of waits between tries
        :raises ModelError: unusable address or key
        """
        parts = _split(url)
        self._secure = parts.scheme == 'https'
        self._host = str(parts.hostname)
        self._port = parts.port or (443 if self._secure else 80)
        self._path = parts.path.rstrip('/').removesuffix('/v1') + '/v1'
        self.url = f'{parts.scheme}://{parts.netloc}{self._path}'
        self._retries = retries
        self._random = random.Random(seed)
        self._key_variable, self._key = _api_key()

    def call(self, path: str, body: Any, deadline: float) -> Any:
        """GET, or POST where there is a body, until an answer, a final error or the deadline.

        Broken connections and the states 408, 429 and 5xx are tried again, after the server's
        Retry-After or a growing wait; not where that wait would pass the deadline.

        :param path: below ``/v1``
        :param deadline: on the clock of ``time.monotonic`` [s]
        :returns: the parsed answer
        :raises ServerError: no usable answer; ``timeout`` when the deadline passed
        """
        data = None if body is None else json.dumps(body).encode()
        limit_s = deadline - time.monotonic()
        mean_wait_s = BACKOFF_S
        retries = self._retries
        while True:
            try:
                return self._try(path, data, deadline)
            except TimeoutError as err:
                # the caller's limit: some of it may have passed before the call
                within = f'{round(limit_s, 2):g} s'
                message = f'{self.url}: need an answer within {within}, got none'
                raise ServerError(message, reason=Reason.TIMEOUT) from err
            except ServerError as err:
                wait_s = err.retry_after_s
                if wait_s is None:
                    wait_s = mean_wait_s * self._random.uniform(0.5, 1.5)
                too_late = time.monotonic() + wait_s >= deadline
                if too_late or not err.transient or not retries:
                    raise
            time.sleep(wait_s)
            mean_wait_s *= 2
            retries -= 1

    def quote(self, text: str) -> str:
        """Shorten what the server said to one printable line without the key."""
        return quote(text.replace(self._key, '***') if self._key else text)

    def _try(self, path: str, data: bytes | None, deadline: float) -> Any:
        try:
            answer = self._exchange(path, data, deadline - time.monotonic())
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException, UnicodeError) as err:
            # an HTTPException can quote the server, unlike a system's error
            raise self._connection_error(err) from (err if isinstance(err, OSError) else None)
        if not 200 <= answer.status < 300:
            raise self._status_error(path, answer)
        if len(answer.body) > MAX_ANSWER_BYTES:
            need = f'at most {MAX_ANSWER_BYTES} bytes'
            raise ServerError(f'{self.url}/{path}: need {need}, got more')
        parsed = _parsed(answer.body)
        if parsed is _NOT_JSON:
            raise ServerError(f'{self.url}/{path}: need JSON, got {self._shown(answer)}')
        return parsed

    def _exchange(self, path: str, data: bytes | None, timeout_s: float) -> _Answer:
        if timeout_s <= 0:
            raise TimeoutError
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=timeout_s)
        headers = {'Accept': 'application/json', 'User-Agent': 'emma_planner'}
        if data is not None:
            headers['Content-Type'] = 'application/json'
        if self._key:
            headers['Authorization'] = f'Bearer {self._key}'
        method = 'GET' if data is None else 'POST'
        request = (method, f'{self._path}/{path}', data, headers)
        return _Exchange(connection, request).result(timeout_s)

    def _connection_error(self, err: Exception) -> ServerError:
        need, got = 'a running server', _system(err)
        transient = not isinstance(err, (ssl.SSLCertVerificationError, UnicodeError))
        if isinstance(err, http.client.IncompleteRead):
            need, got = 'a whole answer', f'only {len(err.partial)} bytes of it'
        elif isinstance(err, (socket.gaierror, UnicodeError)):
            need, got = 'a host name that resolves', f'{self._host}: {_system(err)}'
        elif isinstance(err, ssl.SSLError):
            need = 'a trusted TLS server'
        elif not isinstance(err, OSError):
            need, got, transient = 'an HTTP answer', f'{type(err).__name__}: {err}', False
        return ServerError(f'{self.url}: need {need}, got {self.quote(got)}', transient=transient)

    def _status_error(self, path: str, answer: _Answer) -> ServerError:
        status, need, shown = answer.status, 'an answer', self._shown(answer)
        if 300 <= status < 400:
            target = self.quote(answer.headers.get('Location', ''))
            need = f'the final address, not one that redirects to {target}'
        elif status == 401:  # servers like to repeat parts of the key
            need, shown = f'an API key that is accepted ({self._key_state()})', 'Unauthorized'
        elif status == 403:
            need = f'access ({self._key_state()})'
        elif status == 404:
            need = 'this address and the model to exist'
        return ServerError(
            f'{self.url}/{path}: need {need}, got {status} {shown}',
            status=status,
            is_page='html' in answer.headers.get('Content-Type', '').lower(),
            transient=status in (408, 429) or status >= 500,
            retry_after_s=_retry_after_s(answer.headers),
        )

    def _key_state(self) -> str:
        if self._key:
            return f'the one in {self._key_variable} was refused'
        return f'none is set in {" or ".join(KEY_VARIABLES)}'

    def _shown(self, answer: _Answer) -> str:
        """Message of a JSON error, else content type and first words."""
        parsed = _parsed(answer.body)
        for key in ('error', 'message', 'detail'):
            if isinstance(parsed, dict) and key in parsed:
                parsed = parsed[key]
        if isinstance(parsed, str):
            return self.quote(parsed)
        kind = self.quote(answer.headers.get('Content-Type', 'no content type'))
        return f'{kind} {self.quote(answer.body.decode("utf-8", "replace"))}'


class _Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class _Exchange(threading.Thread):
    """One request and its answer in a thread, left behind at the deadline.

    A socket's time-out bounds single reads and no name look-up: a server that trickles bytes
    would hold the planner for ever. Closing the socket also has the server drop the work.
    """

    def __init__(self, connection: http.client.HTTPConnection, request: _Request) -> None:
        super().__init__(name='emma-request', daemon=True)
        self._connection = connection
        self._request = request
        self._socket: socket.socket | None = None
        self._abandoned = False
        self._outcome: _Answer | Exception | None = None

    def result(self, timeout_s: float) -> _Answer:
        """Run it.

        :raises TimeoutError: no full answer within ``timeout_s``
        """
        self.start()
        self.join(timeout_s)
        if self.is_alive():
            self._abandoned = True
            if self._socket is not None:
                with suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            raise TimeoutError
        if isinstance(self._outcome, Exception):
            raise self._outcome
        assert self._outcome is not None
        return self._outcome

    def run(self) -> None:
        try:
            self._outcome = self._talk()
        except Exception as err:  # raised again in the caller's thread
            self._outcome = err
        finally:
            self._connection.close()

    def _talk(self) -> _Answer:
        self._connection.connect()
        self._socket = self._connection.sock
        if self._abandoned:
            raise TimeoutError
        self._connection.request(*self._request)
        response = self._connection.getresponse()
        return _Answer(response.status, response.headers, _read(response))


def _read(response: http.client.HTTPResponse) -> bytes:
    expected = response.length
    body = response.read(MAX_ANSWER_BYTES + 1)
    # a read with a size does not notice an early end by itself
    if expected is not None and len(body) < min(expected, MAX_ANSWER_BYTES):
        raise http.client.IncompleteRead(body, expected - len(body))
    return body


def _retry_after_s(headers: http.client.HTTPMessage) -> float | None:
    value = headers.get('Retry-After', '').strip()
    if value.isdecimal():
        return float(value)
    try:  # a date, counted from the server's own clock
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get('Date', ''))
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, wait.total_seconds())


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # ValueError covers broken UTF-8 and endless numbers
        return _NOT_JSON


def _system(err: Exception) -> str:
    return str(getattr(err, 'strerror', None) or err or type(err).__name__)


def _split(url: str) -> SplitResult:
    need = 'need http://host:port or https://host:port'
    if '@' in url or '?' in url:  # not quoted: there may be a secret in it
        raise ModelError(f'{need}, got a user or query; a key goes in {KEY_VARIABLES[0]}')
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ('http', 'https') and parts.hostname and parts.port != 0
    except ValueError as err:
        raise ModelError(f'{need}, got {quote(url)}') from err
    if not usable or parts.fragment:
        raise ModelError(f'{need}, got {quote(url)}')
    return parts


def _api_key() -> tuple[str, str]:
    """Name of the variable and key, both empty where none is set."""
    for variable in KEY_VARIABLES:
        key = os.environ.get(variable, '').strip()
        if key and not _KEY.fullmatch(key):
            raise ModelError(f'{variable}: need {_KEY_CHARACTERS}, got other characters')
        if key:
            return variable, key
    return '', ''

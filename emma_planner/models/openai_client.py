"""Any server with OpenAI's chat interface as a ChatModel: vLLM, SGLang, llama.cpp, others.

Frames and questions go in, replies come out, over ``/v1/chat/completions``. Every turn resends
the whole conversation: the images lead the first user turn and earlier messages never change, so
that a server with prefix caching encodes the images once. One deadline covers a reply with all
its tries. Only the shape of an answer is checked here; that its text holds a plan is for the
caller's codec. Knows nothing about prompts, plans or sockets.
"""

from __future__ import annotations

import base64
import io
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emma_planner.config import PlannerConfig
from emma_planner.models.http_json import JsonServer, ServerError
from emma_planner.planning.chat import ModelError, Reply, ReplyFormat, Stop, TextFormat
from emma_planner.planning.types import ByteArray, CameraFrame

JPEG_QUALITY = 90
MAX_JPEG_PX = 65500
"""Longest side that libjpeg writes."""
MAX_LISTED = 8
NO_LIST = (404, 405, 500, 501)
"""States with which servers that have no list of models answer the question for one."""

_log = logging.getLogger(__name__)


class OpenAIModel:
    """A model behind an OpenAI-compatible server.

    A JSON schema is enforced where the server takes one; where it refuses, the format is only
    asked for from then on. Action tokens cannot be enforced: :meth:`has_tokens` is False.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        temperature: float = 0.0,
        timeout_s: float = 30.0,
        retries: int = 2,
        max_width_px: int = 0,
        max_height_px: int = 0,
        seed: int = 0,
    ) -> None:
        """Hold the settings; nothing is sent yet.

        :param url: ``http(s)://host:port``, with or without ``/v1``
        :param name: model name at the server; '' has :meth:`check` take the only one listed
        :param timeout_s: longest wait for one reply, tries after the first included [s]
        :param retries: tries after the first
        :param max_width_px: wider images are scaled down; 0 keeps
        :param max_height_px: higher images are scaled down; 0 keeps
        :param seed: of the spread of waits between tries
        :raises ModelError: unusable address or key
        """
        self._server = JsonServer(url, retries=retries, seed=seed)
        self._name = name
        self._temperature = temperature
        self._timeout_s = timeout_s
        self._max_size_px = (max_width_px, max_height_px)
        self._takes_schema = True

    @classmethod
    def from_config(cls, config: PlannerConfig) -> OpenAIModel:
        """Build from parameters and contact the server, so that a wrong address fails at once.

        :raises ModelError: as :meth:`check`, or unusable address or key
        """
        model = cls(
            config.model,
            config.server_model,
            temperature=config.temperature,
            timeout_s=config.request_timeout_s,
            retries=config.request_retries,
            max_width_px=config.image_max_width_px,
            max_height_px=config.image_max_height_px,
            seed=config.seed,
        )
        model.check()
        return model

    @property
    def name(self) -> str:
        """Model name at the server; '' before :meth:`check` has found it."""
        return self._name

    def check(self) -> None:
        """Ask for the server's models; without a name of ours, take the only one.

        With a name the list matters little: ``transformers serve`` lists downloads and not what
        it serves, and fails where there are none. A wrong name shows at the first question.

        :raises ModelError: no such server, key refused, or not exactly one model to take
        """
        try:
            answer = self._server.call('models', None, time.monotonic() + self._timeout_s)
        except ServerError as err:
            if err.status not in NO_LIST or err.is_page:
                raise
            if not self._name:
                raise ModelError(f'{err}; name the model in server_model') from err
            return
        listed = _model_names(answer, self._server)
        if self._name and listed and self._name not in listed:
            _log.warning('%s does not list model %r', self._server.url, self._name)
        self._name = self._name or _only(listed, self._server)

    def start(
        self,
        frames: Sequence[CameraFrame],
        *,
        earlier: Sequence[CameraFrame | None] = (),
        seed: int = 0,
    ) -> OpenAIChat:
        """Open a conversation; images are scaled and encoded here, once.

        :raises ModelError: no JPEG encoder installed, or an image that it cannot write
        """
        images = [_image_part(frame.rgb, *self._max_size_px) for frame in frames]
        return OpenAIChat(self, images, seed)

    def has_tokens(self, tokens: Sequence[str]) -> bool:
        """Return False: a server neither shows its vocabulary nor enforces single tokens."""
        return False

    def complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        seed: int,
        max_tokens: int,
        time_limit_s: float | None,
        reply_format: ReplyFormat | None,
    ) -> Reply:
        """Have the server continue a conversation.

        :raises ModelError: no reply could be had; ``timeout`` when the deadline passed
        """
        begin = time.monotonic()
        limit_s = self._timeout_s if time_limit_s is None else min(self._timeout_s, time_limit_s)
        # the messages lead, so that the request's bytes start alike in every turn
        body = {
            'model': self._name,
            'messages': messages,
            'temperature': self._temperature,
            'seed': seed,
            'max_tokens': max_tokens,
        }
        answer = self._ask(body, reply_format, begin + limit_s)
        text, stop = _reply(answer, self._server)
        prompt_tokens, generated_tokens = _usage(answer)
        elapsed_ms = (time.monotonic() - begin) * 1e3
        return Reply(text, stop, prompt_tokens, generated_tokens, 0.0, elapsed_ms)

    def _ask(self, body: dict[str, Any], reply_format: ReplyFormat | None, deadline: float) -> Any:
        if not isinstance(reply_format, TextFormat) or not self._takes_schema:
            return self._server.call('chat/completions', body, deadline)
        schema = {'name': 'reply', 'schema': dict(reply_format.json_schema), 'strict': True}
        response_format = {'type': 'json_schema', 'json_schema': schema}
        try:
            return self._server.call(
                'chat/completions', body | {'response_format': response_format}, deadline
            )
        except ServerError as err:
            if err.status not in (400, 422):
                raise
            # the same request passes without a schema only if the schema was what was refused
            answer = self._server.call('chat/completions', body, deadline)
            self._takes_schema = False
            _log.warning('%s; formats are only asked for from now on', err)
            return answer


class OpenAIChat:
    """One conversation with a server; implements Chat."""

    def __init__(self, model: OpenAIModel, images: list[dict[str, Any]], seed: int) -> None:
        self._model = model
        self._images = images
        self._seed = seed
        self._messages: list[dict[str, Any]] = []

    def ask(
        self,
        text: str,
        *,
        max_tokens: int,
        time_limit_s: float | None = None,
        reply_format: ReplyFormat | None = None,
        again: bool = False,
    ) -> Reply:
        """Add a user turn and return the answer; after an error the turn is not kept.

        :raises ModelError: no reply could be had; ``timeout`` when the deadline passed, since
            a server hands out no part of a reply
        """
        content: Any = text
        before = self._messages[:-2] if again else self._messages
        if not before:
            content = [*self._images, {'type': 'text', 'text': text}]
        messages = [*before, {'role': 'user', 'content': content}]
        reply = self._model.complete(
            messages,
            seed=self._seed,
            max_tokens=max_tokens,
            time_limit_s=time_limit_s,
            reply_format=reply_format,
        )
        self._messages = [*messages, {'role': 'assistant', 'content': reply.text}]
        return reply


def _model_names(answer: Any, server: JsonServer) -> list[str]:
    match answer:
        case {'data': [*entries]}:
            names = [entry.get('id') for entry in entries if isinstance(entry, dict)]
            return list(dict.fromkeys(name for name in names if isinstance(name, str) and name))
    raise ModelError(
        f'{server.url}/models: need a list of models, got {server.quote(str(answer))}'
    )


def _only(listed: list[str], server: JsonServer) -> str:
    if len(listed) == 1:
        return listed[0]
    shown = ', '.join(server.quote(name) for name in listed[:MAX_LISTED]) or 'none'
    if len(listed) > MAX_LISTED:
        shown += f' and {len(listed) - MAX_LISTED} more'
    raise ModelError(f'{server.url}: need one model or its name in server_model, got {shown}')


def _reply(answer: Any, server: JsonServer) -> tuple[str, Stop]:
    match answer:
        case {'choices': [{'message': {'content': str(text)}} as choice, *_]}:
            pass
        case {'choices': [{'message': {'content': [*parts]}} as choice, *_]} if _texts(parts):
            text = ''.join(_texts(parts))
        case {'choices': []}:
            raise ModelError(f'{server.url}: need a choice, got an empty list of choices')
        case {'choices': [choice, *_]}:
            found = server.quote(str(choice))
            raise ModelError(f'{server.url}: need text as message content, got {found}')
        case _:
            found = server.quote(str(answer))
            raise ModelError(f'{server.url}: need an answer with choices, got {found}')
    stop = Stop.LENGTH if choice.get('finish_reason') == 'length' else Stop.END
    # half surrogate pairs pass JSON, but no file or terminal after it
    return text.encode('utf-8', 'replace').decode('utf-8'), stop


def _texts(parts: Sequence[Any]) -> list[str]:
    texts = [part.get('text') for part in parts if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str)]


def _usage(answer: Any) -> tuple[int, int]:
    """Tokens in the prompt and generated; 0 where the server does not count."""
    usage = answer.get('usage')
    counts = usage if isinstance(usage, dict) else {}
    prompt, generated = (counts.get(key) for key in ('prompt_tokens', 'completion_tokens'))
    return (
        prompt if type(prompt) is int and prompt > 0 else 0,
        generated if type(generated) is int and generated > 0 else 0,
    )


def _image_part(rgb: ByteArray, max_width_px: int, max_height_px: int) -> dict[str, Any]:
    height, width = rgb.shape[:2]
    scale = min(1.0, (max_width_px or width) / width, (max_height_px or height) / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if max(size) > MAX_JPEG_PX:
        raise ModelError(f'need an image side of at most {MAX_JPEG_PX} px, got {max(size)}')
    data = base64.b64encode(_jpeg(np.ascontiguousarray(rgb), size)).decode('ascii')
    return {'type': 'image_url', 'image_url': {'url': f'data:image/jpeg;base64,{data}'}}


def _jpeg(rgb: ByteArray, size: tuple[int, int]) -> bytes:
    try:
        return _jpeg_by_opencv(rgb, size)
    except ImportError:
        pass
    try:
        return _jpeg_by_pillow(rgb, size)
    except ImportError as err:
        raise ModelError(
            'need OpenCV or Pillow to send images, got neither; install emma_planner[models]'
        ) from err


def _jpeg_by_opencv(rgb: ByteArray, size: tuple[int, int]) -> bytes:
    import cv2

    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    if size != (rgb.shape[1], rgb.shape[0]):
        bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return data.tobytes()


def _jpeg_by_pillow(rgb: ByteArray, size: tuple[int, int]) -> bytes:
    from PIL import Image

    image = Image.fromarray(rgb)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BOX)
    stream = io.BytesIO()
    image.save(stream, 'JPEG', quality=JPEG_QUALITY)
    return stream.getvalue()

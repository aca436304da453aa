"""Open a checkpoint (folder or hub id): model, processor, and one clear line when it cannot be.

Only safetensors weights are read and code that comes with a checkpoint is never run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants, get_session
from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig
from transformers.utils import logging

import emma_planner.models.conv_tower  # noqa: F401  registers the tower with the Auto classes
from emma_planner.models.adapters import ADAPTER, base_of, fold_in
from emma_planner.models.processors import load_processor
from emma_planner.models.quantization import QUANTIZED, quantize
from emma_planner.planning.chat import ModelError

UNTRAINED_KEY = 'emma_untrained'
"""True in config.json of a model with random weights; training removes it."""

_OTHER_WEIGHTS = ('.bin', '.pt', '.pth', '.ckpt', '.gguf', '.h5', '.msgpack', '.onnx')
_HUB_TIMEOUT_S = 5.0
_DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model in memory, in evaluation mode, with its processor."""

    model: Any
    processor: Any


def open_checkpoint(source: str, *, device: str = 'auto', dtype: str = 'auto') -> Checkpoint:
    """Load a multimodal language model.

    :param source: folder or hub id of an ``AutoModelForImageTextToText`` checkpoint
    :param device: torch device; 'auto' takes CUDA where there is one
    :param dtype: 'auto' takes bfloat16 on CUDA and float32 elsewhere: on CPUs bfloat16 is slower
    :raises ModelError: not a checkpoint that can be used
    """
    target = torch_device(device)
    if dtype == 'auto':
        dtype = 'bfloat16' if target.type == 'cuda' else 'float32'
    folder = Path(source).expanduser()
    if (folder / ADAPTER).is_file():
        return _open_adapter(folder, device=device, dtype=dtype)
    source, is_local = locate(source)
    local = {'local_files_only': is_local}
    with quiet_transformers(), named_failure(source):
        config = AutoConfig.from_pretrained(source, trust_remote_code=False, **local)
        _check_architecture(source, config)
        processor = load_processor(source, config, **local)
        _check_chat_template(source, processor)
        model, report = AutoModelForImageTextToText.from_pretrained(
            source,
            config=config,
            dtype=_DTYPES['float32' if dtype in QUANTIZED else dtype],
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # told in the report, and refused below
            output_loading_info=True,
            **local,
        )
        check_weights(source, report)
        _check_vocabulary(source, model, processor)
        model = model.to(target).eval()
    if dtype in QUANTIZED:
        quantize(model, dtype)
    _reset_generation(model)
    return Checkpoint(model, processor)


def _open_adapter(folder: Path, *, device: str, dtype: str) -> Checkpoint:
    base = open_checkpoint(base_of(folder), device=device, dtype=dtype)
    with quiet_transformers(), named_failure(str(folder)):
        model = fold_in(base.model, base.processor, folder).eval()
    return Checkpoint(model, base.processor)


def locate(source: str) -> tuple[str, bool]:
    """Return a folder or hub id as transformers takes it, and whether to stay off the network.

    :raises ModelError: no such folder, or no checkpoint in it
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        _check_folder(folder)
        return str(folder), True
    if _looks_like_a_path(source):
        raise ModelError(f'{source}: need a model folder or a hub id, got no such folder')
    return source, not _is_hub_reachable()


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hide progress bars and reports of loading and saving, which tear the logs of a node."""
    was_enabled, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if was_enabled:
            logging.enable_progress_bar()


def torch_device(name: str) -> torch.device:
    """Return a device that works; 'auto' takes CUDA where there is one.

    :raises ModelError: it does not
    """
    if name == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as err:
        raise ModelError(f'need a usable torch device, got {name!r}: {_line(err)}') from err
    return device


def _looks_like_a_path(source: str) -> bool:
    return source.startswith(('/', '.', '~')) or source.count('/') > 1 or not source


def _check_folder(folder: Path) -> None:
    """Fail before transformers does, which names neither the folder nor what is missing."""
    config_path = folder / 'config.json'
    try:
        config = json.loads(config_path.read_text(encoding='utf-8'))
    except FileNotFoundError as err:
        raise ModelError(f'{folder}: need config.json, got none') from err
    except OSError as err:
        raise ModelError(f'{config_path}: need a readable file, got {err.strerror}') from err
    except ValueError as err:
        raise ModelError(f'{config_path}: need valid JSON, got: {_line(err)}') from err
    if not isinstance(config, dict) or 'model_type' not in config:
        raise ModelError(f'{config_path}: need a model_type, got none')
    if not any(folder.glob('*.safetensors')):
        other = [path.name for path in folder.iterdir() if path.suffix in _OTHER_WEIGHTS]
        raise ModelError(f'{folder}: need weights as *.safetensors, got {_some(other)}')


def _some(names: list[str]) -> str:
    return ', '.join(sorted(names)[:4]) + (', ...' if len(names) > 4 else '') if names else 'none'


def _is_hub_reachable() -> bool:
    """Ask once, briefly: transformers retries for 23 s before it looks into its cache."""
    try:
        get_session().head(constants.ENDPOINT, timeout=_HUB_TIMEOUT_S)
    except Exception:
        # huggingface_hub has changed its HTTP library twice; each has its own error classes.
        return False
    return True


def _check_architecture(source: str, config: Any) -> None:
    if type(config) not in AutoModelForImageTextToText._model_mapping:
        raise ModelError(
            f'{source}: need an image-text-to-text architecture that transformers has, '
            f'got {config.model_type!r}'
        )


def _check_chat_template(source: str, processor: Any) -> None:
    if getattr(processor, 'chat_template', None) is None:
        template = getattr(getattr(processor, 'tokenizer', None), 'chat_template', None)
        if template is None:
            raise ModelError(
                f'{source}: need a chat template (an instruction-tuned checkpoint), got none'
            )
        processor.chat_template = template


def check_weights(source: str, report: dict[str, Any]) -> None:
    """Refuse weights that transformers would fill in at random with no more than a warning."""
    for kind in ('missing_keys', 'mismatched_keys'):
        found = report.get(kind) or ()
        if names := sorted(item if isinstance(item, str) else item[0] for item in found):
            raise ModelError(
                f'{source}: need all weights of the architecture, got {len(names)} '
                f'{kind.replace("_keys", "")}, first {names[0]}'
            )


def _check_vocabulary(source: str, model: Any, processor: Any) -> None:
    """Refuse a tokenizer of another model: its ids mean other things, or nothing."""
    rows, count = model.get_input_embeddings().weight.shape[0], len(processor.tokenizer)
    if count > rows:
        raise ModelError(f'{source}: need a tokenizer of up to {rows} tokens, got {count}')
    wanted = getattr(model.config, 'image_token_id', None)
    token = getattr(processor, 'image_token', None)
    if wanted is None or token is None:
        return
    found = processor.tokenizer.convert_tokens_to_ids(token)
    if found != wanted:
        raise ModelError(
            f'{source}: need a tokenizer whose {token} is {wanted}, as config.json says, '
            f'got {found}'
        )


def _reset_generation(model: Any) -> None:
    """Keep the checkpoint's token ids and drop its sampling habits, which ours replace."""
    given = model.generation_config
    model.generation_config = GenerationConfig(
        bos_token_id=given.bos_token_id,
        eos_token_id=given.eos_token_id,
        pad_token_id=given.pad_token_id,
    )


@contextmanager
def named_failure(source: str) -> Iterator[None]:
    """Turn whatever transformers raises over a source into one line that names it."""
    try:
        yield
    except ModelError:
        raise
    except Exception as err:
        # Whatever a broken checkpoint raises inside transformers, the cause stays attached.
        if Path(source).is_dir():
            need = 'a checkpoint that transformers can load without running its code'
        else:
            need = 'a model folder, or a hub id that can be reached or is in the local hub cache'
        raise ModelError(f'{source}: need {need}, got {_line(err)}') from err


def _line(err: BaseException) -> str:
    lines = str(err).strip().splitlines()
    return f'{type(err).__name__}: {lines[0]}' if lines else type(err).__name__

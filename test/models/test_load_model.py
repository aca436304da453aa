"""Which model a name loads, and the one line that a user sees when it cannot be loaded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emma_planner.config import PlannerConfig
from emma_planner.models import load_model
from emma_planner.planning.chat import ModelError
from emma_planner.planning.types import Reason


@pytest.fixture
def copy_checkpoint(checkpoint_folder, tmp_path):
    """A checkpoint of the test's own, to break."""
    return Path(shutil.copytree(checkpoint_folder(), tmp_path / 'broken'))


def load_error(name, **parameters):
    with pytest.raises(ModelError) as caught:
        load_model(PlannerConfig(model=str(name), **parameters))
    assert caught.value.reason is Reason.MODEL_ERROR
    assert '\n' not in str(caught.value)
    return str(caught.value)


def edit_json(path, **values):
    data = json.loads(path.read_text())
    data.update(values)
    path.write_text(json.dumps(data))


def test_address_is_a_server():
    message = load_error('http://127.0.0.1:9/v1', request_retries=0)
    assert message.startswith('http://127.0.0.1:9/v1: need a running server')


def test_folder_is_a_checkpoint(checkpoint_folder):
    from emma_planner.models.transformers_model import TransformersModel

    assert isinstance(load_model(PlannerConfig(model=str(checkpoint_folder()))), TransformersModel)


def test_folder_with_random_weights_says_so(checkpoint_folder):
    model = load_model(PlannerConfig(model=str(checkpoint_folder('llava'))))
    assert model.name == 'untrained:llava'


def test_trained_folder_is_named_by_its_path(copy_checkpoint):
    edit_json(copy_checkpoint / 'config.json', emma_untrained=False)
    assert load_model(PlannerConfig(model=str(copy_checkpoint))).name == str(copy_checkpoint)


def test_untrained_is_built_once(tmp_path, monkeypatch):
    pytest.importorskip('transformers')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    model = load_model(PlannerConfig(model='untrained'))
    assert model.name == 'untrained:qwen3_vl'
    (folder,) = (tmp_path / 'emma_planner').iterdir()
    assert folder.name.startswith('untrained-qwen3_vl-0-')
    built = (folder / 'model.safetensors').stat().st_mtime_ns
    load_model(PlannerConfig(model='untrained'))
    assert (folder / 'model.safetensors').stat().st_mtime_ns == built
    assert load_model(PlannerConfig(model='untrained:smolvlm')).name == 'untrained:smolvlm'


def test_unknown_untrained_architecture_lists_the_known(tmp_path, monkeypatch):
    pytest.importorskip('transformers')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    message = load_error('untrained:gpt')
    assert 'qwen3_vl' in message
    assert "got 'gpt'" in message
    assert not list((tmp_path / 'emma_planner').iterdir())


def test_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    pytest.importorskip('transformers')
    blocker = tmp_path / 'file'
    blocker.write_text('')
    monkeypatch.setenv('XDG_CACHE_HOME', str(blocker))
    assert 'need a writable cache folder, got Not a directory' in load_error('untrained')


def test_without_torch_the_error_names_the_extra():
    program = (
        'import sys\n'
        'from emma_planner.models import load_model\n'
        'from emma_planner.config import PlannerConfig\n'
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
        "sys.modules['torch'] = None\n"
        'try:\n'
        '    load_model(PlannerConfig())\n'
        'except Exception as err:\n'
        '    print(type(err).__name__, err)\n'
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, cwd=root, check=True
    )
    (line,) = done.stdout.splitlines()
    assert line.startswith('ModelError need torch and transformers')
    assert "pip install 'emma_planner[models]'" in line


def test_missing_folder():
    pytest.importorskip('transformers')
    assert load_error('/no/such/folder').endswith(
        'need a model folder or a hub id, got no such folder'
    )


def test_hub_id_without_network(monkeypatch):
    pytest.importorskip('transformers')
    from emma_planner.models import checkpoints

    # A port that nobody listens on stands for a hub that cannot be reached.
    monkeypatch.setattr(checkpoints.constants, 'ENDPOINT', 'http://127.0.0.1:9')
    start_s = time.perf_counter()
    message = load_error('emma-planner-test/no-such-model')
    assert time.perf_counter() - start_s < 10.0
    assert message.startswith('emma-planner-test/no-such-model: need a model folder, or a hub id')


def test_folder_without_config(copy_checkpoint):
    (copy_checkpoint / 'config.json').unlink()
    assert load_error(copy_checkpoint) == f'{copy_checkpoint}: need config.json, got none'


def test_config_that_is_not_json(copy_checkpoint):
    (copy_checkpoint / 'config.json').write_text('{')
    assert 'config.json: need valid JSON, got' in load_error(copy_checkpoint)


def test_config_without_a_model_type(copy_checkpoint):
    (copy_checkpoint / 'config.json').write_text('{}')
    assert 'config.json: need a model_type, got none' in load_error(copy_checkpoint)


def test_config_that_cannot_be_read(copy_checkpoint):
    (copy_checkpoint / 'config.json').unlink()
    (copy_checkpoint / 'config.json').mkdir()
    assert 'need a readable file, got Is a directory' in load_error(copy_checkpoint)


def test_pickled_weights_are_refused(copy_checkpoint):
    import torch

    (copy_checkpoint / 'model.safetensors').unlink()
    torch.save({}, copy_checkpoint / 'pytorch_model.bin')
    message = load_error(copy_checkpoint)
    assert message.endswith('need weights as *.safetensors, got pytorch_model.bin')


def test_folder_without_weights(copy_checkpoint):
    (copy_checkpoint / 'model.safetensors').unlink()
    assert load_error(copy_checkpoint).endswith('need weights as *.safetensors, got none')


def test_truncated_weights(copy_checkpoint):
    weights = copy_checkpoint / 'model.safetensors'
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert 'got SafetensorError' in load_error(copy_checkpoint)


def test_incomplete_weights_are_not_filled_in(copy_checkpoint):
    from safetensors.torch import load_file, save_file

    weights = load_file(copy_checkpoint / 'model.safetensors')
    weights.pop('lm_head.weight')
    save_file(weights, copy_checkpoint / 'model.safetensors', metadata={'format': 'pt'})
    assert load_error(copy_checkpoint).endswith('got 1 missing, first lm_head.weight')


def test_weights_of_other_sizes_are_named(copy_checkpoint):
    from safetensors.torch import load_file, save_file

    weights = load_file(copy_checkpoint / 'model.safetensors')
    weights['lm_head.weight'] = weights['lm_head.weight'][:-100].contiguous()
    save_file(weights, copy_checkpoint / 'model.safetensors', metadata={'format': 'pt'})
    assert load_error(copy_checkpoint).endswith('got 1 mismatched, first lm_head.weight')


def test_a_tokenizer_with_more_tokens_than_the_weights_is_refused(copy_checkpoint):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(copy_checkpoint)
    tokenizer.add_tokens([f'<more_{k}>' for k in range(5000)])
    tokenizer.save_pretrained(copy_checkpoint)
    assert 'need a tokenizer of up to' in load_error(copy_checkpoint)


def test_a_tokenizer_that_numbers_otherwise_is_refused(copy_checkpoint):
    config = json.loads((copy_checkpoint / 'config.json').read_text())
    edit_json(copy_checkpoint / 'config.json', image_token_id=config['image_token_id'] + 1)
    assert 'need a tokenizer whose <' in load_error(copy_checkpoint)


def test_architecture_without_images(copy_checkpoint):
    (copy_checkpoint / 'config.json').write_text('{"model_type": "bert"}')
    message = load_error(copy_checkpoint)
    assert message.endswith("image-text-to-text architecture that transformers has, got 'bert'")


def test_unknown_architecture(copy_checkpoint):
    edit_json(copy_checkpoint / 'config.json', model_type='emma9000')
    assert 'emma9000' in load_error(copy_checkpoint)


def test_missing_chat_template(copy_checkpoint):
    (copy_checkpoint / 'chat_template.jinja').unlink()
    assert 'need a chat template' in load_error(copy_checkpoint)


def test_chat_template_that_hides_replies(copy_checkpoint):
    (copy_checkpoint / 'chat_template.jinja').write_text('<|im_start|>user')
    assert 'need a chat template that shows replies' in load_error(copy_checkpoint)


def test_missing_tokenizer(copy_checkpoint):
    (copy_checkpoint / 'tokenizer.json').unlink()
    assert 'need a checkpoint that transformers can load' in load_error(copy_checkpoint)


@pytest.mark.parametrize('device', ['warp', 'cuda:99'])
def test_unusable_device(checkpoint_folder, device):
    message = load_error(checkpoint_folder(), device=device)
    assert message.startswith(f"need a usable torch device, got '{device}'")


@pytest.mark.parametrize('model_type', ['qwen3_vl', 'emma9000'])
def test_code_in_a_checkpoint_is_never_run(copy_checkpoint, model_type):
    ran = copy_checkpoint / 'ran'
    (copy_checkpoint / 'evil.py').write_text(f'open({str(ran)!r}, "w")\n')
    names = ('AutoConfig', 'AutoModelForImageTextToText', 'AutoProcessor', 'AutoTokenizer')
    auto_map = dict.fromkeys(names, 'evil.Evil')
    edit_json(copy_checkpoint / 'config.json', model_type=model_type, auto_map=auto_map)
    for name in ('processor_config.json', 'tokenizer_config.json'):
        edit_json(copy_checkpoint / name, auto_map=auto_map)
    if model_type == 'qwen3_vl':
        load_model(PlannerConfig(model=str(copy_checkpoint)))
    else:
        assert 'without running its code' in load_error(copy_checkpoint)
    assert not ran.exists()


def test_dtype_and_threads_come_from_the_configuration(checkpoint_folder):
    torch = pytest.importorskip('torch')
    before = torch.get_num_threads()
    try:
        config = PlannerConfig(
            model=str(checkpoint_folder()), device='cpu', dtype='bfloat16', num_threads=2
        )
        model = load_model(config)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert model.model.dtype is torch.bfloat16
    auto = load_model(PlannerConfig(model=str(checkpoint_folder()), device='cpu'))
    assert auto.model.dtype is torch.float32

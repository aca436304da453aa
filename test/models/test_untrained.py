"""Random-weight models are small, the same every time, and load like any checkpoint."""

from __future__ import annotations

import hashlib
import json

import pytest

pytest.importorskip('torch')
pytest.importorskip('transformers')

from emma_planner.models.processors import load_processor
from emma_planner.models.untrained import ARCHITECTURES, build_untrained, cached_untrained
from emma_planner.planning.actions import ActionTokens

ACTION_TOKENS = ActionTokens.speed_tokens + ActionTokens.curvature_tokens


def digest(folder):
    return hashlib.sha256((folder / 'model.safetensors').read_bytes()).hexdigest()


def test_every_architecture_is_small_and_of_its_family(load_checkpoint, architecture):
    model = load_checkpoint(architecture).model
    assert model.config.model_type == architecture
    assert type(model).__module__.startswith('transformers.models.')
    assert sum(weight.numel() for weight in model.parameters()) <= 3_000_000


def test_a_kitti_image_costs_about_100_tokens(load_checkpoint, architecture, frame):
    model = load_checkpoint(architecture)
    chat = model.start([frame])
    chat.ask('', max_tokens=1)
    is_image = chat._inputs['input_ids'] == model.model.config.image_token_id
    assert 90 <= is_image.sum() <= 120


def test_action_tokens_are_single_tokens(load_checkpoint, architecture):
    model = load_checkpoint(architecture)
    assert model.has_tokens(ACTION_TOKENS)
    ids = model.processor.tokenizer(''.join(ACTION_TOKENS), add_special_tokens=False)['input_ids']
    assert len(set(ids)) == len(ids) == 511
    assert model.processor.tokenizer.decode(ids) == ''.join(ACTION_TOKENS)


def test_action_tokens_are_optional(tmp_path):
    from emma_planner.config import PlannerConfig
    from emma_planner.models import load_model

    build_untrained(tmp_path, action_tokens=False)
    assert not load_model(PlannerConfig(model=str(tmp_path))).has_tokens(ACTION_TOKENS[:1])


def test_text_survives_the_tokenizer(load_checkpoint, architecture):
    tokenizer = load_checkpoint(architecture).processor.tokenizer
    text = 'Ego: [4.51,-0.12] m/s; naïve 東京 {"plan":[[0.00,0.00]]}'
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)['input_ids']) == text


def test_same_seed_gives_the_same_weights(checkpoint_folder, tmp_path):
    import torch

    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    build_untrained(tmp_path / 'again', seed=0)
    assert torch.equal(state, torch.random.get_rng_state())
    build_untrained(tmp_path / 'other', seed=1)
    assert digest(tmp_path / 'again') == digest(checkpoint_folder())
    assert digest(tmp_path / 'other') != digest(checkpoint_folder())


def test_folder_is_complete_for_machines_with_torchvision(checkpoint_folder, architecture):
    folder = checkpoint_folder(architecture)
    processor = json.loads((folder / 'processor_config.json').read_text())
    assert processor['processor_class'].endswith('Processor')
    assert ('video_processor' in processor) == (architecture != 'llava')


def test_processor_saved_again_keeps_its_family(
    load_checkpoint, checkpoint_folder, architecture, tmp_path
):
    given = json.loads((checkpoint_folder(architecture) / 'processor_config.json').read_text())
    model = load_checkpoint(architecture)
    model.processor.save_pretrained(tmp_path)
    again = load_processor(str(tmp_path), model.model.config)
    assert type(again).__name__ == type(model.processor).__name__
    assert again.chat_template == model.processor.chat_template
    saved = json.loads((tmp_path / 'processor_config.json').read_text())
    assert saved['processor_class'] == given['processor_class']


def test_loser_of_the_race_takes_the_winners_folder(tmp_path, monkeypatch):
    from emma_planner.models import untrained

    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    build = untrained.build_untrained

    def build_after_another(folder, architecture, *, seed):
        build(tmp_path / 'emma_planner' / f'untrained-{architecture}-{seed}-1', architecture)
        build(folder, architecture, seed=seed)

    monkeypatch.setattr(untrained, 'build_untrained', build_after_another)
    folder = cached_untrained('llava')
    assert (folder / 'model.safetensors').is_file()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_families_are_those_that_the_tests_go_through():
    assert set(ARCHITECTURES) == {'qwen3_vl', 'qwen2_5_vl', 'qwen2_vl', 'llava', 'smolvlm'}

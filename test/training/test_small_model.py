"""The small model: stock classes, few tokens; the conversation that it learns is the one held."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from training.examples_by_hand import record, write_dataset

pytest.importorskip('torch')

import torch
from PIL import Image

from emma_planner.models.checkpoints import Checkpoint, open_checkpoint
from emma_planner.models.conv_tower import ConvTower, ConvTowerConfig
from emma_planner.models.transformers_model import (
    TransformersModel,
    first_turn,
    to_earlier_images,
    to_images,
)
from emma_planner.planning import prompts
from emma_planner.planning.actions import ActionTokens
from emma_planner.planning.planner import choose_codec
from emma_planner.planning.statements import UNKNOWN
from emma_planner.planning.types import CameraFrame, EgoHistory, PlannerInput, Pose
from emma_planner.recordings.dataset import read_examples
from emma_planner.resources import model_path
from emma_planner.simulation.expert.speed import Limit
from emma_planner.simulation.labels.scene_facts import (
    DAY_LIGHT,
    DULL_LIGHT,
    SEEN_M,
    THICK_FOG_1PM,
    Activity,
    Relevance,
    weather_words,
)
from emma_planner.simulation.observation import LightState
from emma_planner.simulation.scenario import Weather
from emma_planner.training.batches import PLAN, REASON, Conversations, Turn, collate
from emma_planner.training.build_model import SmallModel, init_model
from emma_planner.training.small_tokenizer import build_small_tokenizer
from emma_planner.training.wording import BESIDE, KINDS, LATERAL, LONGITUDINAL, metres

TINY = SmallModel(
    width=32, layers=1, heads=2, mlp=48, image_px=(64, 96), tower_widths=(8, 8, 8, 8, 16)
)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tiny')
    init_model(folder, TINY)
    return folder


@pytest.fixture(scope='module')
def owner(folder):
    checkpoint = open_checkpoint(str(folder), device='cpu')
    return TransformersModel(checkpoint, 'tiny', decoding='plain')


@pytest.fixture
def example(tmp_path):
    return next(read_examples(write_dataset(tmp_path / 'set', [record(2)])))


def test_the_default_has_5_to_20_million_parameters(tmp_path):
    assert 5e6 <= init_model(tmp_path, SmallModel()) <= 20e6


def test_the_shipped_weights_take_40_megabytes_at_most():
    shipped = model_path('emma-small') / 'model.safetensors'
    assert 10e6 <= shipped.stat().st_size <= 40e6


def test_it_loads_by_the_auto_classes_once_the_tower_is_registered(folder):
    code = (
        'import emma_planner.models.conv_tower\n'
        'from transformers import AutoModelForImageTextToText, AutoProcessor\n'
        f'model = AutoModelForImageTextToText.from_pretrained({str(folder)!r})\n'
        f'processor = AutoProcessor.from_pretrained({str(folder)!r})\n'
        'print(type(model).__name__, type(processor).__name__)'
    )
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=120, check=False
    )
    assert 'LlavaForConditionalGeneration LlavaProcessor' in result.stdout, result.stderr


def test_the_blocks_of_the_tower_begin_as_the_identity(folder):
    tower = open_checkpoint(str(folder), device='cpu').model.model.vision_tower
    maps = torch.rand(1, 16, 2, 3)
    assert torch.equal(tower.stages[-1](maps), maps)


def test_the_same_seed_is_the_same_model(folder, tmp_path):
    init_model(tmp_path / 'same', TINY)
    init_model(tmp_path / 'other', TINY, seed=1)
    weights = [
        (path / 'model.safetensors').read_bytes()
        for path in (folder, tmp_path / 'same', tmp_path / 'other')
    ]
    assert weights[0] == weights[1] != weights[2]


def _words_that_can_be_said() -> set[str]:
    lights = ('no light', *(f'{state.value} light' for state in LightState))
    weathers = {
        weather_words(Weather(light, fog))
        for light in (DAY_LIGHT, DULL_LIGHT, 0.0)
        for fog in (0.0, 0.5 * THICK_FOG_1PM, THICK_FOG_1PM)
    }
    after_comma = {*lights, *weathers, *LONGITUDINAL.values()}
    after_comma |= {str(words) for words in chain(Limit, Activity, Relevance)}
    alone = {*LATERAL.values(), *BESIDE, *KINDS.values(), 'ahead', 'ahead left', 'right', UNKNOWN}
    distances = {metres(0.5 * k) for k in range(2 * int(SEEN_M) + 1)}
    return {f', {words}' for words in after_comma} | {f' {words}' for words in alone | distances}


def test_what_is_said_as_one_thing_is_one_token_and_reads_back():
    tokenizer = build_small_tokenizer()
    for words in sorted(_words_that_can_be_said()):
        ids = tokenizer(words, add_special_tokens=False)['input_ids']
        assert len(ids) == 1, words
        assert tokenizer.decode(ids) == words


def test_other_words_that_contain_them_lose_nothing():
    tokenizer = build_small_tokenizer()
    text = 'Scene: a car, stopped, 12 men\n.\nIntent:ional, lane 10 of 12, dusk, clearly é'
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)['input_ids']) == text


def test_a_chain_of_thought_is_few_tokens(example):
    tokenizer = build_small_tokenizer()
    text = example.reasoning
    ids = tokenizer(text, add_special_tokens=False)['input_ids']
    assert tokenizer.decode(ids) == text
    assert len(ids) <= 12 + 6 * (text.count(';') + 1)
    actions = ActionTokens().encode(example.planned.speeds_mps, example.planned.curvatures_1pm)
    assert len(tokenizer(actions, add_special_tokens=False)['input_ids']) == 20


def test_the_tower_gives_a_token_for_each_32_px_and_looks_at_the_picture():
    config = ConvTowerConfig(image_height=64, image_width=96, widths=(8, 8, 8, 8, 16))
    tower = ConvTower(config).eval()
    pictures = torch.randn(2, 3, 64, 96)
    tokens = tower(pictures).last_hidden_state
    assert tokens.shape == (2, 6, 16)
    assert not torch.allclose(tokens[0], tokens[1])


def _seeing_tower(num_earlier: int) -> ConvTower:
    widths = (8, 8, 8, 8, 16)
    config = ConvTowerConfig(64, 96, widths=widths, num_earlier=num_earlier)
    return ConvTower(config).eval()


def test_the_tower_looks_at_the_earlier_pictures_each_in_its_place():
    tower = _seeing_tower(2)
    present, half, whole = torch.randn(3, 1, 3, 64, 96)
    tokens = [
        tower(torch.cat(pictures, dim=1)).last_hidden_state
        for pictures in ((present, half, whole), (present, whole, half), (present, half, half))
    ]
    assert tokens[0].shape == (1, 6, 16)
    for k in range(3):
        assert not torch.allclose(tokens[k], tokens[k - 1], atol=1e-3)


def test_an_earlier_picture_that_is_left_out_is_one_of_nothing():
    tower = _seeing_tower(2)
    present, half = torch.randn(2, 1, 3, 64, 96)
    nothing = torch.zeros_like(present)
    for given, whole in (
        ((present,), (present, nothing, nothing)),
        ((present, half), (present, half, nothing)),
    ):
        tokens = [tower(torch.cat(one, dim=1)).last_hidden_state for one in (given, whole)]
        assert torch.equal(*tokens)


@pytest.mark.parametrize('channels', [2, 4, 12])
def test_channels_that_are_no_pictures_are_refused(channels):
    with pytest.raises(ValueError, match=f'up to 3 of them, got {channels} channels'):
        _seeing_tower(2)(torch.zeros(1, channels, 64, 96))


def _told_flow(joining: float) -> ConvTower:
    config = ConvTowerConfig(64, 96, widths=(8, 8, 8, 8, 16), num_earlier=2, optical_flow=True)
    tower = ConvTower(config).eval()
    torch.nn.init.constant_(tower.flow.joining.weight, joining)
    torch.nn.init.zeros_(tower.flow.conv.bias)
    return tower


def test_a_tower_begins_as_one_that_is_told_no_flow():
    told = ConvTower(_told_flow(0.1).config)
    assert not told.flow.joining.weight.any()
    alone = _seeing_tower(2)
    alone.load_state_dict(
        {name: value for name, value in told.state_dict().items() if 'flow' not in name}
    )
    pictures = torch.randn(2, 9, 64, 96)
    assert torch.equal(told(pictures).last_hidden_state, alone(pictures).last_hidden_state)


def test_a_tower_is_told_how_the_pixels_moved():
    tower, alone = _told_flow(0.1), _told_flow(0.0)
    alone.load_state_dict({**tower.state_dict(), 'flow.joining.weight': torch.zeros(8, 32, 3, 3)})
    present = torch.nn.functional.interpolate(torch.randn(1, 3, 8, 12), (64, 96), mode='bicubic')
    for pixels, is_told in ((0, False), (3, True)):
        pictures = torch.cat([present, present.roll(pixels, 3), present], dim=1)
        tokens = [one(pictures).last_hidden_state for one in (tower, alone)]
        off = float((tokens[0] - tokens[1]).abs().max().detach())
        assert (off > 0.1) == is_told


def test_the_earlier_pictures_of_the_front_camera_come_with_it_alone(owner):
    front, side, before = (np.full((64, 96, 3), grey, dtype=np.uint8) for grey in (50, 100, 200))
    frames = (CameraFrame(0, 'front', front), CameraFrame(0, 'front left', side))
    images = to_images(owner, frames)
    earlier = to_earlier_images(owner, (CameraFrame(0, 'front', before), None))
    values = first_turn(owner, 'Reason.', images, earlier)['pixel_values']
    assert values.shape == (2, 9, 64, 96)
    seen = values.mean(dim=(2, 3)) * 0.25 * 255 + 127.5
    expected = [[50] * 3 + [200] * 3 + [127.5] * 3, [100] * 3 + [127.5] * 6]
    assert torch.allclose(seen, torch.tensor(expected), atol=0.5)


@pytest.mark.parametrize(
    'sizes',
    [
        {'image_height': 60},
        {'image_width': 100},
        {'widths': (8, 16)},
        {'num_earlier': -1},
        {'optical_flow': True},
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes):
    with pytest.raises(ValueError, match='need'):
        ConvTowerConfig(**sizes)


def _held(owner, example, replies, monkeypatch):
    """Ids of the conversation that the planner holds when the model says these replies."""
    tokenizer, said = owner.processor.tokenizer, iter(replies)

    def generate(input_ids, **_):
        ids = tokenizer(next(said), add_special_tokens=False)['input_ids']
        return torch.cat([input_ids, torch.tensor([[*ids, tokenizer.eos_token_id]])], dim=1)

    monkeypatch.setattr(owner.model, 'generate', generate)
    codec = choose_codec(owner, 'auto')
    history = EgoHistory(0, *example.history.T.copy(), Pose(0.0, 0.0, 0.0), 'map')
    rgb = np.asarray(Image.open(example.image).convert('RGB'))
    planner_input = PlannerInput((CameraFrame(0, 'front', rgb),), history, example.command)
    chat = owner.start(planner_input.frames)
    chat.ask(prompts.reason_prompt(planner_input, codec), max_tokens=99)
    chat.ask(
        prompts.plan_prompt(planner_input, codec, reasoned=True),
        max_tokens=codec.max_tokens,
        reply_format=codec.reply_format,
    )
    return chat._inputs['input_ids'][0].tolist()


def test_the_conversation_that_is_learned_is_the_one_that_the_planner_holds(
    owner, example, monkeypatch
):
    codec = choose_codec(owner, 'auto')
    plan = example.planned
    replies = (example.reasoning, codec.encode(plan.speeds_mps, plan.curvatures_1pm))
    held = _held(owner, example, replies, monkeypatch)
    image = Image.open(example.image).convert('RGB')
    _, turn = Conversations(owner, codec).inputs(example, [image])
    assert turn.ids[:-1] == held
    tokenizer = owner.processor.tokenizer
    for part, text in ((REASON, replies[0]), (PLAN, replies[1])):
        ids = [k for k, of in zip(turn.ids, turn.parts, strict=True) if of == part]
        assert tokenizer.decode(ids) == text + '<|end|>'


def test_without_words_the_actions_alone_are_learned(owner, example):
    codec = choose_codec(owner, 'auto')
    image = Image.open(example.image).convert('RGB')
    _, turn = Conversations(owner, codec).inputs(replace(example, reasoning=''), [image])
    assert set(turn.parts) == {0, PLAN}
    assert 'Plan.' in owner.processor.tokenizer.decode(turn.ids)


def test_a_caption_describes_and_intends_nothing(owner, example):
    image = Image.open(example.image).convert('RGB')
    _, turn = Conversations(owner, choose_codec(owner, 'auto')).caption(example, [image])
    text = owner.processor.tokenizer.decode(turn.written)
    assert text.startswith('Scene: straight')
    assert 'Objects: car' in text
    assert 'Intent' not in text


def test_a_batch_is_padded_and_says_what_is_written():
    samples = []
    for ids in ([5, 6, 7], [5]):
        patches = (torch.zeros(12, 22), torch.zeros(12, 22))
        turn = Turn(ids, [0] * (len(ids) - 1) + [PLAN])
        inputs = {'pixel_values': torch.zeros(1, 3, 4, 4)}
        motion = (torch.zeros(12, 22), torch.zeros(12, 22), torch.tensor([len(ids), math.nan]))
        samples.append({'inputs': inputs, 'turn': turn, 'patches': patches, 'motion': motion})
    batch = collate(samples, pad_id=9)
    assert batch['input_ids'].tolist() == [[5, 6, 7], [5, 9, 9]]
    assert batch['attention_mask'].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch['parts'].tolist() == [[0, 0, PLAN], [PLAN, 0, 0]]
    assert batch['written'].tolist() == [[7], [5]]
    assert batch['pixel_values'].shape == (2, 3, 4, 4)
    assert batch['ego'][:, 0].tolist() == [3.0, 1.0]


def test_a_checkpoint_class_is_what_the_planner_takes(owner):
    assert isinstance(Checkpoint(owner.model, owner.processor), Checkpoint)

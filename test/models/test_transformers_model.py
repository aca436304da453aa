"""Conversations of real architectures with random weights."""

from __future__ import annotations

import time

import numpy as np
import pytest

from emma_planner.planning.chat import ModelError, Stop
from emma_planner.planning.types import CameraFrame

torch = pytest.importorskip('torch')
pytest.importorskip('transformers')

REASON = 'Describe the scene. Critical objects. Intent.'
PLAN = 'Give the speed and the curvature of the car for the next 5 s.'
VISION_TOWERS = {
    'qwen3_vl': 'model.visual',
    'qwen2_5_vl': 'model.visual',
    'qwen2_vl': 'model.visual',
    'llava': 'model.vision_tower',
    'smolvlm': 'model.vision_model',
}


def make_frame(width, height, seed=0):
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return CameraFrame(stamp_ns=0, name='front', rgb=rgb)


@pytest.fixture
def record_generate(monkeypatch):
    """Record what each turn hands to ``generate`` and what comes back."""

    def record(model):
        calls = []
        generate = model.model.generate

        def recording(**kwargs):
            sequence = generate(**kwargs)
            calls.append(({k: v for k, v in kwargs.items() if torch.is_tensor(v)}, sequence))
            return sequence

        monkeypatch.setattr(model.model, 'generate', recording)
        return calls

    return record


def control_tokens(model):
    """Ids that free text must not have: control tokens but the ends, ids without a token."""
    tokenizer = model.processor.tokenizer
    ends = set(model.model.generation_config.eos_token_id)
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    width = model.model.get_output_embeddings().weight.shape[0]
    assert width > len(tokenizer), 'the output layer must be wider than the tokenizer here'
    return sorted((special - ends) | set(range(len(tokenizer), width)))


def test_two_turns_hold_a_conversation(load_checkpoint, architecture, frame):
    chat = load_checkpoint(architecture).start([frame])
    first = chat.ask(REASON, max_tokens=12)
    second = chat.ask(PLAN, max_tokens=12)
    assert first.text
    assert second.text
    assert first.encode_ms > 0
    assert first.generate_ms > 0
    assert second.encode_ms == 0
    assert second.generate_ms > 0
    assert second.prompt_tokens > first.prompt_tokens + first.generated_tokens - 1


def test_vision_tower_runs_once_a_conversation(load_checkpoint, architecture, frame):
    model = load_checkpoint(architecture)
    runs = []
    tower = model.model.get_submodule(VISION_TOWERS[architecture])
    hook = tower.register_forward_hook(lambda *args: runs.append(1))
    try:
        chat = model.start([frame])
        for question in (REASON, PLAN, 'Are you sure?'):
            chat.ask(question, max_tokens=4)
    finally:
        hook.remove()
    assert len(runs) == 1


def test_every_turn_equals_plain_generate_without_cache(
    load_checkpoint, architecture, frame, record_generate
):
    model = load_checkpoint(architecture, decoding='plain')
    calls = record_generate(model)
    chat = model.start([frame])
    for question in (REASON, PLAN, 'Are you sure?'):
        chat.ask(question, max_tokens=16)
    images = {k: v for k, v in calls[0][0].items() if k not in ('input_ids', 'attention_mask')}
    for given, sequence in calls:
        ids = given['input_ids']
        per_token = [value for name, value in given.items() if name.endswith('token_type_ids')]
        assert all(value.shape == ids.shape for value in per_token)
        plain = {name: _widened(name, value, ids) for name, value in images.items()}
        expected = type(model.model).generate(
            model.model,
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            **plain,
            use_cache=False,
            do_sample=False,
            max_new_tokens=16,
            suppress_tokens=control_tokens(model),
        )
        assert sequence.tolist() == expected.tolist()


def _widened(name, value, ids):
    if not name.endswith('token_type_ids'):
        return value
    missing = ids.shape[1] - value.shape[1]
    return torch.cat([value, value.new_zeros(1, missing)], dim=1)


def test_the_image_changes_the_reply(load_checkpoint, architecture):
    model = load_checkpoint(architecture)
    replies = {
        model.start([make_frame(1242, 375, seed)]).ask(REASON, max_tokens=12).text
        for seed in range(4)
    }
    dark = CameraFrame(stamp_ns=0, name='front', rgb=np.zeros((375, 1242, 3), np.uint8))
    replies.add(model.start([dark]).ask(REASON, max_tokens=12).text)
    assert len(replies) > 1


def test_turns_are_joined_as_the_chat_template_joins_them(load_checkpoint, architecture, frame):
    model = load_checkpoint(architecture)
    image = {'type': 'image', 'image': model.start([frame])._images[0]}
    text = {'type': 'text', 'text': REASON}
    reply, question = 'Scene: a road.', PLAN
    turns = [{'role': 'user', 'content': [image, text]}]
    turns.append({'role': 'assistant', 'content': [{'type': 'text', 'text': reply}]})
    turns.append({'role': 'user', 'content': [{'type': 'text', 'text': question}]})
    whole = model.processor.apply_chat_template(
        turns, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors='pt'
    )['input_ids'][0].tolist()
    tail = model.ids_after_reply(REASON, question)
    assert whole[-len(tail) :] == tail
    before = model.processor.tokenizer.decode(whole[: -len(tail)])
    assert before.endswith(reply)


def test_conversations_do_not_disturb_each_other(load_checkpoint, architecture):
    model = load_checkpoint(architecture)
    wide, tall = make_frame(800, 200), make_frame(200, 400, seed=1)

    def alone(image):
        chat = model.start([image])
        return [chat.ask(question, max_tokens=12).text for question in (REASON, PLAN)]

    expected = alone(wide), alone(tall)
    chats = model.start([wide]), model.start([tall])
    firsts = [chat.ask(REASON, max_tokens=12).text for chat in chats]
    seconds = [chat.ask(PLAN, max_tokens=12).text for chat in chats]
    assert [list(pair) for pair in zip(firsts, seconds, strict=True)] == list(expected)


def test_several_cameras_are_encoded_in_one_turn(load_checkpoint, architecture, frame):
    model = load_checkpoint(architecture)
    one = model.start([frame]).ask(REASON, max_tokens=2)
    chat = model.start([frame, make_frame(640, 360, seed=2)])
    two = chat.ask(REASON, max_tokens=2)
    assert two.prompt_tokens > one.prompt_tokens + 50
    assert chat.ask(PLAN, max_tokens=2).text


def test_token_budget_ends_a_runaway_answer(load_checkpoint, frame):
    reply = load_checkpoint().start([frame]).ask(REASON, max_tokens=7)
    assert reply.stop is Stop.LENGTH
    assert reply.generated_tokens == 7


def test_deadline_ends_a_runaway_answer(load_checkpoint, frame):
    chat = load_checkpoint().start([frame])
    start_s = time.perf_counter()
    reply = chat.ask(REASON, max_tokens=3000, time_limit_s=0.3)
    assert time.perf_counter() - start_s < 3.0
    assert reply.stop is Stop.TIMEOUT
    assert 0 < reply.generated_tokens < 3000
    assert chat.ask(PLAN, max_tokens=3).generated_tokens == 3


@pytest.mark.parametrize('which', [0, 1])
def test_each_end_of_turn_token_ends_the_reply(load_checkpoint, frame, which, record_generate):
    model = load_checkpoint()
    end_id = model.model.generation_config.eos_token_id[which]
    calls = record_generate(model)
    steps = []

    def force_end(module, inputs, logits):
        steps.append(1)
        if len(steps) == 4:
            logits[..., end_id] = 1e6
        return logits

    hook = model.model.get_output_embeddings().register_forward_hook(force_end)
    try:
        chat = model.start([frame])
        reply = chat.ask(REASON, max_tokens=20)
    finally:
        hook.remove()
    assert reply.stop is Stop.END
    assert reply.generated_tokens == 4
    assert '<|' not in reply.text
    # The template closes the turn, once and always in the same way.
    chat.ask(PLAN, max_tokens=2)
    first, second = calls[0][1][0].tolist(), calls[1][0]['input_ids'][0].tolist()
    assert second == first[:-1] + model.ids_after_reply(REASON, PLAN)


def test_sampling_depends_on_the_conversations_seed_alone(load_checkpoint, frame):
    model = load_checkpoint(temperature=1.0)

    def sample(seed):
        chat = model.start([frame], seed=seed)
        return [chat.ask(question, max_tokens=10).text for question in (REASON, PLAN)]

    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = sample(5)
    assert torch.equal(state, torch.random.get_rng_state())
    other = sample(6)
    torch.manual_seed(2)
    assert sample(5) == first
    assert other != first


def test_greedy_decoding_ignores_the_seed(load_checkpoint, frame):
    model = load_checkpoint()
    replies = {model.start([frame], seed=seed).ask(REASON, max_tokens=8).text for seed in (0, 1)}
    assert len(replies) == 1


def test_checkpoints_sampling_habits_do_not_leak(checkpoint_folder, tmp_path, frame):
    import json
    import shutil

    from emma_planner.config import PlannerConfig
    from emma_planner.models.transformers_model import TransformersModel

    folder = shutil.copytree(checkpoint_folder(), tmp_path / 'habits')
    path = folder / 'generation_config.json'
    habits = json.loads(path.read_text())
    habits.update(do_sample=True, temperature=5.0, repetition_penalty=1.5, top_k=3)
    path.write_text(json.dumps(habits))
    texts = []
    for source in (checkpoint_folder(), folder):
        model = TransformersModel.from_config(PlannerConfig(model=str(source), num_threads=1))
        texts.append(model.start([frame]).ask(REASON, max_tokens=24).text)
    assert texts[0] == texts[1]


def test_large_images_are_scaled_down_with_their_aspect_ratio(load_checkpoint, frame):
    model = load_checkpoint(image_max_width_px=414, image_max_height_px=300)
    assert model.start([frame])._images[0].size == (414, 125)
    assert model.start([make_frame(400, 600)])._images[0].size == (200, 300)
    assert model.start([make_frame(40, 30)])._images[0].size == (40, 30)
    assert load_checkpoint().start([frame])._images[0].size == (1242, 375)


def test_smaller_images_cost_fewer_tokens(load_checkpoint, frame):
    small = load_checkpoint(image_max_width_px=320)
    few = small.start([frame]).ask(REASON, max_tokens=1).prompt_tokens
    many = load_checkpoint().start([frame]).ask(REASON, max_tokens=1).prompt_tokens
    assert few < many


def test_vocabulary_is_asked_for_tokens(load_checkpoint):
    model = load_checkpoint()
    assert model.has_tokens(['<speed_0>', '<curvature_254>'])
    assert not model.has_tokens(['<speed_0>', '<speed_256>'])


def test_failure_inside_the_model_is_a_model_error(load_checkpoint, frame, monkeypatch):
    model = load_checkpoint()

    def fail(**kwargs):
        raise RuntimeError('out of memory\nstack of lines')

    monkeypatch.setattr(model.model, 'generate', fail)
    chat = model.start([frame])
    with pytest.raises(ModelError, match=r'RuntimeError: out of memory$') as caught:
        chat.ask(REASON, max_tokens=4)
    assert isinstance(caught.value.__cause__, RuntimeError)
    monkeypatch.undo()
    with pytest.raises(ModelError, match='need a new conversation'):
        chat.ask(REASON, max_tokens=4)
    assert model.start([frame]).ask(REASON, max_tokens=4).text


def test_a_turn_again_takes_the_place_of_the_last(load_checkpoint, architecture, frame):
    model = load_checkpoint(architecture)
    straight, turned = model.start([frame]), model.start([frame])
    turned.ask('Something else.', max_tokens=7)
    for chat in (straight, turned):
        first = chat.ask(REASON, max_tokens=8, again=chat is turned)
        if chat is turned:
            chat.ask('Another question.', max_tokens=5)
        second = chat.ask(PLAN, max_tokens=6, again=chat is turned)
        third = chat.ask('And then?', max_tokens=4)
        if chat is straight:
            expected = (first.text, second.text, third.text, third.prompt_tokens)
    assert (first.text, second.text, third.text, third.prompt_tokens) == expected

"""The tokenizer of the small model: whole words of the chain of thought, and the action tokens.

A word-level vocabulary of what :mod:`emma_planner.training.wording` and the prompts can say, each
word with the space before it one token; bytes for everything else. What the chain of thought says
as one thing is one token: a reply is written in as many steps as it has tokens (Liu, Hayase,
Hofmann, Oh, Smith, Choi, SuperBPE, 2025: tokens beyond words). The same every time.
"""

from __future__ import annotations

from itertools import chain

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from emma_planner.planning.actions import ActionTokens
from emma_planner.planning.statements import UNKNOWN
from emma_planner.simulation.expert.speed import Limit
from emma_planner.simulation.labels.scene_facts import (
    SEEN_M,
    Activity,
    Air,
    Brightness,
    Relevance,
)
from emma_planner.simulation.observation import LightState
from emma_planner.training.wording import BESIDE, LATERAL, LONGITUDINAL, metres

USER, ASSISTANT, END, IMAGE, PAD = '<|user|>', '<|assistant|>', '<|end|>', '<image>', '<|pad|>'
CHAT_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ '<|user|>' }}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}{{ '<image>' }}"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}"
    "{% else %}{{ '<|assistant|>' }}{% for content in message['content'] %}"
    "{% if content['type'] == 'text' %}{{ content['text'] }}{% endif %}{% endfor %}{{ '<|end|>' }}"
    '{% endif %}{% endfor %}'
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
_WORDS = """
Reason.
Plan.
follow lane
turn left
turn right
go straight
change lane left
change lane right
Scene: straight, curve, roundabout, junction, ramp, merge, split, lane 1 of 1, no light,
red light yellow light green light bright day, dull day, dusk, clear. light fog. thick fog.
Objects: none. car cyclist pedestrian cone barrier warning ahead ahead left, left, ahead right,
right, stands, is parked, drives walks from right to left, from left to right, the other way,
brakes, the same way, the ego follows it; may be in the way of the ego; goes first;
stands in the way; limits the speed; is on the way of the ego; its way crosses the one of the ego;
may step onto the road; narrows the road; comes towards the ego; is beside the way of the ego.
Intent: steer left, steer right, go straight, change left, change right, pass obstacle left,
pass obstacle right, stop, decelerate, keep speed, accelerate, free road. curve. lead. red light.
pedestrian. yield. obstacle. destination.
"""
MOST_M = 100
_MOST_LANES = 6
_PLACES = ('ahead left', 'ahead right')


def phrases() -> tuple[str, ...]:
    """Return what is one token though it is several words."""
    lanes = (f', lane {k} of {n}' for n in range(1, _MOST_LANES + 1) for k in range(1, n + 1))
    weather = (f', {light}, {air}' for light in Brightness for air in Air)
    lights = ('no light', *(f'{state.value} light' for state in LightState))
    said = (*lights, *Activity, *Relevance, *LONGITUDINAL.values(), *Limit)
    return (
        *('Scene:', '.\nObjects:', '.\nIntent:'),
        *lanes,
        *weather,
        *dict.fromkeys(f' {metres(k)}' for k in range(int(SEEN_M) + 1)),
        *(f' {words}' for words in (*_PLACES, *LATERAL.values(), *BESIDE, UNKNOWN)),
        *dict.fromkeys(f', {words}' for words in said),
    )


def build_small_tokenizer() -> PreTrainedTokenizerFast:
    """Make the tokenizer."""
    numbers = [f' {k} m {k}' for k in range(MOST_M + 1)]
    lines = list(chain(_WORDS.split('\n'), numbers))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        min_frequency=1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[PAD, END, USER, ASSISTANT, IMAGE],
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    names = ActionTokens.speed_tokens + ActionTokens.curvature_tokens
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in (*names, *phrases())])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        padding_side='left',
        model_input_names=['input_ids', 'attention_mask'],
    )

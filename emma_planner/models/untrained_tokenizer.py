"""Small byte-level tokenizers with the special tokens and chat template of each family.

Trained on a few lines of driving prompts, so that prompts and replies take about as many tokens
as with a real vocabulary. Digits are single tokens, as in the families' own tokenizers.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from emma_planner.planning.actions import ActionTokens

_CORPUS = """
You are driving the car. The image shows the view of the front camera of the ego vehicle.
The route command is: follow lane, turn left, turn right, go straight, change lane left.
Ego motion of the last 5 s in steps of 0.5 s, oldest first, as speed [m/s] and curvature
[1/(100 m), left positive]: [4.51,0.12],[4.48,-0.10],[0.00,0.00],[13.90,1.25],[27.33,-12.07].
Describe the scene: weather, time of day, kind of road, lanes, traffic and traffic lights.
Critical objects: name the vehicles, pedestrians, cyclists, signs and obstacles that matter to
the ego vehicle, where each is and what it will do next. Intent: say in one sentence how the ego
vehicle should drive in the next 5 s, and why: keep the lane, slow down, stop, speed up, turn.
Give the speed [m/s] and the curvature [1/(100 m), left positive] of the car for the next 5 s in
steps of 0.5 s: exactly 10 pairs, the first for the next 0.5 s. Answer with nothing but
{"plan":[[speed,curvature],...]}, each number with two decimals. as action tokens.
Scene: a straight two-lane road in a town on a sunny day, parked cars on the right side.
Objects: a cyclist ahead on the right, riding the same way; a red traffic light at the crossing.
Intent: slow down smoothly behind the cyclist and stop at the line because the light is red.
You are a helpful assistant.
"""

_QWEN_TOKENS = (
    '<|endoftext|>',
    '<|im_start|>',
    '<|im_end|>',
    '<|vision_start|>',
    '<|vision_end|>',
    '<|image_pad|>',
    '<|video_pad|>',
)
_QWEN_TURNS = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for content in message['content'] %}{% if content['type'] == 'image' %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}{% elif 'text' in content %}"
    "{{ content['text'] }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_QWEN2_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
)
_LLAVA_TURNS = (
    "{% for message in messages %}{{ message['role'].upper() + ': ' }}"
    "{% for content in message['content'] if content['type'] == 'image' %}{{ '<image>\\n' }}"
    "{% endfor %}{% for content in message['content'] if content['type'] == 'text' %}"
    "{{ content['text'] + ' ' }}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
_SMOLVLM_TURNS = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{ line['text'] }}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}"
    '<end_of_utterance>\n{% endfor %}'
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


@dataclass(frozen=True)
class Dialect:
    """How a family writes a conversation.

    :param special: control tokens, in the order of their ids
    :param ends: tokens that end a turn, the usual one first
    """

    special: tuple[str, ...]
    bos: str
    ends: tuple[str, ...]
    pad: str
    chat_template: str


_QWEN_ENDS = ('<|im_end|>', '<|endoftext|>')
_QWEN2 = Dialect(
    _QWEN_TOKENS, '<|endoftext|>', _QWEN_ENDS, '<|endoftext|>', _QWEN2_SYSTEM + _QWEN_TURNS
)
DIALECTS = {
    'qwen2_vl': _QWEN2,
    'qwen2_5_vl': _QWEN2,
    'qwen3_vl': Dialect(_QWEN_TOKENS, '<|endoftext|>', _QWEN_ENDS, '<|endoftext|>', _QWEN_TURNS),
    'llava': Dialect(('<s>', '</s>', '<pad>', '<image>'), '<s>', ('</s>',), '<pad>', _LLAVA_TURNS),
    'smolvlm': Dialect(
        (
            '<|im_start|>',
            '<end_of_utterance>',
            '<|endoftext|>',
            '<fake_token_around_image>',
            '<global-img>',
            '<image>',
            '<video>',
        ),
        '<|im_start|>',
        ('<end_of_utterance>', '<|endoftext|>'),
        '<|endoftext|>',
        _SMOLVLM_TURNS,
    ),
}


def build_tokenizer(architecture: str, *, action_tokens: bool) -> PreTrainedTokenizerFast:
    """Train the tokenizer of a family; the same every time.

    :param action_tokens: add the tokens of :class:`ActionTokens`, one id each
    """
    dialect = DIALECTS[architecture]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=768,
        min_frequency=2,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=list(dialect.special),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_CORPUS.splitlines(), trainer)
    if action_tokens:
        names = ActionTokens.speed_tokens + ActionTokens.curvature_tokens
        tokenizer.add_tokens([AddedToken(name, normalized=False) for name in names])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=dialect.bos,
        eos_token=dialect.ends[0],
        pad_token=dialect.pad,
        padding_side='left',
    )

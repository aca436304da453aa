"""The planner: reason about the scene, then plan, in one conversation.

Everything that plans (node, replay, evaluation, training's validation) calls
``Planner.plan(PlannerInput) -> Plan``. A failure is a Plan with a reason code, not an exception.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from emma_planner.planning import prompts
from emma_planner.planning.actions import ActionCodec, ActionTokens, TextActions
from emma_planner.planning.baselines import half_acceleration
from emma_planner.planning.chat import Chat, ChatModel, ModelError, Reply
from emma_planner.planning.checks import (
    PlanCheckError,
    PlausibilityLimits,
    check_echo,
    check_plausible,
    missed_intent,
)
from emma_planner.planning.inputs import Snapshot
from emma_planner.planning.kinematics import integrate
from emma_planner.planning.parsing import PlanParseError, parse_reasoning
from emma_planner.planning.ranking import DEFAULT, Ranker
from emma_planner.planning.red_light import stand_before
from emma_planner.planning.statements import Said, read
from emma_planner.planning.turns import Turns
from emma_planner.planning.types import (
    DT_S,
    ByteArray,
    EgoHistory,
    FloatArray,
    InputError,
    Latency,
    Plan,
    PlannerInput,
    PlanningError,
    Reason,
    TokenCounts,
    Trajectory,
)

UNKNOWN_SCENE = 'the scene is unknown to the model: half-acceleration is driven in its place'
RED_LIGHT = 'slowed for the red light that the model names'
LEANS = (0.0, 0.05, 0.1, 0.2, 0.4)
"""How far from the median each further try of a plan takes its tokens, as a quantile."""


class Planner(Protocol):
    """Anything that turns inputs into a plan."""

    @property
    def name(self) -> str:
        """Name for logs and tables."""
        ...

    def plan(self, planner_input: PlannerInput, time_limit_s: float | None = None) -> Plan:
        """Plan once.

        :param time_limit_s: a plan not finished after this long is a ``timeout``
        :returns: a valid plan, or one with a reason code; never raises for a model's failure
        """
        ...


def plan_snapshot(
    planner: Planner,
    snapshot: Snapshot,
    decode: Callable[[Any], ByteArray],
    time_limit_s: float | None = None,
) -> Plan:
    """Decode a snapshot's image and plan: what the node's worker and the replay do.

    :param decode: opaque image to ``(H, W, 3)`` uint8 RGB; raises :class:`InputError`
    :returns: a plan; an image that cannot be decoded gives one with its reason code
    """
    try:
        planner_input = snapshot.planner_input(decode)
    except InputError as err:
        return failed_plan(snapshot.stamp_ns, err)
    return planner.plan(planner_input, time_limit_s)


def failed_plan(stamp_ns: int, error: PlanningError) -> Plan:
    """Return the plan that stands for an error."""
    return Plan(stamp_ns=stamp_ns, trajectory=None, reason=error.reason, detail=str(error))


@dataclass(frozen=True)
class EmmaOptions:
    """How :class:`EmmaPlanner` asks; see the parameters of the same names."""

    use_reasoning: bool = True
    told: prompts.Told = prompts.ALL
    reason_tokens: int = 96
    seed: int = 0
    limits: PlausibilityLimits = field(default_factory=PlausibilityLimits)
    num_samples: int = 1
    ranker: Ranker = DEFAULT
    intent_tries: int = 4
    unknown_scene: str = 'go_on'
    red_light: str = 'stand'


def choose_codec(model: ChatModel, action_format: str, plan_step_s: float = DT_S) -> ActionCodec:
    """Return the action codec: as named, or tokens where the vocabulary has them.

    :param action_format: ``auto``, ``text`` or ``tokens``
    :param plan_step_s: between the points of a plan in text
    :raises ModelError: tokens are asked for that the model does not have, or no such step
    """
    tokens = ActionTokens.speed_tokens + ActionTokens.curvature_tokens
    if action_format == 'text' or (action_format == 'auto' and not model.has_tokens(tokens)):
        try:
            return TextActions(plan_step_s)
        except ValueError as err:
            raise ModelError(f'plan_step_s: {err}') from err
    if not model.has_tokens(tokens):
        raise ModelError(
            f'action_format tokens: need {len(tokens)} action tokens in the vocabulary, '
            f'{model.name} lacks them; use action_format text'
        )
    if plan_step_s != DT_S:
        raise ModelError(f'plan_step_s: need {DT_S:g} s with action tokens, got {plan_step_s:g} s')
    return ActionTokens()


class EmmaPlanner:
    """Plans with a multimodal language model after EMMA (arXiv 2410.23262).

    :param model: where conversations are opened
    :param codec: how actions are written
    :param clock: monotonic seconds, such as ``time.perf_counter``
    """

    def __init__(
        self,
        model: ChatModel,
        codec: ActionCodec,
        options: EmmaOptions,
        clock: Callable[[], float],
    ) -> None:
        self._model = model
        self._codec = codec
        self._options = options
        self._clock = clock

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    def plan(self, planner_input: PlannerInput, time_limit_s: float | None = None) -> Plan:
        """Plan once, or several times and take the plan that ranks first."""
        begin = self._clock()
        plans: list[Plan] = []
        for number in range(self._options.num_samples):
            left_s = None if time_limit_s is None else time_limit_s - (self._clock() - begin)
            if plans and left_s is not None and left_s <= 0.0:
                break
            plans.append(self._plan_once(planner_input, left_s, number))
        return plans[0] if len(plans) == 1 else self._best(plans, planner_input)

    def _best(self, plans: list[Plan], planner_input: PlannerInput) -> Plan:
        """Take one of several plans; what all of them took is its latency."""
        valid = [plan for plan in plans if plan.valid]
        best = plans[0]
        if valid:
            leads = [lead for plan in valid if (lead := read(plan.reasoning).lead_m) is not None]
            trajectories = [plan.trajectory for plan in valid if plan.trajectory is not None]
            lead_m = float(np.median(leads)) if 2 * len(leads) > len(valid) else None
            best = valid[self._options.ranker.best(trajectories, planner_input.history, lead_m)]
        took = [plan.latency for plan in plans]
        names = ('encode_ms', 'reason_ms', 'plan_ms', 'total_ms')
        sums = {name: sum(getattr(latency, name) for latency in took) for name in names}
        generated = sum(plan.tokens.generated for plan in plans)
        return dataclasses.replace(
            best,
            latency=Latency(**sums),
            tokens=TokenCounts(prompt=best.tokens.prompt, generated=generated),
        )

    def _plan_once(
        self, planner_input: PlannerInput, time_limit_s: float | None, number: int
    ) -> Plan:
        """Hold one conversation: reason, plan, parse, integrate, check.

        Where the model says that it does not know the scene, nothing that it plans is better than
        going on; it is not asked.
        """
        turns = Turns(self._clock, time_limit_s, self._options.use_reasoning)
        trajectory, reason, detail = None, None, ''
        try:
            frames = planner_input.frames if self._options.told.images else ()
            chat = self._model.start(
                frames,
                earlier=planner_input.earlier if self._options.told.earlier else (),
                seed=self._seed_of(planner_input.stamp_ns, number),
            )
            self._reason(chat, planner_input, turns)
            said = read(turns.reasoning)
            if self._options.unknown_scene == 'go_on' and not said.is_known:
                trajectory, detail = half_acceleration(planner_input.history), UNKNOWN_SCENE
                check_plausible(trajectory, planner_input.history, self._options.limits)
            else:
                reply = self._ask_plan(chat, planner_input, turns)
                trajectory = _trajectory(*self._codec.decode(reply.text))
                self._check(trajectory, planner_input.history)
                trajectory = self._as_intended(chat, turns, trajectory, planner_input.history)
                trajectory, detail = self._before_red(said, trajectory, planner_input.history)
        except PlanParseError as err:
            # the budget that cut the reply, not the cut reply, is why it does not parse
            reason = Reason.LENGTH if turns.was_cut() else err.reason
            detail = str(err)
        except PlanningError as err:
            reason, detail = err.reason, str(err)
        return Plan(
            stamp_ns=planner_input.stamp_ns,
            trajectory=trajectory,
            reasoning=turns.reasoning,
            reason=reason,
            detail=detail,
            latency=turns.latency(),
            tokens=turns.tokens(),
            prompts=tuple(turns.prompts),
            replies=tuple(turns.answers),
        )

    def _reason(self, chat: Chat, planner_input: PlannerInput, turns: Turns) -> None:
        if self._options.use_reasoning:
            prompt = prompts.reason_prompt(planner_input, self._codec, self._options.told)
            reply = turns.ask(chat, prompt, max_tokens=self._options.reason_tokens)
            turns.reasoning = parse_reasoning(reply.text)

    def _ask_plan(self, chat: Chat, planner_input: PlannerInput, turns: Turns) -> Reply:
        prompt = prompts.plan_prompt(
            planner_input,
            self._codec,
            self._options.told,
            reasoned=self._options.use_reasoning,
        )
        return turns.ask(
            chat,
            prompt,
            max_tokens=self._codec.max_tokens,
            reply_format=self._codec.reply_format,
        )

    def _as_intended(
        self, chat: Chat, turns: Turns, first: Trajectory, history: EgoHistory
    ) -> Trajectory:
        """Have a plan that does not do what its intent says written again, leaning towards it.

        Each try takes other quantiles of what the model holds likely, a little farther from the
        median. The first plan stays where none of them agrees, or there is no time.
        """
        missed = missed_intent(turns.reasoning.intent, first)
        faster, lefter = 0, 0
        for _ in range(self._options.intent_tries):
            if missed is None or missed == (0, 0):
                break
            faster, lefter = faster + missed[0], lefter + missed[1]
            reply_format = self._codec.leaning(_quantile(faster), _quantile(lefter))
            if reply_format is None or not turns.has_time_again():
                break
            try:
                reply = turns.ask_again(
                    chat, max_tokens=self._codec.max_tokens, reply_format=reply_format
                )
                trajectory = _trajectory(*self._codec.decode(reply.text))
                self._check(trajectory, history)
            except PlanningError:
                break
            missed = missed_intent(turns.reasoning.intent, trajectory)
            if missed == (0, 0):
                turns.answers[-1] = reply.text
                return trajectory
        return first

    def _before_red(
        self, said: Said, planned: Trajectory, history: EgoHistory
    ) -> tuple[Trajectory, str]:
        """Slow a plan that does not stand before the red light that its own reasoning names."""
        if self._options.red_light == 'model' or said.light != 'red' or said.light_m is None:
            return planned, ''
        hardest_mps2 = self._options.limits.max_acceleration_mps2
        slowed = stand_before(planned, float(history.speeds_mps[-1]), said.light_m, hardest_mps2)
        return slowed, '' if slowed is planned else RED_LIGHT

    def _check(self, trajectory: Trajectory, history: EgoHistory) -> None:
        # an echo first: after braking or accelerating it is implausible too, but that says less
        written = self._codec.encode(history.speeds_mps, history.curvatures_1pm)
        check_echo(trajectory, *self._codec.decode(written))
        check_plausible(trajectory, history, self._options.limits)

    def _seed_of(self, stamp_ns: int, number: int) -> int:
        # a plan depends on its own stamp only, so dropped ticks do not change the next plan
        return (self._options.seed * 1_000_003 + stamp_ns + number) % 2**31


def _quantile(steps: int) -> float:
    """Return the quantile that many tries above the median, below it for a negative number."""
    return 0.5 + float(np.sign(steps)) * LEANS[min(abs(steps), len(LEANS) - 1)]


def _trajectory(speeds_mps: FloatArray, curvatures_1pm: FloatArray) -> Trajectory:
    with np.errstate(over='ignore', invalid='ignore'):
        poses = integrate(speeds_mps, curvatures_1pm)
    if not np.isfinite(poses).all():
        raise PlanCheckError(Reason.IMPLAUSIBLE, 'need a finite path, got numbers that overflow')
    return Trajectory(speeds_mps, curvatures_1pm, poses)

"""A plan and how it came about, as lines of /diagnostics.

Four lines: inputs, inference, reasoning, plan. Pure: what the node counts comes in, statuses go
out.
"""

from __future__ import annotations

from dataclasses import dataclass

from emma_planner.planning.checks import intent_agrees
from emma_planner.planning.fallback import DrivenPath, Source
from emma_planner.planning.statements import read
from emma_planner.planning.types import INPUT_REASONS, Plan
from emma_planner.ros.conversions import Status

OK, WARN, ERROR, STALE = 0, 1, 2, 3


@dataclass
class Counters:
    """What has happened since the node became active."""

    ticks: int = 0
    planned: int = 0
    valid: int = 0
    deadline_misses: int = 0
    superseded: int = 0
    """Snapshots replaced by a newer one before the model got to them."""
    images: int = 0
    ego_messages: int = 0
    time_jumps: int = 0


def plan_statuses(
    plan: Plan,
    driven: DrivenPath,
    counters: Counters,
    *,
    name: str,
    model: str,
    age_ms: float | None,
    rate_hz: float,
) -> list[Status]:
    """Describe one plan, valid or not.

    :param name: the node's name, the prefix of every status
    :param driven: its poses still ahead
    :param age_ms: from t0 to now; None where there was no image to plan from
    :param rate_hz: plans per second measured over the last plans
    """
    return [
        _inputs(plan, counters, name, age_ms),
        _inference(plan, counters, name, model, rate_hz),
        _reasoning(plan, name),
        _plan(plan, driven, name),
    ]


def waiting_status(counters: Counters, *, name: str, clock_runs: bool) -> Status:
    """Heartbeat while no tick comes."""
    message = 'waiting for the next tick' if clock_runs else 'waiting for /clock (use_sim_time)'
    level = OK if clock_runs else STALE
    return Status(f'{name}: inputs', level, message, _input_values(counters))


def _inputs(plan: Plan, counters: Counters, name: str, age_ms: float | None) -> Status:
    bad = plan.reason in INPUT_REASONS
    return Status(
        f'{name}: inputs',
        WARN if bad else OK,
        f'{plan.reason}: {plan.detail}' if bad else 'ok',
        (
            ('reason', str(plan.reason) if bad else ''),
            ('image age [ms]', '' if age_ms is None else f'{age_ms:.0f}'),
            *_input_values(counters),
        ),
    )


def _input_values(counters: Counters) -> tuple[tuple[str, str], ...]:
    return (
        ('images', str(counters.images)),
        ('ego messages', str(counters.ego_messages)),
        ('time jumps', str(counters.time_jumps)),
    )


def _inference(plan: Plan, counters: Counters, name: str, model: str, rate_hz: float) -> Status:
    bad = plan.reason is not None and plan.reason not in INPUT_REASONS
    return Status(
        f'{name}: inference',
        ERROR if bad else OK,
        f'{plan.reason}: {plan.detail}' if bad else 'ok',
        (
            ('reason', str(plan.reason) if bad else ''),
            ('model', model),
            ('rate [Hz]', f'{rate_hz:.2f}'),
            ('latency total [ms]', f'{plan.latency.total_ms:.0f}'),
            ('latency encode [ms]', f'{plan.latency.encode_ms:.0f}'),
            ('latency reason [ms]', f'{plan.latency.reason_ms:.0f}'),
            ('latency plan [ms]', f'{plan.latency.plan_ms:.0f}'),
            ('tokens prompt', str(plan.tokens.prompt)),
            ('tokens generated', str(plan.tokens.generated)),
            ('ticks', str(counters.ticks)),
            ('plans', str(counters.planned)),
            ('plans valid', str(counters.valid)),
            ('deadline misses', str(counters.deadline_misses)),
            ('superseded', str(counters.superseded)),
        ),
    )


def _reasoning(plan: Plan, name: str) -> Status:
    agrees = None
    if plan.trajectory is not None:
        agrees = intent_agrees(plan.reasoning.intent, plan.trajectory)
    said = {True: 'yes', False: 'no', None: 'unknown'}[agrees]
    is_known = read(plan.reasoning).is_known
    intent = plan.reasoning.intent or 'no intent stated'
    return Status(
        f'{name}: reasoning',
        WARN if agrees is False or not is_known else OK,
        intent if is_known else plan.detail or f'the picture shows nothing known: {intent}',
        (
            ('scene', plan.reasoning.scene),
            *((f'object {k + 1}', text) for k, text in enumerate(plan.reasoning.objects)),
            ('intent', plan.reasoning.intent),
            ('intent agrees with plan', said),
        ),
    )


def _plan(plan: Plan, driven: DrivenPath, name: str) -> Status:
    level = {Source.PLAN: OK, Source.LAST_PLAN: WARN}.get(driven.source, ERROR)
    message = f'{plan.reason}: driving {driven.source.value}'
    if plan.valid:
        message = plan.detail or 'ok'
    if plan.valid and not driven.stamps_ns:
        level, message = ERROR, 'every pose has passed: the plan came after its own horizon'
    return Status(
        f'{name}: plan',
        level,
        message,
        (
            ('reason', str(plan.reason or '')),
            ('source', driven.source.value),
            ('fallback', str(driven.source is not Source.PLAN).lower()),
            ('poses', str(len(driven.stamps_ns))),
            ('target speed [m/s]', f'{driven.target_speed_mps:.2f}'),
        ),
    )

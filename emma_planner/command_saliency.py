"""``emma saliency``: where a planner looks, drawn over the pictures of some windows."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner.assemble import local_model
from emma_planner.command_evaluate import ERRORS
from emma_planner.command_options import FAILED, USAGE, config_of, fail, interrupted_once
from emma_planner.config import ConfigError, PlannerConfig
from emma_planner.evaluation.occlusion import occlusion_saliency
from emma_planner.planning.chat import ModelError
from emma_planner.planning.types import InputError, PlannerInput
from emma_planner.progress import ProgressBar
from emma_planner.recordings.dataset import write_json
from emma_planner.resources import ResourceError
from emma_planner.runs.open_source import SourceOptions, open_source
from emma_planner.runs.run_folder import SALIENCY
from emma_planner.runs.window import SourceError, Window
from emma_planner.visualization.heat import draw_heat

NAME = 'saliency'
OCCLUSION, GRADIENT, ATTENTION = 'occlusion', 'gradient', 'attention'
KINDS = (OCCLUSION, GRADIENT, ATTENTION)
IN_CELLS = (OCCLUSION, ATTENTION)
"""So few values that they are shown and kept as they are."""


def run(arguments: argparse.Namespace) -> int:
    """Run the command; errors end in one line on stderr.

    :returns: 0 done, 1 failed, 2 wrong usage
    """
    try:
        config = config_of(arguments)
        unknown = [kind for kind in arguments.kinds if kind not in KINDS]
        if unknown:
            raise ConfigError(f'--kinds: need {", ".join(KINDS)}, got {unknown[0]}')
    except (ConfigError, ResourceError) as err:
        return fail(NAME, err, USAGE)
    try:
        with interrupted_once():
            return _run(arguments, config)
    except (*ERRORS, InputError) as err:
        return fail(NAME, err, FAILED)
    except KeyboardInterrupt:
        return fail(NAME, 'interrupted', FAILED)


def _run(arguments: argparse.Namespace, config: PlannerConfig) -> int:
    planner, owner = local_model(config)
    inside = [kind for kind in arguments.kinds if kind != OCCLUSION]
    if inside and owner is None:
        raise ModelError(f'{inside[0]}: need a model in this process, got a baseline or a server')
    windows = _chosen(arguments, config)
    arguments.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    with ProgressBar(float(len(windows)), 'windows', shown=not arguments.quiet) as bar:
        for number, window in enumerate(windows):
            given = window.load()
            plan = planner.plan(given) if inside else None
            for kind in arguments.kinds:
                picture, heat = _heat(kind, planner, owner, given, plan)
                name = f'{number:03d}-{kind}.png'
                _write(arguments.out / name, picture, heat, is_smooth=kind not in IN_CELLS)
                rows.append(
                    {
                        'scene': window.scene,
                        'stamp_ns': window.stamp_ns,
                        'kind': kind,
                        'picture': name,
                        'heat': np.nan_to_num(heat).round(4).tolist()
                        if kind in IN_CELLS
                        else None,
                    }
                )
            bar.update(float(number + 1), f'{number + 1} of {len(windows)}')
    write_json(arguments.out / SALIENCY, {'planner': planner.name, 'pictures': rows})
    if not arguments.quiet:
        print(f'{len(rows)} pictures in {arguments.out}')
    return 0


def _chosen(arguments: argparse.Namespace, config: PlannerConfig) -> list[Window]:
    """Windows of different scenes first, the same for the same seed."""
    options = SourceOptions(arguments.every, arguments.split, arguments.cameras)
    found: list[Window] = []
    for path in arguments.inputs:
        source = open_source(path, config, options)
        for scene in source.scenes():
            found += source.windows(scene)
    if not found:
        raise SourceError('need a window at least, got none')
    order = np.random.default_rng(config.seed).permutation(len(found))[: arguments.windows]
    return [found[int(k)] for k in sorted(order)]


def _heat(kind: str, planner: Any, owner: Any, given: PlannerInput, plan: Any) -> tuple[Any, Any]:
    """A picture ``(H, W, 3)``, and what lies over all of it.

    :param plan: of these inputs, for what looks into the model
    """
    front = given.frames[:1]
    if kind == OCCLUSION:
        return front[0].rgb, occlusion_saliency(planner, given)
    from emma_planner.models.written_plan import as_seen, attention_saliency, gradient_saliency

    saliency = gradient_saliency if kind == GRADIENT else attention_saliency
    return as_seen(owner, front), saliency(owner, front, plan, given.earlier)


def _write(path: Path, picture: Any, heat: Any, *, is_smooth: bool) -> None:
    from PIL import Image

    Image.fromarray(draw_heat(picture, heat, is_smooth=is_smooth)).save(path)

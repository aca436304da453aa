"""The datasheet of a data set: what is in it, how it came about, what it is not fit for.

After Gebru et al., Datasheets for datasets (2021), the short form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emma_planner.planning.parsing import parse_reasoning
from emma_planner.planning.statements import read as read_said
from emma_planner.recordings.dataset import read_examples, read_header, shard_files


def datasheet(folder: Path) -> str:
    """Count what is in a data set and say it in Markdown."""
    header = read_header(folder)
    commands: Counter[str] = Counter()
    intents: Counter[str] = Counter()
    lights: Counter[str] = Counter()
    speeds, bends, sources, count = [], [], set(), 0
    for example in read_examples(folder):
        said = read_said(parse_reasoning(example.reasoning))
        commands[example.command] += 1
        intents[said.intent or 'not said'] += 1
        lights[said.light or 'not said'] += 1
        speeds.append(example.future.speeds_mps.mean())
        bends.append(abs(example.future.poses[-1, 2]) > np.deg2rad(15.0))
        sources.add(example.source)
        count += 1
    return '\n'.join(
        [
            '# Data set',
            '',
            f'{count} examples of {len(sources)} drives in {len(shard_files(folder))} shards, '
            f'schema {header["schema"]}. Each is a picture of the front camera, 5 s of motion '
            'before it, a route command, what is to be said of the scene, and the motion of the '
            'next 5 s.',
            '',
            f'- **Source**: {_source(header, len(sources))}, one example every '
            f'{header.get("every_s", 0):g} s.',
            f'- **Motion**: {_motion(header)}.',
            f'- **Words**: {_words(header)}.',
            f'- **Commands**: {_shares(commands)}.',
            f'- **Intents**: {_shares(intents)}; {100 * np.mean(bends or [0]):.0f} % turn by more '
            'than 15 degrees.',
            f'- **Lights**: {_shares(lights)}.',
            f'- **Speed**: {np.mean(speeds or [0]):.1f} m/s on average.',
            f'- **Not in it**: {_limits(header)}.',
            '',
        ]
    )


def _source(header: Mapping[str, Any], drives: int) -> str:
    if 'bags' in header:
        return f'recordings {", ".join(header["bags"])}'
    count = len(header.get('numbers', ()))
    without = f' ({count - drives} of {count} scenarios gave none)' if count > drives else ''
    return (
        f'{header["source"]}, split {header.get("split", "-")}{without}, '
        f'camera {header.get("camera")}'
    )


def _motion(header: Mapping[str, Any]) -> str:
    if 'bags' in header:
        return 'as recorded'
    if header.get('pilot'):
        return f'{header["pilot"]} drives; motion and plan are what the expert would have done'
    return (
        'driven by the expert; where a push took the car off its line within the 5 s '
        f'({100 * header.get("disturbed", 0):.0f} % of the drives have pushes), what the expert '
        'planned; what it planned at that instant stands beside it, and is what is learned'
    )


def _words(header: Mapping[str, Any]) -> str:
    if 'bags' not in header:
        return 'written from the ground truth of the simulator; the intent is read off the plan'
    return f'by {header["teacher"]}, unchecked' if header.get('teacher') else 'none'


def _limits(header: Mapping[str, Any]) -> str:
    if 'bags' in header:
        return 'patches and facts; licence and persons are those of the recordings'
    return (
        'cyclists, night, rain, real pictures; nobody is shown, all is generated; licence '
        'Apache-2.0, as the package'
    )


def _shares(counts: Counter[str]) -> str:
    total = max(sum(counts.values()), 1)
    return ', '.join(f'{name} {100 * n / total:.0f} %' for name, n in counts.most_common())

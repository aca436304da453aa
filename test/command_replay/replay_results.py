"""What ``emma replay`` has written."""

from __future__ import annotations

import json


def records(out):
    lines = (out / 'plans.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def metrics(out):
    return json.loads((out / 'metrics.json').read_text())

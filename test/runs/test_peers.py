"""Results of other projects, in files of our own in the same shapes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from runs.sources_by_hand import nuscenes

from emma_planner.config import PlannerConfig
from emma_planner.evaluation.open_loop import score
from emma_planner.evaluation.predictions import PredictionError
from emma_planner.planning.kinematics import integrate
from emma_planner.runs.peers import lightemma
from emma_planner.runs.results import has_results, read_results

CONFIG = PlannerConfig()
SPEEDS, BENDS = np.linspace(4.0, 7.0, 6), np.full(6, 0.02)
REPLY = '[' + ', '.join(f'({v:.3f}, {k:.3f})' for v, k in zip(SPEEDS, BENDS, strict=True)) + ']'


def frame(number, reply=REPLY):
    driven = integrate(SPEEDS, BENDS)
    return {
        'frame_index': number,
        'sample_token': f'token{number}',
        'image_path': f'samples/{number}.jpg',
        'timestamp': 1_500_000_000_000_000 + number * 500_000,
        'camera_params': {},
        'ego_info': {
            'position': [0.0, 0.0],
            'heading': 0.0,
            'obs_positions': [[-1.0, 0.0]],
            'obs_actions': [[4.0, 0.02]],
            'gt_positions': driven[:, :2].tolist(),
            'gt_actions': [[4.0, 0.02]],
        },
        'inference': {
            'scene_prompt': 'Describe.',
            'scene_description': 'A quiet street.',
            'intent_prompt': 'And now?',
            'driving_intent': 'Turn left.',
            'waypoint_prompt': 'Numbers.',
            'pred_actions_str': reply,
        },
        'token_usage': {
            'scene_prompt': {'input': 10, 'output': 20},
            'intent_prompt': {'input': 11, 'output': 21},
            'waypoint_prompt': {'input': 12, 'output': 22},
        },
        'time_usage': {'scene_prompt': 0.5, 'intent_prompt': 0.25, 'waypoint_prompt': 1.0},
    }


def write_lightemma(folder, *frames):
    (folder / 'output').mkdir(parents=True)
    scene = {
        'scene_info': {'name': 'scene-0001', 'description': ''},
        'frames': list(frames),
        'metadata': {'model': 'some-vlm', 'total_frames': len(frames)},
    }
    (folder / 'output/scene-0001.json').write_text(json.dumps(scene))
    return folder


def test_lightemma_is_scored_along_exact_arcs(tmp_path):
    folder = write_lightemma(tmp_path / 'r', *(frame(k) for k in range(4)))
    assert has_results(folder)
    name, found = read_results(folder, None, CONFIG)
    assert name == 'LightEMMA some-vlm'
    scores = score(found, name)
    summary = scores.planner[1]
    assert summary.averaged[2].mean == pytest.approx(0.0, abs=1e-3)
    assert summary.num_short == 4  # it plans 3 s
    assert scores.baselines == ()
    first = found[0]
    assert first.latency.total_ms == pytest.approx(1750.0)
    assert first.tokens.generated == 63
    assert first.said.intent == 'Turn left.'


@pytest.mark.parametrize(
    'reply',
    [
        '(4.0, 0.02), (4.6, 0.02)',
        REPLY + ' and so on',
        REPLY.replace('(4.000', '(4.0.0'),
        "I'm sorry, I cannot.",
        '',
        REPLY + ', (7, 0.02)',
    ],
)
def test_a_reply_of_lightemma_that_does_not_parse_is_a_failed_plan(tmp_path, reply):
    folder = write_lightemma(tmp_path / 'r', frame(0), frame(1, reply))
    _, found = read_results(folder, None, CONFIG)
    assert [item.reason for item in found] == ['', 'format']
    summary = score(found, 'x').planner[1]
    assert (summary.n, summary.num_unplanned) == (2, 1)


@pytest.mark.parametrize('reply', ['[[4,0.02],' * 5 + '[4e0, 2e-2]]', REPLY.replace(' ', '')])
def test_brackets_and_exponents_are_as_good(reply):
    assert lightemma.parse_actions(reply).shape == (6, 2)


def test_a_frame_of_lightemma_without_its_truth_is_named(tmp_path):
    broken = frame(1)
    del broken['ego_info']['gt_positions']
    folder = write_lightemma(tmp_path / 'r', frame(0), broken)
    with pytest.raises(PredictionError, match="frame 1: need 'gt_positions', got none"):
        read_results(folder, None, CONFIG)


def write_openemma(folder, scene, numbers, speeds, bends):
    folder.mkdir(parents=True)
    for number in numbers:
        start = folder / f'{scene}_{number}'
        np.save(f'{start}_pred_speeds.npy', speeds)
        np.save(f'{start}_pred_curvatures.npy', bends)
        (folder / f'{scene}_{number}_logs.txt').write_text(
            'Scene Description: A road.\nIt bends.\nObject Description: A car.\n'
            'Intent Description: Steer left.\nAverage Displacement Error: 1.2\n'
        )
    return folder


def test_openemma_is_scored_in_metres_a_second_against_nuscenes(tmp_path):
    pytest.importorskip('nuscenes')
    root = nuscenes(tmp_path / 'nuscenes')
    numbers = [3, 5, 8]
    right = write_openemma(
        tmp_path / 'r', 'scene-0103', numbers, np.full(10, 3.0), np.full(10, 0.02)
    )
    name, found = read_results(right, root, CONFIG)
    assert name == 'OpenEMMA'
    scores = score(found, name)
    assert scores.planner[1].ade.mean == pytest.approx(0.0, abs=0.05)  # 3 m in 0.5 s is 6 m/s
    assert found[0].said.scene == 'A road.\nIt bends.'
    assert found[0].said.objects == ('A car.',)
    assert found[0].said.intent == 'Steer left.'
    assert 'constant-action' in dict(scores.baselines)


def test_openemma_without_its_truth_says_what_is_needed(tmp_path):
    folder = write_openemma(tmp_path / 'r', 'scene-0103', [1], np.ones(10), np.zeros(10))
    assert has_results(folder)
    with pytest.raises(PredictionError, match='need nuScenes for the truth: --truth FOLDER'):
        read_results(folder, None, CONFIG)

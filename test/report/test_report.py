"""The report: one file, no network, every figure there, looked at in a real browser."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

pytest.importorskip('matplotlib')
pytest.importorskip('jinja2')

import synthetic_bags as bags
from evaluation.test_predictions import prediction, straight
from runs.sources_by_hand import dataset

from emma_planner.cli import main
from emma_planner.evaluation.predictions import header_line, to_json_line
from emma_planner.planning.types import Reasoning
from emma_planner.report.charts import (
    Line,
    bar_chart,
    interval_chart,
    line_chart,
    map_chart,
    path_chart,
    stacked_chart,
)
from emma_planner.report.markdown import BEGIN, END
from emma_planner.report.results import Ablation, ReportError, read_results

ATTACK = '<script>alert(1)</script><img src=x onerror=alert(2)>'


def write_run(folder, items, planner='some-model'):
    (folder / 'scenes').mkdir(parents=True)
    (folder / 'run.json').write_text(json.dumps({'sources': ['set'], 'planner': 'mllm'}))
    lines = [header_line(planner, {}), *map(to_json_line, items)]
    (folder / 'scenes/00000-a.jsonl').write_text('\n'.join(lines) + '\n')
    return folder


def write_drives(folder):
    interval = [10.0, 60.0]
    names = ('driving_score', 'success_rate', 'route_completion', 'off_road_rate',
             'collisions_per_km')  # fmt: skip
    drives = [
        {
            'scenario': f'test-00{k}',
            'driving_score': 30.0 * k,
            'end': 'arrived' if k else 'deviated',
            'detail': '' if k else '30 m beside the route',
            'events': [
                {'kind': 'off_road', 'time_s': 4.0, 'x_m': 5.0, 'y_m': 1.0, 'detail': 'by 1 m'}
            ],
        }
        for k in range(3)
    ]
    scores = {
        'planner': 'some-model',
        'split': 'test',
        'num_drives': 3,
        **dict.fromkeys(names, 0.4),
        'intervals': dict.fromkeys(names, interval),
        'drives': drives,
    }
    folder.mkdir()
    (folder / 'scores.json').write_text(json.dumps(scores))
    return folder


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A page of everything, with words that would be code."""
    root = tmp_path_factory.mktemp('report')
    data = dataset(root / 'set', scenes=3, windows=5)
    assert main(['evaluate', str(data), '--planner', 'constant-action',
                 '--out', str(root / 'run'), '--quiet']) == 0  # fmt: skip
    assert main(['ablate', str(data), '--planner', 'constant-action', '--variants',
                 'history_zero,odometry_bias:*,fog:*', '--out', str(root / 'ablate'),
                 '--quiet']) == 0  # fmt: skip
    said = Reasoning(ATTACK, (ATTACK,), ATTACK)
    attacked = [
        prediction(stamp_ns=k, said=said, truth=straight(5.0 + k), detail=ATTACK)
        for k in range(12)
    ]
    write_run(root / 'attacked', attacked, planner=ATTACK)
    drives = write_drives(root / 'drives')
    bags.write_bag(drives / 'test-000/drive', bags.drive(duration_s=6.0))
    folders = [str(root / name) for name in ('run', 'attacked', 'ablate', 'drives')]
    out = root / 'report.html'
    assert main(['report', *folders, '--out', str(out), '--title', 'All of it']) == 0
    return out


def test_it_needs_nothing_from_outside(page):
    text = page.read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', text)
    assert '@import' not in text
    assert 'http-equiv="Content-Security-Policy"' in text
    namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', '', text)
    assert 'http://' not in namespaces
    assert 'https://' not in namespaces


def test_what_a_model_wrote_is_text(page):
    text = page.read_text()
    assert '<script' not in text
    assert '<img src=x' not in text
    assert '&lt;script&gt;' in text


def test_it_says_what_was_measured(page):
    text = page.read_text()
    for part in ('All of it', 'L2 at horizon', 'L2 averaged', 'L2 window', 'half-acceleration',
                 'history_zero', 'odometry bias', 'masked', 'test-000', '30 m beside the route',
                 'off road', 'commit', 'machine'):  # fmt: skip
        assert part in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_a_browser_shows_all_of_it(page, scheme):
    playwright = pytest.importorskip('playwright.sync_api')
    chromium = shutil.which('chromium') or shutil.which('google-chrome')
    if chromium is None:
        pytest.skip('need Chromium')
    said = []
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=['--no-sandbox'])
        view = browser.new_page(viewport={'width': 1280, 'height': 900}, color_scheme=scheme)
        view.on('console', lambda message: said.append(message.text))
        view.on('pageerror', lambda error: said.append(str(error)))
        view.on('dialog', lambda dialog: said.append(dialog.message))
        view.goto(page.as_uri())
        wide = view.evaluate('document.documentElement.scrollWidth')
        charts = view.locator('figure.chart svg')
        heights = [charts.nth(k).bounding_box()['height'] for k in range(charts.count())]
        pictures = view.evaluate(
            'Array.from(document.images).map(p => p.complete && p.naturalWidth > 0)'
        )
        paper, ink = view.evaluate(
            '[getComputedStyle(document.body).backgroundColor, '
            "getComputedStyle(document.querySelector('figure.chart svg text')).fill]"
        )
        hidden = view.evaluate(
            "Array.from(document.querySelectorAll('figure.chart svg')).filter(svg => "
            'svg.getBoundingClientRect().right > innerWidth).length'
        )
        browser.close()
    assert said == []
    assert wide <= 1280
    assert hidden == 0
    assert len(heights) >= 3 + 3 + 1 + 2
    assert min(heights) > 60
    assert len(pictures) >= 9
    assert all(pictures)
    brightness = [sum(map(int, re.findall(r'\d+', colour)[:3])) for colour in (paper, ink)]
    assert (brightness[0] > brightness[1]) == (scheme == 'light')
    assert abs(brightness[0] - brightness[1]) > 400


def test_every_kind_of_chart_is_drawn_in_the_colours_of_the_page():
    path = np.array([[0.0, 0.0], [5.0, 1.0]])
    for chart in (
        line_chart([Line('a', [0, 1], [1, 2], [0, 1], [2, 3]), Line('b', [0], [1])],
                   x_label='x', y_label='y', title='t'),
        bar_chart(['a', 'b'], [('x', [1, 2])], y_label='y'),
        stacked_chart(['a'], [('x', [1.0]), ('y', [2.0])], x_label='x'),
        interval_chart(['a'], [1.0], [float('nan')], [2.0], x_label='x'),
        path_chart([('plan', path), ('driven', np.zeros((1, 2)))]),
        map_chart(path, [('off_road', 1.0, 0.0)]),
    ):  # fmt: skip
        assert chart.startswith('<svg ')
        assert 'var(--ink)' in chart
        assert 'var(--series-1)' in chart
        assert not re.search(r'#0[1-9a]0[1-9a]0[1-9a]', chart)


def test_the_page_of_a_thousand_plans_stays_small(tmp_path):
    items = [
        prediction(scene=f's{k % 40}', stamp_ns=k, truth=straight(5.0 + k % 7))
        for k in range(1000)
    ]
    write_run(tmp_path / 'run', items)
    out = tmp_path / 'page.html'
    assert main(['report', str(tmp_path / 'run'), '--out', str(out)]) == 0
    assert out.stat().st_size < 25e6


def _empty(folder):
    write_run(folder, [])


def _broken(folder):
    folder.mkdir()
    (folder / 'scores.json').write_text('{')


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (
            lambda folder: None,
            'need a folder of emma evaluate, ablate, saliency or drive, got none',
        ),
        (_empty, 'need a scene at least, got none'),
        (_broken, 'scores.json: need JSON'),
    ],
)
def test_folders_without_results_are_named(tmp_path, make, message):
    make(tmp_path / 'x')
    with pytest.raises(ReportError, match=message):
        read_results([tmp_path / 'x'])
    assert main(['report', str(tmp_path / 'x'), '--out', str(tmp_path / 'r.html')]) == 1
    assert not (tmp_path / 'r.html').exists()


def test_variants_that_come_in_degrees_are_told_from_those_that_do_not(tmp_path):
    names = ('image_blank', 'fog:5', 'fog:1', 'dropped_frames:2', 'attack=pgd+attack_size=8',
             'use_image=false', 'fog:1+image_frozen')  # fmt: skip
    variants = [{'name': name} for name in names]
    ablation = Ablation(tmp_path, {}, variants)
    assert [row['name'] for row in ablation.plain()] == [
        'image_blank',
        'use_image=false',
        'fog:1+image_frozen',
    ]
    degrees = {name: list(rows) for name, rows in ablation.severities().items()}
    assert degrees == {'fog': [1, 5], 'dropped frames': [2], 'PGD, of 255': [8]}


def test_a_readme_gets_the_figures_between_its_marks(page, tmp_path):
    root, readme = page.parent, tmp_path / 'README.md'
    readme.write_text(f'before\n{BEGIN}\nold\n{END}\nafter\n')
    folders = [str(root / name) for name in ('run', 'ablate', 'drives')]
    options = ['--out', str(tmp_path / 'r.html'), '--commit', 'abc1234', '--machine', 'a machine']
    command = ['report', *folders, *options, '--markdown', str(readme)]
    assert main(command) == 0
    text = readme.read_text()
    assert text.startswith('before\n')
    assert text.endswith('\nafter\n')
    assert 'old' not in text
    for part in ('commit abc1234, machine a machine', '| half-acceleration |', '3 of test',
                 '| some-model (drives) |', '| history_zero | masked |'):  # fmt: skip
        assert part in text
    columns = [line.count('|') for line in text.splitlines() if line.startswith('|')]
    assert set(columns) == {7, 8, 9}
    found = json.loads((root / 'ablate/ablations.json').read_text())['variants']
    errors = [row['ade_m']['after'] for row in found if row['name'].startswith('odometry_bias')]
    cells = ' | '.join(f'{error:.2f}' for error in errors)
    assert f'| odometry bias | {cells} |' in text
    assert 'odometry_bias:1' not in text
    assert main(command) == 0
    assert readme.read_text() == text  # once more changes nothing
    assert 'nan' not in text
    readme.write_text('no marks')
    assert main(command) == 1
    assert readme.read_text() == 'no marks'

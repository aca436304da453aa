"""Laws of film files by themselves."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from emma_planner.simulation.film.film_files import FilmError, open_film

SUFFIXES = ['.webp', '.mp4']


@pytest.mark.parametrize(('left', 'top'), [(10, 20), (11, 21), (0, 0), (63, 31), (79, 47)])
def test_only_what_changed_is_replaced_wherever_it_lies(tmp_path, left, top):
    path = tmp_path / 'film.webp'
    before = np.full((48, 80, 3), 40, dtype=np.uint8)
    after = before.copy()
    after[top : top + 9, left : left + 9] = 220
    film = open_film(path, 80, 48, 0.2)
    for picture in (before, after, before):
        film.add(picture, 0.2)
    film.close()
    with Image.open(path) as shown:
        for k, picture in enumerate((before, after, before)):
            shown.seek(k)
            error = np.abs(np.array(shown.convert('RGB')).astype(int) - picture)
            assert error.max() < 100, k  # lossy at its edges, but in its place
            assert error.mean() < 3.0, k


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_a_picture_of_another_size_is_refused(tmp_path, suffix):
    film = open_film(tmp_path / f'film{suffix}', 80, 48, 0.2)
    with pytest.raises(FilmError, match=r'need a picture of \(48, 80, 3\), got \(40, 80, 3\)'):
        film.add(np.zeros((40, 80, 3), dtype=np.uint8), 0.2)
    film.close()


def test_a_suffix_in_capitals_is_the_same_format(tmp_path):
    film = open_film(tmp_path / 'film.WEBP', 80, 48, 0.2)
    film.add(np.zeros((48, 80, 3), dtype=np.uint8), 0.2)
    film.close()
    assert Image.open(tmp_path / 'film.WEBP').format == 'WEBP'

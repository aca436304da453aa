"""A cut-off file reads as its whole records and an end, wherever the cut lies."""

from __future__ import annotations

import os

import pytest

from emma_planner.recordings.salvage import MAGIC, CutMcap

CHANNEL, CHUNK, DATA_END, FOOTER = 0x04, 0x06, 0x0F, 0x02
END = bytes([FOOTER]) + (20).to_bytes(8, 'little') + bytes(20) + MAGIC


def record(kind, content):
    return bytes([kind]) + len(content).to_bytes(8, 'little') + content


RECORDS = [record(CHANNEL, b'c' * 30), record(CHUNK, b'm' * 500), record(CHUNK, b'n' * 70)]
TAIL = [record(DATA_END, bytes(4)), record(CHANNEL, b'summary'), END]


@pytest.fixture
def file(tmp_path):
    return tmp_path / 'cut.mcap'


def test_wherever_it_is_cut_the_whole_records_are_read(file):
    whole = MAGIC + b''.join(RECORDS + TAIL)
    borders = [len(MAGIC + b''.join(RECORDS[:k])) for k in range(4)]
    for size in range(len(MAGIC), len(whole) + 1):
        file.write_bytes(whole[:size])
        kept = max(border for border in borders if border <= size)
        with CutMcap(file).open('rb') as stream:
            assert stream.read() == whole[:kept] + END


def test_zeros_at_the_end_are_no_records(file):
    """What a file system leaves of a file whose writing was cut short."""
    file.write_bytes(MAGIC + RECORDS[0] + bytes(4096))
    assert CutMcap(file).whole_bytes == len(MAGIC + RECORDS[0])


def test_a_file_of_another_kind_has_nothing(file):
    file.write_bytes(b'SQLite format 3\x00' * 10)
    assert CutMcap(file).whole_bytes == 0


def test_seeking_works_across_the_end_of_the_file(file):
    file.write_bytes(MAGIC + RECORDS[0] + RECORDS[1][:100])
    expected = MAGIC + RECORDS[0] + END
    with CutMcap(file).open('rb') as stream:
        assert stream.seek(-len(END), os.SEEK_END) == len(expected) - len(END)
        assert stream.read() == END
        for start in range(0, len(expected), 7):
            stream.seek(start)
            assert stream.tell() == start
            assert stream.read(20) == expected[start : start + 20]
        stream.seek(0)
        stream.seek(8, os.SEEK_CUR)
        assert stream.read(1) == bytes([CHANNEL])


def test_it_stands_for_the_path_of_the_file(file):
    file.write_bytes(MAGIC)
    cut = CutMcap(file)
    assert (cut.suffix, str(cut), cut.exists(), cut.is_dir()) == ('.mcap', str(file), True, False)
    file.unlink()
    assert not cut.exists()

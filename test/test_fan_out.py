"""Tasks over processes and over Ray."""

import math
import multiprocessing
import os
import signal
import threading
import time

import pytest

from emma_planner.fan_out import FanOutError, fan_out


def square(number: int) -> tuple[int, int]:
    """Return the square and which process made it."""
    return number * number, os.getpid()


def die(_: int) -> None:
    """Kill the process that runs it."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(number: int) -> int:
    """Fail as a task may."""
    raise ValueError(f'task {number}')


def _squares(**options):
    done = dict(fan_out(square, range(6), **options))
    return {number: result[0] for number, result in done.items()}, {r[1] for r in done.values()}


EXPECTED = {k: k * k for k in range(6)}


def test_one_worker_is_this_process():
    assert _squares(workers=1) == (EXPECTED, {os.getpid()})


def test_two_workers_give_the_same_results():
    results, processes = _squares(workers=2)
    assert results == EXPECTED
    assert os.getpid() not in processes
    assert len(processes) <= 2


@pytest.mark.slow
def test_a_local_ray_gives_the_same_results():
    pytest.importorskip('ray')
    # a function that the cluster's processes can import
    results = dict(fan_out(math.factorial, range(6), workers=2, ray_address='local'))
    assert results == {k: math.factorial(k) for k in range(6)}


def test_no_ray_at_the_address_is_an_error_that_names_it():
    pytest.importorskip('ray')
    with pytest.raises(FanOutError, match='need a Ray cluster at nowhere:1'):
        list(fan_out(square, [1, 2], ray_address='nowhere:1'))


def test_a_worker_that_dies_is_an_error():
    with pytest.raises(FanOutError, match='one that died'):
        list(fan_out(die, [1, 2], workers=2))


def nap(number: int) -> str:
    """Take a while; say whether it was cut short."""
    try:
        time.sleep(0.1 if number < 2 else 60.0)
    except KeyboardInterrupt:
        return 'cut short'
    return 'done'


def test_an_interruption_ends_tasks_early_starts_no_more_and_keeps_results():
    done = {}
    # a shell starts what runs in the background with SIGINT ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def drive():
        for number, result in fan_out(nap, range(8), workers=2):
            done[number] = result
            if len(done) == 2:
                threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()

    try:
        with pytest.raises(KeyboardInterrupt):
            drive()
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done[0], done[1]) == ('done', 'done')
    assert set(done.values()) == {'done', 'cut short'}
    assert len(done) <= 4
    assert not multiprocessing.active_children()


@pytest.mark.parametrize('workers', [1, 2])
def test_an_error_of_a_task_is_handed_on(workers):
    with pytest.raises(ValueError, match='task'):
        list(fan_out(fail, [1, 2], workers=workers))

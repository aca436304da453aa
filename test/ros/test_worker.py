"""One thread, newest job wins; every order of events is forced, none is slept for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from emma_planner.ros.worker import Done, NewestWinsWorker

LIMIT_S = 10.0


class Bench:
    """A worker whose jobs wait at a gate; a job is a number, its result ten times that."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.waited_s: list[float] = []
        self.most_at_once = 0
        self._at_once = 0
        self._entered = threading.Semaphore(0)
        self._gate = threading.Semaphore(0)
        self._done = threading.Semaphore(0)
        self.worker: NewestWinsWorker[int, int] = NewestWinsWorker(self._work, self._done.release)

    def _work(self, job: int, waited_s: float) -> int:
        self.begun.append(job)
        self.waited_s.append(waited_s)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        self._entered.release()
        assert self._gate.acquire(timeout=LIMIT_S)
        self._at_once -= 1
        if job < 0:
            raise ValueError(f'job {job}')
        return 10 * job

    def submit_and_enter(self, job: int) -> None:
        self.worker.submit(job)
        self.enter()

    def enter(self) -> None:
        assert self._entered.acquire(timeout=LIMIT_S)

    def release(self) -> None:
        self._gate.release()

    def woken(self) -> bool:
        return self._done.acquire(timeout=LIMIT_S)

    def finish(self) -> Done[int, int]:
        self.release()
        assert self.woken()
        done = self.worker.fetch()
        assert done is not None
        return done


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench._gate.release(100)
    assert bench.worker.stop(LIMIT_S)


def test_a_job_comes_back_with_its_result(bench):
    bench.submit_and_enter(4)
    done = bench.finish()
    assert (done.job, done.result) == (4, 40)
    assert bench.worker.fetch() is None


def test_the_newest_job_wins_and_the_others_are_told(bench):
    bench.submit_and_enter(1)
    assert not bench.worker.submit(2)
    assert bench.worker.submit(3)
    assert bench.worker.submit(4)
    bench.finish()
    bench.enter()
    assert bench.finish().job == 4
    assert bench.begun == [1, 4]


def test_there_are_never_two_at_once(bench):
    bench.submit_and_enter(1)
    for job in range(2, 20):
        bench.worker.submit(job)
        bench.finish()
        bench.enter()
    assert bench.most_at_once == 1


def test_an_exception_is_a_result_and_the_thread_lives_on(bench):
    bench.submit_and_enter(-1)
    error = bench.finish().result
    assert isinstance(error, ValueError)
    assert str(error) == 'job -1'
    bench.submit_and_enter(5)
    assert bench.finish().result == 50


def test_results_not_fetched_keep_their_order(bench):
    for job in (1, 2, 3):
        bench.submit_and_enter(job)
        bench.release()
        assert bench.woken()
    jobs = [done.job for done in iter(bench.worker.fetch, None)]
    assert jobs == [1, 2, 3]


def test_clear_drops_what_waits_and_what_was_not_fetched(bench):
    bench.submit_and_enter(1)
    bench.release()
    assert bench.woken()
    bench.submit_and_enter(2)
    bench.worker.submit(3)
    bench.worker.clear()
    assert bench.worker.fetch() is None
    bench.release()
    bench.submit_and_enter(4)
    assert bench.finish().job == 4
    assert bench.begun == [1, 2, 4]


def test_clear_voids_the_running_job_but_not_the_next(bench):
    bench.submit_and_enter(1)
    bench.worker.clear()
    bench.worker.submit(2)
    bench.release()
    bench.enter()
    assert bench.worker.fetch() is None
    assert bench.finish().job == 2


def test_clear_of_an_idle_worker_voids_nothing_later(bench):
    bench.worker.clear()
    bench.submit_and_enter(1)
    assert bench.finish().result == 10


def test_busy_time_counts_from_the_start_of_the_job_and_is_zero_when_idle(bench):
    assert bench.worker.busy_s() == 0.0
    bench.submit_and_enter(1)
    first = bench.worker.busy_s()
    assert 0.0 < first < LIMIT_S
    assert bench.worker.busy_s() > first
    bench.finish()
    assert bench.worker.busy_s() == 0.0


def test_the_wait_in_the_slot_is_told_to_the_work_and_part_of_what_it_took(bench):
    bench.submit_and_enter(1)
    bench.worker.submit(2)
    begin_s = time.perf_counter()
    while time.perf_counter() - begin_s < 0.02:
        pass
    bench.finish()
    bench.enter()
    assert bench.waited_s[1] >= 0.02
    assert bench.finish().took_s >= bench.waited_s[1]


def test_stop_joins_and_drops_the_waiting_job():
    bench = Bench()
    bench.submit_and_enter(1)
    bench.worker.submit(2)
    assert not bench.worker.stop(0.0)  # the running job is not interrupted
    bench.release()
    assert bench.worker.stop(LIMIT_S)
    assert not bench.worker._thread.is_alive()
    assert bench.begun == [1]


def test_nobody_is_woken_after_a_stop():
    bench = Bench()
    bench.submit_and_enter(1)
    bench.worker.stop(0.0)
    bench.release()
    assert bench.worker.stop(LIMIT_S)
    assert not bench._done.acquire(blocking=False)
    assert bench.worker.fetch() is None


@pytest.mark.parametrize('submits', [0, 1])
def test_stop_is_quick_when_idle_and_may_be_repeated(submits):
    call: Callable[[int, float], int] = lambda job, waited_s: job  # noqa: E731
    woken = threading.Event()
    worker = NewestWinsWorker(call, woken.set)
    for job in range(submits):
        worker.submit(job)
        assert woken.wait(LIMIT_S)
    assert worker.stop(LIMIT_S)
    assert worker.stop(LIMIT_S)

"""Independent tasks over processes: one here, several here, or a Ray cluster.

The same worker runs the same tasks everywhere, each task from its own seed, so results do not
depend on how many workers there are or which one took a task.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

Task = TypeVar('Task')
Result = TypeVar('Result')


LOCAL = 'local'
REACHABLE_S = 5.0


class FanOutError(Exception):
    """Workers cannot be started, or one was lost."""


def fan_out(
    run: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int = 1,
    ray_address: str | None = None,
) -> Iterator[tuple[int, Result]]:
    """Run all tasks and hand out results as they come.

    :param run: a function of a module (it is sent to other processes)
    :param workers: processes at once
    :param ray_address: of a Ray cluster, ``local`` starts one here; None for processes
    :returns: number of the task, and its result
    :raises FanOutError: Ray is not installed or not reachable; a worker died
    """
    if ray_address is not None:
        yield from _over_ray(run, tasks, workers, ray_address)
    elif workers == 1 or len(tasks) == 1:
        for number, task in enumerate(tasks):
            yield number, run(task)
    else:
        yield from _over_processes(run, tasks, workers)


def _over_processes(
    run: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[int, Result]]:
    # spawn: a forked copy of torch's threads or of the simulator's engine hangs
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(
        min(workers, len(tasks)), mp_context=context, initializer=_Worker.start
    ) as pool:
        numbers = {
            pool.submit(_Worker.run, run, task): number for number, task in enumerate(tasks)
        }
        left = set(numbers)
        try:
            for future in as_completed(numbers):
                left.discard(future)
                yield numbers[future], future.result()
        except BrokenProcessPool as err:
            raise FanOutError('need all workers to the end, got one that died') from err
        except KeyboardInterrupt:
            _interrupt(pool)
            for future in left:
                if future.done() and not future.cancelled() and not future.exception():
                    yield numbers[future], future.result()
            raise
        finally:
            if left:
                _interrupt(pool)


class _Worker:
    """What a worker process does: an interruption ends its task early, or the idle process."""

    is_busy = False
    is_over = False

    @classmethod
    def start(cls) -> None:
        """The parent says when to stop, not the terminal."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, cls._interrupt)

    @classmethod
    def run(cls, run: Callable[[Task], Result], task: Task) -> Result:
        """Run one task."""
        if cls.is_over:
            raise InterruptedError('the worker was interrupted before this task')
        cls.is_busy = True
        try:
            return run(task)
        finally:
            cls.is_busy = False

    @classmethod
    def _interrupt(cls, *_: object) -> None:
        if not cls.is_busy:
            os._exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        cls.is_over = True
        raise KeyboardInterrupt


def _interrupt(pool: ProcessPoolExecutor) -> None:
    """Let running tasks end early and wait for them."""
    for child in multiprocessing.active_children():
        child.terminate()
    pool.shutdown(wait=True, cancel_futures=True)


def _over_ray(
    run: Callable[[Task], Result], tasks: Sequence[Task], workers: int, address: str
) -> Iterator[tuple[int, Result]]:
    ray = _connect(address, workers)
    # one process for all tasks of a worker: the simulator starts once
    actor_class = ray.remote(num_cpus=1)(_RayWorker)
    actors = [actor_class.remote() for _ in range(min(workers, len(tasks)))]
    waiting = list(enumerate(tasks))
    running: dict[Any, tuple[int, Any]] = {}
    try:
        for actor in actors:
            number, task = waiting.pop(0)
            running[actor.run.remote(run, task)] = (number, actor)
        while running:
            done, _ = ray.wait(list(running))
            number, actor = running.pop(done[0])
            try:
                result = ray.get(done[0])
            except ray.exceptions.RayActorError as err:
                raise FanOutError('need all workers to the end, got one that died') from err
            if waiting:
                following, task = waiting.pop(0)
                running[actor.run.remote(run, task)] = (following, actor)
            yield number, result
    finally:
        ray.shutdown()


class _RayWorker:
    """Runs tasks in one process of the cluster."""

    def run(self, run: Callable[[Any], Any], task: Any) -> Any:
        """Run one task."""
        return run(task)


def _connect(address: str, workers: int) -> Any:
    try:
        import ray
    except ImportError as err:
        raise FanOutError("need Ray for --ray: pip install 'emma_planner[scale]'") from err
    try:
        if address == LOCAL:
            ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
        else:
            _check_reachable(address)
            ray.init(address=address, log_to_driver=False)
    except Exception as err:
        raise FanOutError(f'need a Ray cluster at {address}, got: {err}') from err
    return ray


def _check_reachable(address: str) -> None:
    """Ray itself tries for minutes.

    :raises OSError: nobody listens there
    """
    host, colon, port = address.removeprefix('ray://').rpartition(':')
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), REACHABLE_S).close()

"""One thread that works on the newest job: a slot of one, newest wins.

Knows no ROS: results are collected here until they are fetched.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Job = TypeVar('Job')
Result = TypeVar('Result')


@dataclass(frozen=True)
class Done(Generic[Job, Result]):
    """A finished job.

    :param result: what the work returned, or the exception that ended it
    :param took_s: from submission to the end [s]
    """

    job: Job
    result: Result | Exception
    took_s: float


class NewestWinsWorker(Generic[Job, Result]):
    """Runs jobs one after the other in a thread of its own.

    :param work: called with a job and the seconds it waited
    :param on_done: called in the worker's thread after each job; fetches, or wakes who does
    """

    def __init__(self, work: Callable[[Job, float], Result], on_done: Callable[[], None]) -> None:
        self._work = work
        self._on_done = on_done
        self._wake = threading.Condition()
        self._pending: tuple[Job, float] | None = None
        self._running_since: float | None = None
        self._stopping = False
        self._is_void = False
        self._done: deque[Done[Job, Result]] = deque()
        self._thread = threading.Thread(target=self._run, name='planner-worker', daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> bool:
        """Hand over a job; one that is still waiting is dropped for it.

        :returns: whether a waiting job was dropped
        """
        with self._wake:
            superseded = self._pending is not None
            self._pending = (job, time.perf_counter())
            self._wake.notify()
        return superseded

    def clear(self) -> None:
        """Drop the waiting job, the running job's result and the results not yet fetched."""
        with self._wake:
            self._pending = None
            self._is_void = self._running_since is not None
            self._done.clear()

    def fetch(self) -> Done[Job, Result] | None:
        """Return the oldest result not yet fetched, None without."""
        with self._wake:
            return self._done.popleft() if self._done else None

    def busy_s(self) -> float:
        """How long the running job has been running [s]; 0 when idle."""
        with self._wake:
            since = self._running_since
        return 0.0 if since is None else time.perf_counter() - since

    def stop(self, timeout_s: float) -> bool:
        """End the thread after the running job.

        :returns: whether it ended within the time
        """
        with self._wake:
            self._stopping = True
            self._pending = None
            self._wake.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._stopping or self._pending is not None)
                if self._stopping or self._pending is None:
                    return
                job, submitted_s = self._pending
                self._pending = None
                self._running_since = time.perf_counter()
                waited_s = self._running_since - submitted_s
                self._is_void = False
            result: Result | Exception
            try:
                result = self._work(job, waited_s)
            except Exception as err:  # a job that fails must not end the thread
                result = err
            with self._wake:
                self._running_since = None
                void = self._is_void or self._stopping
                if not void:
                    self._done.append(Done(job, result, time.perf_counter() - submitted_s))
            if not void:
                self._on_done()

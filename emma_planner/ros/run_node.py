"""Run a lifecycle node as a process: spin, survive callbacks, end cleanly on a signal."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor


def run(node: Any) -> int:
    """Start a node and spin it until it is told to stop; then destroy it and shut rclpy down.

    :param node: with ``start()``, ``close()`` and ``log_callback_error()``
    :returns: 0 stopped, 1 could not start
    """
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    code = 0
    try:
        if not node.start():
            code = int(rclpy.ok())  # told to stop while the model was loading is no failure
        while code == 0 and rclpy.ok():
            _spin_once(node, executor)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        _tear_down(node, executor)
    return code


def _spin_once(node: Any, executor: SingleThreadedExecutor) -> None:
    try:
        executor.spin_once(timeout_sec=1.0)
    except (KeyboardInterrupt, ExternalShutdownException):
        raise
    except Exception as err:  # whatever a message held, the node goes on
        node.log_callback_error(err)


def _tear_down(node: Any, executor: SingleThreadedExecutor) -> None:
    # a shell and a launch file each send SIGINT: the second must not cut this short
    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    ended = node.close()
    executor.shutdown()
    node.destroy_node()
    rclpy.try_shutdown()
    if not ended:
        # Python would end the thread inside the model's C++ code, which aborts the process
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    signal.signal(signal.SIGINT, on_interrupt)

"""A signal to a child of the event loop's, which leaves it to the loop to hear how the child ended."""

from __future__ import annotations

import os
import signal
from asyncio.subprocess import Process


def send(process: Process, number: signal.Signals) -> None:
    """Send it, unless the child is known to have ended.

    `Process.send_signal` and `kill` of Python before 3.12.8 look first whether the child is dead, and take its exit
    status away from the loop, which then logs "Unknown child process pid" and makes 255 of it: a reader that SIGBUS has
    ended seemed to have failed by itself (https://github.com/python/cpython/issues/127049).
    """
    if process.returncode is not None:
        return
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return  # the loop has its status, and is about to hear of it

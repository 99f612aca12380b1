"""How a process that serves or works ends, whatever still waits for a database that is lost."""

import os
import sys
import threading
from typing import NoReturn

LEAVES_WITHIN_S = 28.0  # of being told to end; drives have 20 s of it


def leave() -> None:
    """End, even if a thread of the queue still waits."""
    if any(each.name.startswith("dbos-executor") for each in threading.enumerate()):
        _end(0)


def leave_within(seconds: float = LEAVES_WITHIN_S) -> None:
    """End by then: a server that hangs answers nobody who takes leave.

    What is left undone is found by the next process, as after a kill.
    """
    timer = threading.Timer(seconds, _end, (1,))
    timer.daemon = True
    timer.start()


def _end(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

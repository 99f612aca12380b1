"""A process that was told to end does, whatever its threads still wait for."""

import subprocess
import sys
import time

HANGS = """
import threading
from gateway.cli.leaving import leave_within
print("told", flush=True)
leave_within({})
threading.Thread(target=threading.Event().wait).start()
"""


def test_it_is_gone_in_time_though_a_thread_waits_for_ever() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", HANGS.format(0.3)], capture_output=True, text=True, timeout=30
    )

    assert (done.stdout, done.returncode) == ("told\n", 1)
    assert time.monotonic() - began >= 0.3

"""Tries to be the second process on a file: `python second_process.py URL`, four at each line read.

Each try is a process of its own, forked from one that has loaded everything. One that gets in does
what a gateway does first: it hands back whatever is being driven, and claims it. After each four a
line says when they began, when they were over, and how each ended.
"""

import asyncio
import json
import os
import sys
import time
from functools import partial

from executor.store import drives, ready, recovery
from executor.store.errors import StoreLockedError
from executor.store.store import Store

AT_ONCE = 4
REFUSED, GOT_IN, OTHER = 10, 11, 12
ENDS = {REFUSED: "refused", GOT_IN: "got in", OTHER: "failed"}


async def attempt(url: str) -> int:
    """Open the file as a gateway does."""
    try:
        store = await Store.open(url)
    except StoreLockedError:
        return REFUSED
    await store.write(partial(recovery.hand_back, now=time.time()))
    for due in await store.read(partial(ready.due, now=time.time())):
        await store.write(partial(drives.claim, due=due, driver="second", now=time.time()))
    return GOT_IN


def attempts(url: str) -> list[str]:
    """Make tries at one time, and say how each ended."""
    pids = []
    for _ in range(AT_ONCE):
        pid = os.fork()
        if pid == 0:
            code = OTHER
            try:
                code = asyncio.run(attempt(url))
            finally:
                os._exit(code)
        pids.append(pid)
    return [ENDS[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])] for pid in pids]


if __name__ == "__main__":
    for _ in sys.stdin:
        began = time.monotonic()
        ended = attempts(sys.argv[1])
        print(json.dumps([began, time.monotonic(), ended]), flush=True)

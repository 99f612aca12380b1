"""Tries again and again to be the second process on a file: `python second_process.py URL N`.

Each try is a process of its own, forked from one that has loaded everything. One that gets in does
what a gateway does first: it hands back whatever is being driven, and claims it.
"""

import asyncio
import json
import os
import sys
import time
from functools import partial

from executor.store import drives, recovery
from executor.store.errors import StoreLockedError
from executor.store.store import Store

REFUSED, GOT_IN, OTHER = 10, 11, 12


async def attempt(url: str) -> int:
    """Open the file as a gateway does."""
    try:
        store = await Store.open(url)
    except StoreLockedError:
        return REFUSED
    await store.write(partial(recovery.hand_back, now=time.time()))
    for due in await store.read(partial(drives.due, now=time.time())):
        await store.write(partial(drives.claim, due=due, driver="second", now=time.time()))
    return GOT_IN


def main(url: str, count: int) -> None:
    """Make the tries, four at a time, and say how they ended, and when each was made."""
    ends: list[int] = []
    tries: list[tuple[float, float]] = []
    while len(ends) < count:
        pids, began = [], time.monotonic()
        for _ in range(min(4, count - len(ends))):
            pid = os.fork()
            if pid == 0:
                code = OTHER
                try:
                    code = asyncio.run(attempt(url))
                finally:
                    os._exit(code)
            pids.append(pid)
        ends += [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        tries.append((began, time.monotonic()))
        time.sleep(0.01)
    told = {"refused": ends.count(REFUSED), "got in": ends.count(GOT_IN)}
    print(json.dumps({"ends": told, "tries": tries}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

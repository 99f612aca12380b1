"""A process over a file of runs, one of which kills it: `python killed_process.py URL`."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pydantic import JsonValue
from sqlalchemy import Connection

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))

from run_cases import SEAL, accept, policy, step

from connectors.connector import Applied, Outcome
from connectors.spec import ActionSpec, CallContext
from executor.check.admit import to_row
from executor.dispatch.local import LocalDispatcher
from executor.run.machine import Machine
from executor.store import plans, runs
from executor.store.store import Store

GOOD = ("run_good_1", "run_good_2", "run_good_3")


async def call(
    action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
) -> Outcome:
    """The poison ends the process; the others are at it for a while."""
    if context.run == "run_poison" and context.step == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if context.run != "run_poison":
        await asyncio.sleep(0.3)
    return Applied({"id": 1})


def fill(c: Connection) -> None:
    """One that kills after it has written, and three that do no harm."""
    now = time.time()
    poison = accept(step("write", "keyed"), step("kill", "read", after=["write"]))
    good = accept(step("a", "keyed"))
    for run, accepted in (("run_poison", poison), *((name, good) for name in GOOD)):
        plan = f"pln_{run}"
        row = plans.PlanRow("main", plan, accepted.digest, "r", None, to_row(accepted), now)
        plans.add(c, row)
        runs.create(c, tenant="main", run=run, plan=plan, requester="r", now=now)


async def main(url: str) -> None:
    """Drive until every run has ended."""
    store = await Store.open(url)
    if await store.read(partial(runs.get, tenant="main", run="run_poison")) is None:
        await store.write(fill)
    rules = policy()
    machine = Machine(
        store=store, call=call, policy_of=lambda _: rules, seal_key=SEAL, key_secret=b"secret"
    )
    dispatcher = LocalDispatcher(store)
    dispatcher.register("run", machine.drive, machine.put_aside, machine.halt)
    await dispatcher.start()
    while True:
        rows = await store.read(partial(runs.newest, tenant="main"))
        if all(row.has_ended for row in rows):
            break
        await asyncio.sleep(0.02)
    await dispatcher.stop()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

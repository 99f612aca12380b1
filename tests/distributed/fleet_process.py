"""Loads everything once, then forks a worker for each line of orders: a process that drives runs.

Each worker is a real one: the store on a server, the machine, the dispatcher over DBOS, and the
shop over HTTP. It ends with SIGTERM as `lamgate worker` does. `{"wait": pid}` tells how it ended.
"""

import asyncio
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue
from shop_world import KEY, PERMIT_ALL, POISON, registry_of

import connectors.openapi.factory  # noqa: F401 - which the workers would load, each for itself
from connectors.connector import Call, Outcome
from connectors.spec import ActionSpec, CallContext
from executor.check.cedar import Policy
from executor.dispatch import dbos as engine
from executor.dispatch.dbos import DbosQueue
from executor.dispatch.distributed import DistributedDispatcher
from executor.run.machine import Machine
from executor.store import migrate
from executor.store.store import Store


def poisoned(called: Call) -> Call:
    """A call with `POISON` in its arguments ends the process, at the second step of its run."""

    async def call(
        action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        if context.step == "second" and any(POISON in str(each) for each in arguments.values()):
            os.kill(os.getpid(), signal.SIGKILL)
        return await called(action, arguments, context)

    return call


async def work(order: dict[str, Any]) -> None:
    """Drive what is due until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    registry, transport = registry_of(order["connections"], order["allow_hosts"])
    await registry.load()
    policy = Policy.parse({"all.cedar": PERMIT_ALL})
    store = await Store.open(order["url"])
    url, concurrency = order["url"], order.get("concurrency", 8)
    dispatcher = DistributedDispatcher(
        store, lambda worker: DbosQueue(url, worker, concurrency), drain_s=order.get("drain_s", 20)
    )
    machine = Machine(
        store, poisoned(registry.call), lambda _: policy, KEY, KEY, store.clock,
        lease_ends=dispatcher.lease_ends, is_alone=False,
    )  # fmt: skip
    dispatcher.register("run", machine.drive, machine.put_aside, machine.halt)
    await dispatcher.start()
    (Path(order["folder"]) / f"{os.getpid()}.ready").touch()
    waits = [asyncio.create_task(each.wait()) for each in (stopping, dispatcher.outdated)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for each in waits:
        each.cancel()
    await dispatcher.stop()
    await transport.aclose()
    await store.close()


def child(order: dict[str, Any]) -> None:
    """Live one life; what it says is left in a file."""
    log = os.open(
        Path(order["folder"]) / f"{os.getpid()}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND
    )
    os.dup2(log, 1)
    os.dup2(log, 2)
    if "journal" in order:  # as a version would that writes another journal
        journal = order["journal"]
        migrate.migrate.__defaults__ = (journal,)
        migrate.require_readable.__defaults__ = (journal,)
        engine.VERSION = f"lamgate-journal-{journal}"
    try:
        asyncio.run(work(order))
    except BaseException as error:  # noqa: BLE001 - whatever it was, the test reads it in the log
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(3 if type(error).__name__ == "NewerSchemaError" else 1)
    os._exit(0)


def main() -> None:
    """Fork a worker for each order, and say its pid; or say how one ended."""
    print("ready", flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        if "wait" in told:
            _, status = os.waitpid(told["wait"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            child(told)
        print(pid, flush=True)


if __name__ == "__main__":
    main()

"""One measurement of the executor: `ours.py URL RUNS` prints CPU and wall milliseconds a run.

Policy, limits, breaker, attempts, events and projections are all as in a gateway, and so is how
often garbage is looked for: what is left out is the service that is called.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from functools import partial

from pydantic import JsonValue

from benchmarks.peers.shape import LAYERS, WIDTH
from benchmarks.throughput import KEY, POLICY, create, left
from connectors.catalog import Catalog
from connectors.connector import Applied, Outcome
from connectors.spec import ActionSpec, CallContext, Limits, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.cedar import Policy
from executor.check.parse import plan_of
from executor.dispatch.local import LocalDispatcher
from executor.plan.model import Plan
from executor.run.machine import Machine
from executor.store.drives import Due
from executor.store.store import Store
from gateway.cli.garbage import look_rarely

WIDE = Limits(rate=1e6, per_s=1, burst=1_000_000, concurrency=1000)
ACTION = {
    "name": "service.note",
    "input_schema": {"type": "object", "properties": {"n": {"type": "string"}}},
    "effect": "idempotent",
    "irreversible": False,
    "egress": False,
    "approval": None,
}


async def call(_: ActionSpec, __: Mapping[str, JsonValue], context: CallContext) -> Outcome:
    """A service that answers at once."""
    return Applied({"step": context.step})


def accepted() -> Accepted:
    """Layers of steps, each after every one of the layer before."""
    steps: list[JsonValue] = []
    for layer in range(LAYERS):
        before: list[JsonValue] = [f"s{layer - 1}_{each}" for each in range(WIDTH)] if layer else []
        for each in range(WIDTH):
            name = f"s{layer}_{each}"
            args: list[JsonValue] = [{"value": name, "to": "n"}]
            steps.append({"id": name, "action": "service.note", "args": args, "after": before})
    plan = plan_of({"steps": steps})
    assert isinstance(plan, Plan), plan
    context = AdmissionContext(
        request="note",
        inputs=Inputs(),
        catalog=Catalog((ActionSpec.model_validate(ACTION),)),
        policy=Policy.parse({"all.cedar": POLICY}),
        principal=Principal("requester-1", "main", frozenset({"requester"})),
        today="2026-11-25",
        seal_key=KEY,
    )
    verdict = admit(plan, context)
    assert isinstance(verdict, Accepted), verdict
    return verdict


class Driven:
    """Drives runs, and knows when each of them was driven to its end."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._left = 0
        self._is_over = asyncio.Event()

    async def drive(self, due: Due, driver: str) -> None:
        """As the machine does; nothing in these runs waits, so one drive is all."""
        await self._machine.drive(due, driver)
        self._left -= 1
        if not self._left:
            self._is_over.set()

    async def all_of(
        self, store: Store, dispatcher: LocalDispatcher, plan: Accepted, count: int
    ) -> None:
        """Create so many runs, and wait for their end."""
        self._left, self._is_over = count, asyncio.Event()
        made = await store.write(partial(create, plan=plan, count=count, now=store.clock()))
        for due in made:
            self._machine.know(due.tenant, due.plan or "", plan)  # as whoever accepted it does
            dispatcher.submit(due)
        if made:
            await self._is_over.wait()


async def main(url: str, count: int) -> None:
    """Warm up with one run, then measure so many at once."""
    plan, policy = accepted(), Policy.parse({"all.cedar": POLICY})
    store = await Store.open(url)
    dispatcher = LocalDispatcher(store, concurrency=100)
    machine = Machine(store, call, lambda _: policy, KEY, KEY, limits_of=lambda _: WIDE)
    driven = Driven(machine)
    dispatcher.register("run", driven.drive, machine.put_aside, machine.halt)
    await dispatcher.start()
    await driven.all_of(store, dispatcher, plan, 1)
    look_rarely()
    begun, cpu = time.perf_counter(), time.process_time()
    await driven.all_of(store, dispatcher, plan, count)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
    assert not await left(store), "a run did not succeed"
    print(json.dumps({"cpu_ms": cpu / (count or 1) * 1e3, "wall_ms": wall / (count or 1) * 1e3}))
    await dispatcher.stop()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

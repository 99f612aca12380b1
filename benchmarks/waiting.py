"""Runs that wait for an approval: what they cost, and how soon one goes on once it is woken.

    python -m benchmarks.waiting [--runs N]

Every run is driven to its question and let go of. Then nothing happens for a few seconds, of
which memory and CPU are shown; then some are answered, one after the other, and the time from the
committed answer to the end of the run is measured. One process on a SQLite file.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from pydantic import JsonValue
from sqlalchemy import Connection, func, select

from benchmarks.throughput import KEY, create
from connectors.catalog import Catalog
from connectors.connector import Applied, Outcome
from connectors.spec import ActionSpec, CallContext, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.cedar import Policy
from executor.check.parse import plan_of
from executor.dispatch.local import LocalDispatcher
from executor.plan.model import Plan
from executor.run import events as e
from executor.run.machine import Machine
from executor.run.perform import new_event
from executor.store import approvals, journal, rulings, runs, tables
from executor.store.drives import Due
from executor.store.store import Store

IDLE_S, WOKEN, TOGETHER = 10.0, 50, 500
POLICY = """permit (principal, action, resource);
@approval("approver") forbid (principal, action, resource)
unless { context.approvals.contains("approver") };"""
ACTION = {
    "name": "service.note",
    "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
    "effect": "idempotent",
    "irreversible": False,
    "egress": False,
    "approval": None,
}


async def call(_: ActionSpec, __: Mapping[str, JsonValue], context: CallContext) -> Outcome:
    """A service that answers at once."""
    return Applied({"step": context.step})


def accepted(policy: Policy) -> Accepted:
    """One step that needs a yes."""
    args: list[JsonValue] = [{"value": 1, "to": "n"}]
    plan = plan_of({"steps": [{"id": "note", "action": "service.note", "args": args}]})
    assert isinstance(plan, Plan), plan
    context = AdmissionContext(
        request="note",
        inputs=Inputs(),
        catalog=Catalog((ActionSpec.model_validate(ACTION),)),
        policy=policy,
        principal=Principal("requester-1", "main", frozenset({"requester"})),
        today="2026-11-25",
        seal_key=KEY,
    )
    verdict = admit(plan, context)
    assert isinstance(verdict, Accepted), verdict
    return verdict


def memory_mb() -> float:
    """The resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


async def main(count: int) -> None:
    """Print what waiting costs and how long waking takes."""
    policy = Policy.parse({"all.cedar": POLICY})
    plan = accepted(policy)
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(f"sqlite:///{folder}/lamgate.db")
        dispatcher = LocalDispatcher(store)
        machine = Machine(store, call, lambda _: policy, KEY, KEY)
        dispatcher.register("run", machine.drive, machine.put_aside, machine.halt)
        await dispatcher.start()
        before = memory_mb()
        begun, cpu, made = time.perf_counter(), time.process_time(), list[Due]()
        while len(made) < count:
            more = min(TOGETHER, count - len(made))
            work = partial(create, plan=plan, count=more, now=store.clock())
            made += await store.write(work)
            for due in made[-more:]:
                dispatcher.submit(due)
            await _reached(store, "waiting", len(made))
        print(f"{count} runs wait, after {time.perf_counter() - begun:.0f} s and "
              f"{(time.process_time() - cpu) / count * 1e3:.1f} ms of CPU each")  # fmt: skip
        print(f"memory {memory_mb() - before:.0f} MB more than before them, {memory_mb():.0f} MB")
        cpu = time.process_time()
        await asyncio.sleep(IDLE_S)
        print(f"CPU while nothing happens: {(time.process_time() - cpu) / IDLE_S:.2%} of a core")
        times = [await _woken(store, dispatcher, due) for due in made[:: max(1, count // WOKEN)]]
        print(f"from the committed yes to the end of the run: median "
              f"{statistics.median(times) * 1e3:.0f} ms, most {max(times) * 1e3:.0f} ms "
              f"of {len(times)}")  # fmt: skip
        await dispatcher.stop()
        await store.close()


async def _reached(store: Store, status: str, count: int) -> None:
    query = select(func.count()).where(tables.runs.c.status == status)
    while await store.read(lambda c: int(c.execute(query).scalar_one())) < count:
        await asyncio.sleep(0.05)


async def _woken(store: Store, dispatcher: LocalDispatcher, due: Due) -> float:
    """Seconds from the answer to the end."""
    by = Principal("approver-1", "main", frozenset({"approver"}))

    def grant(c: Connection) -> None:
        (row,) = approvals.listed(c, due.tenant, run=due.id)
        ruling = rulings.decide(c, due.tenant, row.id, by, "approve", "yes", store.clock())
        assert ruling == "granted", ruling
        granted = e.ApprovalGranted(approval=row.id, by=by.id, reason="yes")
        journal.append(c, due.tenant, due.id, [new_event(granted)], store.clock())

    def has_ended(c: Connection) -> bool:
        row = runs.get(c, due.tenant, due.id)
        return row is not None and row.has_ended

    await store.write(grant)
    begun = time.perf_counter()
    dispatcher.submit(due)
    while not await store.read(has_ended):
        await asyncio.sleep(0.001)
    return time.perf_counter() - begun


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000, help="that wait")
    asyncio.run(main(parser.parse_args().runs))

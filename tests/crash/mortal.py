"""A process that drives one run and dies by SIGKILL at a named point of it.

Started as `python mortal.py`, it loads everything once and then forks one child for each line
of orders on its standard input: the child is the process that lives and dies. It uses the
executor and the connectors alone, and wraps what the machine is given: its store and its call.

    life      begin: admit the plan, create the run, drive it; resume: drive what was left
    point     where the process ends in the watched call, one of `POINTS`, or none
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Literal, NoReturn, TypeVar

import httpx2
from pydantic import JsonValue
from sqlalchemy import Connection

from connectors.catalog import Catalog
from connectors.connector import Call, Outcome
from connectors.credentials import Vault
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.opening import build
from connectors.registry import Registry
from connectors.spec import ActionSpec, CallContext, JsonObject, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit, restore, to_row
from executor.check.cedar import Policy
from executor.check.certificate import Options
from executor.check.parse import plan_of
from executor.dispatch import distributed, lease
from executor.dispatch.base import Dispatcher
from executor.dispatch.local import LocalDispatcher
from executor.plan.model import Plan
from executor.run.ledger import Ledger, appended
from executor.run.machine import Machine
from executor.run.perform import intended
from executor.store import calls, journal, plans, runs
from executor.store.errors import StoreUnavailableError
from executor.store.journal import NewEvent
from executor.store.open_journal import Turn
from executor.store.runs import RunRow
from executor.store.store import Store
from executor.store.writer import Joint
from executor.trace import trace

T = TypeVar("T")
TENANT, RUN, PLAN = "main", "run_a", "pln_a"
KEY = b"k" * 32
PATIENCE_S = 30.0
POINTS = (
    "before the intent",
    "after the intent",
    "after sending",
    "after the answer",
    "after the outcome",
    "after the step",
    "after the run",
)
UNDO_POINTS = ("after the beginning", *POINTS)
PERMIT_ALL = "permit (principal, action, resource);"


@dataclass(frozen=True)
class Order:
    """What one life is told."""

    life: str
    point: str | None
    folder: Path
    database: str
    plan: JsonObject
    request: str
    connections: list[JsonObject]
    allow_hosts: list[str]
    faults_url: str
    watched: str = "middle"  # the step whose points these are, or `undo/` and a step
    on_failure: Literal["stop", "undo"] = "stop"


class Fate:
    """Ends the process where it was told to, once it has noted that it got there."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self.watched = order.watched

    def reach(self, point: str) -> None:
        """Die here, if this is the point."""
        if point == self._order.point:
            with (self._order.folder / "reached").open("w") as note:
                note.write(point)
                note.flush()
                os.fsync(note.fileno())
            os.kill(os.getpid(), signal.SIGKILL)

    async def wait_for_the_effect(self) -> None:
        """Die once the service has applied the call that it will never answer."""
        async with httpx2.AsyncClient(trust_env=False, verify=False) as client:
            deadline = time.monotonic() + PATIENCE_S
            while time.monotonic() < deadline:
                faults = (await client.get(f"{self._order.faults_url}/faults")).json()
                if any(each["fired"] for each in faults):
                    self.reach("after sending")
                await asyncio.sleep(0.01)


class MortalStore(Store):
    """The store, with a fate around every write."""

    fate: Fate

    def submit(self, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        """Write as the store does, unless it dies before or after."""
        points = [*_points(work, self.fate.watched)]
        for before, _ in points:
            self.fate.reach(before)
        done = super().submit(work)
        done.add_done_callback(partial(self._reach_after, points))
        return done

    def _reach_after(self, points: list[tuple[str, str]], done: "asyncio.Future[T]") -> None:
        for _, after in points:
            if not done.cancelled() and done.exception() is None:
                self.fate.reach(after)


def _points(work: Callable[..., object], watched: str) -> Iterator[tuple[str, str]]:
    """Between which points a write of the machine stands; "" is none."""
    if isinstance(work, Joint) and isinstance(work.item, Turn):
        for each in work.item.works:
            yield from _points(each.work, watched)
    if not isinstance(work, partial):
        return
    given = work.keywords
    if work.func is intended and given["intent"].step == watched:
        yield "before the intent", "after the intent"
    elif work.func is calls.record_outcome and given["outcome"].step == watched:
        yield "after the answer", "after the outcome"
    elif work.func is appended:
        yield from _points_of(given["new"], watched)
    elif getattr(work.func, "__func__", None) is Ledger._end:
        yield from _points_of(given["new"], watched)
        yield "", "after the run"


def _points_of(new: list[NewEvent], watched: str) -> Iterator[tuple[str, str]]:
    target = watched.removeprefix("undo/")
    ends = "step.done" if target == watched else "undo.ended"
    told = {each.type for each in new if each.data.get("step") == target}
    if ends in told:
        yield "", "after the step"
    if "undo.started" in told and target != watched:
        yield "", "after the beginning"


async def live(order: Order) -> JsonObject:
    """Drive the run until it has ended or waits for a person; returns its trace."""
    fate = Fate(order)
    transport = Transport(frozenset(order.allow_hosts))
    connections = [
        ConnectionSettings(
            name=str(each["name"]),
            connector=str(each["connector"]),
            base_url=str(each["base_url"]),
            credential=None if each.get("credential") is None else str(each["credential"]),
            options={"overlay": each["overlay"]} if "overlay" in each else {},
        )
        for each in order.connections
    ]
    registry = build(connections, Vault(), lambda _: transport)
    catalog = await registry.load()
    policy = Policy.parse({"all.cedar": PERMIT_ALL})
    store = await MortalStore.open(order.database)
    store.fate = fate
    dispatcher = _dispatcher(store, order)
    machine = Machine(
        store, _call(registry, fate, order), lambda _: policy, KEY, KEY, store.clock,
        lease_ends=dispatcher.lease_ends, is_alone=not store.is_shared,
    )  # fmt: skip
    dispatcher.register("run", machine.drive, machine.put_aside)
    try:
        if order.life == "begin":
            accepted = _accepted(order, catalog, policy)
            await store.write(lambda c: _create(c, accepted))
        await dispatcher.start()
        found = await _told(store)
        if store.is_shared:
            leave(order, found)  # a queue takes a second to end in good order
        return found
    finally:
        await dispatcher.stop()
        await transport.aclose()
        await store.close()


def _dispatcher(store: Store, order: Order) -> Dispatcher:
    """As the gateway chooses it; on a server with a lease that nobody has to wait for long."""
    if not store.is_shared:
        return LocalDispatcher(store)
    lease.LEASE_S, distributed.BEAT_S = 2.5, 0.3
    from executor.dispatch.dbos import DbosQueue

    return distributed.DistributedDispatcher(
        store, lambda worker: DbosQueue(order.database, worker, 4), drain_s=5
    )


def _call(registry: Registry, fate: Fate, order: Order) -> Call:
    async def call(
        action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        if order.point != "after sending" or context.step != order.watched:
            return await registry.call(action, arguments, context)
        watching = asyncio.create_task(fate.wait_for_the_effect())
        try:
            return await registry.call(action, arguments, context)
        finally:
            watching.cancel()

    return call


def _accepted(order: Order, catalog: Catalog, policy: Policy) -> Accepted:
    plan = plan_of(order.plan)
    assert isinstance(plan, Plan), plan
    verdict = admit(
        plan,
        AdmissionContext(
            request=order.request,
            inputs=Inputs(),
            catalog=catalog,
            policy=policy,
            principal=Principal("requester-1", TENANT, frozenset({"requester"})),
            today="2026-11-25",
            seal_key=KEY,
            lift_role=None,
            options=Options(on_failure=order.on_failure),
        ),
    )
    assert isinstance(verdict, Accepted), verdict
    return verdict


def _create(c: Connection, accepted: Accepted) -> None:
    now, by = time.time(), accepted.principal.id
    row = plans.PlanRow(TENANT, PLAN, accepted.digest, by, None, to_row(accepted), now)
    plans.add(c, row)
    runs.create(c, tenant=TENANT, run=RUN, plan=PLAN, requester=by, now=now)


async def _told(store: Store) -> JsonObject:
    """The trace, once the run has ended or only a person can help."""
    deadline, found = time.monotonic() + PATIENCE_S, None
    while time.monotonic() < deadline:
        with contextlib.suppress(StoreUnavailableError):  # on a machine that is too busy
            found = await store.read(lambda c: runs.get(c, TENANT, RUN))
            if found and (found.has_ended or (found.status == "waiting" and found.wake_at is None)):
                return await store.read(partial(_trace, row=found))
        await asyncio.sleep(0.03)
    raise TimeoutError(f"the run neither ended nor waits for a person: {found}")


def _trace(c: Connection, row: RunRow) -> JsonObject:
    plan = plans.get(c, TENANT, PLAN)
    assert plan is not None
    events = journal.read(c, TENANT, RUN)
    return trace(restore(plan.accepted, KEY), row, events).model_dump(mode="json")


def child(line: str) -> None:
    """Live one life; what it learned is left in a file, for it may not come to an end."""
    told = json.loads(line)
    order = Order(**{**told, "folder": Path(told["folder"])})
    log = os.open(order.folder / f"{order.life}.log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        leave(order, asyncio.run(live(order)))
    except BaseException:  # noqa: BLE001 - whatever it was, the trial reads it in the log
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def leave(order: Order, found: JsonObject) -> NoReturn:
    """End the life, and leave what it came to."""
    (order.folder / f"{order.life}.json").write_text(json.dumps(found))
    os._exit(0)


def main() -> None:
    """Fork one child for each line, and say how it ended: an exit code, or minus a signal."""
    # What is dear is done once, before any fork.
    for module in (
        "anyio._backends._asyncio",
        "connectors.builtin.payments.charges",
        "connectors.openapi.factory",
        "executor.store.upgrade",
        *(["executor.dispatch.dbos"] if "shared" in sys.argv else []),
    ):
        import_module(module)
    Transport()  # reads the system's certificates
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            child(line)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()

"""Runs that are really driven: the real store on a file, real time, and a service of the test's."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import JsonValue
from run_cases import SEAL, policy
from sqlalchemy import Connection

from connectors.connector import Applied, Outcome
from connectors.spec import ActionSpec, CallContext, Limits, Principal
from executor.check.admit import Accepted, to_row
from executor.check.budgets import RESULT_BYTES
from executor.check.cedar import Policy
from executor.run import events as e
from executor.run.machine import Machine
from executor.run.perform import new_event
from executor.store import approvals, attempts, journal, plans, rulings, runs, waking
from executor.store.approvals import ApprovalRow
from executor.store.attempts import AttemptRow
from executor.store.drives import Due, Priority
from executor.store.errors import StoreUnavailableError
from executor.store.runs import RunRow
from executor.store.store import Store

PATIENCE_S = 20.0
T = TypeVar("T")
Handler = Callable[[CallContext], Awaitable[Outcome]]


@dataclass
class Service:
    """Answers each step or item as the test says, and notes what begins and what ends."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    contexts: dict[str, list[CallContext]] = field(default_factory=dict)

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        name = "find" if action.name == "shop.find" else _name(context)
        self.log.append(f"{name} begins")
        self.contexts.setdefault(name, []).append(context)
        handler = self.handlers.get(name)
        try:
            return await handler(context) if handler else Applied({"id": 1})
        finally:
            self.log.append(f"{name} ends")

    def calls(self, name: str) -> int:
        return len(self.contexts.get(name, ()))


def _name(context: CallContext) -> str:
    return f"{context.step}[{context.iteration}]" if context.iteration else context.step


class Bench:
    """Runs by number, each with its plan, on one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.service = Service()
        self.policy: Callable[[], Policy] = partial(lambda found: found, policy())
        self.changes: list[Due] = []
        self.on_change: Callable[[Due], None] = self.changes.append
        self.limits: Limits | None = None  # what the operator says of the connection
        self.result_bytes = RESULT_BYTES
        self.clock: Callable[[], float] = time.time
        self.machine = self.new_machine()
        self._count = 0
        self._drives: list[asyncio.Task[None]] = []

    def new_machine(self) -> Machine:
        """What another process would build on the same file."""
        return Machine(
            store=self.store,
            call=self.service.call,
            policy_of=lambda _: self.policy(),
            seal_key=SEAL,
            key_secret=b"secret",
            on_change=lambda due: self.on_change(due),
            limits_of=lambda action: self.limits or action.limits,
            result_bytes=self.result_bytes,
            clock=self.clock,
        )

    async def add(
        self, accepted: Accepted, tenant: str = "main", priority: Priority = "normal"
    ) -> Due:
        """Queue a run of this plan."""
        self._count += 1
        plan, run, now = f"pln_{self._count}", f"run_{self._count}", time.time()

        def work(c: Connection) -> Due:
            row = plans.PlanRow(
                tenant, plan, accepted.digest, "requester", None, to_row(accepted), now
            )
            plans.add(c, row)
            return runs.create(
                c, tenant=tenant, run=run, plan=plan, requester="requester", now=now,
                priority=priority,
            )  # fmt: skip

        return await self.store.write(work)

    def start(self, due: Due, *, machine: Machine | None = None) -> "asyncio.Task[None]":
        """Begin a drive."""
        drive = asyncio.ensure_future((machine or self.machine).drive(due, "me"))
        self._drives.append(drive)
        return drive

    async def drive(self, accepted: Accepted) -> tuple[Due, RunRow]:
        """Drive a new run until its drive ends."""
        due = await self.add(accepted)
        await asyncio.wait_for(self.start(due), PATIENCE_S)
        return due, await self.row(due)

    async def row(self, due: Due) -> RunRow:
        row = await self.store.read(partial(runs.get, tenant="main", run=due.id))
        assert row is not None
        return row

    async def events(self, due: Due) -> list[journal.StoredEvent]:
        return await self.store.read(partial(journal.read, tenant="main", subject=due.id))

    async def types(self, due: Due) -> list[str]:
        return [each.type for each in await self.events(due)]

    async def attempts(self, due: Due) -> list[AttemptRow]:
        return await self.store.read(partial(attempts.read, tenant="main", run=due.id))

    async def finished(self, due: Due) -> e.RunFinished:
        """How the run ended."""
        found = (await self.events(due))[-1]
        parsed = e.parse_event(found.type, found.v, found.data)
        assert isinstance(parsed, e.RunFinished), found
        return parsed

    async def gates(self, due: Due) -> list[ApprovalRow]:
        return await self.store.read(
            partial(approvals.listed, tenant="main", state="open", run=due.id)
        )

    async def tell(self, due: Due, *events: e.Event) -> None:
        """Somebody writes to the run's journal, and has it look again."""

        def work(c: Connection) -> None:
            new = [new_event(event) for event in events]
            journal.append(c, "main", due.id, new, time.time())
            waking.wake(c, due, time.time())

        await self.store.write(work)
        self.machine.ring(due.id)

    async def grant(self, due: Due, approval: str) -> None:
        """An approver says yes."""
        approver = Principal("approver", "main", frozenset({"approver"}))

        def work(c: Connection) -> None:
            now = time.time()
            ruling = rulings.decide(c, "main", approval, approver, "approve", "checked", now)
            assert ruling == "granted"
            event = e.ApprovalGranted(approval=approval, by="approver", reason="checked")
            journal.append(c, "main", due.id, [new_event(event)], now)

        await self.store.write(work)
        self.machine.ring(due.id)

    async def cancel(self, due: Due, mode: Literal["stop", "undo"] = "stop") -> None:
        """The requester wants no more."""

        def work(c: Connection) -> None:
            assert runs.request_cancel(c, "main", due.id, mode, time.time())
            event = e.CancelRequested(by="requester", mode=mode)
            journal.append(c, "main", due.id, [new_event(event)], time.time())

        await self.store.write(work)
        self.machine.ring(due.id)

    async def close(self) -> None:
        for drive in self._drives:
            drive.cancel()
        await asyncio.gather(*self._drives, return_exceptions=True)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Bench]:
    """Where runs are really driven: a bench on a file of its own."""
    store = await Store.open(f"sqlite:///{folder / 'lamgate.db'}")
    bench = Bench(store)
    yield bench
    await bench.close()
    await store.close()


class Unsure(Store):
    """Keeps everything, and of one write does not tell."""

    is_next = False

    def submit(self, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        kept = super().submit(work)
        if not self.is_next:
            return kept
        self.is_next = False
        told: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        lost = StoreUnavailableError("the connection is lost")
        kept.add_done_callback(lambda _: told.set_exception(lost))
        return told


async def until(claim: Callable[[], object], what: str) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < deadline, f"it took too long until {what}"
        await asyncio.sleep(0.005)


def once(*answers: Outcome | Exception) -> Any:
    """These answers, one after the other."""
    left = list(answers)

    async def handler(_: CallContext) -> Outcome:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return handler


def held(until_set: asyncio.Event, answer: Outcome | None = None) -> Any:
    """An answer that waits."""

    async def handler(_: CallContext) -> Outcome:
        await until_set.wait()
        return answer or Applied({"id": 1})

    return handler

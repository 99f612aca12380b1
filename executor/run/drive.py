"""Advances a run until it is finished or has to wait, and then ends.

    claim ─▶ fold the journal ─▶ decide ─▶ perform, in parallel ─▶ journal ─▶ fold ...

A run that waits for a person holds no thread and no memory: its drive has ended, and whatever
ends the wait asks for another one.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex

from sqlalchemy import Connection

from connectors.connector import Call
from executor.check.admit import Accepted, restore
from executor.check.cedar import Policy
from executor.run import events as e
from executor.run.commands import Finish, LookUp, OpenGate, Perform, Record, Wait
from executor.run.decide import decide
from executor.run.instance import Outside
from executor.run.perform import Performer, new_event
from executor.run.state import Place, RunState, fold
from executor.store import approvals, drives, ids, journal, plans, runs
from executor.store.drives import Claim, Due
from executor.store.errors import FencedError, StoreFullError
from executor.store.journal import Blocked, NewEvent
from executor.store.store import Store

GATE_EXPIRES_S = 24 * 3600.0
SHORT_WAIT_S = 2.0  # a wait shorter than this does not end the drive
FULL_WAIT_S = 0.5


@dataclass(frozen=True)
class Machine:
    """Runs accepted plans; built once, by whoever knows the store and the connectors."""

    store: Store
    call: Call
    policy_of: Callable[[str], Policy]
    seal_key: bytes
    key_secret: bytes
    clock: Callable[[], float] = time.time
    on_change: Callable[[Due], None] = lambda _: None
    _bells: dict[str, asyncio.Event] = field(default_factory=dict)

    async def drive(self, due: Due, driver: str) -> None:
        """Drive one run; returns without a word if somebody else does."""
        claim = await self.store.write(
            partial(drives.claim, due=due, driver=driver, now=self.clock())
        )
        if claim is None:
            return
        bell = self._bells.setdefault(due.id, asyncio.Event())
        try:
            await _Drive(self, claim, bell).run()
        except FencedError:
            return  # whoever took over goes on from the journal
        finally:
            self._bells.pop(due.id, None)

    def ring(self, run: str) -> None:
        """Tell a drive that something arrived."""
        if bell := self._bells.get(run):
            bell.set()


class _Drive:
    """One drive under one claim."""

    def __init__(self, machine: Machine, claim: Claim, bell: asyncio.Event) -> None:
        self._machine = machine
        self._claim = claim
        self._bell = bell
        self._performer = Performer(machine.store, machine.call, machine.key_secret, machine.clock)
        self._state = RunState()
        self._seen = 0
        self._flights: dict[Place, asyncio.Task[Blocked | float | None]] = {}
        self._not_before: dict[Place, float] = {}

    async def run(self) -> None:
        """Go on until there is nothing to do now."""
        accepted = await self._accepted()
        try:
            while await self._advance(accepted):
                pass
        finally:
            for flight in self._flights.values():
                flight.cancel()
            await asyncio.gather(*self._flights.values(), return_exceptions=True)

    async def _advance(self, accepted: Accepted) -> bool:
        """One round; False once the drive has let go of the run."""
        await self._catch_up()
        outside = Outside(
            policy=self._machine.policy_of(self._claim.tenant),
            now=self._machine.clock(),
            in_flight=frozenset(self._flights),
            not_before=self._not_before,
        )
        records: list[e.Event] = []
        commands = decide(accepted, self._state, outside)
        waited = self._state.waiting
        if waited is not None and commands and not isinstance(commands[0], Wait):
            records.append(e.WaitEnded(waiting_for=waited.waiting_for))
            commands = tuple(each for each in commands if isinstance(each, Record))
        for command in commands:
            match command:
                case Record(event=event):
                    records.append(event)
                case OpenGate():
                    await self._open_gate(accepted, command)
                    return True
                case Perform():
                    call = self._performer.perform(self._claim, accepted, command)
                    self._start((command.step, command.iteration), call)
                case LookUp():
                    lookup = command.action.lookup
                    spec = accepted.actions[lookup.action if lookup else ""]
                    search = self._performer.look_up(self._claim, command, spec)
                    self._start((command.step, command.iteration), search)
                case Wait():
                    return await self._wait(command)
                case Finish():
                    return not await self._finish(command)
        if records:
            await self._append([new_event(event) for event in records])
            return True
        await self._land()
        return True

    def _start(self, place: Place, work: Coroutine[object, object, Blocked | float | None]) -> None:
        self._flights[place] = asyncio.get_running_loop().create_task(work)

    async def _land(self) -> None:
        """Wait until a call has ended or something arrived."""
        if not self._flights:
            return
        ringing = asyncio.ensure_future(self._bell.wait())
        done, _ = await asyncio.wait(
            [*self._flights.values(), ringing], return_when=asyncio.FIRST_COMPLETED
        )
        ringing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ringing
        self._bell.clear()
        for place, flight in list(self._flights.items()):
            if flight in done:
                del self._flights[place]
                await self._landed(place, flight)

    async def _landed(self, place: Place, flight: "asyncio.Task[Blocked | float | None]") -> None:
        try:
            result = flight.result()
        except StoreFullError:
            # The intent could not be written, so nothing was sent: try again when there is room.
            self._not_before[place] = self._machine.clock() + FULL_WAIT_S
            return
        if isinstance(result, Blocked) and result.retry_at is not None:
            self._not_before[place] = result.retry_at
        elif isinstance(result, Blocked):
            self._not_before[place] = self._machine.clock() + FULL_WAIT_S
        elif result is not None:
            self._not_before[place] = result

    async def _wait(self, wait: Wait) -> bool:
        """Wait shortly here, or let the run go until it is woken."""
        now = self._machine.clock()
        if wait.until is not None and wait.until - now <= SHORT_WAIT_S:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.005, wait.until - now)):
                    await self._bell.wait()
            self._bell.clear()
            return True
        waiting = self._state.waiting
        if waiting is None or (waiting.waiting_for, waiting.until) != (
            wait.waiting_for,
            wait.until,
        ):
            event = e.WaitStarted(
                waiting_for=wait.waiting_for, until=wait.until, steps=list(wait.steps)
            )
            await self._append([new_event(event)])
        let_go = await self._end(status="waiting", waiting_for=wait.waiting_for, wake_at=wait.until)
        return not let_go

    async def _finish(self, finish: Finish) -> bool:
        """Write the end, in one transaction with the run's last status."""
        event = e.RunFinished(
            status=finish.status,
            code=finish.code,
            result=finish.result,
            standing=list(finish.standing),
            uncertain=list(finish.uncertain),
        )
        claim, now = self._claim, self._machine.clock()

        def work(c: Connection) -> bool:
            if drives.wake_seq(c, claim) != claim.wake_seq:
                return False
            journal.append(c, claim.tenant, claim.id, [new_event(event)], now, claim=claim)
            runs.set_result(c, claim, finish.result)
            approvals.close(c, claim.tenant, claim.id, "void")
            return drives.end_drive(c, claim, status=finish.status, now=now, code=finish.code)

        ended = await self._machine.store.write(work)
        if ended:
            self._changed()
        return ended

    async def _open_gate(self, accepted: Accepted, gate: OpenGate) -> None:
        now = self._machine.clock()
        row = approvals.ApprovalRow(
            tenant=self._claim.tenant,
            id=ids.new("apr"),
            run=self._claim.id,
            step=gate.step,
            iteration=gate.iteration,
            plan_digest=accepted.digest,
            action=gate.action.name,
            action_digest=gate.action.digest,
            arguments=gate.arguments,
            args_hash=gate.args_hash,
            policy_version=self._machine.policy_of(self._claim.tenant).version,
            policies=gate.policies,
            reasons=gate.reasons,
            role=gate.role,
            quorum=gate.quorum,
            requester=accepted.principal.id,
            nonce=token_hex(16),
            state="open",
            created_at=now,
            expires_at=now + GATE_EXPIRES_S,
        )
        event = e.GateOpened(
            approval=row.id,
            step=gate.step,
            iteration=gate.iteration,
            role=gate.role,
            quorum=gate.quorum,
            args_hash=gate.args_hash,
            reasons=list(gate.reasons),
            policies=list(gate.policies),
            expires_at=row.expires_at,
        )
        claim = self._claim

        def work(c: Connection) -> None:
            approvals.create(c, row)
            journal.append(c, claim.tenant, claim.id, [new_event(event)], now, claim=claim)

        await self._machine.store.write(work)
        self._changed()

    async def _end(self, *, status: str, waiting_for: str, wake_at: float | None) -> bool:
        let_go = await self._machine.store.write(
            lambda c: drives.end_drive(
                c,
                self._claim,
                status=status,
                now=self._machine.clock(),
                waiting_for=waiting_for,
                wake_at=wake_at,
            )
        )
        if let_go:
            self._changed()
        return let_go

    async def _accepted(self) -> Accepted:
        claim = self._claim

        def work(c: Connection) -> plans.PlanRow:
            run = runs.get(c, claim.tenant, claim.id)
            row = plans.get(c, claim.tenant, run.plan) if run else None
            if row is None:
                raise FencedError(f"{claim.id} has no plan")
            return row

        row = await self._machine.store.read(work)
        return restore(row.accepted, self._machine.seal_key)

    async def _append(self, events: list[NewEvent]) -> None:
        claim, now = self._claim, self._machine.clock()
        await self._machine.store.write(
            lambda c: journal.append(c, claim.tenant, claim.id, events, now, claim=claim)
        )
        self._changed()

    async def _catch_up(self) -> None:
        """Fold what the journal holds by now, and note how often the run was woken."""
        claim = self._claim

        def work(c: Connection) -> tuple[list[journal.StoredEvent], int | None]:
            woken = drives.wake_seq(c, claim)
            return journal.read(c, claim.tenant, claim.id, after=self._seen), woken

        found, woken = await self._machine.store.read(work)
        if woken is None:
            raise FencedError(f"{claim.id} was taken over")
        self._claim = Claim(claim.kind, claim.tenant, claim.id, claim.epoch, woken)
        if found:
            self._seen = found[-1].seq
            parsed = ((each.at, e.parse_event(each.type, each.v, each.data)) for each in found)
            self._state = fold(parsed, self._state)
            self._changed()

    def _changed(self) -> None:
        self._machine.on_change(Due("run", self._claim.tenant, self._claim.id))

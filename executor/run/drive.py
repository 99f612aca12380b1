"""Advances a run until it is finished or has to wait, and then ends.

    claim ─▶ fold the journal ─▶ decide ─▶ perform, in parallel ─▶ journal ─▶ fold ...

A run that waits for a person holds no thread and no memory: its drive has ended, and whatever
ends the wait asks for another one.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from math import inf
from typing import TypeVar

from sqlalchemy import Connection

from connectors.connector import Call
from connectors.spec import ActionSpec, Limits
from executor.check.admit import Accepted, restore
from executor.check.cedar import Policy
from executor.dispatch.base import CrashLoopError
from executor.run import events as e
from executor.run.commands import (
    Abort,
    Command,
    Finish,
    LookUp,
    OpenEnvelope,
    OpenGate,
    Perform,
    Poll,
    Record,
    Wait,
)
from executor.run.decide import decide
from executor.run.flights import Flights
from executor.run.perform import RESULT_BYTES, Performer, new_event
from executor.run.quarantine import BROKEN, KILLED, quarantine
from executor.run.question import question
from executor.run.slots import Slots
from executor.run.state import RunState, fold
from executor.run.verdicts import Outside
from executor.store import approvals, drives, journal, plans, runs
from executor.store.blobs import Loaded
from executor.store.drives import Claim, Due
from executor.store.errors import FencedError, StorePausedError
from executor.store.journal import Look, NewEvent
from executor.store.store import Store
from executor.store.text import to_object

SHORT_WAIT_S = 2.0  # a wait shorter than this does not end the drive
PAUSE_S = 0.5  # while the store takes nothing
MOST_RESTORED = 64  # accepted plans that are kept, by the text that was sealed
T = TypeVar("T")


@dataclass(frozen=True)
class Machine:
    """Runs accepted plans; built once, by whoever knows the store and the connectors."""

    store: Store
    call: Call
    policy_of: Callable[[str], Policy]
    seal_key: bytes
    key_secret: bytes
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    limits_of: Callable[[ActionSpec], Limits | None] = lambda action: action.limits
    lease_ends: Callable[[], float] = lambda: inf  # a reading of `monotonic`
    result_bytes: int = RESULT_BYTES
    on_change: Callable[[Due], None] = lambda _: None
    _bells: dict[str, asyncio.Event] = field(default_factory=dict)
    slots: Slots = field(default_factory=Slots)
    is_alone: bool = True  # no other process can still be at a run that this one takes over
    halted: asyncio.Event = field(default_factory=asyncio.Event)

    @cached_property
    def restored(self) -> Callable[[str], Accepted]:
        """An accepted plan from the text that was sealed: the same text is checked once."""
        return lru_cache(MOST_RESTORED)(lambda text: restore(to_object(text), self.seal_key))

    async def drive(self, due: Due, driver: str) -> None:
        """Drive one run; returns without a word if somebody else does."""
        claim = await self.store.write(
            partial(drives.claim, due=due, driver=driver, now=self.clock())
        )
        if claim is None:
            return
        bell = self._bells[due.id] = asyncio.Event()
        try:
            await _Drive(self, claim, bell).run()
        except FencedError:
            return  # whoever took over goes on from the journal
        finally:
            if self._bells.get(due.id) is bell:  # else a later drive has its own
                del self._bells[due.id]

    async def put_aside(self, due: Due, driver: str, error: Exception) -> None:
        """Give up a run that breaks its drive or kills its process, whatever the mistake is."""
        code = KILLED if isinstance(error, CrashLoopError) else BROKEN
        await quarantine(self.store, due, driver, self.clock(), code)
        self.on_change(due)

    def halt(self) -> None:
        """Begin no call any more; a drive lets go of its run once those under way have ended."""
        self.halted.set()
        self.ring_all()

    def ring_all(self) -> None:
        """Tell every drive that something may have arrived."""
        for bell in self._bells.values():
            bell.set()

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
        self._performer = Performer(
            self._write,
            machine.call,
            machine.key_secret,
            machine.clock,
            machine.limits_of,
            machine.lease_ends,
            machine.monotonic,
            machine.result_bytes,
        )
        self._flights = Flights(machine.slots, claim.tenant, machine.clock)
        self._state = RunState()
        self._began_at = machine.clock()
        self._seen = 0
        self._must_look = False
        self._loaded: Loaded = {}  # large values: what is referred to twice is held once

    async def run(self) -> None:
        """Go on until there is nothing to do now."""
        plan, accepted = await self._accepted()
        try:
            while await self._round(plan, accepted):
                pass
        except FencedError:
            raise
        except Exception:
            await self._flights.settle()
            raise
        finally:
            await self._flights.drop()

    async def _round(self, plan: str, accepted: Accepted) -> bool:
        """Advance; while the store takes nothing, what is under way still lands and is kept."""
        try:
            return await self._advance(plan, accepted)
        except StorePausedError:
            if not self._flights.places:
                raise  # the dispatcher asks for another drive
            await self._land(self._machine.clock() + PAUSE_S)
            self._must_look = True
            return True

    async def _advance(self, plan: str, accepted: Accepted) -> bool:
        """One round; False once the drive has let go of the run."""
        if self._must_look:
            self._must_look = False
            self._see(await self._machine.store.read(self._look))
        outside = Outside(
            policy=self._machine.policy_of(self._claim.tenant),
            now=self._machine.clock(),
            plan=plan,
            in_flight=self._flights.places,
            not_before=self._flights.not_before,
            look_again=self._flights.look_again,
            began_at=self._began_at,
            is_alone=self._machine.is_alone,
        )
        commands = decide(accepted, self._state, outside)
        if self._machine.halted.is_set() and not _is_written_only(commands):
            if not self._flights.places:
                return False
            await self._land(None)
            return True
        match commands:
            case ():
                return False
            case (Wait() as wait,) if self._flights.places:
                self._flights.leave_reserved()
                await self._land(wait.until)
                return True
            case (Wait() as wait,):
                self._flights.leave_reserved()
                return await self._wait(wait)
        records = [each.event for each in commands if isinstance(each, Record)]
        waited = self._state.waiting
        if records or waited is not None:
            ended = [] if waited is None else [e.WaitEnded(waiting_for=waited.waiting_for)]
            await self._append([new_event(event) for event in (*ended, *records)])
            return True
        for command in commands:
            match command:
                case OpenGate() | OpenEnvelope():
                    await self._open_gate(accepted, command, outside.policy)
                case Perform():
                    self._call(command, outside.policy.version)
                case LookUp() | Poll():
                    self._search(accepted, command)
                case Abort():
                    await self._flights.abort((command.step, command.iteration))
                case Finish():
                    return not await self._finish(command)
        self._flights.leave_reserved()
        return True

    def _call(self, command: Perform, policy_version: str) -> None:
        self._flights.begin(
            (command.step, command.iteration),
            command.action.connection,
            self._places(command.action),
            partial(self._performer.perform, self._claim, command, policy_version),
        )

    def _search(self, accepted: Accepted, command: LookUp | Poll) -> None:
        performer, action = self._performer, command.action
        asked = action.lookup if isinstance(command, LookUp) else action.status
        spec = accepted.actions[asked.action if asked else ""]
        search = (
            partial(performer.look_up, self._claim, command, spec)
            if isinstance(command, LookUp)
            else partial(performer.poll, self._claim, command, spec)
        )
        place = (command.step, command.iteration)
        self._flights.begin(place, spec.connection, self._places(spec), search, is_search=True)

    def _places(self, action: ActionSpec) -> int | None:
        """How many calls of the connection may be under way together."""
        limits = self._machine.limits_of(action)
        return None if limits is None else limits.concurrency

    async def _wait(self, wait: Wait) -> bool:
        """Wait shortly here, or let the run go until it is woken."""
        now = self._machine.clock()
        if wait.until is not None and wait.until - now <= SHORT_WAIT_S:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.005, wait.until - now)):
                    await self._bell.wait()
            self._bell.clear()
            self._must_look = True
            return True
        claim = self._claim  # as it was decided under: whatever is seen from now on is news
        begun = e.WaitStarted(
            waiting_for=wait.waiting_for, until=wait.until, steps=list(wait.steps)
        )
        waiting = self._state.waiting
        if waiting != begun:
            told: list[e.Event] = [begun]
            if waiting is not None:
                told = [e.WaitEnded(waiting_for=waiting.waiting_for), begun]
            await self._append([new_event(event) for event in told])
        return not await self._let_go(claim, wait)

    async def _finish(self, finish: Finish) -> bool:
        """Write the end, in one transaction with the run's last status."""
        event = e.RunFinished(
            status=finish.status,
            code=finish.code,
            result=finish.result,
            standing=list(finish.standing),
            uncertain=list(finish.uncertain),
            undone=list(finish.undone),
        )
        claim, now = self._claim, self._machine.clock()

        def end_run(c: Connection) -> bool:
            if drives.hold(c, claim) != claim.wake_seq:
                return False
            journal.append(c, claim.tenant, claim.id, [new_event(event)], now, claim=claim)
            runs.set_result(c, claim, finish.result)
            approvals.close(c, claim.tenant, claim.id, "void")
            return drives.end_drive(c, claim, status=finish.status, now=now, code=finish.code)

        ended = await self._machine.store.write(end_run)
        if ended:
            self._changed()
        self._must_look = True
        return ended

    async def _open_gate(
        self, accepted: Accepted, gate: OpenGate | OpenEnvelope, policy: Policy
    ) -> None:
        claim, now = self._claim, self._machine.clock()
        row, event = question(accepted, claim, gate, policy, now)

        def open_gate(c: Connection) -> None:
            drives.check_fence(c, claim)  # before all, as whoever decides an approval does
            approvals.supersede(c, row)
            approvals.create(c, row)
            journal.append(c, claim.tenant, claim.id, [new_event(event)], now, claim=claim)

        await self._write(open_gate)

    async def _let_go(self, claim: Claim, wait: Wait) -> bool:
        end = partial(
            drives.end_drive,
            claim=claim,
            status="waiting",
            now=self._machine.clock(),
            waiting_for=wait.waiting_for,
            wake_at=wait.until,
        )
        let_go = await self._machine.store.write(end)
        if let_go:
            self._changed()
        self._must_look = True
        return let_go

    async def _accepted(self) -> tuple[str, Accepted]:
        claim = self._claim

        def work(c: Connection) -> tuple[str, str, Look]:
            run = runs.get(c, claim.tenant, claim.id)
            sealed = plans.sealed(c, claim.tenant, run.plan) if run else None
            if run is None or sealed is None:
                raise FencedError(f"{claim.id} has no plan")
            return run.plan, sealed, self._look(c)

        plan, sealed, found = await self._machine.store.read(work)
        self._see(found)
        return plan, self._machine.restored(sealed)

    async def _append(self, events: list[NewEvent]) -> None:
        claim, now = self._claim, self._machine.clock()
        await self._write(
            partial(
                journal.append,
                tenant=claim.tenant,
                subject=claim.id,
                new=events,
                now=now,
                claim=claim,
            )
        )

    async def _write(self, work: Callable[[Connection], T], /) -> T:
        """Write, and see what the journal holds by then: what was written, and what others did."""
        result, found = await self._machine.store.write(
            partial(
                journal.followed,
                work=work,
                claim=self._claim,
                seen=lambda: self._seen,
                loaded=self._loaded,
            )
        )
        self._see(found)
        return result

    async def _land(self, until: float | None) -> None:
        """Wait for the end of a call; whatever else ends the wait, there may be news."""
        if not await self._flights.land(until, self._bell):
            self._must_look = True

    def _look(self, c: Connection) -> Look:
        return journal.look(c, self._claim, self._seen, self._loaded)

    def _see(self, found: Look) -> None:
        """Fold what is new, and note how often the run was woken; looks may overtake another."""
        if found.woken is None:
            raise FencedError(f"{self._claim.id} was taken over")
        if found.woken > self._claim.wake_seq:
            self._flights.ask_again()
            self._claim = replace(self._claim, wake_seq=found.woken)
        new = [each for each in found.events if each.seq > self._seen]
        if not new:
            return
        if new[0].seq != self._seen + 1:
            self._must_look = True
            return
        self._seen = new[-1].seq
        parsed = ((each.at, e.parse_event(each.type, each.v, each.data)) for each in new)
        self._state = fold(parsed, self._state)
        self._changed()

    def _changed(self) -> None:
        self._machine.on_change(Due("run", self._claim.tenant, self._claim.id))


def _is_written_only(commands: tuple[Command, ...]) -> bool:
    return all(isinstance(each, Record | Finish) for each in commands)

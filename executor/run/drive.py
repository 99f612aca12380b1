"""Advances a run until it is finished or has to wait, and then ends.

    claim ─▶ fold the journal ─▶ decide ─▶ perform, in parallel ─▶ journal ─▶ fold ...

A run that waits for a person holds no thread and no memory: its drive has ended, and whatever
ends the wait asks for another one.
"""

from functools import partial

from connectors.spec import ActionSpec
from executor.check.admit import Accepted
from executor.check.cedar import Policy
from executor.run import events as e
from executor.run.bell import Bell
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
from executor.run.effects import Effects, effects_of
from executor.run.facts import lost
from executor.run.flights import Flights
from executor.run.fold import fold
from executor.run.ledger import Basis, Ledger
from executor.run.means import Means
from executor.run.memory import Memory
from executor.run.outbox import stands
from executor.run.perform import Performer, new_event
from executor.run.question import question
from executor.run.reconcile import Reconciler
from executor.run.state import RunState
from executor.run.verdicts import Outside
from executor.store import approvals
from executor.store.drives import Asked, Claim, Due
from executor.store.errors import FencedError, StorePausedError
from executor.store.open_journal import OpenJournal

SHORT_WAIT_S = 2.0  # a wait shorter than this does not end the drive
PAUSE_S = 0.5  # while the store takes nothing
DECIDED_FOR_S = 1.0  # then it is decided anew, if a call has ended since


class Drive:
    """One drive under one claim."""

    def __init__(
        self,
        means: Means,
        claim: Claim,
        bell: Bell,
        before: Memory | None = None,
        asked: Asked | None = None,
    ) -> None:
        self._means = means
        self._bell = bell
        self._before = before
        self._flights = Flights(means.slots, claim.tenant, means.clock, bell, claim.rank)
        self._ledger = Ledger(
            means.store,
            claim,
            means.clock,
            partial(means.on_change, Due("run", claim.tenant, claim.id)),
            self._flights.ask_again,
            bell.stir,
            asked,
        )
        self._accepted: Accepted | None = None
        self._decided: Basis = ()  # ends of calls that were decided on before they were written
        self._decided_at = (0.0, 0)  # when, and how many calls had ended by then
        self._performer = Performer(
            self._ledger.write,
            self._ledger.tell_late,
            self._ledger.tell_service,
            means.call,
            means.key_secret,
            means.clock,
            means.limits_of,
            means.lease_ends,
            means.monotonic,
            means.result_bytes,
        )

    async def run(self) -> None:
        """Go on until there is nothing to do now."""
        accepted = self._accepted = await self._read()
        try:
            while await self._round(accepted):
                pass
        except FencedError:
            await self._flights.see_out()
            raise
        except Exception:
            await self._flights.settle()
            raise
        finally:
            await self._flights.drop()

    def close(self) -> None:
        """It is over, and nobody asks what it knows."""
        self._ledger.close()

    @property
    def has_claim(self) -> bool:
        """Whether it has known that it has the claim under which it drives."""
        return self._ledger.has_claim

    def memory(self) -> Memory | None:
        """What whoever drives it next has to find; None where this drive has seen nothing."""
        seen, effects = self._ledger.seen, self.effects()
        if seen.at is None or effects is None:
            return None
        return Memory(self._ledger.claim, seen, effects)

    def effects(self) -> Effects | None:
        """What is known of its effects by now, whatever the journal still tells; None: nothing."""
        if self._accepted is None:
            return self._before and self._before.effects
        state, now = self._ledger.state, self._means.clock()
        if (end := state.finished) is not None:
            return Effects(tuple(end.standing), tuple(end.uncertain), tuple(end.undone))
        ends = ((now, lost(place, call.intent.n)) for place, call in state.under_way.items())
        return effects_of(self._accepted, fold(ends, state))

    async def _read(self) -> Accepted:
        """The plan, and the journal so far; what is known is not read again."""
        claim, known = self._ledger.claim, self._means.known
        plan = claim.plan or ""
        accepted = known.get((claim.tenant, plan))
        before = self._before and self._before.seen
        sealed = await self._ledger.read(with_plan=accepted is None, before=before)
        if accepted is not None:
            return accepted
        if sealed is None:
            raise FencedError(f"{claim.id} has no plan")
        accepted = self._means.restored(claim.tenant, sealed)
        self._means.know(claim.tenant, plan, accepted)
        return accepted

    async def _round(self, accepted: Accepted) -> bool:
        """Advance; while the store takes nothing, what is under way still lands and is kept."""
        try:
            return await self._advance(accepted)
        except StorePausedError:
            await self._flights.stop_waiting()
            if not self._flights.places:
                raise  # the dispatcher asks for another drive
            await self._land(self._means.clock() + PAUSE_S)
            self._ledger.must_look = True
            return True

    async def _advance(self, accepted: Accepted) -> bool:
        """One round; False once the drive has let go of the run."""
        await self._ledger.catch_up()
        self._flights.take_in()
        if await self._is_behind():
            return True
        coming = self._decided = self._ledger.coming
        self._decided_at = self._means.monotonic(), self._ledger.told
        ended = {(each.tells.step, each.tells.iteration) for each in coming if each.tells}
        outside = Outside(
            policy=self._means.policy_of(self._ledger.claim.tenant),
            now=self._means.clock(),
            plan=self._ledger.claim.plan or "",
            in_flight=self._flights.places - ended,
            not_before=self._flights.not_before,
            look_again=self._flights.look_again,
            woken=self._ledger.claim.wake_seq,
            woken_at=self._ledger.woken_at,
            is_alone=self._means.is_alone,
        )
        claim = self._ledger.claim  # as it is decided under: what arrives from now on is news
        state = self._ledger.ahead(coming)
        commands = decide(accepted, state, outside)
        if coming and not self._can_follow(commands):
            await self._land(None)
            return True
        if self._means.halted.is_set() and not _is_written_only(commands):
            return await self._begin_nothing()
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
        waited = self._ledger.state.waiting
        if records or waited is not None:
            woken = [] if waited is None else [e.WaitEnded(waiting_for=waited.waiting_for)]
            return await self._record(accepted, (coming, state), [*woken, *records], outside)
        for command in commands:
            match command:
                case OpenGate() | OpenEnvelope():
                    await self._open_gate(accepted, command, outside.policy)
                case Perform():
                    self._call(claim, command, outside.policy.version, coming)
                case LookUp() | Poll():
                    self._search(accepted, command)
                case Abort():
                    await self._flights.abort((command.step, command.iteration))
                case Finish():
                    return not await self._ledger.finish(command, coming)
        self._flights.leave_reserved()
        return True

    async def _is_behind(self) -> bool:
        """Whether a call has ended, and that is not to be decided on yet; it is waited for."""
        unkept = self._ledger.unkept
        if unkept and self._flights.are_among(unkept):
            await self._begin_nothing()
            return True
        if self._flights.are_behind(self._ledger.state):
            await self._land(None)
            return True
        return False

    async def _begin_nothing(self) -> bool:
        """Wait until something has ended; False if nothing is under way."""
        await self._flights.stop_waiting()
        if not self._flights.places:
            return False
        await self._land(None)
        return True

    def _can_follow(self, commands: tuple[Command, ...]) -> bool:
        """Whether it can be done before what it follows from is written.

        No place has two calls, and whoever is asked or searched for something is told the truth.
        """
        places = self._flights.places
        return bool(commands) and all(
            isinstance(each, Record | Finish)
            or (isinstance(each, Perform) and (each.step, each.iteration) not in places)
            for each in commands
        )

    async def _record(
        self,
        accepted: Accepted,
        now: tuple[Basis, RunState],
        events: list[e.Event],
        outside: Outside,
    ) -> bool:
        """Write what follows, in one transaction with the intents of what begins, or with the end.

        These are decided on as if it were written; nothing of it is if the events are not.
        """
        coming, state = now
        following = decide(accepted, self._ledger.after(events, state), outside)
        match following:
            case (Finish() as finish,):
                return not await self._ledger.finish(finish, coming, after=events)
            case (Perform(), *_) if not self._means.halted.is_set():
                places = self._flights.places
                begun = [each for each in following if isinstance(each, Perform)
                         and (each.step, each.iteration) not in places]  # fmt: skip
            case _:
                begun = []
        written = self._ledger.append(events, coming)
        for command in begun:
            self._call(self._ledger.claim, command, outside.policy.version, (*coming, written))
        await written.done
        return True

    def _call(self, claim: Claim, command: Perform, policy_version: str, basis: Basis) -> None:
        """Begin a call, if what it follows from is written by then."""
        call = partial(self._performer.perform, claim, command, policy_version)
        self._flights.begin(
            (command.step, command.iteration),
            command.action.connection,
            self._places(command.action),
            partial(call, partial(self._stands, basis, *self._decided_at)),
            n=command.n,
            acts=command.action.is_write,
        )
        if basis:
            self._ledger.hold()

    def _stands(self, basis: Basis, decided_at: float, told: int) -> bool:
        """Whether a decision is right still, when its intent is written at last.

        What waited for the store may not be any more: whatever a call came to that has ended
        meanwhile, it may be in doubt, or a failure, or too much.
        """
        is_old = self._means.monotonic() - decided_at > DECIDED_FOR_S
        return stands(basis) and not (is_old and self._ledger.told != told)

    def _search(self, accepted: Accepted, command: LookUp | Poll) -> None:
        reconciler, action = Reconciler(self._performer), command.action
        asked = action.lookup if isinstance(command, LookUp) else action.status
        spec = accepted.actions[asked.action if asked else ""]
        search = (
            partial(reconciler.look_up, self._ledger.claim, command, spec)
            if isinstance(command, LookUp)
            else partial(reconciler.poll, self._ledger.claim, command, spec)
        )
        place = (command.step, command.iteration)
        self._flights.begin(place, spec.connection, self._places(spec), search)

    def _places(self, action: ActionSpec) -> int | None:
        """How many calls of the connection may be under way together."""
        limits = self._means.limits_of(action)
        return None if limits is None else limits.concurrency

    async def _wait(self, wait: Wait) -> bool:
        """Wait shortly here, or let the run go until it is woken."""
        now = self._means.clock()
        if wait.until is not None and wait.until - now <= SHORT_WAIT_S:
            await self._bell.wait(max(0.005, wait.until - now))
            self._ledger.must_look = True
            return True
        claim = self._ledger.claim  # as it was decided under: whatever is seen from now on is news
        begun = e.WaitStarted(
            waiting_for=wait.waiting_for, until=wait.until, steps=list(wait.steps)
        )
        waiting = self._ledger.state.waiting
        if waiting != begun:
            told: list[e.Event] = [begun]
            if waiting is not None:
                told = [e.WaitEnded(waiting_for=waiting.waiting_for), begun]
            await self._ledger.append(told).done
        return not await self._ledger.let_go(claim, wait)

    async def _open_gate(
        self, accepted: Accepted, gate: OpenGate | OpenEnvelope, policy: Policy
    ) -> None:
        now = self._means.clock()
        row, event = question(accepted, self._ledger.claim, gate, policy, now)

        def open_gate(journal: OpenJournal) -> None:
            approvals.supersede(journal.c, row)
            approvals.create(journal.c, row)
            journal.append([new_event(event)], now)

        await self._ledger.write(open_gate)

    async def _land(self, until: float | None) -> None:
        """Wait for the end of a call; whatever else ends the wait, there may be news."""
        if not await self._flights.land(until, self._is_coming):
            self._ledger.must_look = True

    def _is_coming(self) -> bool:
        """Whether a call has ended of which nothing was decided yet."""
        return any(each not in self._decided for each in self._ledger.coming)


def _is_written_only(commands: tuple[Command, ...]) -> bool:
    return all(isinstance(each, Record | Finish) for each in commands)

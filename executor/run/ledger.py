"""What one drive knows of its run and writes about it, under its claim.

`state` is the fold of the journal as far as it was seen. Every write comes back with what is new,
so that whoever wrote need not read again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar, cast

from sqlalchemy import Connection

from executor.run import events as e
from executor.run.commands import Finish, Wait
from executor.run.fold import fold
from executor.run.outbox import Entry, Outbox, stands
from executor.run.perform import new_event
from executor.run.state import Place, RunState
from executor.store import drives, journal, plans
from executor.store.blobs import Loaded
from executor.store.calls import AttemptOutcome, record_late
from executor.store.drives import Asked, Claim, LetGo
from executor.store.errors import FencedError, StorePausedError
from executor.store.journal import Look, NewEvent, Seen, StoredEvent
from executor.store.open_journal import OpenJournal, Turn, Work, written
from executor.store.permits import Told, tell_alone
from executor.store.store import Store
from executor.store.writer import Joint, Stage

T = TypeVar("T")
Basis = tuple[Entry[object], ...]
"""What a decision takes for written while it is being written."""


class Ledger:
    """The run's journal, open to one drive until another claims it."""

    def __init__(
        self,
        store: Store,
        claim: Claim,
        clock: Callable[[], float],
        on_change: Callable[[], None],
        on_wake: Callable[[], None],
        on_coming: Callable[[], None],
        asked: Asked | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._on_change = on_change
        self._on_wake = on_wake
        self._outbox = Outbox(self._send, self._see, on_coming)
        self.write = self._outbox.write
        self.seen = Seen()
        self._loaded: Loaded = {}  # large values: what is referred to twice is held once
        self._asked = asked  # while the claim is only foreseen
        self._asking: asyncio.Future[Look] | None = None  # by the first that is written
        self.claim = claim
        self.woken_at = clock()  # when it was claimed, or was last seen to have been woken
        self.state = RunState()
        self.must_look = False  # something may have arrived that was not seen yet

    def close(self) -> None:
        """Nothing is asked of it any more."""
        self._outbox.close()

    @property
    def has_claim(self) -> bool:
        """Whether the claim is more than foreseen."""
        return self._asked is None

    async def read(self, *, with_plan: bool, before: Seen | None = None) -> str | None:
        """Read the journal so far, and the plan's sealed text if it is wanted.

        Raises `JournalLostError` where something is gone that this process had seen `before`.
        """
        claim = self.claim
        if claim.is_first and not with_plan and before is None:
            return None

        def work(c: Connection) -> tuple[str | None, Look | None]:
            if before is not None:
                journal.require_seen(c, claim, before)
            sealed = plans.sealed(c, claim.tenant, claim.plan or "") if with_plan else None
            return sealed, None if claim.is_first else self._look(c)

        sealed, found = await self._store.read(work)
        if found is not None:
            self._see(found)
        return sealed

    async def catch_up(self) -> None:
        """See what has arrived, if anything may have."""
        if self.must_look:
            if self._asked is not None:  # what is under way of another's epoch is not ours to see
                raise StorePausedError(f"whether {self.claim.id} could be claimed is not known")
            self.must_look = False
            self._see(await self._store.read(self._look))

    @property
    def coming(self) -> Basis:
        """The calls whose end is being written, of those that were seen to begin."""
        told = ((each, each.tells) for each in self._outbox.coming)
        return tuple(
            entry for entry, end in told
            if end is not None and (end.step, end.iteration) in self.state.under_way
        )  # fmt: skip

    @property
    def told(self) -> int:
        """How many calls of this drive have ended by now."""
        return self._outbox.told

    @property
    def unkept(self) -> Mapping[Place, int]:
        """The attempts of which the end could not be written: whoever made them writes it again."""
        return self._outbox.unkept

    def append(self, events: Sequence[e.Event], basis: Basis = ()) -> Entry[object]:
        """Ask for events to be written, if what they follow from is."""
        new, now = [new_event(event) for event in events], self._clock()
        return self._outbox.post(partial(appended, new=new, now=now, basis=basis))

    def hold(self) -> None:
        """Wait for what is about to be asked for, that it may be written with the rest."""
        self._outbox.hold()

    def ahead(self, basis: Basis) -> RunState:
        """Where the run will stand once what is being written is, if nothing else is."""
        return self.after([each.tells for each in basis if each.tells is not None], self.state)

    def after(self, events: Sequence[e.Event], state: RunState) -> RunState:
        """Where the run would stand if this happened next."""
        now = self._clock()
        return fold(((now, event) for event in events), state) if events else state

    async def finish(
        self, finish: Finish, basis: Basis = (), after: Sequence[e.Event] = ()
    ) -> bool:
        """Write the end, in one transaction with the run's last status; False if there is news.

        What it comes `after` is written with it, or not at all.
        """
        event = e.RunFinished(
            status=finish.status,
            code=finish.code,
            result=finish.result,
            standing=list(finish.standing),
            uncertain=list(finish.uncertain),
            undone=list(finish.undone),
        )
        new = [new_event(each) for each in (*after, event)]
        woken, last, now = self.claim.wake_seq, self.seen.seq + len(basis), self._clock()
        end = partial(self._end, known=(woken, last), new=new, finish=finish, basis=basis, now=now)
        return self._ended(await self.write(end))

    def _end(
        self,
        journal: OpenJournal,
        known: tuple[int, int],
        new: list[NewEvent],
        finish: Finish,
        basis: Basis,
        now: float,
    ) -> bool:
        if (journal.woken, journal.last) != known or not stands(basis):
            return False
        if journal.permits.may_wake:
            return False  # this run, too: it ends by itself
        journal.append(new, now)
        journal.end(finish.status, finish.code, finish.result, now)
        return True

    async def let_go(self, claim: Claim, wait: Wait) -> bool:
        """End the drive until the run is woken; False if something arrived since this claim."""
        end = LetGo(claim, wait.waiting_for, wait.until, self._clock(), wait.left)
        return self._ended(await self._store.write(Joint(drives.let_go, end, Stage.ENDS)))

    def _ended(self, has_ended: bool) -> bool:
        if has_ended:
            self._on_change()
        self.must_look = True
        return has_ended

    async def tell_late(self, outcome: AttemptOutcome) -> None:
        """Write how a call of this drive ended, and nothing else, though the run is another's now.

        Not under a claim that was only foreseen: what another has begun would bear the same epoch.
        """
        if self._asked is not None:
            return
        told = partial(record_late, claim=self.claim, outcome=outcome, now=self._clock())
        if await self._store.write(told):
            self._on_change()

    async def tell_service(self, told: Told) -> None:
        """Keep what a service asks for that was heard for this run, though it is another's now."""
        keep = partial(tell_alone, tenant=self.claim.tenant, what=told, now=self._clock())
        await self._store.write(keep)

    def _send(self, works: tuple[Work, ...]) -> "asyncio.Future[Look]":
        """Write; under a claim that is only foreseen, not before that is known to be taken.

        Another drive may have the very epoch that this one foresees.
        """
        if self._asking is not None:
            return asyncio.ensure_future(self._after(self._asking, works))
        sent = self._submit(works)
        if self._asked is not None:
            self._asking = sent
            sent.add_done_callback(self._claimed)
        return sent

    async def _after(self, claiming: "asyncio.Future[Look]", works: tuple[Work, ...]) -> Look:
        await asyncio.wait((claiming,))
        claiming.result()
        return await self._submit(works)

    def _submit(self, works: tuple[Work, ...]) -> "asyncio.Future[Look]":
        turn = Turn(self.claim, works, lambda: self.seen, self._loaded, self._asked)
        return self._store.submit(Joint(written, turn, Stage.TURNS, turn.forget))

    def _claimed(self, sent: "asyncio.Future[Look]") -> None:
        """Who does not know whether it is claimed asks once more."""
        self._asking = None
        if not sent.cancelled() and sent.exception() is None:
            self._asked = None

    def _look(self, c: Connection) -> Look:
        return journal.look(c, self.claim, self.seen, self._loaded)

    def _see(self, found: Look) -> None:
        """Fold what is new, and note how often the run was woken; looks may overtake another."""
        if found.woken is None:
            raise FencedError(f"{self.claim.id} was taken over")
        if found.woken > self.claim.wake_seq:
            self._on_wake()
            self.claim = replace(self.claim, wake_seq=found.woken)
            self.woken_at = self._clock()
        new = [each for each in found.events if each.seq > self.seen.seq]
        if not new:
            return
        self.seen = Seen(new[-1].seq, new[-1].at)
        self.state = fold(((each.at, _read(each)) for each in new), self.state)
        self._on_change()


def appended(journal: OpenJournal, new: list[NewEvent], now: float, basis: Basis) -> object:
    """Write events, if what they follow from is written; whether all of them stand then."""
    return stands(basis) and len(journal.append(new, now)) == len(new)


def _read(stored: StoredEvent) -> e.Event:
    """An event of the journal; what this drive has just written needs no parsing."""
    if stored.read is not None:
        return cast("e.Event", stored.read)  # looking which of them it is takes longer than most
    return e.parse_event(stored.type, stored.v, stored.data)

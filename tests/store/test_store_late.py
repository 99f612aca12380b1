"""Who has lost a row writes how a call of its own ended: once, and of no other call."""

from functools import partial

import pytest
from sqlalchemy import Connection
from store_cases import NOW, RUN, TENANT, claimed, ended, intent, new_run, resolved, take, written

from connectors.spec import Limits
from executor.store import attempts, calls, drives, journal, ready, runs
from executor.store.calls import AttemptOutcome
from executor.store.drives import Claim
from executor.store.journal import NewEvent
from executor.store.permits import Blocked, Told
from executor.store.store import Store

TAKEN = Claim("run", TENANT, RUN.id, 2, 0, driver="me")  # of whoever took over


def late(state: str, n: int = 1, told: Told | None = None) -> AttemptOutcome:
    """How a call ended, as its drive says that has lost the run."""
    event = ended(state, n=n)
    return AttemptOutcome("refund", "", n, NewEvent(event.type, event.data | {"late": True}), told)


def taken_over(c: Connection, *events: NewEvent) -> Claim:
    """The claim of a drive with a call under way that was taken over; what was written then."""
    first = new_run(c)
    written(c, first, calls.record_intent, intent(), NOW)
    claimed(c)
    journal.append(c, TENANT, RUN.id, [*events], NOW)
    return first


async def tell(store: Store, claim: Claim, outcome: AttemptOutcome) -> bool:
    return await store.write(lambda c: calls.record_late(c, claim, outcome, NOW + 1))


async def states(store: Store) -> list[str]:
    found = await store.read(lambda c: attempts.read(c, TENANT, RUN.id))
    return [each.state for each in found]


async def types(store: Store) -> list[str]:
    return [each.type for each in await store.read(lambda c: journal.read(c, TENANT, RUN.id))]


@pytest.mark.parametrize("before", [(), (ended("uncertain"),)], ids=["open", "uncertain"])
async def test_what_nobody_knew_is_settled_and_whoever_drives_is_told(
    store: Store, before: tuple[NewEvent, ...]
) -> None:
    claim = await store.write(lambda c: taken_over(c, *before))
    woken = await store.read(lambda c: drives.standing(c, TAKEN))
    told = [await tell(store, claim, late("applied")) for _ in range(2)]
    after = await store.read(lambda c: drives.standing(c, TAKEN))

    assert told == [True, False]  # as where nobody learnt that the first one was kept
    assert await states(store) == ["applied"]
    assert (await types(store)).count("attempt.ended") == len(before) + 1
    assert woken is not None
    assert after is not None
    assert after.wake_seq == woken.wake_seq + 1


@pytest.mark.parametrize(
    ("found", "end"),
    [
        ("applied", "applied"),
        ("abandoned", "applied_unreadable"),
        ("abandoned", "applied_pending"),
        ("abandoned", "refused"),
    ],
)
async def test_what_was_found_out_stays_and_the_end_stands_beside_it_once(
    store: Store, found: str, end: str
) -> None:
    claim = await store.write(lambda c: taken_over(c, ended("uncertain"), resolved(found)))
    before = await states(store)
    told = [await tell(store, claim, late(end)) for _ in range(2)]

    assert told == [True, False]
    assert await states(store) == before
    assert (await types(store))[-2:] == ["reconcile.resolved", "attempt.ended"]


async def test_what_was_given_up_is_known_once_its_own_end_tells_it(store: Store) -> None:
    claim = await store.write(lambda c: taken_over(c, ended("uncertain"), resolved("abandoned")))

    assert await tell(store, claim, late("applied")) is True
    assert await states(store) == ["applied"]


@pytest.mark.parametrize(
    ("end", "again", "stands"),
    [
        ("applied", None, "applied"),
        ("applied_unreadable", None, "applied_unreadable"),
        ("applied", "refused", "applied"),
        ("applied", "not_sent", "applied"),
        ("refused", None, "resolved_absent"),
        ("applied", "intent", "resolved_absent"),
        ("applied", "uncertain", "resolved_absent"),
        ("applied", "applied", "resolved_absent"),
    ],
)
async def test_a_no_is_overruled_by_a_late_yes_unless_another_call_may_have_happened(
    store: Store, end: str, again: str | None, stands: str
) -> None:
    def said_no(c: Connection) -> Claim:
        claim = taken_over(c, ended("uncertain"), resolved("absent"))
        if again is not None:
            second = TAKEN
            written(c, second, calls.record_intent, intent(n=2), NOW)
            if again != "intent":
                journal.append(c, TENANT, RUN.id, [ended(again, n=2)], NOW)
        return claim

    claim = await store.write(said_no)
    told = [await tell(store, claim, late(end)) for _ in range(2)]

    assert told == [True, False]
    assert await states(store) == [stands, *([] if again is None else [again])]


@pytest.mark.parametrize("own", ["applied", "refused", "applied_unreadable", "applied_pending"])
@pytest.mark.parametrize("found", [(), (resolved("applied"),)], ids=["", "found out"])
async def test_what_the_drive_had_written_itself_is_not_written_again(
    store: Store, own: str, found: tuple[NewEvent, ...]
) -> None:
    claim = await store.write(lambda c: taken_over(c, ended(own), *found))
    before = await states(store), await types(store)

    assert await tell(store, claim, late(own)) is False
    assert (await states(store), await types(store)) == before


async def test_of_what_another_drive_has_begun_nothing_is_said(store: Store) -> None:
    def another_began(c: Connection) -> Claim:
        first = new_run(c)
        second = claimed(c)
        written(c, second, calls.record_intent, intent(), NOW)
        return first

    claim = await store.write(another_began)

    assert await tell(store, claim, late("not_sent")) is False
    assert await tell(store, claim, late("not_sent", n=2)) is False
    assert await states(store) == ["intent"]
    assert await types(store) == ["intent.recorded"]


async def test_a_run_that_waits_is_due_at_once_and_one_that_has_ended_stays_as_it_is(
    store: Store,
) -> None:
    claim = await store.write(lambda c: taken_over(c, ended("uncertain")))
    second = TAKEN
    end = partial(drives.end_drive, claim=second, now=NOW)
    await store.write(partial(end, status="waiting", waiting_for="reconcile"))
    await tell(store, claim, late("refused"))
    due = await store.read(lambda c: ready.due(c, NOW + 1))

    assert due == [RUN]

    third = await store.write(partial(claimed, now=NOW + 2))
    written_again = await store.write(
        lambda c: written(c, third, calls.record_intent, intent(n=2), NOW + 2)
    )
    await store.write(partial(drives.end_drive, claim=third, status="cancelled", now=NOW + 3))
    before = await store.read(lambda c: runs.get(c, TENANT, RUN.id))
    told = await tell(store, third, late("applied", n=2))

    assert isinstance(written_again, float)
    assert told is True
    assert await states(store) == ["refused", "applied"]
    assert await store.read(lambda c: runs.get(c, TENANT, RUN.id)) == before


async def test_what_the_service_said_of_itself_is_kept_with_it(store: Store) -> None:
    claim = await store.write(lambda c: taken_over(c, ended("uncertain")))
    told = Told("payments", "answered", NOW, hold_until=NOW + 60)
    await tell(store, claim, late("refused", told=told))
    blocked = await store.write(lambda c: take(c, "payments", Limits(rate=1), NOW + 2, 1.0))

    assert blocked == Blocked("rate_limit", NOW + 60)


@pytest.mark.parametrize(("late_end", "counts"), [("applied_unreadable", False), (None, True)])
async def test_a_search_in_vain_that_began_before_does_not_overrule_what_is_told_late(
    store: Store, late_end: str | None, counts: bool
) -> None:
    claim = await store.write(lambda c: taken_over(c, ended("uncertain")))
    if late_end is not None:
        await tell(store, claim, late(late_end))
    no = resolved("absent")
    searched = AttemptOutcome("refund", "", 1, NewEvent(no.type, no.data | {"by": "lookup"}))
    second = TAKEN
    found = await store.write(lambda c: written(c, second, calls.record_outcome, searched, NOW + 2))

    assert bool(found) is counts
    assert await states(store) == ["resolved_absent" if counts else late_end]

"""An intent is written before its call, and only where a call may be made; an outcome once."""

import asyncio

import pytest
from sqlalchemy import Connection
from store_cases import (
    APPROVER,
    NOW,
    RUN,
    TENANT,
    Asked,
    ended,
    intent,
    new_run,
    outcome,
    question,
    resolved,
    take,
    written,
)

from connectors.spec import Limits
from executor.store import (
    approvals,
    attempts,
    calls,
    drives,
    journal,
    open_journal,
    rulings,
    runs,
    waking,
)
from executor.store.journal import NewEvent, Seen
from executor.store.open_journal import Turn
from executor.store.permits import Blocked, Need, need_to_tell
from executor.store.store import Store


async def test_an_intent_is_in_the_journal_and_says_until_when_it_may_be_sent(
    store: Store,
) -> None:
    claim = await store.write(new_run)
    send_before = await store.write(lambda c: written(c, claim, calls.record_intent, intent(), NOW))
    (event,) = await store.read(lambda c: journal.read(c, TENANT, RUN.id))
    (row,) = await store.read(lambda c: attempts.read(c, TENANT, RUN.id))

    assert send_before == NOW + 30.0
    assert event.type == "intent.recorded"
    assert event.data["key"] == "KEY"
    assert event.data["send_before"] == send_before
    assert (row.state, row.epoch, row.send_before) == ("intent", claim.epoch, send_before)


async def test_no_intent_is_written_beside_an_open_one(store: Store) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: written(c, claim, calls.record_intent, intent(), NOW))
    again = await store.write(lambda c: written(c, claim, calls.record_intent, intent(), NOW))
    following = await store.write(
        lambda c: written(c, claim, calls.record_intent, intent(n=2), NOW)
    )
    elsewhere = await store.write(
        lambda c: written(c, claim, calls.record_intent, intent(step="mail"), NOW)
    )

    assert again == following == Blocked("open_attempt")
    assert isinstance(elsewhere, float)


@pytest.mark.parametrize(
    ("told", "may_begin"), [("applied", False), ("abandoned", False), ("absent", True)]
)
async def test_nothing_is_called_again_that_somebody_told_of_meanwhile(
    store: Store, told: str, may_begin: bool
) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: written(c, claim, calls.record_intent, intent(), NOW))
    for event in (ended("uncertain"), resolved(told)):
        await store.write(lambda c, event=event: journal.append(c, TENANT, RUN.id, [event], NOW))
    again = await store.write(lambda c: written(c, claim, calls.record_intent, intent(n=2), NOW))

    assert (again == Blocked("open_attempt")) is not may_begin


async def test_of_many_who_would_call_at_once_one_may(store: Store) -> None:
    claim = await store.write(new_run)
    results = await asyncio.gather(
        *(
            store.write(lambda c, n=n: written(c, claim, calls.record_intent, intent(n=n), NOW))
            for n in (1, 1, 1, 2, 2, 3)
        )
    )

    assert len([each for each in results if isinstance(each, float)]) == 1


async def test_an_outcome_is_written_once(store: Store) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: written(c, claim, calls.record_intent, intent(), NOW))
    first = await store.write(
        lambda c: written(c, claim, calls.record_outcome, outcome("applied"), NOW + 1)
    )
    second = await store.write(
        lambda c: written(c, claim, calls.record_outcome, outcome("refused"), NOW + 2)
    )
    (row,) = await store.read(lambda c: attempts.read(c, TENANT, RUN.id))

    assert [each.seq for each in first] == [2]
    assert second == []
    assert (row.state, row.ended_at) == ("applied", NOW + 1)


async def test_an_outcome_without_an_intent_is_not_written(store: Store) -> None:
    claim = await store.write(new_run)

    stored = await store.write(
        lambda c: written(c, claim, calls.record_outcome, outcome("applied"), NOW)
    )
    assert stored == []


@pytest.mark.parametrize("effect", ["read", "idempotent", "keyed"])
async def test_what_may_be_repeated_is_called_again_once_its_attempt_is_known_as_lost(
    store: Store, effect: str
) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: written(c, claim, calls.record_intent, intent(effect=effect), NOW))
    # The drive after a crash tells the journal alone that the answer was lost.
    await store.write(lambda c: journal.append(c, TENANT, RUN.id, [ended("uncertain")], NOW))
    again = await store.write(
        lambda c: written(c, claim, calls.record_intent, intent(n=2, effect=effect), NOW)
    )

    assert isinstance(again, float)


@pytest.mark.parametrize("effect", ["lookup", "blind"])
@pytest.mark.parametrize(
    ("resolution", "state", "may_call"),
    [
        (None, "uncertain", False),
        ("applied", "resolved_applied", False),
        ("absent", "resolved_absent", True),
        ("abandoned", "abandoned", False),
    ],
)
async def test_what_may_not_be_repeated_is_called_again_only_once_it_is_known_to_be_absent(
    store: Store, effect: str, resolution: str | None, state: str, may_call: bool
) -> None:
    claim = await store.write(new_run)
    told = [ended("uncertain")] + ([resolved(resolution)] if resolution else [])
    await store.write(lambda c: written(c, claim, calls.record_intent, intent(effect=effect), NOW))
    await store.write(lambda c: journal.append(c, TENANT, RUN.id, told, NOW + 1))
    row = (await store.read(lambda c: attempts.read(c, TENANT, RUN.id)))[0]
    again = await store.write(
        lambda c: written(c, claim, calls.record_intent, intent(n=2, effect=effect), NOW + 2)
    )

    assert row.state == state
    assert isinstance(again, float) is may_call
    assert may_call or again == Blocked("open_attempt")


@pytest.mark.parametrize("state", ["uncertain", "applied_unreadable", "applied_pending"])
async def test_a_look_up_may_settle_whatever_is_not_known_for_good(
    store: Store, state: str
) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: written(c, claim, calls.record_intent, intent(), NOW))
    await store.write(lambda c: written(c, claim, calls.record_outcome, outcome(state), NOW))
    found = calls.AttemptOutcome("refund", "", 1, resolved("applied"))
    stored = await store.write(lambda c: written(c, claim, calls.record_outcome, found, NOW))
    (row,) = await store.read(lambda c: attempts.read(c, TENANT, RUN.id))

    assert len(stored) == 1
    assert row.state == "resolved_applied"


async def test_no_intent_after_cancel_was_asked_for(store: Store) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: runs.request_cancel(c, TENANT, RUN.id, "stop", NOW))
    blocked = await store.write(lambda c: written(c, claim, calls.record_intent, intent(), NOW))

    assert blocked == Blocked("cancelled")
    assert await store.read(lambda c: journal.read(c, TENANT, RUN.id)) == []


async def test_after_a_cancel_that_undoes_only_what_may_have_happened_is_called_again(
    store: Store,
) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: written(c, claim, calls.record_intent, intent(), NOW))
    lost = outcome(state="uncertain")
    await store.write(lambda c: written(c, claim, calls.record_outcome, lost, NOW))
    await store.write(lambda c: runs.request_cancel(c, TENANT, RUN.id, "undo", NOW))
    again = await store.write(lambda c: written(c, claim, calls.record_intent, intent(n=2), NOW))
    other = await store.write(lambda c: written(c, claim, calls.record_intent, intent("b"), NOW))

    assert isinstance(again, float)
    assert other == Blocked("cancelled")


@pytest.mark.parametrize(("lease_s", "lasts_s"), [(3.0, 3.0), (900.0, intent().timeout_s)])
async def test_no_byte_of_a_call_may_leave_after_its_time_or_the_lease_of_its_process(
    store: Store, lease_s: float, lasts_s: float
) -> None:
    claim = await store.write(new_run)
    asked = intent()._replace(lease_s=lease_s)
    until = await store.write(lambda c: written(c, claim, calls.record_intent, asked, NOW))
    (row,) = await store.read(lambda c: attempts.read(c, TENANT, RUN.id))

    assert until == row.send_before == NOW + lasts_s


async def test_an_intent_needs_its_approval_for_exactly_these_arguments_and_in_time(
    store: Store,
) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: approvals.create(c, question()))
    asked = intent(approval="apr_a")
    before = await store.write(lambda c: written(c, claim, calls.record_intent, asked, NOW))
    await store.write(
        lambda c: rulings.decide(c, TENANT, "apr_a", APPROVER, "approve", "checked", NOW)
    )
    changed = await store.write(
        lambda c: written(
            c, claim, calls.record_intent, intent(approval="apr_a", args_hash="sha256:other"), NOW
        )
    )
    unknown = await store.write(
        lambda c: written(c, claim, calls.record_intent, intent(approval="apr_b"), NOW)
    )
    late = await store.write(lambda c: written(c, claim, calls.record_intent, asked, NOW + 3600))
    granted = await store.write(lambda c: written(c, claim, calls.record_intent, asked, NOW + 3599))

    assert before == changed == unknown == late == Blocked("approval")
    assert isinstance(granted, float)


async def test_an_intent_needs_every_approval_that_it_relies_on(store: Store) -> None:
    claim = await store.write(new_run)
    for name in ("apr_a", "apr_b"):
        await store.write(lambda c, name=name: approvals.create(c, question(name)))
    both = tuple(grant for name in ("apr_a", "apr_b") for grant in intent(approval=name).grants)
    asked = intent()._replace(grants=both)

    def said_yes(c: Connection, name: str) -> None:
        rulings.decide(c, TENANT, name, APPROVER, "approve", "checked", NOW)

    await store.write(lambda c: said_yes(c, "apr_a"))
    one = await store.write(lambda c: written(c, claim, calls.record_intent, asked, NOW))
    await store.write(lambda c: said_yes(c, "apr_b"))
    two = await store.write(lambda c: written(c, claim, calls.record_intent, asked, NOW))

    assert len(both) == 2
    assert one == Blocked("approval")
    assert isinstance(two, float)


async def test_an_approval_that_expired_in_the_journal_is_expired_for_approvers_too(
    store: Store,
) -> None:
    await store.write(new_run)
    await store.write(lambda c: approvals.create(c, question()))
    expired = NewEvent("approval.expired", {"approval": "apr_a"})
    await store.write(lambda c: journal.append(c, TENANT, RUN.id, [expired], NOW + 1))
    row = await store.read(lambda c: approvals.get(c, TENANT, "apr_a"))

    assert row is not None
    assert row.state == "expired"


async def test_a_blocked_intent_takes_no_permit(store: Store) -> None:
    claim = await store.write(new_run)
    once = Limits(rate=1, per_s=60)
    missing = intent(approval="apr_x", limits=once)
    await store.write(lambda c: written(c, claim, calls.record_intent, missing, NOW))
    first = await store.write(
        lambda c: written(c, claim, calls.record_intent, intent(limits=once), NOW)
    )
    second = await store.write(
        lambda c: written(c, claim, calls.record_intent, intent("mail", limits=once), NOW)
    )

    assert isinstance(first, float)
    assert second == Blocked("rate_limit", NOW + 60)


async def test_a_call_that_begins_later_than_it_may_is_decided_on_again(store: Store) -> None:
    claim = await store.write(new_run)
    late = intent()._replace(begins_by=NOW - 0.001)
    blocked = await store.write(lambda c: written(c, claim, calls.record_intent, late, NOW))
    in_time = intent()._replace(begins_by=NOW)
    begun = await store.write(lambda c: written(c, claim, calls.record_intent, in_time, NOW))

    assert blocked == Blocked("news")
    assert isinstance(begun, float)


async def test_a_call_is_decided_on_again_if_something_has_arrived_since(store: Store) -> None:
    claim = await store.write(new_run)
    decided = intent()._replace(woken=claim.wake_seq)
    await store.write(lambda c: waking.wake(c, RUN, NOW))
    blocked = await store.write(lambda c: written(c, claim, calls.record_intent, decided, NOW))
    again = decided._replace(woken=claim.wake_seq + 1)
    begun = await store.write(lambda c: written(c, claim, calls.record_intent, again, NOW))

    assert blocked == Blocked("news")
    assert isinstance(begun, float)


async def test_retry_after_holds_the_whole_connection_back(store: Store) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: written(c, claim, calls.record_intent, intent(), NOW))
    await store.write(
        lambda c: written(
            c, claim, calls.record_outcome, outcome("refused", hold=("payments", NOW + 90)), NOW
        )
    )
    other = await store.write(new_run_b)
    early = await store.write(lambda c: written(c, other, calls.record_intent, intent(), NOW + 89))
    then = await store.write(lambda c: written(c, other, calls.record_intent, intent(), NOW + 90))

    assert early == Blocked("rate_limit", NOW + 90)
    assert isinstance(then, float)
    assert await store.write(lambda c: take(c, "mail", None, NOW, 30.0)) is None


async def test_retry_after_holds_back_what_is_to_begin_in_the_same_transaction_too(
    store: Store,
) -> None:
    claim = await store.write(new_run)
    await store.write(lambda c: written(c, claim, calls.record_intent, intent(), NOW))
    other = await store.write(new_run_b)
    refused = outcome("refused", hold=("payments", NOW + 90))
    assert refused.told is not None
    begins = Asked(
        lambda opened: calls.record_intent(opened, intent(), NOW), needs=Need("payments")
    )
    ends = Asked(
        lambda opened: calls.record_outcome(opened, refused, NOW), needs=need_to_tell(refused.told)
    )

    def work(c: Connection) -> None:
        open_journal.written(c, [Turn(other, (begins,), Seen), Turn(claim, (ends,), Seen)])

    await store.write(work)

    assert begins.results == [Blocked("rate_limit", NOW + 90)]


def new_run_b(c: object) -> drives.Claim:
    """Another run that is being driven."""
    return new_run(c, "run_b")  # type: ignore[arg-type]  # any connection

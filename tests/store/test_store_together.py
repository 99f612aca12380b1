"""What many drives write in one transaction: each under its claim, none in another's way."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import pytest
from sqlalchemy import Connection
from store_cases import NOW, TENANT, Asked, claimed, ended, intent, new_run, outcome, resolved

from connectors.spec import Limits
from executor.store import attempts as rows
from executor.store import calls, drives, journal, recovery
from executor.store.drives import Claim, Due
from executor.store.errors import FencedError
from executor.store.journal import NewEvent, Seen
from executor.store.open_journal import OpenJournal, Turn, written
from executor.store.permits import Blocked
from executor.store.store import Store
from executor.store.writer import Joint, Stage

T = TypeVar("T")


async def _in_one_batch(
    store: Store, writes: Sequence[Callable[[Connection], T]]
) -> list[T | BaseException]:
    """What is queued while the writer is busy is one batch."""
    gate = threading.Event()
    busy = asyncio.ensure_future(store.write(lambda _: gate.wait(20)))
    await asyncio.sleep(0.05)
    waiting = [asyncio.ensure_future(store.write(each)) for each in writes]
    await asyncio.sleep(0)
    gate.set()
    await busy
    return await asyncio.gather(*waiting, return_exceptions=True)


def _turn(claim: Claim, *works: Asked[object], seen: int = 0) -> Joint[Turn, journal.Look]:
    return Joint(written, Turn(claim, works, lambda: Seen(seen)), Stage.TURNS)


def _begins(**given: object) -> Asked[object]:
    return Asked(partial(calls.record_intent, intent=intent()._replace(**given), now=NOW))


async def test_writes_of_one_kind_are_made_together_and_give_each_what_it_asked_for(
    store: Store,
) -> None:
    sizes: list[int] = []

    def doubled(c: Connection, items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        return [2 * each for each in items]

    found = await _in_one_batch(
        store, [Joint(doubled, number, Stage.TURNS) for number in range(20)]
    )

    assert found == [2 * number for number in range(20)]
    assert sizes == [20]


async def test_of_those_that_are_made_together_one_fails_alone(store: Store) -> None:
    claims = [await store.write(partial(new_run, run=f"run_{n}")) for n in range(5)]
    await store.write(partial(claimed, due=Due("run", TENANT, "run_2")))  # taken over
    found = await _in_one_batch(store, [_turn(claim, _begins()) for claim in claims])
    kept = [
        len(await store.read(lambda c, n=n: journal.read(c, TENANT, f"run_{n}"))) for n in range(5)
    ]

    assert [isinstance(each, FencedError) for each in found] == [False, False, True, False, False]
    assert kept == [1, 1, 0, 1, 1]


async def test_each_drive_sees_what_is_new_of_its_own_run(store: Store) -> None:
    claims = [await store.write(partial(new_run, run=f"run_{n}")) for n in range(3)]
    news = NewEvent("cancel.requested", {"by": "somebody", "mode": "stop"})
    await store.write(lambda c: journal.append(c, TENANT, "run_1", [news], NOW))
    found = await _in_one_batch(store, [_turn(claim, _begins()) for claim in claims])

    told = [[each.type for each in look.events] for look in found if isinstance(look, journal.Look)]
    assert told == [
        ["intent.recorded"], ["cancel.requested", "intent.recorded"], ["intent.recorded"],
    ]  # fmt: skip


async def test_two_turns_of_one_drive_follow_one_another(store: Store) -> None:
    claim = await store.write(new_run)
    first, again, other = _begins(), _begins(n=2), _begins(step="mail")
    looks = await _in_one_batch(store, [_turn(claim, first), _turn(claim, again, other)])
    events = await store.read(lambda c: journal.read(c, TENANT, claim.id))

    assert isinstance(first.results[-1], float)
    assert again.results[-1] == Blocked("open_attempt")
    assert [each.seq for each in events] == [1, 2]
    assert all(isinstance(each, journal.Look) for each in looks)


async def test_what_becomes_of_an_attempt_twice_in_one_turn_is_kept_as_it_ends(
    store: Store,
) -> None:
    claim = await store.write(new_run)
    await store.write(_turn(claim, _begins()))
    told = partial(OpenJournal.append, new=[ended("uncertain"), resolved("absent")], now=NOW)
    following = _begins(n=2)
    await store.write(_turn(claim, Asked(told), following, seen=1))
    found = await store.read(lambda c: rows.read(c, TENANT, claim.id))

    assert [each.state for each in found] == ["resolved_absent", "intent"]
    assert isinstance(following.results[-1], float)


@pytest.mark.parametrize("others", [0, 3])
async def test_however_many_runs_begin_together_a_connection_gives_no_more_than_its_permits(
    store: Store, others: int
) -> None:
    claims = [await store.write(partial(new_run, run=f"run_{n}")) for n in range(4)]
    few = Limits(rate=1, per_s=60, burst=5)
    begun = [_begins(step=f"s{n}", limits=few) for n in range(8)]
    await _in_one_batch(
        store, [_turn(claims[n % (others + 1)], each) for n, each in enumerate(begun)]
    )
    granted = [isinstance(each.results[-1], float) for each in begun]

    assert granted == [True] * 5 + [False] * 3


async def test_many_outcomes_and_ends_are_kept_as_if_each_were_by_itself(store: Store) -> None:
    claims = [await store.write(partial(new_run, run=f"run_{n}")) for n in range(4)]
    await _in_one_batch(store, [_turn(claim, _begins()) for claim in claims])
    ends = partial(OpenJournal.end, status="succeeded", code=None, result={"n": 1.5}, now=NOW + 2)
    answered = partial(calls.record_outcome, outcome=outcome("applied"), now=NOW + 1)
    await _in_one_batch(
        store, [_turn(claim, Asked(answered), Asked(ends), seen=1) for claim in claims]
    )
    states = [
        (await store.read(lambda c, n=n: rows.read(c, TENANT, f"run_{n}")))[0] for n in range(4)
    ]

    assert {(each.state, each.ended_at) for each in states} == {("applied", NOW + 1)}
    assert await store.read(recovery.drivers) == set()


async def test_who_asks_for_the_same_run_at_once_gets_it_once(store: Store) -> None:
    claim = await store.write(new_run)
    await store.write(partial(recovery.release, driver="me", now=NOW))
    due = Due("run", TENANT, claim.id)
    asked = [
        Joint(drives.claims, drives.Asked(due, f"driver-{n}", NOW), Stage.CLAIMS) for n in range(3)
    ]
    found = await _in_one_batch(store, asked)

    assert [isinstance(each, Claim) for each in found] == [True, False, False]

"""Events have no gaps, and who was taken over writes none."""

import asyncio
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from store_cases import (
    NOW,
    RUN,
    TENANT,
    claimed,
    intent,
    new_run,
    outcome,
    written,
)

from connectors.spec import Principal
from executor.store import calls, journal, requests
from executor.store.drives import Due
from executor.store.errors import FencedError
from executor.store.journal import NewEvent
from executor.store.store import Store
from executor.store.tables import metadata


def _event(number: int) -> NewEvent:
    return NewEvent("step.done", {"number": number})


async def test_many_who_append_at_once_leave_no_gap_and_no_double(store: Store) -> None:
    claim = await store.write(new_run)
    await asyncio.gather(
        *(
            store.write(
                partial(
                    journal.append, tenant=TENANT, subject=RUN.id,
                    new=[_event(n), _event(n)][: 1 + n % 2], now=NOW, claim=claim,
                )
            )
            for n in range(100)
        )
    )  # fmt: skip
    found = await store.read(lambda c: journal.read(c, TENANT, RUN.id))

    assert [each.seq for each in found] == list(range(1, 151))


async def test_a_failed_append_takes_no_number(store: Store) -> None:
    claim = await store.write(new_run)

    def appended_then_failed(c: object) -> None:
        journal.append(c, TENANT, RUN.id, [_event(0)], NOW, claim=claim)  # type: ignore[arg-type]  # any connection
        raise LookupError

    with pytest.raises(LookupError):
        await store.write(appended_then_failed)
    stored = await store.write(lambda c: journal.append(c, TENANT, RUN.id, [_event(1)], NOW))

    assert [each.seq for each in stored] == [1]


async def test_reading_goes_on_after_any_place(store: Store) -> None:
    await store.write(
        lambda c: journal.append(c, TENANT, RUN.id, [_event(n) for n in range(10)], NOW)
    )
    rest = await store.read(lambda c: journal.read(c, TENANT, RUN.id, after=7))
    page = await store.read(lambda c: journal.read(c, TENANT, RUN.id, after=2, limit=3))

    assert [each.data["number"] for each in rest] == [7, 8, 9]
    assert [each.seq for each in page] == [3, 4, 5]
    assert await store.read(lambda c: journal.read(c, "other", RUN.id)) == []
    assert rest[0].as_json() == {
        "run": RUN.id, "seq": 8, "at": NOW, "type": "step.done", "v": 1, "data": {"number": 7},
    }  # fmt: skip


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.tuples(st.sampled_from(["run_a", "run_b"]), st.integers(0, 4)), max_size=30)
)
def test_the_numbers_of_each_run_have_no_gaps(batches: list[tuple[str, int]]) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as c:
        for subject, size in batches:
            journal.append(c, TENANT, subject, [_event(n) for n in range(size)], NOW)
        found = {
            subject: [each.seq for each in journal.read(c, TENANT, subject)]
            for subject in ("run_a", "run_b")
        }
    engine.dispose()

    for subject, numbers in found.items():
        size = sum(size for name, size in batches if name == subject)
        assert numbers == list(range(1, size + 1))


async def test_who_was_taken_over_appends_nothing(store: Store) -> None:
    first = await store.write(new_run)
    await store.write(claimed)

    for work in (
        lambda c: journal.append(c, TENANT, RUN.id, [_event(1)], NOW, claim=first),
        lambda c: written(c, first, calls.record_intent, intent(), NOW),
        lambda c: written(c, first, calls.record_outcome, outcome("applied"), NOW),
    ):
        with pytest.raises(FencedError):
            await store.write(work)
    assert await store.read(lambda c: journal.read(c, TENANT, RUN.id)) == []


async def test_a_request_is_fenced_like_a_run(store: Store) -> None:
    await store.write(
        lambda c: requests.create(
            c, request="req_a", principal=Principal("requester", TENANT), text="words",
            inputs={}, model=None, start="auto", now=NOW,
        )
    )  # fmt: skip
    due = Due("request", TENANT, "req_a")
    first = await store.write(partial(claimed, due=due))
    second = await store.write(partial(claimed, due=due))

    with pytest.raises(FencedError):
        await store.write(
            lambda c: journal.append(c, TENANT, "req_a", [_event(1)], NOW, claim=first)
        )
    stored = await store.write(
        lambda c: journal.append(c, TENANT, "req_a", [_event(1)], NOW, claim=second)
    )
    assert len(stored) == 1

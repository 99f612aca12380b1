"""Old runs are deleted whole, in bounded pieces, and nothing that anybody else still needs."""

import sqlite3
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Connection,
    Double,
    Integer,
    Table,
    create_engine,
    func,
    insert,
    select,
    text,
)
from store_cases import TENANT

from executor.store import blobs, journal, retention, runs
from executor.store.attempts import OPEN
from executor.store.clearing import PIECE
from executor.store.journal import NewEvent
from executor.store.retention import LOOKED, RUNS, Deleted, delete_some, deleted_until
from executor.store.store import Store, backend_of
from executor.store.tables import blob_uses as uses
from executor.store.tables import blobs as blob_rows
from executor.store.tables import metadata

THEN, DAY = 1_700_000_000.0, 86_400.0
T = metadata.tables
# Every column that names a run, a plan, a request or an approval, and what becomes of its row.
NAMED = {
    "approvals.run": "cleared", "attempts.run": "cleared", "reservations.run": "cleared",
    "decisions.approval": "cleared", "events.subject": "cleared", "blob_uses.subject": "cleared",
    "runs.plan": "taken", "runs.request": "taken", "deletions.subject": "the note",
    "deletions.plan": "the note", "plans.request": "cleared with its last run",
    "requests.plan": "cleared with its last run", "requests.run": "cleared with its last run",
    "audits.subject": "of credentials",
}  # fmt: skip


def put(c: Connection, table: str, *rows: Mapping[str, object], **values: object) -> None:
    """A row or some, whose other columns hold what says nothing."""
    empty = {Integer: 0, Double: THEN}
    row = {
        each.name: None if each.nullable else empty.get(type(each.type), "-") for each in T[table].c
    }
    c.execute(insert(T[table]), [row | {"tenant": TENANT} | each for each in rows or (values,)])


def large(word: str) -> str:
    return word * blobs.LARGE


def put_run(
    c: Connection,
    name: str,
    *,
    plan: str | None = None,
    request: str | None = None,
    at: float = THEN,
    said: str = "",
    **more: object,
) -> None:
    """A run that has ended, with everything that a run can have; its answer is `said`."""
    plan = plan or f"pln_{name}"
    if request is not None and not _has(c, T["requests"], request):
        put(c, "requests", id=request, status="planned", plan=plan, run=name)
        journal.append(c, TENANT, request, [NewEvent("plan.drafted", {"result": said})], at)
    if not _has(c, T["plans"], plan):
        put(c, "plans", id=plan, request=request)
    ended = {"status": "succeeded", "created_at": at, "updated_at": at}
    put(c, "runs", id=name, plan=plan, request=request, **(ended | more))
    put(c, "attempts", run=name, step="s", key=f"key {name}", state="applied")
    put(c, "approvals", id=f"apr_{name}", run=name)
    put(c, "decisions", approval=f"apr_{name}")
    put(c, "reservations", run=name)
    happened = [NewEvent("run.started", {}), NewEvent("step.done", {"output": said})]
    journal.append(c, TENANT, name, happened, at)


def _has(c: Connection, table: Table, name: str) -> bool:
    return c.execute(select(table.c.id).where(table.c.id == name)).first() is not None


def delete_all(c: Connection, before: float) -> int:
    """A turn, from its beginning to its end; how many runs went."""
    return sum(each.runs for each in turn(c, before))


def turn(c: Connection, before: float) -> Iterator[Deleted]:
    """What each commit of a turn comes to."""
    done = Deleted(goes_on=True)
    while done.goes_on:
        yield (done := delete_some(c, before, done.place))


def held(c: Connection) -> dict[str, list[str]]:
    return {
        name: sorted(str(tuple(row)) for row in c.execute(select(table)))
        for name, table in T.items()
        if name != "facts"
    }


def names(c: Connection, table: str) -> set[str]:
    return {*c.execute(select(T[table].c.id)).scalars()}


def test_what_names_a_run_or_belongs_to_one_is_known_here() -> None:
    words = {"run", "subject", "plan", "request", "approval"}
    found = {f"{t.name}.{c.name}" for t in T.values() for c in t.c if c.name in words}

    assert found == {*NAMED}


async def test_a_run_goes_with_all_that_is_its_own_and_nothing_else_does(store: Store) -> None:
    def work(c: Connection) -> tuple[Any, ...]:
        put_run(c, "run_new", at=THEN + 9 * DAY, request="req_new", said=large("both"))
        before = held(c)
        put_run(c, "run_old", request="req_old", said=large("both"))
        put_run(c, "run_older", at=THEN - DAY, said=large("own"))
        found = retention.may_go(c, THEN + DAY)
        return before, found, delete_all(c, THEN + DAY), held(c), deleted_until(c)

    before, found, count, after, told = await store.write(work)

    assert (found, count) == (Deleted(runs=2), 2)
    assert after == before
    assert [len(before[name]) for name in ("blobs", "runs", "deletions")] == [1, 1, 0]
    assert told == "; what ended before 2023-11-15 22:13Z was deleted"


@pytest.mark.parametrize(
    "more",
    [
        *({"status": each} for each in ("queued", "running", "waiting", "cancelling")),
        {"updated_at": THEN + DAY},
        {"driver": "somebody who tells late how a call ended"},
    ],
)
async def test_a_run_that_has_not_ended_or_not_long_ago_stays(
    store: Store, more: dict[str, object]
) -> None:
    def work(c: Connection) -> int:
        put_run(c, "run_a", **more)
        return delete_all(c, THEN + DAY)

    assert await store.write(work) == 0


async def test_a_run_stays_while_nobody_knows_what_became_of_a_call_or_something_was_told_later(
    store: Store,
) -> None:
    def work(c: Connection) -> tuple[int, set[str], int]:
        for state in OPEN:
            put_run(c, f"run_{state}", status="failed")
            put(c, "attempts", run=f"run_{state}", step="t", state=state)
        put_run(c, "run_told")
        journal.append(c, TENANT, "run_told", [NewEvent("wait.ended", {})], THEN + 2 * DAY)
        count, kept = delete_all(c, THEN + DAY), names(c, "runs")
        c.execute(text("UPDATE attempts SET state = 'abandoned' WHERE step = 't'"))
        return count, kept, delete_all(c, THEN + DAY)

    count, kept, later = await store.write(work)

    assert count == 0
    assert kept == {"run_told", *(f"run_{state}" for state in OPEN)}
    assert later == len(OPEN)


async def test_a_plan_and_its_request_go_with_their_last_run_unless_the_request_is_at_work(
    store: Store,
) -> None:
    def work(c: Connection) -> list[set[str]]:
        put_run(c, "run_a", plan="pln_1", request="req_1")
        put_run(c, "run_b", plan="pln_1", request="req_1", at=THEN + 5 * DAY)
        put(c, "plans", id="pln_earlier", request="req_1")
        put_run(c, "run_c", plan="pln_2", request="req_2")
        c.execute(text("UPDATE requests SET status = 'planning' WHERE id = 'req_2'"))
        found = []
        for days in (1, 6):
            delete_all(c, THEN + days * DAY)
            found += [names(c, each) for each in ("runs", "plans", "requests")]
        return found

    found = await store.write(work)

    assert found[:3] == [{"run_b"}, {"pln_1", "pln_earlier", "pln_2"}, {"req_1", "req_2"}]
    assert found[3:] == [set(), {"pln_2"}, {"req_2"}]


async def test_a_request_that_came_to_nothing_goes_and_one_that_may_still_become_a_run_stays(
    store: Store,
) -> None:
    statuses = ("refused", "rejected", "cancelled", "planned", "needs_answer", "planning")

    def work(c: Connection) -> tuple[Deleted, set[str], set[str]]:
        for each in statuses:
            put(c, "requests", id=f"req_{each}", status=each, updated_at=THEN)
            drafted = [NewEvent("plan.drafted", {"result": large(each)})]
            journal.append(c, TENANT, f"req_{each}", drafted, THEN)
        put(c, "plans", id="pln_1", request="req_cancelled")
        put(c, "requests", id="req_young", status="refused", updated_at=THEN + DAY)
        put(c, "requests", id="req_driven", status="cancelled", driver="me", updated_at=THEN)
        found = retention.may_go(c, THEN + DAY)
        delete_all(c, THEN + DAY)
        subjects = {*c.execute(select(T["events"].c.subject)).scalars()}
        return (
            found,
            names(c, "requests"),
            subjects | {*c.execute(select(uses.c.subject)).scalars()},
        )

    found, left, journals = await store.write(work)

    assert found == Deleted(requests=2)
    assert left == {"req_young", "req_driven", *(f"req_{each}" for each in statuses[2:])}
    assert journals == left - {"req_young", "req_driven"}


async def test_answers_that_were_kept_for_a_key_go_though_no_other_key_comes(store: Store) -> None:
    old = [{"key": f"old {number}", "answer": "what was read"} for number in range(PIECE + 2)]

    def work(c: Connection) -> tuple[int, set[str]]:
        put(c, "idempotency", *old, created_at=THEN)
        put(c, "idempotency", key="new", created_at=THEN + 2 * DAY)
        pieces = len([*turn(c, THEN + DAY)])
        return pieces, {*c.execute(select(T["idempotency"].c.key)).scalars()}

    pieces, left = await store.write(work)

    assert left == {"new"}
    assert pieces == 2


async def test_each_commit_deletes_a_bounded_piece_and_whoever_comes_later_goes_on(
    store: Store, url: str
) -> None:
    def fill(c: Connection) -> None:
        for number in range(RUNS + 3):
            put_run(c, f"run_{number}", at=THEN + number, said=large(f"{number}"))
        more = [NewEvent("step.skipped", {"number": number}) for number in range(2 * PIECE)]
        journal.append(c, TENANT, "run_0", more, THEN)

    def size(c: Connection) -> int:
        counts = (select(func.count()).select_from(table) for name, table in T.items()
                  if name not in ("facts", "deletions"))  # fmt: skip
        return sum(c.execute(each).scalar_one() for each in counts)

    await store.write(fill)
    sizes, gone = [await store.read(size)], []
    done = Deleted(goes_on=True)
    while done.goes_on:
        if len(sizes) == 3:  # whoever was at it dies, and another one goes on
            await store.close()
            store = await Store.open(url)
        done = await store.write(partial(delete_some, before=THEN + DAY, place=done.place))
        gone.append(done.runs)
        sizes.append(await store.read(size))
    await store.close()
    pieces = [before - after for before, after in pairwise(sizes)]

    assert sizes[-1] == 0
    assert max(pieces) <= PIECE + RUNS
    assert [each for each in gone if each] == [RUNS, 3]
    assert gone[0] == RUNS


async def test_on_a_server_one_process_deletes_and_no_value_that_somebody_is_about_to_refer_to(
    server_store: Store, server_url: str
) -> None:
    await server_store.write(lambda c: put_run(c, "run_a", said=large("both")))
    engine = backend_of(server_url).engine(writer=True)
    with engine.connect() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": 0x1A3_6A81})
        refused = await server_store.write(partial(delete_some, before=THEN + DAY))
        other.rollback()
        blobs.split(other, TENANT, "run_b", {"output": large("both")})
        taken = await server_store.write(partial(delete_some, before=THEN + DAY))
        for _ in range(3):
            cut = await server_store.write(partial(delete_some, before=THEN + DAY))
        other.commit()
    engine.dispose()
    await server_store.write(partial(delete_all, before=THEN + DAY))
    of = select(uses.c.subject, blob_rows.c.bytes).where(uses.c.digest == blob_rows.c.digest)
    kept = await server_store.read(lambda c: [tuple(each) for each in c.execute(of)])

    assert refused == Deleted()
    assert (taken.runs, taken.goes_on) == (1, True)
    assert cut == Deleted(goes_on=True)
    assert kept == [("run_b", 4 * blobs.LARGE + 2)]


def _steps_of_a_turn(unknown: int, others: int) -> list[int]:
    """How many steps of SQLite each commit of a turn takes, behind so many runs that stay."""
    engine, steps = create_engine("sqlite://"), [0]
    metadata.create_all(engine)
    made = [(f"run_{n}", THEN + n // 10, "applied" if n >= unknown else "uncertain")
            for n in range(unknown + others)]  # fmt: skip
    with engine.begin() as c:
        put(c, "plans", id="pln_a")
        put(c, "runs", *({"id": run, "plan": "pln_a", "status": "failed", "updated_at": at}
                         for run, at, _ in made))  # fmt: skip
        put(c, "attempts", *({"run": run, "state": state} for run, _, state in made))
        raw = c.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_progress_handler(lambda: steps.append(steps.pop() + 1), 1)
        for _ in turn(c, THEN + DAY):
            steps.append(0)
        raw.set_progress_handler(None, 1)
        left = names(c, "runs")
    engine.dispose()
    assert len(left) == unknown
    return steps


def test_what_has_to_stay_is_looked_at_once_in_a_turn_a_bounded_piece_a_commit() -> None:
    few, many = _steps_of_a_turn(LOOKED * 2, 200), _steps_of_a_turn(LOOKED * 6, 200)
    alone = _steps_of_a_turn(LOOKED * 6, 0)

    assert max(many) < 1.1 * max(few)
    assert sum(many) - sum(alone) < 1.1 * sum(_steps_of_a_turn(0, 200))


RUN = st.fixed_dictionaries({
    "plan": st.integers(0, 3), "at": st.integers(0, 4), "said": st.sampled_from("abc"),
    "status": st.sampled_from([*runs.ENDED, "waiting"]),
    "state": st.sampled_from(["applied", *OPEN]),
})  # fmt: skip


@settings(max_examples=30)
@given(st.lists(RUN, max_size=8), st.integers(0, 5))
def test_what_is_left_is_what_somebody_still_needs_and_all_of_it(
    made: list[dict[str, Any]], day: int
) -> None:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    before = THEN + day * DAY
    with engine.begin() as c:
        for number, each in enumerate(made):
            plan, at = each["plan"], THEN + each["at"] * DAY
            request = f"req_{plan}" if plan % 2 else None
            put_run(c, f"run_{number}", plan=f"pln_{plan}", request=request, at=at,
                    said=large(each["said"]), status=each["status"])  # fmt: skip
            put(c, "attempts", run=f"run_{number}", step="t", state=each["state"])
        delete_all(c, before)
        left = held(c)
        ids = {table: names(c, table) for table in ("runs", "plans", "requests")}
        subjects = {*c.execute(select(T["events"].c.subject)).scalars()}
        texts = {*c.execute(select(T["blobs"].c.content)).scalars()}
    engine.dispose()
    stays = {
        number: each
        for number, each in enumerate(made)
        if each["status"] == "waiting" or each["state"] in OPEN
        or THEN + each["at"] * DAY >= before
    }  # fmt: skip
    plans = {each["plan"] for each in stays.values()}
    first = {each["plan"]: each["said"] for each in reversed(made)}  # what its request drafted
    said = {each["said"] for each in stays.values()} | {first[p] for p in plans if p % 2}

    assert ids["runs"] == {f"run_{number}" for number in stays}
    assert ids["plans"] == {f"pln_{plan}" for plan in plans}
    assert ids["requests"] == {f"req_{plan}" for plan in plans if plan % 2}
    assert subjects == ids["runs"] | ids["requests"]
    assert texts == {f'"{large(word)}"' for word in said}
    assert [len(left[name]) for name in ("approvals", "decisions", "reservations", "attempts")] == [
        len(stays) * times for times in (1, 1, 1, 2)
    ]
    assert left["deletions"] == []

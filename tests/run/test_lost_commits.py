"""A database that has lost what it had kept, as a server may whose standby takes over."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from run_bench import PATIENCE_S, Bench, Unsure, held, once, until
from run_cases import accept, policy, step
from small_disk import SmallBench, mounted, opened
from sqlalchemy import Connection, delete, func, insert, select, update
from undo_cases import ACTIONS, BACK

from connectors.connector import Pending
from connectors.errors import Kind, Refused, Uncertain
from executor.check.admit import Accepted
from executor.check.cedar import Policy
from executor.run import events as e
from executor.run import machine, memory
from executor.run.bell import Bell
from executor.run.drive import Drive
from executor.run.effects import effects_told
from executor.run.fold import fold
from executor.run.perform import new_event
from executor.run.quarantine import put_aside_lost
from executor.store import drives, journal, waking
from executor.store.drives import Claim, Due
from executor.store.errors import JournalLostError, StoreUnavailableError
from executor.store.journal import Seen
from executor.store.tables import attempts, events, runs
from executor.trace import trace

pytestmark = pytest.mark.timeout(60)
TWO_STEPS = accept(step("a", "blind"), step("b", "blind", after=["a"]))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "disk")


@pytest.fixture
async def small(small_disk: Path) -> AsyncIterator[SmallBench]:
    async for found in opened(small_disk):
        yield found


def forget(c: Connection, due: Due, after: int = 1) -> None:
    """All that was written of a run since this place of its journal is lost."""
    c.execute(delete(events).where(events.c.subject == due.id, events.c.seq > after))
    c.execute(delete(attempts).where(attempts.c.run == due.id))


def forget_claim(c: Connection, due: Due, claimed_by: str | None = None) -> None:
    """The same, from its claim on; perhaps somebody else has taken it by now."""
    forget(c, due, 0)
    lost = {"status": "queued", "driver": None, "epoch": 0}
    c.execute(update(runs).where(runs.c.id == due.id).values(lost))
    if claimed_by is not None:
        drives.claim(c, due, claimed_by, 1.0)
        said = [new_event(e.WaitEnded(waiting_for="nothing")) for _ in range(9)]
        journal.append(c, "main", due.id, said, 1.0)


def forget_take_over(c: Connection, due: Due) -> None:
    """The same, and it is as it was when another was driving it, of whom it was taken over."""
    forget(c, due, 0)
    before = {"status": "running", "driver": "another", "epoch": 0}
    c.execute(update(runs).where(runs.c.id == due.id).values(before))


async def lost(
    bench: Bench,
    plan: Accepted,
    last: str,
    losing: Callable[[Connection, Due], None] = forget,
) -> Due:
    """Drive a run; what is written of it is lost while its call of the last step is under way."""
    answers = asyncio.Event()
    bench.service.handlers[last] = held(answers)
    due = await bench.add(plan)
    drive = bench.start(due)
    await until(lambda: bench.service.calls(last), "its call is under way")
    await bench.store.write(partial(losing, due=due))
    if isinstance(bench, SmallBench):
        bench.fill()
        asyncio.get_running_loop().call_later(1.0, bench.free)
    answers.set()
    await asyncio.wait_for(drive, PATIENCE_S)
    return due


async def test_whoever_knows_more_than_the_journal_puts_the_run_aside_and_calls_nothing_again(
    bench: Bench,
) -> None:
    due = await lost(bench, accept(step("a", "blind"), step("b", "blind", after=["a"])), "b")
    row, end = await bench.row(due), await bench.finished(due)
    await asyncio.wait_for(bench.start(due), PATIENCE_S)

    assert (row.status, row.code) == ("quarantined", "journal-lost")
    assert (end.standing, end.uncertain) == (["a"], ["b"])
    assert [bench.service.calls(each) for each in "ab"] == [1, 1]


async def test_what_was_given_up_refused_or_taken_back_is_told_as_what_it_was(bench: Bench) -> None:
    bench.service.handlers["b"] = once(Refused("no", kind=Kind.INVALID))
    plan = accept(
        step("a", "shop.keyed_by_keyed"), step("c", "shop.keyed_by_keyed", after=["a"]),
        step("b", "blind", after=["c"]), options=BACK, more=ACTIONS,
    )  # fmt: skip
    due = await lost(bench, plan, "undo/a")
    end = await bench.finished(due)

    assert (end.standing, end.uncertain, end.undone) == ([], ["a"], ["c"])


async def test_where_only_a_wake_was_lost_the_drive_does_not_wait_for_it_for_ever(
    bench: Bench,
) -> None:
    answers = asyncio.Event()
    bench.service.handlers["a"] = held(answers)
    due = await bench.add(accept(step("a", "blind"), step("b", "blind", after=["a"])))
    drive = bench.start(due)
    await until(lambda: bench.service.calls("a"), "its call is under way")
    bench.changes.clear()
    await bench.tell(due, e.WaitEnded(waiting_for="nothing"))
    await until(lambda: bench.changes, "the wake is seen")
    await bench.store.write(
        lambda c: c.execute(update(runs).where(runs.c.id == due.id).values(wake_seq=0)).rowcount
    )
    answers.set()
    await asyncio.wait_for(drive, PATIENCE_S)

    assert (await bench.row(due)).code == "journal-lost"


async def test_what_others_wrote_in_the_place_of_what_was_lost_hides_nothing(bench: Bench) -> None:
    def losing(c: Connection, due: Due) -> None:
        last = c.execute(select(func.max(events.c.seq))).scalar_one()
        forget(c, due)
        said = [new_event(e.WaitEnded(waiting_for="nothing")) for _ in range(last - 1)]
        journal.append(c, "main", due.id, said, 1.0)
        waking.wake(c, due, 1.0)

    plan = accept(step("a", "blind"), step("b", "blind", after=["a"]))
    end = await bench.finished(await lost(bench, plan, "b", losing))

    assert (end.code, end.standing, end.uncertain) == ("journal-lost", ["a"], ["b"])
    assert [bench.service.calls(each) for each in "ab"] == [1, 1]


def forget_end(c: Connection, due: Due) -> None:
    """A run whose drive has ended; all that was written since its first event is lost."""
    forget(c, due)
    free = {"status": "queued", "driver": None}
    c.execute(update(runs).where(runs.c.id == due.id).values(free))


async def test_nor_does_it_where_they_have_woken_it_as_often_as_was_lost(bench: Bench) -> None:
    def losing(c: Connection) -> None:
        both_began = 3
        lasts = (events.c.subject == due.id, events.c.seq > both_began)
        gone = c.execute(delete(events).where(*lasts)).rowcount
        c.execute(update(attempts).where(attempts.c.step == "a").values(state="intent"))
        said = [new_event(e.WaitEnded(waiting_for="nothing")) for _ in range(gone)]
        journal.append(c, "main", due.id, said, 1.0)

    bench.service.handlers["b"] = held(answers := asyncio.Event())
    due = await bench.add(accept(step("a", "blind"), step("b", "blind")))
    drive = bench.start(due)
    while "step.done" not in await bench.types(due):
        await asyncio.sleep(0.005)
    await bench.store.write(losing)
    answers.set()
    await asyncio.wait_for(drive, PATIENCE_S)
    end = await bench.finished(due)

    assert (end.code, end.standing, end.uncertain) == ("journal-lost", ["a"], ["b"])


@pytest.mark.parametrize("waits", [False, True])
async def test_what_a_process_has_seen_it_looks_for_when_it_drives_the_run_once_more(
    bench: Bench, waits: bool
) -> None:
    if waits:
        bench.service.handlers["b"] = once(Pending("job-7"))
    bench.machine.know("main", "pln_1", TWO_STEPS)
    due, row = await bench.drive(TWO_STEPS)
    assert row.status == ("waiting" if waits else "succeeded")
    await bench.store.write(partial(forget_end, due=due))
    await asyncio.wait_for(bench.start(due), PATIENCE_S)
    row, end = await bench.row(due), await bench.finished(due)

    assert (row.status, row.code) == ("quarantined", "journal-lost")
    assert (end.standing, end.uncertain) == ((["a"], ["b"]) if waits else (["a", "b"], []))
    assert [bench.service.calls(each) for each in "ab"] == [1, 1]


async def test_a_look_back_puts_aside_what_waits_and_was_lost_and_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "LOOKED_AT", 2)
    bench.service.handlers["b"] = once(*(Pending(f"job-{n}") for n in range(5)))
    waiting = [await bench.drive(TWO_STEPS) for _ in range(5)]
    lost = [due for due, _ in waiting][::2]
    for due in lost:
        await bench.store.write(partial(forget, due=due))
    await bench.machine.look_back()
    await bench.machine.look_back()
    ends = [await bench.finished(due) for due in lost]

    assert [(await bench.row(due)).code for due, _ in waiting] == [
        *["journal-lost", None] * 2,
        "journal-lost",
    ]
    assert [(each.standing, each.uncertain) for each in ends] == [(["a"], ["b"])] * 3


async def test_a_look_back_leaves_what_is_being_driven_to_its_drive_which_knows_more(
    bench: Bench,
) -> None:
    bench.service.handlers["b"] = once(Pending("job-7"))
    bench.service.handlers["c"] = held(answers := asyncio.Event())
    due, _ = await bench.drive(
        accept(step("a", "blind"), step("b", "blind", after=["a"]), step("c", "blind", after=["b"]))
    )
    happened = e.ReconcileResolved(
        step="b", iteration="", n=1, resolution="applied", by="operator", output={}, reason="seen"
    )
    await bench.tell(due, happened)
    drive = bench.start(due)
    await until(lambda: bench.service.calls("c"), "its call is under way")
    await bench.store.write(partial(forget, due=due))
    await bench.machine.look_back()
    answers.set()
    await asyncio.wait_for(drive, PATIENCE_S)
    end = await bench.finished(due)

    assert (end.code, end.standing, end.uncertain) == ("journal-lost", ["a", "b"], ["c"])


async def test_of_very_many_runs_those_are_remembered_that_were_driven_last(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "MOST_REMEMBERED", 2)
    driven = [await bench.drive(accept(step("a"))) for _ in range(3)]
    remembered = bench.machine._memories.all()

    assert [each.claim.id for each in remembered] == [driven[2][0].id, driven[1][0].id]


async def test_a_drive_that_ends_because_the_database_is_gone_leaves_behind_what_it_has_seen(
    tmp_path: Path,
) -> None:
    store = await Unsure.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    bench, rounds = Bench(store), iter(range(1, 99))
    bench.service.handlers["b"] = once(Pending("job-7"))

    def counted() -> Policy:
        store.is_next = next(rounds) == 4  # in which it begins to wait
        return policy()

    bench.policy = counted
    due = await bench.add(TWO_STEPS)
    with pytest.raises(StoreUnavailableError):
        await asyncio.wait_for(bench.start(due), PATIENCE_S)
    bench.policy = policy
    await store.write(partial(forget_end, due=due))
    await asyncio.wait_for(bench.start(due), PATIENCE_S)
    row, end = await bench.row(due), await bench.finished(due)
    calls = [bench.service.calls(each) for each in "ab"]
    await bench.close()
    await store.close()

    assert (row.code, end.standing, end.uncertain, calls) == ("journal-lost", ["a"], ["b"], [1, 1])


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_claim_that_was_lost_is_told_by_whoever_had_it(
    bench: Bench, is_known: bool
) -> None:
    plan = accept(step("a", "blind"), step("b", "blind", after=["a"]))
    if is_known:  # then the claim is written with the first that is
        bench.machine.know("main", "pln_1", plan)
    end = await bench.finished(await lost(bench, plan, "b", forget_claim))

    assert (end.code, end.standing, end.uncertain) == ("journal-lost", ["a"], ["b"])


async def test_who_has_lost_a_claim_writes_nothing_under_the_epoch_that_another_was_given(
    bench: Bench,
) -> None:
    plan = accept(step("a", "blind"), step("b", "blind", after=["a"]))
    due = await lost(bench, plan, "b", partial(forget_claim, claimed_by="another"))
    row = await bench.row(due)

    assert (row.status, row.epoch) == ("running", 1)
    assert await bench.types(due) == ["wait.ended"] * 9


async def test_whoever_was_driving_it_before_a_lost_claim_keeps_nobody_from_putting_it_aside(
    bench: Bench,
) -> None:
    due = await lost(
        bench, accept(step("a", "blind"), step("b", "blind", after=["a"])), "b", forget_take_over
    )
    row, end = await bench.row(due), await bench.finished(due)
    await asyncio.wait_for(bench.start(due), PATIENCE_S)

    assert (row.status, row.code, end.standing, end.uncertain) == (
        "quarantined", "journal-lost", ["a"], ["b"]
    )  # fmt: skip
    assert [bench.service.calls(each) for each in "ab"] == [1, 1]


async def test_what_another_has_begun_since_a_claim_was_lost_is_told_beside_what_was_known(
    bench: Bench,
) -> None:
    def losing(c: Connection, due: Due) -> None:
        (call,) = c.execute(select(attempts).where(attempts.c.step == "a")).mappings()
        forget_take_over(c, due)
        for step_id in ("a", "c"):
            begun = {**call, "step": step_id, "state": "intent", "key": step_id}
            c.execute(insert(attempts).values(begun))

    due = await lost(
        bench, accept(step("a", "blind"), step("b", "blind", after=["a"])), "b", losing
    )
    end = await bench.finished(due)

    assert (end.standing, end.uncertain) == (["a"], ["b", "c"])


async def test_a_look_notices_that_a_wake_was_lost(bench: Bench) -> None:
    due = await bench.add(accept(step("a")))
    await bench.store.write(lambda c: drives.claim(c, due, "me", 1.0))

    with pytest.raises(JournalLostError):
        await bench.store.read(
            lambda c: journal.look(c, Claim("run", "main", due.id, 1, 1, driver="me"), Seen(), {})
        )


async def test_where_it_cannot_be_written_down_yet_nothing_is_called_until_it_is(
    small: SmallBench,
) -> None:
    due = await lost(small, accept(step("a", "blind"), step("b", "blind", after=["a"])), "b")

    assert (await small.finished(due)).standing == ["a"]
    assert [small.service.calls(each) for each in "ab"] == [1, 1]


async def test_what_was_in_doubt_is_told_as_that(bench: Bench) -> None:
    bench.service.handlers["a"] = once(Uncertain("no answer", kind=Kind.TIMEOUT))
    due = await lost(bench, accept(step("a", "blind"), step("b", "read")), "b")
    end = await bench.finished(due)

    assert (end.code, end.uncertain) == ("journal-lost", ["a"])


async def test_a_drive_that_lost_its_claim_before_it_read_leaves_the_telling_to_the_rows(
    bench: Bench,
) -> None:
    answers = asyncio.Event()
    bench.service.handlers["b"] = held(answers)
    due = await bench.add(accept(step("a", "blind"), step("b", "blind", after=["a"])))
    first = bench.start(due)
    await until(lambda: bench.service.calls("b"), "its last call is under way")
    claim = await bench.store.write(partial(drives.claim, due=due, driver="me", now=bench.clock()))
    assert claim is not None
    unread = Drive(bench.machine, claim, Bell())
    await bench.machine._put_aside_lost(unread, claim)
    end = await bench.finished(due)
    answers.set()
    await asyncio.wait_for(first, PATIENCE_S)

    assert (end.standing, end.uncertain) == (["a"], ["b"])


async def test_what_is_there_after_all_where_it_is_to_be_put_aside_goes_on(bench: Bench) -> None:
    bench.service.handlers["b"] = once(Pending("job-7"))
    due, _ = await bench.drive(TWO_STEPS)
    (remembered,) = bench.machine._memories.all()
    await put_aside_lost(
        bench.store, remembered.claim, bench.clock(), remembered.effects, remembered.seen
    )

    assert (await bench.row(due)).status == "waiting"


def forget_and_wake(c: Connection, due: Due) -> None:
    forget(c, due)
    waking.wake(c, due, 1.0)


async def test_what_a_process_knew_of_a_lost_journal_is_what_is_told_of_its_effects(
    bench: Bench,
) -> None:
    due = await lost(bench, TWO_STEPS, "b", forget_and_wake)
    end, row = await bench.finished(due), await bench.row(due)
    stored = await bench.events(due)
    state = fold((each.at, e.parse_event(each.type, each.v, each.data)) for each in stored)
    known = effects_told(TWO_STEPS, state)
    found = trace(TWO_STEPS, row, stored)

    assert (end.standing, end.uncertain) == (["a"], ["b"])
    assert (known.standing, known.uncertain) == (("a",), ("b",))
    assert [each.effect for each in found.steps] == ["applied", "uncertain: it may have happened"]

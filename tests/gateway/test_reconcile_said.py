"""What people and services may say of a call, each to its time, and what is kept of it."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from connectors.connector import Applied, Pending, Unreadable
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from executor.check.certificate import Options
from executor.run import events as e
from executor.store import ready
from executor.store.drives import Due
from executor.trace import trace
from gateway.problems import ProblemError
from gateway.reconcile import learn, resolve
from gateway.schemas import Evidence, Reconcile

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))

from run_bench import PATIENCE_S, Bench, held, once, opened, until
from run_cases import PENDING, SETTLE_S, accept, action, ref, step
from undo_cases import ACTIONS, BACK

SLOW = action("shop.slow", "blind", settle_s=SETTLE_S)
GIVES = action("shop.gives", "blind", output_schema={"type": "object"})
MANY = action("shop.many", "keyed", items={"of": "lines", "status_at": "status"})
ASKS: Any = {"branch": {"message": "Into which branch?", "schema": {"type": "object"}}}
LOST = Uncertain("no answer", kind=Kind.TIMEOUT)
Who = Literal["a person", "a service"]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as found:
        yield found


async def doubtful(bench: Bench, what: str, end: Any = LOST, *args: Any, **more: Any) -> Due:
    """A run that waits for whoever finds out what became of its one call."""
    bench.service.handlers["a"] = once(end, Applied({}))
    plan = accept(step("a", what, *args), more=(SLOW, GIVES, MANY), **more)
    due, row = await bench.drive(plan)
    assert (row.status, row.waiting_for) == ("waiting", "reconcile")
    return due


async def says(
    who: Who, bench: Bench, due: Due, happened: bool, now: float | None = None, **more: Any
) -> str:
    """Have it said; "" or the code of the problem."""
    row, (call, *_) = await bench.row(due), await bench.attempts(due)
    at, restored = time.time() if now is None else now, bench.machine.restored
    try:
        if who == "a person":
            means: Any = "happened" if happened else "send_again"
            said = Reconcile(step="a", resolution=means, reason="looked", **more)
            await bench.store.write(lambda c: resolve(c, restored, row, "ann", said, at))
        else:
            told = Evidence(key=call.key, happened=happened, source="shop", **more)
            await bench.store.write(lambda c: learn(c, restored, "main", "hook", told, at))
    except ProblemError as problem:
        return problem.code
    return ""


async def resolved(bench: Bench, due: Due) -> list[Any]:
    return [each.data for each in await bench.events(due) if each.type == "reconcile.resolved"]


@pytest.mark.parametrize("who", ["a person", "a service"])
async def test_a_no_counts_once_the_effect_must_have_settled(bench: Bench, who: Who) -> None:
    due = await doubtful(bench, "shop.slow")
    (ended,) = [each.at for each in await bench.events(due) if each.type == "attempt.ended"]
    settled = ended + SETTLE_S
    early = await says(who, bench, due, False, settled - 0.01)
    in_time = await says(who, bench, due, False, settled)

    assert (early, in_time) == ("too-early", "")
    assert [each["resolution"] for each in await resolved(bench, due)] == ["absent"]


@pytest.mark.parametrize("who", ["a person", "a service"])
async def test_a_yes_overrules_a_no_as_long_as_nothing_was_called_again(
    bench: Bench, who: Who
) -> None:
    due = await doubtful(bench, "blind", LOST, answer=[ref("a/id", "id")])
    no = await says("a person", bench, due, False)
    yes = await says(who, bench, due, True, output={"id": 7})
    await asyncio.wait_for(bench.start(due), PATIENCE_S)
    row, told = await bench.row(due), await resolved(bench, due)

    assert (no, yes) == ("", "")
    assert [each["resolution"] for each in told] == ["absent", "applied"]
    assert [each.state for each in await bench.attempts(due)] == ["resolved_applied"]
    assert (row.status, row.result) == ("succeeded", {"id": 7})
    assert bench.service.calls("a") == 1


@pytest.mark.parametrize("who", ["a person", "a service"])
async def test_a_yes_tells_what_was_given_up_also_once_the_run_has_ended(
    bench: Bench, who: Who
) -> None:
    due = await doubtful(bench, "blind")
    gave_up = e.ReconcileResolved(
        step="a", iteration="", n=1, resolution="abandoned", by="ann", reason="nobody can tell"
    )
    await bench.tell(due, gave_up)
    await asyncio.wait_for(bench.start(due), PATIENCE_S)
    ended, plan = await bench.row(due), accept(step("a", "blind"))
    before = trace(plan, ended, await bench.events(due))
    no = await says(who, bench, due, False)
    yes = await says(who, bench, due, True, output={"id": 7})
    after = trace(plan, await bench.row(due), await bench.events(due))

    assert (no, yes) == ("not-uncertain" if who == "a person" else "", "")
    assert before.steps[0].effect == "unknown; given up by ann: nobody can tell"
    assert before.next == "check at the service: a may have happened"
    assert (after.status, after.next) == ("failed", "nothing more; these effects stand: a")
    assert after.steps[0].effect.startswith("applied, found by")
    assert "ann had given it up (nobody can tell)" in after.steps[0].attempts[0].told
    assert [each.state for each in await bench.attempts(due)] == ["resolved_applied"]
    assert bench.service.calls("a") == 1


@pytest.mark.parametrize("who", ["a person", "a service"])
async def test_a_yes_tells_of_what_the_service_had_refused(bench: Bench, who: Who) -> None:
    bench.service.handlers["a"] = once(Refused("no", kind=Kind.INVALID))
    plan = accept(step("a", "blind"))
    due, ended = await bench.drive(plan)
    yes = await says(who, bench, due, True, output={"id": 7})
    told = trace(plan, await bench.row(due), await bench.events(due))

    assert (ended.status, ended.code, yes) == ("failed", "invalid", "")
    assert told.next == "nothing more; these effects stand: a"
    assert told.steps[0].effect.startswith("applied, found by")
    assert "the service said no; no effect" in told.steps[0].attempts[0].told
    assert [each.state for each in await bench.attempts(due)] == ["resolved_applied"]


@pytest.mark.parametrize("who", ["a person", "a service"])
async def test_what_was_refused_for_now_and_happened_is_not_called_again(
    bench: Bench, who: Who
) -> None:
    later = Unavailable("slow down", kind=Kind.RATE_LIMITED, retry_after_s=600, sent=True)
    bench.service.handlers["a"] = once(later)
    due, row = await bench.drive(accept(step("a", "blind"), answer=[ref("a/id", "id")]))
    yes = await says(who, bench, due, True, output={"id": 7})
    await asyncio.wait_for(bench.start(due), PATIENCE_S)

    assert (row.status, row.waiting_for, yes) == ("waiting", "rate_limit", "")
    assert (await bench.row(due)).result == {"id": 7}
    assert bench.service.calls("a") == 1


async def test_of_a_read_nobody_says_that_it_happened(bench: Bench) -> None:
    bench.service.handlers["a"] = once(Refused("no", kind=Kind.INVALID))
    due, _ = await bench.drive(accept(step("a")))

    assert await says("a service", bench, due, True, output={"id": 7}) == ""
    assert await says("a person", bench, due, True, output={"id": 7}) == "not-uncertain"
    assert await resolved(bench, due) == []


@pytest.mark.parametrize(("who", "answer"), [("a person", "not-uncertain"), ("a service", "")])
async def test_a_yes_is_no_news_once_it_was_called_again(
    bench: Bench, who: Who, answer: str
) -> None:
    due = await doubtful(bench, "blind")
    await says("a person", bench, due, False)
    await asyncio.wait_for(bench.start(due), PATIENCE_S)

    assert await says(who, bench, due, True) == answer
    assert [each["resolution"] for each in await resolved(bench, due)] == ["absent"]
    assert bench.service.calls("a") == 2


async def test_a_service_s_no_to_what_it_had_accepted_counts_at_once(bench: Bench) -> None:
    due = await doubtful(bench, "shop.slow", Pending("h1"))

    assert await says("a service", bench, due, False) == ""


async def test_nobody_s_word_counts_of_a_call_that_is_under_way(bench: Bench) -> None:
    bench.service.handlers["a"] = held(asyncio.Event())
    due = await bench.add(accept(step("a", "blind")))
    bench.start(due)
    await until(lambda: bench.service.calls("a"), "the call is under way")

    assert await says("a service", bench, due, True) == "under-way"
    assert await says("a person", bench, due, True) == "not-uncertain"
    assert await resolved(bench, due) == []


@pytest.mark.parametrize("who", ["a person", "a service"])
@pytest.mark.parametrize("output", [None, [1]])
async def test_an_output_that_is_said_is_one_that_the_action_gives(
    bench: Bench, who: Who, output: Any
) -> None:
    due = await doubtful(bench, "shop.gives")
    wrong = await says(who, bench, due, True, output=output)
    right = await says(who, bench, due, True, output={"id": 1})

    assert (wrong, right) == ("type-mismatch", "")
    assert [each["output"] for each in await resolved(bench, due)] == [{"id": 1}]


@pytest.mark.parametrize("size", [1, 20_000])  # large values stand beside the journal
async def test_an_output_of_many_items_tells_of_each(bench: Bench, size: int) -> None:
    lines = ref("input/lines", "lines")
    due = await doubtful(bench, "shop.many", LOST, lines, lines=["x" * size, "y" * size])
    short = await says("a person", bench, due, True, output=[{"status": 200}])
    none = await says("a person", bench, due, True, output=[{"status": 409}] * 2)
    whole = await says("a person", bench, due, True, output=[{"status": 200}] * 2)

    assert (short, none, whole) == ("type-mismatch", "type-mismatch", "")


async def test_what_did_not_happen_has_no_output(bench: Bench) -> None:
    due = await doubtful(bench, "blind")
    said = await says("a service", bench, due, False, output={"id": 9})

    assert said == ""
    assert [each["output"] for each in await resolved(bench, due)] == [None]


@pytest.mark.parametrize(
    ("who", "by", "reason"),
    [("a person", "ann", "looked"), ("a service", "evidence:shop", "told by hook")],
)
async def test_the_journal_says_who_said_it_and_the_run_is_due_though_nobody_rings(
    bench: Bench, who: Who, by: str, reason: str
) -> None:
    due = await doubtful(bench, "blind")
    before = await bench.store.read(partial(ready.due, now=time.time()))
    await says(who, bench, due, True)
    after = await bench.store.read(partial(ready.due, now=time.time()))
    (told,) = await resolved(bench, due)

    assert (before, after) == ([], [due])
    assert (told["by"], told["reason"]) == (by, reason)


@pytest.mark.parametrize("effect", ["read", "blind"])
async def test_who_finds_out_need_not_answer_what_a_call_asks(bench: Bench, effect: str) -> None:
    due = await doubtful(bench, effect, Pending("h1", asks=ASKS))
    said = await says("a person", bench, due, True, output={"merged": True})
    await bench.start(due)

    assert said == ""
    assert (await bench.row(due)).status == "succeeded"
    assert bench.service.calls("a") == 1


async def test_a_run_that_has_ended_learns_what_happened_and_sends_and_answers_nothing(
    bench: Bench,
) -> None:
    due = await doubtful(bench, "blind", Pending("h1", asks=ASKS))
    await bench.cancel(due)
    await bench.start(due)
    row, restored = await bench.row(due), bench.machine.restored
    answer = Reconcile(step="a", resolution="answer", answers={}, reason="late")
    with pytest.raises(ProblemError) as told:
        await bench.store.write(lambda c: resolve(c, restored, row, "ann", answer, time.time()))
    again = await says("a person", bench, due, False)
    found = await says("a person", bench, due, True)

    assert row.status == "cancelled"
    assert (told.value.code, again, found) == ("no-question", "already-over", "")


async def test_a_no_of_a_service_overrules_no_answer_of_its_own_that_cannot_be_read(
    bench: Bench,
) -> None:
    due = await doubtful(bench, "blind", Unreadable("not JSON"))
    said = await says("a service", bench, due, False, time.time() + 1000)
    await bench.start(due)

    assert (said, bench.service.calls("a")) == ("", 1)
    assert await resolved(bench, due) == []


async def send_again(bench: Bench, due: Due, place: str) -> str:
    """A person says so once all must have come through; "" or the code of the problem."""
    row, restored, now = await bench.row(due), bench.machine.restored, time.time() + 2 * SETTLE_S
    said = Reconcile(step=place, resolution="send_again", reason="looked")
    try:
        await bench.store.write(lambda c: resolve(c, restored, row, "ann", said, now))
    except ProblemError as problem:
        return problem.code
    return ""


async def test_of_a_step_that_has_ended_nothing_is_said_to_be_sent_again(bench: Bench) -> None:
    bench.service.handlers |= {"a": once(LOST, Refused("no", kind=Kind.INVALID)), "b": once(LOST)}
    plan = accept(
        step("a", "blind"), step("b", "blind"),
        options=Options(on_failure="continue", on_uncertain="continue"),
    )  # fmt: skip
    due, _ = await bench.drive(plan)
    before = await send_again(bench, due, "a")
    await asyncio.wait_for(bench.start(due), PATIENCE_S)
    late = e.AttemptEnded(step="a", iteration="", n=1, state=PENDING.state, late=True)
    await bench.tell(due, late)
    after = await send_again(bench, due, "a")
    happened = await says("a person", bench, due, True)

    assert (await bench.row(due)).status == "waiting"
    assert (before, after, happened) == ("", "already-over", "")


@pytest.mark.parametrize("is_over", [False, True])
async def test_of_an_undo_that_was_given_up_nothing_is_said_to_be_sent_again(
    bench: Bench, is_over: bool
) -> None:
    busy = Uncertain("later", kind=Kind.TIMEOUT, retry_after_s=60.0)
    refused = Refused("no", kind=Kind.INVALID)
    bench.service.handlers |= {"undo/a": once(LOST), "z": once(refused), "find": once(busy)}
    plan = accept(
        step("a", "shop.keyed_by_lookup"), step("z", "blind", after=["a"]),
        options=BACK, more=ACTIONS,
    )  # fmt: skip
    due, row = await bench.drive(plan)
    if is_over:
        end = e.UndoEnded(step="a", undone=False, code="undo-too-late", effect="unknown")
        await bench.tell(due, end)

    assert (row.status, row.waiting_for) == ("waiting", "reconcile")
    assert await send_again(bench, due, "undo/a") == ("already-over" if is_over else "")
    assert await send_again(bench, due, "a") == "not-uncertain"

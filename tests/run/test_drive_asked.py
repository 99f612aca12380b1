"""A call that asks for input waits for a person, durably, and goes on with the answer."""

import pytest
from run_bench import Bench, once
from run_cases import EVERY_EFFECT, accept, step

from connectors.connector import Applied, Pending
from connectors.errors import Kind, Refused, Unavailable
from connectors.spec import Continuation, JsonObject
from executor.run import events as e
from executor.store.drives import Due
from executor.store.runs import RunRow

pytestmark = pytest.mark.timeout(60)
ASKS: JsonObject = {"branch": {"message": "Into which branch?", "schema": {"type": "object"}}}
ANSWERS: JsonObject = {"branch": {"action": "accept", "content": {"name": "main"}}}


def answered(n: int, name: str = "a") -> e.ReconcileResolved:
    return e.ReconcileResolved(
        step=name, iteration="", n=n, resolution="answered", by="ann", answers=ANSWERS
    )


async def again(bench: Bench, due: Due) -> RunRow:
    await bench.start(due)
    return await bench.row(due)


@pytest.mark.parametrize("action", EVERY_EFFECT)
async def test_it_waits_and_goes_on_under_the_same_key_with_the_answers(
    bench: Bench, action: str
) -> None:
    bench.service.handlers["a"] = once(Pending("h1", asks=ASKS), Applied({"id": 7}))
    due, row = await bench.drive(accept(step("a", action)))
    waiting = (row.status, row.waiting_for)
    await bench.tell(due, answered(1))
    row = await again(bench, due)
    first, second = bench.service.contexts["a"]
    attempts = await bench.attempts(due)

    assert waiting == ("waiting", "reconcile")
    assert row.status == "succeeded"
    assert [each.state for each in attempts] == ["resolved_answered", "applied"]
    assert (first.continues, second.continues) == (None, Continuation("h1", ANSWERS))
    assert first.idempotency_key == second.idempotency_key


async def test_it_may_ask_again(bench: Bench) -> None:
    bench.service.handlers["a"] = once(
        Pending("h1", asks=ASKS), Pending("h2", asks=ASKS), Applied({})
    )
    due, _ = await bench.drive(accept(step("a", "blind")))
    await bench.tell(due, answered(1))
    row = await again(bench, due)
    asked_again = row.waiting_for
    await bench.tell(due, answered(2))
    row = await again(bench, due)
    told = [each.continues for each in bench.service.contexts["a"]]

    assert asked_again == "reconcile"
    assert row.status == "succeeded"
    assert [each and each.handle for each in told] == [None, "h1", "h2"]


async def test_an_answer_that_did_not_leave_is_sent_again_and_one_that_may_have_is_not(
    bench: Bench,
) -> None:
    bench.service.handlers["a"] = once(
        Pending("h1", asks=ASKS), Unavailable("no connection", sent=False), Applied({})
    )
    due, _ = await bench.drive(accept(step("a", "blind")))
    await bench.tell(due, answered(1))
    row = await again(bench, due)

    assert row.status == "succeeded"
    assert [each.continues for each in bench.service.contexts["a"]] == [
        None, *[Continuation("h1", ANSWERS)] * 2
    ]  # fmt: skip


async def test_a_no_of_the_service_to_the_answer_ends_it(bench: Bench) -> None:
    bench.service.handlers["a"] = once(
        Pending("h1", asks=ASKS), Refused("no such branch", kind=Kind.INVALID)
    )
    due, _ = await bench.drive(accept(step("a", "blind")))
    await bench.tell(due, answered(1))
    row = await again(bench, due)

    assert (row.status, row.code) == ("failed", "invalid")


async def test_a_run_that_is_cancelled_meanwhile_asks_nobody_and_lists_what_it_does_not_know(
    bench: Bench,
) -> None:
    bench.service.handlers["a"] = once(Pending("h1", asks=ASKS))
    due, _ = await bench.drive(accept(step("a", "blind"), step("b", "read", after=["a"])))
    await bench.cancel(due)
    row = await again(bench, due)

    assert row.status == "cancelled"
    assert (await bench.finished(due)).uncertain == ["a"]
    assert bench.service.calls("a") == 1
    assert bench.service.calls("b") == 0


async def test_who_finds_out_otherwise_may_say_so_instead_of_answering(bench: Bench) -> None:
    bench.service.handlers["a"] = once(Pending("h1", asks=ASKS), Applied({}))
    due, _ = await bench.drive(accept(step("a", "blind")))
    absent = answered(1).model_copy(update={"resolution": "absent", "answers": None})
    await bench.tell(due, absent)
    row = await again(bench, due)

    assert row.status == "succeeded"
    assert [each.continues for each in bench.service.contexts["a"]] == [None, None]

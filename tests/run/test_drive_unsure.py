"""A database that is lost in the middle of a write: whether it was kept is not known."""

import asyncio
from pathlib import Path

from run_bench import Bench, Unsure, held, once
from run_cases import accept, action, step

from connectors.connector import Applied, Outcome, Pending
from connectors.errors import Kind, Uncertain
from connectors.spec import CallContext
from executor.run.perform import WRITE_AGAIN_S


async def test_a_call_whose_intent_may_have_been_kept_and_that_was_not_made_leaves_no_doubt(
    tmp_path: Path,
) -> None:
    store = await Unsure.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    bench = Bench(store)

    async def answer(_: CallContext) -> Outcome:
        store.is_next = True
        return Applied({})

    bench.service.handlers["a"] = answer
    due = await bench.add(accept(step("a", "idempotent"), step("b", "blind", after=["a"])))
    await bench.start(due)
    row = await bench.row(due)
    attempts = [(each.step, each.n, each.state) for each in await bench.attempts(due)]
    await bench.close()
    await store.close()

    assert (row.status, bench.service.calls("b")) == ("succeeded", 1)
    assert attempts == [("a", 1, "applied"), ("b", 1, "not_sent"), ("b", 2, "applied")]


async def test_what_a_service_says_while_nothing_can_be_written_is_kept_until_it_can(
    tmp_path: Path,
) -> None:
    store = await Unsure.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    bench = Bench(store)
    still = once(Applied({"state": "working"}, retry_after_s=60.0))

    async def answer(context: CallContext) -> Outcome:
        store.is_next = True
        return await still(context)

    bench.service.handlers = {"a": once(Pending("job-7")), "find": answer}
    status = {"action": "shop.find", "by": "ref", "state_at": "state", "done": ["ready"]}
    plan = accept(step("a", "shop.slow"), more=(action("shop.slow", "blind", status=status),))
    _, row = await bench.drive(plan)
    await bench.close()
    await store.close()

    assert (row.waiting_for, bench.service.calls("find")) == ("callback", 1)


async def test_while_it_is_known_of_a_doubt_alone_that_it_could_not_be_written_nothing_begins(
    tmp_path: Path,
) -> None:
    store = await Unsure.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    bench = Bench(store)
    ended = asyncio.Event()

    async def a(_: CallContext) -> Outcome:
        store.is_next = True
        asyncio.get_running_loop().call_later(WRITE_AGAIN_S / 2, ended.set)
        raise Uncertain("no answer", kind=Kind.TIMEOUT)

    bench.service.handlers = {"a": a, "c": held(ended)}
    plan = accept(step("a", "blind"), step("c"), step("b", "blind", after=["c"]))
    due, row = await bench.drive(plan)
    kinds = await bench.types(due)
    await bench.close()
    await store.close()

    assert (row.waiting_for, bench.service.calls("b")) == ("reconcile", 0)
    assert kinds.count("attempt.ended") == 2  # once of each

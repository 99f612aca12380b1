"""Large results are stored once and referred to; what is too large to be kept is unusable."""

import gc
import json

import pytest
from run_bench import Bench, once
from run_cases import accept, ref, step
from sqlalchemy import Connection, func, select

from connectors.connector import Applied
from executor.run.ledger import Ledger
from executor.store import blobs
from executor.store.tables import blobs as table
from executor.store.tables import events
from executor.trace import render_trace, trace

pytestmark = pytest.mark.timeout(60)
TEXT = "x" * 100_000


def sizes(c: Connection) -> tuple[int, list[int]]:
    """How large the largest event is, and how large each blob."""
    largest = c.execute(select(func.max(func.length(events.c.data)))).scalar_one()
    return int(largest), [int(each) for each in c.execute(select(table.c.bytes)).scalars()]


async def test_a_large_result_is_stored_once_and_goes_on_whole(bench: Bench) -> None:
    output = {"id": 1, "x": TEXT}
    bench.service.handlers["a"] = once(Applied(output))
    plan = accept(
        step("a"), step("b", "read", ref("a", "x")), answer=[ref("a", "a"), ref("b", "b")]
    )
    due, row = await bench.drive(plan)
    largest, kept = await bench.store.read(sizes)
    stored = await bench.events(due)
    done = next(each for each in stored if each.type == "step.done")
    blob = done.large["result"]
    text = await bench.store.read(lambda c: blobs.text_of(c, "main", blob.digest))
    found = trace(plan, row, stored)

    assert row.status == "succeeded"
    assert largest < blobs.LARGE
    assert len(kept) == 3  # the output, with it the result; the arguments around it; the answer
    assert json.loads(text or "") == output
    assert done.data["result"] == {}
    assert done.as_json()["large"] == {"result": {"digest": blob.digest, "bytes": blob.bytes}}
    assert row.result is None
    assert row.large is not None
    assert bench.service.calls("b") == 1
    assert found.steps[0].large == blob.as_json()
    assert f"a result of {blob.bytes:,} bytes" in render_trace(found)


async def test_what_was_stored_by_reference_is_whole_for_the_next_drive(bench: Bench) -> None:
    output = {"id": 1, "x": TEXT}
    bench.service.handlers["a"] = once(Applied(output))
    plan = accept(
        step("a"),
        step("b", "asked_blind", ref("a/x", "x")),
    )
    due = await bench.add(plan)
    await bench.start(due)
    (gate,) = await bench.gates(due)
    await bench.grant(due, gate.id)
    await bench.start(due, machine=bench.new_machine())
    (last,) = [each for each in await bench.attempts(due) if each.step == "b"]

    assert gate.arguments == {"x": TEXT}
    assert last.args_hash == gate.args_hash
    assert (await bench.row(due)).status == "succeeded"


async def test_a_small_result_stays_in_its_event(bench: Bench) -> None:
    due, _ = await bench.drive(accept(step("a")))

    assert [each.large for each in await bench.events(due) if each.large] == []
    assert (await bench.store.read(sizes))[1] == []


async def test_an_answer_that_is_too_large_fails_a_read_and_leaves_a_write_applied(
    bench: Bench,
) -> None:
    bench.result_bytes = 1000
    bench.machine = bench.new_machine()
    large = {"id": 1, "x": "x" * 2000}
    bench.service.handlers = {"a": once(Applied(large)), "b": once(Applied(large))}
    _, read = await bench.drive(accept(step("a", "read")))
    due, written = await bench.drive(accept(step("b", "blind")))
    (attempt,) = await bench.attempts(due)

    assert (read.status, read.code) == ("failed", "internal")
    assert attempt.state == "applied_unreadable"
    assert (written.status, written.waiting_for) == ("waiting", "reconcile")
    assert bench.service.calls("b") == 1


def ledgers() -> int:
    return sum(isinstance(each, Ledger) for each in gc.get_objects())


async def test_what_a_drive_has_read_goes_with_it_and_waits_for_no_collector(bench: Bench) -> None:
    gc.collect()
    before = ledgers()
    gc.disable()
    try:
        for _ in range(5):
            await bench.drive(accept(step("a")))
        held = ledgers() - before
    finally:
        gc.enable()

    assert held <= 1  # the last one, by what was written last

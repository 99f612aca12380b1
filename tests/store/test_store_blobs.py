"""Large values are stored once for a tenant, and are another one's no more than anything else."""

import sqlite3
from functools import partial

import pytest
from sqlalchemy import Connection, select
from store_cases import NOW, TENANT, new_run, written

from connectors.canonical import canonical, digest
from connectors.spec import JsonObject
from executor.store import blobs, journal, runs
from executor.store.blobs import LARGE, Blob, Keeper
from executor.store.journal import NewEvent
from executor.store.open_journal import OpenJournal
from executor.store.store import Store
from executor.store.tables import blob_uses


async def test_a_value_is_there_under_its_digest_for_its_tenant_alone(store: Store) -> None:
    text = '"ümläut"'
    kept = [
        await store.write(partial(blobs.keep, tenant=TENANT, subject="run_a", text=each))
        for each in (text, text)
    ]
    found = [
        await store.read(partial(blobs.text_of, tenant=tenant, digest=kept[0].digest))
        for tenant in (TENANT, "other")
    ]

    assert kept == [Blob(kept[0].digest, len(text.encode()))] * 2
    assert found == [text, None]


async def test_what_several_events_and_the_answer_hold_is_written_and_stored_once(
    file_store: Store,
) -> None:
    output: JsonObject = {"text": "ü" * LARGE, "n": 1.0}
    said = [
        NewEvent("attempt.ended", {"output": output}),
        NewEvent("step.done", {"result": output}),
    ]
    claim = await file_store.write(new_run)

    def end(opened: OpenJournal) -> None:
        opened.add([*said, NewEvent("run.finished", {"result": output})], NOW)
        opened.end("succeeded", None, output, NOW)

    def work(c: Connection) -> list[str]:
        sent: list[str] = []
        raw = c.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_trace_callback(sent.append)
        written(c, claim, end)
        raw.set_trace_callback(None)
        return [each for each in sent if each.startswith("INSERT INTO blobs ")]

    sent = await file_store.write(work)
    events = await file_store.read(partial(journal.read, tenant=TENANT, subject=claim.id))
    row = await file_store.read(partial(runs.get, tenant=TENANT, run=claim.id))
    kept = events[0].large["output"]

    assert len(sent) == 1
    assert kept == Blob(digest(output), len(canonical(output)))
    assert [each.data for each in events] == [{"output": {}}, {"result": {}}, {"result": {}}]
    assert {blob for each in events for blob in each.large.values()} == {kept}
    assert row is not None
    assert (row.result, row.large) == (None, kept)


async def test_two_runs_that_end_together_with_one_value_each_refer_to_it(store: Store) -> None:
    value = "x" * (LARGE + 1)

    def work(c: Connection) -> set[str]:
        keeper = Keeper(c)
        texts = [keeper.text(TENANT, run, value) for run in ("run_a", "run_b", "run_a")]
        assert texts == [texts[0]] * 3
        return set(c.execute(select(blob_uses.c.subject)).scalars())

    assert await store.write(work) == {"run_a", "run_b"}


async def test_a_value_that_is_gone_is_no_null(store: Store) -> None:
    gone = {"output": Blob("sha256:of-nothing", 40_000)}
    read = partial(blobs.joined, tenant=TENANT, data={"output": None}, large=gone, loaded={})

    with pytest.raises(LookupError, match="sha256:of-nothing"):
        await store.read(read)

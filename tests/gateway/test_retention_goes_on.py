"""Deleting what is old goes on with the next turn, whatever broke this one."""

import asyncio
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, update

from executor.store import facts, plans, runs, tables
from executor.store.store import Store
from gateway import retention
from gateway.retention import deleting


def _add_old(c: Connection) -> None:
    plans.add(c, plans.PlanRow("main", "pln_a", "sha256:0", "asker", None, {"language": 1}, 0.0))
    runs.create(c, tenant="main", run="run_a", plan="pln_a", requester="asker", now=0.0)
    c.execute(update(tables.runs).values(status="succeeded", updated_at=0.0))


async def test_what_breaks_a_turn_is_told_and_the_next_one_deletes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retention, "EVERY_S", 0.05)
    store = await Store.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    await store.write(_add_old)
    await store.write(lambda c: facts.note(c, facts.DELETED, "somebody wrote this by hand"))
    deadline = time.monotonic() + 20.0
    async with deleting(store, 30):
        while "ValueError" not in caplog.text:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        await store.write(lambda c: facts.note(c, facts.DELETED, "0.0"))
        while await store.read(lambda c: runs.get(c, "main", "run_a")):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
    await store.close()

    assert "old runs are deleted later" in caplog.text

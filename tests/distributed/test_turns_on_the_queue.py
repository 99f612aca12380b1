"""Turns and priorities hold on DBOS's queue as they do in one process."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers import Server
from sqlalchemy import Connection, text, update

from executor.dispatch.base import MOST_CRASHES
from executor.store import plans, runs, tables
from executor.store.drives import RANKS, Priority
from executor.store.store import Store

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
MANY = 40


def _add(c: Connection, tenant: str, run: str, priority: Priority = "normal") -> None:
    now = time.time()
    if plans.get(c, tenant, "pln_a") is None:
        row = plans.PlanRow(tenant, "pln_a", "sha256:0", "requester", None, {"language": 1}, now)
        plans.add(c, row)
    runs.create(
        c, tenant=tenant, run=run, plan="pln_a", requester="requester", now=now, priority=priority
    )


async def _process(script: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, str(HERE / script), *words],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'store'}"},
    )


async def _order(url: str, places: int, wanted: list[tuple[str, str, Priority]]) -> list[str]:
    """In which order the runs have their turns, with so many places."""
    store = await Store.open(url)
    for tenant, run, priority in wanted:
        await store.write(
            lambda c, tenant=tenant, run=run, priority=priority: _add(c, tenant, run, priority)
        )
    await store.close()
    done = await _process("turns_process.py", url, str(places), str(len(wanted)))
    assert done.returncode == 0, done.stderr
    return [run for _, run in json.loads(done.stdout.splitlines()[-1])]


async def test_a_tenant_with_one_run_waits_for_none_of_another_s_many(postgres: Server) -> None:
    wanted = [("many", f"run_{number}", "normal") for number in range(MANY)]
    wanted.append(("one", "run_one", "normal"))
    order = await _order(postgres.new_database(), 2, wanted)

    assert order.index("run_one") < 6, order


async def test_priorities_order_the_runs_of_one_tenant(postgres: Server) -> None:
    names: list[Priority] = ["low", "normal", "high"]
    wanted = [("urgent", f"run_{name}_{number}", name) for name in names for number in range(3)]
    order = await _order(postgres.new_database(), 1, wanted)

    assert [run.rpartition("_")[0] for run in order] == [
        f"run_{name}" for name in RANKS for _ in range(3)
    ]


async def test_what_is_low_and_has_waited_longest_waits_for_nine_that_are_high(
    postgres: Server,
) -> None:
    wanted: list[tuple[str, str, Priority]] = [("main", "run_a", "low"), ("main", "run_b", "low")]
    wanted += [("main", f"run_{number}", "high") for number in range(MANY)]
    order = await _order(postgres.new_database(), 1, wanted)

    assert [order.index("run_a"), order.index("run_b")] == [9, 19], order


async def test_runs_that_are_all_of_one_priority_are_put_on_the_queue_once(
    postgres: Server,
) -> None:
    url = postgres.new_database()
    await _order(url, 1, [("main", f"run_{number}", "normal") for number in range(MANY)])
    store = await Store.open(url)
    jobs = text("SELECT count(*) FROM lamgate_dbos.workflow_status WHERE queue_name = 'lamgate'")
    found = await store.read(lambda c: c.execute(jobs).scalar_one())
    await store.close()

    assert found == MANY


async def test_a_run_that_comes_back_to_the_worker_it_was_taken_from_is_driven_again(
    postgres: Server,
) -> None:
    url = postgres.new_database()
    store = await Store.open(url)
    await store.write(lambda c: _add(c, "main", "run_a"))
    await store.close()
    done = await _process("handed_back_process.py", url)

    assert done.stdout == "driven again\n", done.stderr


async def test_suspects_that_wait_for_one_another_keep_no_place_from_what_is_none(
    postgres: Server,
) -> None:
    url = postgres.new_database()
    store = await Store.open(url)
    suspects = [f"run_suspect_{number}" for number in range(5)]
    for number, name in enumerate(suspects):
        await store.write(lambda c, n=number, name=name: _add(c, f"tenant_{n % 2}", name, "high"))
    deaths = update(tables.runs).values(crashes=MOST_CRASHES - 1)
    await store.write(lambda c: c.execute(deaths))
    await store.write(lambda c: _add(c, "main", "run_good", "low"))
    rests = update(tables.runs).where(tables.runs.c.id == "run_good").values(status="waiting")
    await store.write(lambda c: c.execute(rests))
    await store.close()
    done = await _process("suspects_process.py", url, "2", "6")

    assert done.returncode == 0, done.stderr
    assert sorted(json.loads(done.stdout)) == ["run_good", *suspects]


@pytest.mark.parametrize("how", ["cut-off", "killed"])
async def test_a_job_that_came_to_a_process_that_was_ending_is_soon_done_by_another(
    how: str, postgres: Server
) -> None:
    url = postgres.new_database()
    store = await Store.open(url)
    await store.write(lambda c: _add(c, "main", "run_a"))
    await store.close()
    left = await _process("left_unclaimed_process.py", url, how)
    done = await _process("turns_process.py", url, "1", "1")

    assert (left.stdout, left.returncode) in (("left\n", 0), ("", -signal.SIGKILL)), left.stderr
    assert json.loads(done.stdout) == [["main", "run_a"]], done.stderr

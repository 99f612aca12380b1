"""Many workers on one database: all is done, nothing twice, whoever dies, stops or is restarted."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from fleet import PATIENCE_S, Fleet, Office, expected
from shop_world import http

from executor.store import workers
from executor.store.errors import StoreUnavailableError
from executor.store.migrate import JOURNAL

RUNS = int(os.environ.get("LAMGATE_FLEET_RUNS", "24"))
ZOMBIES = int(os.environ.get("LAMGATE_FLEET_ZOMBIES", "1"))
OUTAGE_S = float(os.environ.get("LAMGATE_FLEET_OUTAGE_S", "3"))
Note = Callable[[str, object], None]


async def finished(office: Office, names: Sequence[str], within_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within_s
    while True:
        rows = await office.rows(names)
        left = [row for row in rows if row.status != "succeeded"]
        if not left and len(rows) == len(names):
            return
        assert time.monotonic() < deadline, (left[:3], office.fleet._logs())
        await asyncio.sleep(0.05)


async def some(office: Office, names: Sequence[str], status: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len([row for row in await office.rows(names) if row.status == status]) < count:
        assert time.monotonic() < deadline, office.fleet._logs()
        await asyncio.sleep(0.01)


async def busiest(office: Office, workers: Sequence[int], at_least: int) -> int:
    """A worker that drives several runs at this moment."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        drivers = await office.drivers()
        for pid in workers:
            if sum(f"-{pid}-" in each for each in drivers) >= at_least:
                return pid
        assert time.monotonic() < deadline, office.fleet._logs()
        await asyncio.sleep(0.005)


async def test_when_one_of_three_workers_is_killed_all_runs_finish_and_nothing_happens_twice(
    fleet: Fleet, record_property: Note
) -> None:
    async with Office(fleet) as office:
        workers = await asyncio.to_thread(fleet.start, 3)
        names = await office.ask("kill", RUNS)
        victim = await busiest(office, workers, 3)
        fleet.signal(victim, signal.SIGKILL)
        killed_at = time.monotonic()
        ended = await asyncio.to_thread(fleet.ended, victim)
        await finished(office, names)
        rows = await office.rows(names)
        done = fleet.effects("kill")

    assert ended == -signal.SIGKILL
    assert done == expected(names, "kill")
    taken_over = [row for row in rows if row.recoveries]
    assert taken_over
    seconds = time.monotonic() - killed_at
    record_property(
        "fleet",
        f"fleet: {RUNS} runs on 3 workers, 1 killed with {len(taken_over)} under way: "
        f"all finished {seconds:.1f} s after the kill, 0 effects twice",
    )


async def test_a_worker_that_is_told_to_end_finishes_what_it_has_and_leaves_the_rest(
    fleet: Fleet,
) -> None:
    async with Office(fleet) as office:
        first, second = await asyncio.to_thread(fleet.start, 2)
        names = await office.ask("drain", 12)
        await some(office, names, "succeeded", 2)
        fleet.signal(first, signal.SIGTERM)
        told_at = time.monotonic()
        ended = await asyncio.to_thread(fleet.ended, first)
        seconds = time.monotonic() - told_at
        await finished(office, names)
        rows = await office.rows(names)
        done = fleet.effects("drain")
        living = await office.store.read(lambda c: workers.living(c, office.store.clock()))

    assert (ended, seconds < 30) == (0, True)
    assert done == expected(names, "drain")
    assert {row.recoveries for row in rows} == {0}  # in good order, so nobody had to take over
    assert [f"-{second}-" in each for each in living] == [True]


@pytest.mark.parametrize("again", range(ZOMBIES))
async def test_a_worker_that_is_stopped_past_its_lease_sends_nothing_when_it_goes_on(
    fleet: Fleet, again: int
) -> None:
    mark = f"zombie{again}"
    async with Office(fleet) as office:
        (zombie,) = await asyncio.to_thread(fleet.start, 1)
        names = await office.ask(mark, 6)
        await some(office, names, "running", 2)
        fleet.signal(zombie, signal.SIGSTOP)
        (heir,) = await asyncio.to_thread(fleet.start, 1)
        await finished(office, names)
        fleet.signal(zombie, signal.SIGCONT)
        later = await office.ask(f"{mark}later", 4)
        await finished(office, later)
        for pid in (zombie, heir):
            fleet.signal(pid, signal.SIGTERM)
        ended = [await asyncio.to_thread(fleet.ended, pid) for pid in (zombie, heir)]
        rows = await office.rows(names)

    assert sum(row.recoveries for row in rows) > 0
    assert ended == [0, 0]
    assert fleet.effects(mark) == expected(names, mark)
    assert fleet.effects(f"{mark}later") == expected(later, f"{mark}later")


async def test_a_blind_call_whose_worker_died_is_not_repeated_but_shown_to_a_person(
    fleet: Fleet,
) -> None:
    hang = {"kind": "hang_after", "match": {"method": "POST", "path_prefix": "/orders/1043/tags"}}
    async with Office(fleet) as office:
        (victim,) = await asyncio.to_thread(fleet.start, 1)
        http("POST", f"{fleet.shop}/faults", hang)
        names = await office.ask("blind", 1, action="orders.add_tag", field="tag")
        await asyncio.to_thread(fleet.until, lambda: fleet.effects("blind"))
        fleet.signal(victim, signal.SIGKILL)
        await asyncio.to_thread(fleet.ended, victim)
        http("DELETE", f"{fleet.shop}/faults")
        await asyncio.to_thread(fleet.start, 1)
        await some(office, names, "waiting", 1)
        (row,) = await office.rows(names)

    assert row.waiting_for == "reconcile"
    assert fleet.effects("blind") == {f"first {names[0]} blind": 1}


async def test_while_the_server_is_stopped_nothing_begins_and_then_all_goes_on(
    fleet: Fleet, record_property: Note
) -> None:
    async with Office(fleet) as office:
        await asyncio.to_thread(fleet.start, 2)
        names = await office.ask("outage", 16)
        await some(office, names, "succeeded", 3)
        await asyncio.to_thread(fleet.server.stop)
        answers = []
        stopped_at = time.monotonic()
        while time.monotonic() - stopped_at < OUTAGE_S:
            asked_at = time.monotonic()
            with pytest.raises(StoreUnavailableError):
                await office.rows(names)
            answers.append(time.monotonic() - asked_at)
            await asyncio.sleep(0.2)
        await asyncio.to_thread(fleet.server.start)
        back_at = time.monotonic()
        await finished(office, names)
        seconds = time.monotonic() - back_at
        done = fleet.effects("outage")

    assert done == expected(names, "outage")
    assert max(answers) < 1
    record_property(
        "fleet",
        f"fleet: server stopped for {OUTAGE_S:g} s amid 16 runs: refused within "
        f"{max(answers):.2f} s meanwhile, all finished {seconds:.1f} s after it was back",
    )


async def test_a_newer_version_takes_runs_on_and_the_older_one_ends(fleet: Fleet) -> None:
    async with Office(fleet) as office:
        (older,) = await asyncio.to_thread(fleet.start, 1)
        names = await office.ask("upgrade", 8)
        await some(office, names, "succeeded", 1)
        await asyncio.to_thread(partial(fleet.start, journal=JOURNAL + 1))
        ended = await asyncio.to_thread(fleet.ended, older)
        await finished(office, names)
        refused = await asyncio.to_thread(fleet.launch)
        code = await asyncio.to_thread(fleet.ended, refused)
        said = fleet.log(refused)

    assert ended == 0
    assert fleet.effects("upgrade") == expected(names, "upgrade")
    assert (code, f"version {JOURNAL + 1}, this is {JOURNAL}" in said) == (3, True)

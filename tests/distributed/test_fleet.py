"""Many workers on one database: all is done, nothing twice, whoever dies, stops or is restarted."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from fleet import PATIENCE_S, Fleet, Office, expected
from shop_world import POISON, TENANT, http

from benchmarks.faults import PROPERTY, Told
from executor.dispatch.lease import LEASE_S
from executor.store import journal, workers
from executor.store.errors import StoreUnavailableError
from executor.store.migrate import JOURNAL

RUNS = int(os.environ.get("LAMGATE_FLEET_RUNS", "24"))
ZOMBIES = int(os.environ.get("LAMGATE_FLEET_ZOMBIES", "2"))
TOGETHER, TIMES = 8, 5  # zombies at once beside two workers that take over; how often each is one
ROUNDS = int(os.environ.get("LAMGATE_FLEET_ROUNDS", "1"))
OUTAGE_S = float(os.environ.get("LAMGATE_FLEET_OUTAGE_S", "3"))
Note = Callable[[str, object], None]


async def finished(office: Office, names: Sequence[str], within_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within_s
    while True:
        rows = await office.rows(names)
        left = [row for row in rows if row.status != "succeeded"]
        if not left and len(rows) == len(names):
            return
        assert time.monotonic() < deadline, (left[:3], office.fleet.logs())
        await asyncio.sleep(0.05)


async def some(office: Office, names: Sequence[str], status: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while len([row for row in await office.rows(names) if row.status == status]) < count:
        assert time.monotonic() < deadline, office.fleet.logs()
        await asyncio.sleep(0.01)


async def busiest(office: Office, workers: Sequence[int], at_least: int) -> int:
    """A worker that drives several runs at this moment."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        drivers = await office.drivers()
        for pid in workers:
            if sum(f"-{pid}-" in each for each in drivers) >= at_least:
                return pid
        assert time.monotonic() < deadline, office.fleet.logs()
        await asyncio.sleep(0.005)


def note(
    record_property: Note,
    fault: str,
    names: Sequence[str],
    done: Mapping[str, int],
    mark: str,
    trials: int = 1,
    **more: Mapping[str, float],
) -> None:
    """Write down what became of a trial, before it is judged."""
    wanted = expected(names, mark)
    told = Told(
        fault=fault,
        database="PostgreSQL",
        trials=trials,
        twice=sum(count - 1 for count in done.values()),
        lost=len(wanted.keys() - done.keys()),
        seconds=more.get("seconds", {}),
        notes={name: int(count) for name, count in more.get("notes", {}).items()},
    )
    record_property(PROPERTY, told.model_dump_json())


@pytest.mark.parametrize("again", range(ROUNDS))
async def test_when_one_of_three_workers_is_killed_all_runs_finish_and_nothing_happens_twice(
    again: int, fleet: Fleet, record_property: Note
) -> None:
    mark = f"kill{again}"
    async with Office(fleet) as office:
        workers = await asyncio.to_thread(fleet.start, 3)
        names = await office.ask(mark, RUNS)
        victim = await busiest(office, workers, 3)
        fleet.signal(victim, signal.SIGKILL)
        killed_at = time.monotonic()
        ended = await asyncio.to_thread(fleet.ended, victim)
        left = await office.driven_by(victim)
        while await office.driven_by(victim):
            await asyncio.sleep(0.02)
        handed_back = time.monotonic() - killed_at
        while any(row.epoch < 3 and not row.has_ended for row in await office.rows(left)):
            await asyncio.sleep(0.02)
        taken_over = time.monotonic() - killed_at
        await finished(office, names)
        seconds = time.monotonic() - killed_at
        rows = await office.rows(names)
        done = fleet.effects(mark)
    found = {
        "what it drove was handed back after": handed_back,
        "and taken over after": taken_over,
        "all finished after the kill within": seconds,
    }
    notes = {"runs that the dead worker had under way": len(left)}
    fault = f"one of 3 workers killed amid {RUNS} runs"
    note(record_property, fault, names, done, mark, seconds=found, notes=notes)

    assert ended == -signal.SIGKILL
    assert done == expected(names, mark)
    assert [row for row in rows if row.recoveries]


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


async def stopped_amid_a_run(office: Office, pid: int) -> bool:
    """Stop a process, and let it go on where it drives nothing, or what two have left already.

    A run that a third process leaves behind is put aside.
    """
    office.fleet.signal(pid, signal.SIGSTOP)
    await asyncio.sleep(0.2)  # what the server was doing for it is done, on busy cores too
    driven = await office.rows(await office.driven_by(pid))
    if driven and all(row.recoveries < 2 for row in driven):
        return True
    office.fleet.signal(pid, signal.SIGCONT)
    return False


@pytest.mark.parametrize("first", range(0, ZOMBIES, TOGETHER * TIMES))
async def test_workers_that_are_stopped_past_their_lease_send_nothing_when_they_go_on(
    first: int, fleet: Fleet, record_property: Note
) -> None:
    wanted = min(TOGETHER * TIMES, ZOMBIES - first)
    async with Office(fleet) as office:
        zombies = await asyncio.to_thread(fleet.start, min(TOGETHER, wanted), concurrency=2)
        heirs = await asyncio.to_thread(fleet.start, 2, concurrency=2)
        for made in range(0, wanted, TOGETHER):
            some_of_them = zombies[: wanted - made]
            await _stop_past_their_lease(office, some_of_them, f"z{first + made}-", record_property)
        for pid in (*zombies, *heirs):
            fleet.signal(pid, signal.SIGTERM)
        ended = [await asyncio.to_thread(fleet.ended, pid) for pid in (*zombies, *heirs)]

    assert set(ended) == {0}


async def _stop_past_their_lease(
    office: Office, zombies: Sequence[int], mark: str, record_property: Note
) -> None:
    """Stop each amid a run, have others finish everything, and let all go on."""
    names = await office.ask(mark, 3 * len(zombies))
    stopped: list[int] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(stopped) < len(zombies):
        assert time.monotonic() < deadline, office.fleet.logs()
        if (await office.rows(names))[-1].has_ended:
            names += await office.ask(mark, len(zombies), first=len(names))
        for pid in (await office.driving()) & {*zombies} - {*stopped}:
            if await stopped_amid_a_run(office, pid):
                stopped.append(pid)
    under_way = await office.under_way()
    await finished(office, names)
    rows = await office.rows(names)
    for pid in stopped:
        office.fleet.signal(pid, signal.SIGCONT)
    while not {*stopped} <= await office.living():
        assert time.monotonic() < deadline + PATIENCE_S, office.fleet.logs()
        await asyncio.sleep(0.05)
    later = await office.ask(f"{mark}later", 2 * len(zombies))
    await finished(office, later)
    done = office.fleet.effects(mark)
    notes = {"of them amid a call": under_way}
    fault, count = "worker stopped past its lease (SIGSTOP)", len(stopped)
    note(record_property, fault, names, done, mark, trials=count, notes=notes)

    assert sum(row.recoveries for row in rows) >= count
    wanted = expected(names, mark)
    assert done == wanted, await office.story(done, wanted)
    assert office.fleet.effects(f"{mark}later") == expected(later, f"{mark}later")


async def test_a_worker_that_is_stopped_while_it_takes_a_job_keeps_nobody_from_it_for_long(
    fleet: Fleet,
) -> None:
    async with Office(fleet) as office:
        (pid,) = await asyncio.to_thread(fleet.start, 1)
        deadline = time.monotonic() + PATIENCE_S
        held: set[int] = set()
        while not held:
            assert time.monotonic() < deadline
            fleet.signal(pid, signal.SIGCONT)
            await asyncio.sleep(random.uniform(0.001, 0.05))
            fleet.signal(pid, signal.SIGSTOP)
            await asyncio.sleep(0.02)  # what the server was doing for it is done
            held = await office.open_transactions()
        stopped_at = time.monotonic()
        while held & await office.open_transactions():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        seconds = time.monotonic() - stopped_at

    assert seconds < LEASE_S


@pytest.mark.skipif(ZOMBIES <= TOGETHER, reason="it takes three leases: LAMGATE_FLEET_ZOMBIES")
async def test_a_run_that_kills_three_workers_is_put_aside_and_it_alone(fleet: Fleet) -> None:
    async with Office(fleet) as office:
        workers = await asyncio.to_thread(fleet.start, 4, concurrency=4)
        poison = await office.ask(POISON, 1)
        names = await office.ask("near", 8)
        await some(office, poison, "quarantined", 1)
        await finished(office, names)
        (row,) = await office.rows(poison)
        told = await office.store.read(lambda c: journal.read(c, TENANT, poison[0]))
        killed = [pid for pid in workers if is_dead(pid)]

    assert (row.code, row.recoveries) == ("process-killed", 3)
    assert told[-1].data["standing"] == ["first"]
    assert len(killed) == 3
    assert fleet.effects(POISON) == {f"first {poison[0]} {POISON}": 1}
    assert fleet.effects("near") == expected(names, "near")


def is_dead(pid: int) -> bool:
    """Ended, and not waited for yet."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


async def test_a_blind_call_whose_worker_died_is_shown_to_a_person_and_one_that_lives_tells_itself(
    fleet: Fleet,
) -> None:
    tags = {"method": "POST", "path_prefix": "/orders/1043/tags"}
    fleet.be_patient()  # whoever is stopped meanwhile is to hear the answer, not its time-out
    async with Office(fleet) as office:
        http("POST", f"{fleet.shop}/faults", {"kind": "hang_after", "match": tags, "times": 2})
        pids, names = [], list[str]()
        for mark in ("blind", "late"):
            pids += await asyncio.to_thread(fleet.start, 1, concurrency=1)
            names += await office.ask(mark, 1, action="orders.add_tag", field="tag")
            await asyncio.to_thread(fleet.until, partial(fleet.effects, mark))
        fleet.signal(pids[0], signal.SIGKILL)
        fleet.signal(pids[1], signal.SIGSTOP)
        ended = await asyncio.to_thread(fleet.ended, pids[0])
        await asyncio.to_thread(fleet.start, 1)
        await some(office, names, "waiting", 2)
        in_doubt = {row.waiting_for for row in await office.rows(names)}
        http("DELETE", f"{fleet.shop}/faults")  # the answer comes to who cannot hear it yet
        fleet.signal(pids[1], signal.SIGCONT)
        await some(office, names[1:], "succeeded", 1)
        (row, _) = await office.rows(names)
        told = await office.store.read(lambda c: journal.read(c, TENANT, names[1]))
    ends = [(each.data["state"], each.data["late"])
            for each in told if each.type == "attempt.ended"]  # fmt: skip

    assert ended == -signal.SIGKILL
    assert in_doubt == {"reconcile"}
    assert row.waiting_for == "reconcile"
    assert fleet.effects("blind") == {f"first {names[0]} blind": 1}
    assert ends[:2] == [("uncertain", False), ("applied", True)]
    assert fleet.effects("late") == expected(names[1:], "late")


@pytest.mark.parametrize("again", range(ROUNDS))
async def test_while_the_server_is_stopped_nothing_begins_and_then_all_goes_on(
    again: int, fleet: Fleet, record_property: Note
) -> None:
    mark = f"outage{again}"
    hang = {"kind": "hang_after", "match": {"method": "POST", "path_prefix": "/orders/1043/notes"}}
    async with Office(fleet) as office:
        await asyncio.to_thread(fleet.start, 2)
        names = await office.ask(mark, 16)
        await some(office, names, "succeeded", 3)
        names += await office.ask(mark, 1, first=16)
        http("POST", f"{fleet.shop}/faults", hang)
        faults = partial(http, "GET", f"{fleet.shop}/faults")
        await asyncio.to_thread(fleet.until, lambda: faults()[0]["fired"])
        await asyncio.to_thread(fleet.server.stop)
        http("DELETE", f"{fleet.shop}/faults")  # the answer comes while nobody can write
        answers = []
        stopped_at = time.monotonic()
        while time.monotonic() - stopped_at < OUTAGE_S:
            asked_at = time.monotonic()
            with pytest.raises(StoreUnavailableError):
                await office.rows(names)
            answers.append(time.monotonic() - asked_at)
            await asyncio.sleep(0.2)
        before = len(fleet.effects(mark))
        await asyncio.to_thread(fleet.server.start)
        back_at = time.monotonic()
        while len(fleet.effects(mark)) == before:
            assert time.monotonic() < back_at + PATIENCE_S, fleet.logs()
            await asyncio.sleep(0.05)
        going_on = time.monotonic() - back_at
        await finished(office, names)
        seconds = time.monotonic() - back_at
        done = fleet.effects(mark)

    found = {
        "refused within": max(answers),
        "effects again after it was back": going_on,
        "all finished after it was back": seconds,
    }
    fault = f"server stopped for {OUTAGE_S:g} s amid 16 runs"
    note(record_property, fault, names, done, mark, seconds=found)

    assert before < len(done)
    assert done == expected(names, mark)
    assert max(answers) < 1


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

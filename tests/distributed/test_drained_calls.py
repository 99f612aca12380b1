"""A process that ends in good order: what becomes of calls that outlast it, and of other runs."""

import asyncio
import signal
from functools import partial

from fleet import Fleet, Office, expected
from shop_world import TENANT, http
from test_fleet import finished, some

from executor.dispatch.lease import LEASE_S
from executor.store import journal
from executor.store.migrate import JOURNAL

PATHS = ("/orders/1043/notes", "/orders/1043/tags")


async def test_an_answer_after_the_drain_is_told_as_uncertain_and_looked_for_where_it_can_be(
    fleet: Fleet,
) -> None:
    async with Office(fleet) as office:
        for path in PATHS:
            match = {"method": "POST", "path_prefix": path}
            http("POST", f"{fleet.shop}/faults", {"kind": "hang_after", "match": match})
        (pid,) = await asyncio.to_thread(partial(fleet.start, drain_s=1.0))
        searched = await office.ask("searched", 1)
        blind = await office.ask("blind", 1, action="orders.add_tag", field="tag")
        for mark in ("searched", "blind"):
            await asyncio.to_thread(fleet.until, partial(fleet.effects, mark))
        fleet.signal(pid, signal.SIGTERM)
        ended = await asyncio.to_thread(fleet.ended, pid)
        left = {row.status for row in await office.rows([*searched, *blind])}
        http("DELETE", f"{fleet.shop}/faults")  # the answers come when nobody is there
        await asyncio.to_thread(fleet.start)
        await finished(office, searched)
        await some(office, blind, "waiting", 1)
        (row,) = await office.rows(blind)
        told = await office.store.read(lambda c: journal.read(c, TENANT, blind[0]))
    (end,) = [each.data for each in told if each.type == "attempt.ended"]

    assert (ended, left) == (0, {"queued"})
    assert fleet.effects("searched") == expected(searched, "searched")
    assert fleet.effects("blind") == {f"first {blind[0]} blind": 1}
    assert (row.waiting_for, row.recoveries) == ("reconcile", 0)
    assert end["state"] == "uncertain"
    assert end["failure"]["message"] == "the process ended before an answer was recorded"


async def test_a_run_whose_call_has_ended_goes_on_elsewhere_while_its_process_waits_for_another_s(
    fleet: Fleet,
) -> None:
    fleet.be_patient()
    async with Office(fleet) as office:
        for path, more in zip(PATHS, ({"seconds": 1.5}, {}), strict=True):
            match = {"method": "POST", "path_prefix": path}
            http("POST", f"{fleet.shop}/faults", {"kind": "hang_after", "match": match, **more})
        (ending,) = await asyncio.to_thread(partial(fleet.start, drain_s=100.0))
        slow = await office.ask("slow", 1, action="orders.add_tag", field="tag")
        quick = await office.ask("quick", 1)
        for mark in ("slow", "quick"):
            await asyncio.to_thread(fleet.until, partial(fleet.effects, mark))
        fleet.signal(ending, signal.SIGTERM)
        await asyncio.to_thread(fleet.start)
        await finished(office, quick)
        still_driven = await office.driven_by(ending)
        http("DELETE", f"{fleet.shop}/faults")
        ended = await asyncio.to_thread(fleet.ended, ending)
        await finished(office, slow)

    assert still_driven == slow
    assert ended == 0
    for mark, names in (("slow", slow), ("quick", quick)):
        assert fleet.effects(mark) == expected(names, mark)


async def test_a_process_that_makes_room_for_a_newer_version_keeps_its_runs_until_their_calls_end(
    fleet: Fleet,
) -> None:
    fleet.be_patient()
    async with Office(fleet) as office:
        match = {"method": "POST", "path_prefix": PATHS[1]}
        http("POST", f"{fleet.shop}/faults", {"kind": "hang_after", "match": match})
        (older,) = await asyncio.to_thread(partial(fleet.start, drain_s=100.0))
        names = await office.ask("older", 1, action="orders.add_tag", field="tag")
        await asyncio.to_thread(fleet.until, partial(fleet.effects, "older"))
        await asyncio.to_thread(partial(fleet.start, journal=JOURNAL + 1))
        await asyncio.sleep(2 * LEASE_S)  # it is told, and without its lease it would be taken over
        still_driven = await office.driven_by(older)
        http("DELETE", f"{fleet.shop}/faults")  # now the answer comes
        ended = await asyncio.to_thread(fleet.ended, older)
        await finished(office, names)
        (row,) = await office.rows(names)
        told = await office.store.read(lambda c: journal.read(c, TENANT, names[0]))
    ends = [each.data["state"] for each in told if each.type == "attempt.ended"]

    assert still_driven == names
    assert ended == 0
    assert row.recoveries == 0
    assert ends == ["applied"] * 3
    assert fleet.effects("older") == expected(names, "older")

"""Where several people are asked: they are different people, and each of them is told of."""

from typing import Any

import httpx2
from approval_desk import ASKS, ASKS_TOO, NO, TWO, YES, Desk, Ruled, tags
from served import TAG_ORDER, serving


async def test_a_quorum_is_of_different_people_and_nobody_counts_twice(
    ruled: Ruled, mended: Any
) -> None:
    before, desk = len(tags(mended)), Desk()
    async with serving(ruled(TWO)) as desk.running:
        run = await desk.start(TAG_ORDER)
        shown = await desk.open(run)
        path = f"/v1/approvals/{shown['id']}/decision"
        own = await (await desk.requester()).post(path, json=YES)
        first = [await desk.decide(shown["id"]) for _ in range(3)]
        between = (await (await desk.requester()).get(f"/v1/runs/{run}")).json()
        acted = len(tags(mended))
        last = await desk.decide(shown["id"], by=2)
        row = await desk.ended(run)

    assert shown["quorum"] == 2
    assert (own.status_code, own.json()["code"]) == (403, "own-request")
    assert {(each.status_code, each.json()["state"]) for each in first} == {(200, "open")}
    assert between["waiting_for"] == "approval"
    assert acted == before
    assert last.json()["state"] == "granted"
    assert row["status"] == "succeeded"
    assert len(tags(mended)) == before + 1


async def test_two_roles_are_two_people_though_one_person_has_both(
    ruled: Ruled, mended: Any
) -> None:
    before, desk = len(tags(mended)), Desk()
    async with serving(ruled(ASKS, ASKS_TOO)) as desk.running:
        both = await desk.person("kim", "approver", "finance")
        other = await desk.person("robin", "approver", "finance")

        async def decide(by: httpx2.AsyncClient, approval: str, body: dict[str, Any] = YES) -> Any:
            return await by.post(f"/v1/approvals/{approval}/decision", json=body)

        run = await desk.start(TAG_ORDER)
        first = await desk.open(run)
        one = await decide(both, first["id"])
        second = await desk.another(run, first["id"])
        two = await decide(both, second["id"])
        acted = len(tags(mended))
        three = await decide(other, second["id"])
        row = await desk.ended(run)
        again = await desk.start(TAG_ORDER)
        asked = await desk.open(again)
        await decide(both, asked["id"])
        no = await decide(both, (await desk.another(again, asked["id"]))["id"], NO)
        refused = await desk.ended(again)

    assert {first["role"], second["role"]} == {"approver", "finance"}
    assert one.json()["state"] == "granted"
    assert (two.status_code, two.json()["code"]) == (403, "already-counted")
    assert acted == before
    assert three.json()["state"] == "granted"
    assert row["status"] == "succeeded"
    assert len(tags(mended)) == before + 1
    assert no.json()["state"] == "refused"
    assert refused["code"] == "approval-refused"


async def test_each_yes_of_several_is_told_while_it_waits_and_in_journal_and_trace_for_ever(
    ruled: Ruled, mended: Any
) -> None:
    desk = Desk()
    async with serving(ruled(TWO)) as desk.running:
        run = await desk.start(TAG_ORDER)
        approval = (await desk.open(run))["id"]
        person = await desk.requester()
        first = await desk.decide(approval, YES | {"reason": "the first look"})
        await desk.decide(approval, YES | {"reason": "the first look"})
        listed = (await person.get(f"/v1/approvals?run={run}")).json()
        waiting = (await person.get(f"/v1/runs/{run}/trace")).json()
        last = await desk.decide(approval, YES | {"reason": "the second"}, by=2)
        await desk.ended(run)
        shown = (await person.get(f"/v1/approvals/{approval}")).json()
        found = await person.get(f"/v1/runs/{run}/events", headers={"accept": "application/json"})
        trace = (await person.get(f"/v1/runs/{run}/trace")).json()

    said = [
        (each["type"], each["data"]["by"], each["data"]["reason"])
        for each in found.json()
        if each["type"] in ("approval.counted", "approval.granted")
    ]
    assert (first.json()["yes"], last.json()["yes"], last.json()["quorum"]) == (1, 2, 2)
    assert [(each["by"], each["reason"]) for each in listed[0]["decisions"]] == [
        ("approver-1", "the first look")
    ]
    assert [(each["by"], each["decision"]) for each in shown["decisions"]] == [
        ("approver-1", "approve"),
        ("approver-2", "approve"),
    ]
    assert said == [
        ("approval.counted", "approver-1", "the first look"),
        ("approval.granted", "approver-2", "the second"),
    ]
    assert told(waiting) == f"open ({approval}), 1 of 2 have said yes: approver-1: the first look"
    assert told(trace) == "granted by approver-1: the first look; approver-2: the second"


async def test_a_no_after_a_yes_is_told_beside_it(ruled: Ruled, mended: Any) -> None:
    desk = Desk()
    async with serving(ruled(TWO)) as desk.running:
        run = await desk.start(TAG_ORDER)
        approval = (await desk.open(run))["id"]
        await desk.decide(approval)
        await desk.decide(approval, NO, by=2)
        await desk.ended(run)
        trace = (await (await desk.requester()).get(f"/v1/runs/{run}/trace")).json()

    assert told(trace) == "refused by approver-2: not this time; had said yes: approver-1: checked"


async def test_who_said_yes_may_take_it_back_by_a_no_as_long_as_others_are_asked(
    ruled: Ruled, mended: Any
) -> None:
    before, desk = len(tags(mended)), Desk()
    async with serving(ruled(TWO)) as desk.running:
        run = await desk.start(TAG_ORDER)
        approval = (await desk.open(run))["id"]
        await desk.decide(approval)
        no = await desk.decide(approval, NO)
        late = await desk.decide(approval, by=2)
        row = await desk.ended(run)
        person = await desk.requester()
        shown = (await person.get(f"/v1/approvals/{approval}")).json()
        trace = (await person.get(f"/v1/runs/{run}/trace")).json()

    assert (no.status_code, no.json()["state"], no.json()["yes"]) == (200, "refused", 0)
    assert (late.status_code, late.json()["code"]) == (409, "already-decided")
    assert (row["status"], row["code"]) == ("failed", "approval-refused")
    assert [(each["by"], each["decision"]) for each in shown["decisions"]] == [
        ("approver-1", "refuse")
    ]
    assert told(trace) == "refused by approver-1: not this time; had said yes: approver-1: checked"
    assert len(tags(mended)) == before


def told(trace: Any) -> str:
    """What the trace says of its first question, without why it was asked."""
    return str(trace["steps"][0]["gates"][0]["told"]).partition(" [")[0]

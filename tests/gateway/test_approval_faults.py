"""The table of approval faults: each of its rows over real HTTP, on the real store and drive."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from approval_desk import ASKS, NO, SOON, TWO, YES, Desk, Ruled, tags
from served import TAG_ORDER, plan, serving, step, until_status


@pytest.fixture
async def desk(ruled: Ruled, mended: Any) -> AsyncIterator[Desk]:
    found = Desk()
    async with serving(ruled(ASKS)) as running:
        found.running = running
        yield found


@pytest.mark.parametrize("by", [1, 2])
async def test_approving_twice_changes_nothing_and_acts_once(
    desk: Desk, mended: Any, by: int
) -> None:
    before = len(tags(mended))
    run = await desk.start(TAG_ORDER)
    approval = (await desk.open(run))["id"]
    first = await desk.decide(approval)
    second = await desk.decide(approval, by=by)
    row = await desk.ended(run)
    third = await desk.decide(approval, by=by)

    assert [each.status_code for each in (first, second, third)] == [200, 200, 200]
    assert {each.json()["state"] for each in (first, second, third)} == {"granted"}
    assert row["status"] == "succeeded"
    assert len(tags(mended)) == before + 1


@pytest.mark.parametrize(("first", "second"), [(YES, NO), (NO, YES)])
async def test_a_conflicting_decision_is_a_conflict_and_the_first_one_stands(
    desk: Desk, mended: Any, first: Any, second: Any
) -> None:
    before = len(tags(mended))
    run = await desk.start(TAG_ORDER)
    approval = (await desk.open(run))["id"]
    ruling = (await desk.decide(approval, first)).json()["state"]
    answers = [await desk.decide(approval, second, by=by) for by in (1, 2)]
    row = await desk.ended(run)

    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (409, "already-decided")
    ] * 2
    assert {each.json()["state"] for each in answers} == {ruling}
    assert (row["status"] == "succeeded") is (first is YES)
    assert len(tags(mended)) == before + (first is YES)


async def test_what_expires_blocks_its_step_the_run_ends_and_a_late_yes_is_gone(
    ruled: Ruled, mended: Any
) -> None:
    before, desk = len(tags(mended)), Desk()
    after = step("later", "orders.add_tag", order_id="1043", tag="after")
    two = plan(*TAG_ORDER["steps"], after | {"after": ["tag"]})
    async with serving(ruled(SOON)) as desk.running:
        run = await desk.start(two)
        approval = (await desk.open(run))["id"]
        row = await desk.ended(run)
        late = await desk.decide(approval)
        trace = (await (await desk.requester()).get(f"/v1/runs/{run}/trace")).json()

    assert (row["status"], row["code"]) == ("failed", "approval-expired")
    assert (late.status_code, late.json()["code"]) == (410, "approval-expired")
    # Both are asked for before the first effect; which of the questions runs out first is chance.
    assert "failed" in {each["state"] for each in trace["steps"]} <= {"failed", "blocked"}
    assert len(tags(mended)) == before


async def test_after_a_refusal_what_depends_on_the_step_never_begins(
    desk: Desk, mended: Any
) -> None:
    before = len(tags(mended))
    note = step("note", "orders.set_status", order_id="1043", status="looked at")
    run = await desk.start(plan(*TAG_ORDER["steps"], note | {"after": ["tag"]}))
    await desk.decide((await desk.open(run))["id"], NO)
    row = await desk.ended(run)
    trace = (await (await desk.requester()).get(f"/v1/runs/{run}/trace")).json()

    assert (row["status"], row["code"]) == ("failed", "approval-refused")
    assert [each["state"] for each in trace["steps"]] == ["failed", "blocked"]
    assert trace["steps"][1]["told"] == "not begun: tag failed; effect: none, nothing was sent"
    assert len(tags(mended)) == before


async def test_nothing_but_a_post_with_a_decision_decides(desk: Desk, mended: Any) -> None:
    run = await desk.start(TAG_ORDER)
    approval = (await desk.open(run))["id"]
    person = await desk.approver()
    path = f"/v1/approvals/{approval}"
    looked = [await person.get(path), await person.get(f"/v1/approvals?run={run}")]
    others = [
        await person.request(verb, f"{path}/decision?decision=approve&reason=x")
        for verb in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
    ]
    empty = await person.post(f"{path}/decision?decision=approve&reason=x")
    after = (await person.get(path)).json()

    assert {each.status_code for each in looked} == {200}
    assert {each.status_code for each in others} == {405}
    assert empty.status_code in (400, 422)
    assert after["state"] == "open"


@pytest.mark.parametrize("decided", [False, True])
async def test_after_the_arguments_changed_the_old_yes_is_void_and_the_new_ones_are_asked_for(
    ruled: Ruled, mended: Any, decided: bool
) -> None:
    before, desk = len(tags(mended)), Desk()
    read = step("order", "orders.get_order", order_id="1043")
    tag = step("tag", "orders.add_tag", order_id="1043")
    tag["args"].append({"ref": "order/status", "to": "tag"})
    config = ruled(ASKS)
    async with serving(config) as desk.running:
        run = await desk.start(plan(read, tag))
        old = await desk.open(run)
        await until_status(await desk.requester(), f"/v1/runs/{run}", "waiting")
    _change_result(config.parent / "var" / "lamgate.db", run, "somewhere else")
    async with serving(config) as desk.running:
        if decided:
            await desk.decide(old["id"])
        else:
            await desk.look_again(run)
        new = await desk.another(run, old["id"])
        answer = await desk.decide(old["id"])
        acted = len(tags(mended))
        await desk.decide(new["id"])
        row = await desk.ended(run)

    assert old["arguments"]["tag"] != new["arguments"]["tag"] == "somewhere else"
    if not decided:
        assert (answer.status_code, answer.json()["code"]) == (409, "approval-void")
    assert acted == before
    assert row["status"] == "succeeded"
    assert tags(mended)[before:] == ["somewhere else"]


@pytest.mark.parametrize("decided", [False, True])
async def test_an_approval_stays_while_the_text_of_its_policies_does_whatever_else_changes(
    ruled: Ruled, mended: Any, decided: bool
) -> None:
    before, desk = len(tags(mended)), Desk()
    third = '@id("other") forbid (principal, action, resource == Operation::"orders.set_status");'
    async with serving(ruled(TWO)) as desk.running:
        run = await desk.start(TAG_ORDER)
        approval = await desk.open(run)
        if decided:
            await desk.decide(approval["id"], by=1)
    async with serving(ruled(third, TWO)) as desk.running:
        for by in (1, 2):
            answer = await desk.decide(approval["id"], by=by)
            assert answer.status_code == 200
        row = await desk.ended(run)
        version = desk.running.gateway.policy.version

    assert approval["policy_version"] != version
    assert row["status"] == "succeeded"
    assert len(tags(mended)) == before + 1


@pytest.mark.parametrize(
    "changed",
    [
        ASKS.replace("tags are looked at", "tags are looked at twice"),
        ASKS.replace("unless", 'when { context.args.tag like "*" } unless'),
        TWO,
    ],
)
async def test_an_approval_is_asked_for_anew_once_a_policy_that_asks_has_another_text(
    ruled: Ruled, mended: Any, changed: str
) -> None:
    before, desk = len(tags(mended)), Desk()
    async with serving(ruled(ASKS)) as desk.running:
        run = await desk.start(TAG_ORDER)
        old = await desk.open(run)
        await until_status(await desk.requester(), f"/v1/runs/{run}", "waiting")
    async with serving(ruled(changed)) as desk.running:
        granted = await desk.decide(old["id"])
        new = await desk.another(run, old["id"])
        acted = len(tags(mended))
        for by in range(1, new["quorum"] + 1):
            await desk.decide(new["id"], by=by)
        row = await desk.ended(run)

    assert granted.status_code == 200  # it was open; what it is worth is decided before the effect
    assert new["args_hash"] == old["args_hash"]
    assert new["policy_version"] != old["policy_version"]
    assert acted == before
    assert row["status"] == "succeeded"
    assert len(tags(mended)) == before + 1


async def test_a_policy_that_forbids_by_now_wins_over_an_approval_that_was_given(
    ruled: Ruled, mended: Any
) -> None:
    before, desk = len(tags(mended)), Desk()
    async with serving(ruled(ASKS)) as desk.running:
        run = await desk.start(TAG_ORDER)
        approval = await desk.open(run)
        await until_status(await desk.requester(), f"/v1/runs/{run}", "waiting")
    never = 'forbid (principal, action, resource == Operation::"orders.add_tag");'
    async with serving(ruled(ASKS, never)) as desk.running:
        await desk.decide(approval["id"])
        row = await desk.ended(run)

    assert (row["status"], row["code"]) == ("failed", "policy-denied")
    assert len(tags(mended)) == before


def _change_result(database: Path, run: str, status: str) -> None:
    """What a read had said is another value by now, as after a restored backup."""
    with closing(sqlite3.connect(database)) as connection, connection:
        where = "subject = ? AND type IN ('step.done', 'attempt.ended')"
        rows = connection.execute(f"SELECT seq, data FROM events WHERE {where}", (run,)).fetchall()
        for seq, text in rows:
            data = json.loads(text)
            for name in {"result", "output"} & data.keys():
                data[name]["status"] = status
            connection.execute(
                "UPDATE events SET data = ? WHERE subject = ? AND seq = ?",
                (json.dumps(data), run, seq),
            )

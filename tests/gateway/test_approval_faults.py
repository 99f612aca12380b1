"""The table of approval faults: each of its rows over real HTTP, on the real store and drive."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import (
    SHOP,
    TAG_ORDER,
    Running,
    plan,
    serving,
    step,
    until,
    until_open,
    until_status,
)

from executor.store import drives
from executor.store.drives import Due

YES = {"decision": "approve", "reason": "checked"}
NO = {"decision": "refuse", "reason": "not this time"}
PERMIT = "permit (principal, action, resource);"
ASKS = """
@id("tags") @approval("approver") @message("tags are looked at")
forbid (principal, action, resource == Operation::"orders.add_tag")
unless { context.approvals.contains("approver") };
"""
ASKS_TOO = ASKS.replace("approver", "finance").replace('"tags"', '"tags-too"')
TWO = ASKS.replace('@approval("approver")', '@approval("approver") @quorum("2")')
SOON = ASKS.replace('@approval("approver")', '@approval("approver") @expires("1")')


@pytest.fixture
def ruled(config: Path) -> Callable[..., Path]:
    """An operator's file whose policies are these texts."""

    def write(*texts: str) -> Path:
        folder = config.parent / "policies"
        folder.mkdir(exist_ok=True)
        (folder / "all.cedar").write_text("\n".join([PERMIT, *texts]), encoding="utf-8")
        own = config.read_text(encoding="utf-8").replace(f"{SHOP}/policies", str(folder))
        config.write_text(own, encoding="utf-8")
        return config

    return write


class Desk:
    """People at one gateway, who keep their keys when it starts again."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self.running: Running

    async def person(self, name: str, *roles: str) -> httpx2.AsyncClient:
        found = await self.running.person(name, *roles, key=self._keys.get(name))
        self._keys[name] = found.headers["authorization"].removeprefix("Bearer ")
        return found

    async def requester(self) -> httpx2.AsyncClient:
        return await self.person("requester-1", "requester", "approver")

    async def approver(self, number: int = 1) -> httpx2.AsyncClient:
        return await self.person(f"approver-{number}", "approver")

    async def start(self, body: dict[str, Any]) -> str:
        """Submit a plan and run it."""
        person = await self.requester()
        made = await person.post("/v1/plans", json={"plan": body})
        assert made.status_code == 201, made.text
        begun = await person.post(f"/v1/plans/{made.json()['id']}/runs")
        return str(begun.json()["id"])

    async def decide(self, approval: str, body: dict[str, Any] = YES, by: int = 1) -> Any:
        return await (await self.approver(by)).post(f"/v1/approvals/{approval}/decision", json=body)

    async def open(self, run: str) -> Any:
        return (await until_open(await self.approver(), run))[0]

    async def ended(self, run: str) -> Any:
        return await until_status(
            await self.requester(), f"/v1/runs/{run}", "succeeded", "failed", "cancelled"
        )

    async def look_again(self, run: str) -> None:
        """Have a waiting run driven, as its alarm would."""
        due = Due("run", "main", run)
        gateway = self.running.gateway
        await gateway.store.write(partial(drives.wake, due=due, now=gateway.clock()))
        gateway.wake(due)


@pytest.fixture
async def desk(ruled: Callable[..., Path], mended: Any) -> AsyncIterator[Desk]:
    found = Desk()
    async with serving(ruled(ASKS)) as running:
        found.running = running
        yield found


def tags(mended: Any) -> list[str]:
    """What the orders service itself says."""
    answer = httpx2.get(f"{mended.urls['orders']}/orders/1043", trust_env=False)
    return [*answer.json()["tags"]]


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
    ruled: Callable[..., Path], mended: Any
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


async def test_a_quorum_is_of_different_people_and_nobody_counts_twice(
    ruled: Callable[..., Path], mended: Any
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
    ruled: Callable[..., Path], mended: Any
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
        second = await _another(desk, run, first["id"])
        two = await decide(both, second["id"])
        acted = len(tags(mended))
        three = await decide(other, second["id"])
        row = await desk.ended(run)
        again = await desk.start(TAG_ORDER)
        asked = await desk.open(again)
        await decide(both, asked["id"])
        no = await decide(both, (await _another(desk, again, asked["id"]))["id"], NO)
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
    ruled: Callable[..., Path], mended: Any, decided: bool
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
        new = await _another(desk, run, old["id"])
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
    ruled: Callable[..., Path], mended: Any, decided: bool
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
    ruled: Callable[..., Path], mended: Any, changed: str
) -> None:
    before, desk = len(tags(mended)), Desk()
    async with serving(ruled(ASKS)) as desk.running:
        run = await desk.start(TAG_ORDER)
        old = await desk.open(run)
        await until_status(await desk.requester(), f"/v1/runs/{run}", "waiting")
    async with serving(ruled(changed)) as desk.running:
        granted = await desk.decide(old["id"])
        new = await _another(desk, run, old["id"])
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
    ruled: Callable[..., Path], mended: Any
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
    with sqlite3.connect(database) as connection:
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
    connection.close()


async def _another(desk: Desk, run: str, old: str) -> Any:
    """The question that is asked after another one."""
    person, found = await desk.approver(), []

    async def asked() -> bool:
        nonlocal found
        rows = (await person.get(f"/v1/approvals?state=open&run={run}")).json()
        found = [each for each in rows if each["id"] != old]
        return bool(found)

    await until(asked, "it is asked anew")
    return found[0]

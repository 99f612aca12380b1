"""What a damaged row leaves to be seen of a run: what its calls did, and that nobody can go on."""

import asyncio
import time
from typing import Any

import httpx2
import pytest
from served import Running, plan, step, until_status
from sqlalchemy import text

from executor.dispatch import base
from executor.trace import explain
from gateway.routes import runs

ODD_EVENT = "UPDATE events SET data = '{\"odd\": 1}' WHERE type = 'step.done'"
ODD_PLAN = "UPDATE plans SET accepted = replace(accepted, 'checked', 'altered')"
GONE_PLAN = "UPDATE plans SET accepted = 'no plan'"
WITHIN_S = 20.0


async def tagged(person: httpx2.AsyncClient, *after: dict[str, Any]) -> str:
    """A run that puts a tag on an order."""
    tag = step("tag", "orders.add_tag", order_id="1043", tag="checked")
    words = {"plan": plan(tag, *after), "request": "tag 1043 as checked"}
    made = await person.post("/v1/plans", json=words)
    assert made.status_code == 201, made.text
    return str((await person.post(f"/v1/plans/{made.json()['id']}/runs")).json()["id"])


async def alter(running: Running, statement: str) -> None:
    await running.gateway.store.write(lambda c: c.execute(text(statement)))


@pytest.mark.parametrize("damage", [ODD_EVENT, ODD_PLAN, GONE_PLAN])
async def test_what_a_run_has_done_is_told_though_its_plan_or_journal_cannot_be_read(
    damage: str, running: Running, mended: Any
) -> None:
    person = await running.person("requester-1", "requester")
    run = await tagged(person)
    before = await until_status(person, f"/v1/runs/{run}", "succeeded")
    await alter(running, damage)
    shown = await person.get(f"/v1/runs/{run}")
    trace = await person.get(f"/v1/runs/{run}/trace")
    words = (await person.get(f"/v1/runs/{run}/trace", headers={"accept": "text/plain"})).text

    assert (shown.status_code, trace.status_code) == (200, 200)
    assert shown.json() == before
    assert (trace.json()["status"], trace.json()["steps"]) == ("succeeded", [])
    assert "these effects stand: tag" in words
    assert "cannot be read any more" in words


async def test_a_mistake_of_ours_in_explaining_a_run_is_not_told_as_a_damaged_record(
    running: Running, mended: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = await running.person("requester-1", "requester")
    run = await tagged(person)
    await until_status(person, f"/v1/runs/{run}", "succeeded")
    for place in ((explain, "explain_step"), (runs, "effects_told")):
        monkeypatch.setattr(*place, lambda *_: {}["a mistake"])
    answers = [await person.get(f"/v1/runs/{run}{more}") for more in ("", "/trace")]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [(500, "internal")] * 2


async def test_what_can_neither_be_driven_nor_put_aside_is_seen_until_it_can_be(
    running: Running, mended: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "AGAIN_S", (0.01, 0.05))
    person = await running.person("requester-1", "requester")
    stops = "CREATE TRIGGER stuck BEFORE INSERT ON events WHEN NEW.type = 'run.started'"
    await alter(running, f"{stops} BEGIN SELECT RAISE(ABORT, 'a page is damaged'); END")
    run = await tagged(person)

    async def counted(stuck: int) -> Any:
        deadline = time.monotonic() + WITHIN_S
        while (health := (await person.get("/v1/health")).json())["stuck"] != stuck:
            assert time.monotonic() < deadline, health
            await asyncio.sleep(0.02)
        return health

    health = await counted(1)
    row = (await person.get(f"/v1/runs/{run}")).json()
    trace = (await person.get(f"/v1/runs/{run}/trace")).json()
    await alter(running, "DROP TRIGGER stuck")
    await counted(0)
    after = await until_status(person, f"/v1/runs/{run}", "succeeded", "failed")

    assert health["status"] == "ok"
    assert row["code"] == "drive-stuck"
    assert "log" in trace["next"]
    assert (after["status"], after["code"]) == ("succeeded", None)

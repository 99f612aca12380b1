"""What was taken stays taken: a replay judges nothing anew, a wait that breaks refuses nothing."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
from served import READ_ORDER, model_lines, plan, scripted, serving, step, until, until_status
from test_tool_changes import change_overlay, key_of

TWICE = plan(
    step("one", "orders.get_order", order_id="1042"),
    step("two", "orders.get_order", order_id="1043"),
)


def more(config: Path, lines: str) -> str:
    """Say more in the operator's file; returns what it said before."""
    before = config.read_text(encoding="utf-8") if config.exists() else ""
    config.write_text(before + lines, encoding="utf-8")
    return before


async def test_a_start_whose_answer_was_lost_is_told_its_run_though_an_action_has_changed_since(
    config: Path,
) -> None:
    again = {"idempotency-key": "start"}
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        made = (await person.post("/v1/plans", json={"plan": READ_ORDER})).json()
        path, key = f"/v1/plans/{made['id']}/runs", key_of(person)
        first = await person.post(path, headers=again)
    change_overlay(config)
    async with serving(config) as running:
        person = await running.person("requester-1", "requester", key=key)
        second = await person.post(path, headers=again)
        anew = await person.post(path, headers={"idempotency-key": "another"})
        listed = (await person.get("/v1/runs")).json()

    assert (second.status_code, second.json()) == (202, first.json())
    assert second.headers["idempotent-replayed"] == "true"
    assert (anew.status_code, anew.json()["code"]) == (409, "tool-changed")
    assert len(listed) == 1


async def test_a_plan_and_a_request_that_were_taken_are_not_judged_again(config: Path) -> None:
    body, again = {"plan": TWICE}, {"idempotency-key": "one"}
    words = {"text": "x", "model": "m"}
    before = more(config, model_lines("m", "http://127.0.0.1:9/v1"))
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        key, first = key_of(person), await person.post("/v1/plans", json=body, headers=again)
        asked = await person.post("/v1/requests", json=words, headers=again)
    config = config.with_name("less.toml")
    more(config, before + "\n[budgets]\nsteps = 1\n")
    async with serving(config) as running:
        person = await running.person("requester-1", "requester", key=key)
        second = await person.post("/v1/plans", json=body, headers=again)
        other = await person.post("/v1/plans", json={"plan": READ_ORDER}, headers=again)
        anew = await person.post("/v1/plans", json=body)
        asked_again = await person.post("/v1/requests", json=words, headers=again)
        asked_anew = await person.post("/v1/requests", json=words)

    assert (second.status_code, second.json()) == (201, first.json())
    assert other.json()["code"] == "idempotency-key-reused"
    assert anew.json()["code"] == "plan-rejected"
    assert (asked_again.status_code, asked_again.json()) == (202, asked.json())
    assert asked_anew.json()["code"] == "unknown-model"


async def test_a_request_that_was_taken_is_so_answered_though_the_waiting_for_it_breaks(
    config: Path, tmp_path: Path
) -> None:
    database = tmp_path / "var" / "lamgate.db"
    async with scripted(tmp_path, {"seconds": 1, "text": "no plan"}) as url:
        more(config, model_lines("m", url))
        async with serving(config) as running, httpx2.AsyncClient(trust_env=False) as model:
            person = await running.person("requester-1", "requester")

            async def is_asked() -> bool:
                return bool((await model.get(url.removesuffix("/v1") + "/requests")).json())

            async def ask() -> httpx2.Response:
                wait = {"prefer": "wait=20"}
                return await person.post("/v1/requests", json=words, headers=wait)

            words = {"text": "Refund it.", "model": "m"}
            asking = asyncio.create_task(ask())
            await until(is_asked, "the model is asked")
            _write(database, "ALTER TABLE requests RENAME TO gone")
            answer = await asking
            _write(database, "ALTER TABLE gone RENAME TO requests")
            row = await until_status(person, f"/v1/requests/{answer.json()['id']}", "rejected")

    assert answer.status_code == 202
    assert set(answer.json()) == {"id"}
    assert row["code"] == "plan-rejected"


def _write(database: Path, statement: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as c:
        c.execute("PRAGMA legacy_alter_table=ON")
        c.execute(statement)

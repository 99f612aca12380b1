"""An action that is no longer what was accepted: nothing begins or goes on with it."""

import re
from pathlib import Path
from typing import Any

import httpx2
from served import (
    READ_ORDER,
    SHOP,
    TAG_ORDER,
    approve,
    serving,
    until_open,
    until_status,
)


def change_overlay(config: Path) -> None:
    """Let the operator say something else of an action."""
    overlay = config.parent / "overlay.yaml"
    text = (SHOP / "overlays" / "orders.yaml").read_text(encoding="utf-8")
    changed = re.sub(r"(get_order: .*)reads_as: trusted", r"\1reads_as: untrusted", text)
    changed = changed.replace("timeout_s: 10", "timeout_s: 11")
    assert changed != text
    overlay.write_text(changed, encoding="utf-8")
    change_config(config, f"{SHOP}/overlays/orders.yaml", str(overlay))


def change_config(config: Path, old: str, new: str) -> None:
    """Change the operator's file."""
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")


def key_of(person: httpx2.AsyncClient) -> str:
    return person.headers["authorization"].removeprefix("Bearer ")


async def test_a_plan_over_an_action_that_was_changed_is_not_started(config: Path) -> None:
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        made = (await person.post("/v1/plans", json={"plan": READ_ORDER})).json()
        key = key_of(person)
    change_overlay(config)
    async with serving(config) as running:
        person = await running.person("requester-1", "requester", key=key)
        answer = await person.post(f"/v1/plans/{made['id']}/runs")
        listed = (await person.get("/v1/runs")).json()

    assert (answer.status_code, answer.json()["code"]) == (409, "tool-changed")
    assert answer.json()["violations"][0]["at"] == "/steps/0/action"
    assert listed == []


async def test_a_run_that_waited_while_its_action_was_changed_does_not_call_it(
    config: Path, shop: Any, mended: Any
) -> None:
    ledger = f"{mended.urls['orders']}/ledger"
    before = len(httpx2.get(ledger, trust_env=False).json())
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        made = (await person.post("/v1/plans", json={"plan": TAG_ORDER})).json()
        planned = (await person.post(f"/v1/plans/{made['id']}/runs")).json()
        approver = await running.person("approver-1", "approver")
        await until_open(approver, planned["id"])
        keys = [key_of(person), key_of(approver)]
    change_overlay(config)
    async with serving(config) as running:
        person = await running.person("requester-1", "requester", key=keys[0])
        approver = await running.person("approver-1", "approver", key=keys[1])
        await approve(approver, planned["id"])
        run = await until_status(person, f"/v1/runs/{planned['id']}", "failed", "succeeded")
        trace: Any = (await person.get(f"/v1/runs/{planned['id']}/trace")).json()

    assert run["status"] == "failed"
    assert "not what it was when the plan was accepted" in trace["steps"][0]["told"]
    assert len(httpx2.get(ledger, trust_env=False).json()) == before

"""The kill switch: no call begins after it is committed, whoever runs; lifted, all goes on."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from forked import lamgate
from served import (
    MUG,
    READ_ORDER,
    SHOP,
    Running,
    answered,
    ask,
    end,
    plan,
    ready_line,
    start_process,
    step,
    until,
    until_status,
)

from gateway.private import operator_key_file, read_private

pytestmark = pytest.mark.timeout(120)
RUNS = 5
TWICE = plan(
    step("first", "orders.add_tag", order_id="1043", tag="looked"),
    {**step("second", "orders.add_tag", order_id="1043", tag="at"), "after": ["first"]},
)
WORDS = "tag order 1043 as looked at"


def tags(shop: Any) -> int:
    """How many tags the shop has really put on."""
    ledger = httpx2.get(f"{shop.urls['orders']}/ledger", trust_env=False, verify=False).json()
    return sum(each["kind"] == "tag" for each in ledger)


async def start(person: httpx2.AsyncClient, body: dict[str, Any] = TWICE) -> str:
    """Start a run of a plan by hand."""
    made = await person.post("/v1/plans", json={"plan": body, "request": WORDS})
    assert made.status_code == 201, made.text
    run: str = (await person.post(f"/v1/plans/{made.json()['id']}/runs")).json()["id"]
    return run


@asynccontextmanager
async def in_flight(person: httpx2.AsyncClient, shop: Any) -> AsyncIterator[list[str]]:
    """Several runs whose first call has acted and has no answer yet; at the end they get it."""
    before = tags(shop)
    fault = {"kind": "hang_after", "times": RUNS, "match": {"path_prefix": "/orders/1043/tags"}}
    httpx2.post(f"{shop.urls['orders']}/faults", json=fault, trust_env=False)
    runs = [await start(person) for _ in range(RUNS)]

    async def all_have_acted() -> bool:
        return await asyncio.to_thread(tags, shop) == before + RUNS

    await until(all_have_acted, "every first call has acted")
    yield runs
    httpx2.delete(f"{shop.urls['orders']}/faults", trust_env=False)


async def states_of(person: httpx2.AsyncClient, run: str) -> list[str]:
    """What became of every call of a run."""
    trace = (await person.get(f"/v1/runs/{run}/trace")).json()
    return [each["state"] for found in trace["steps"] for each in found["attempts"]]


async def test_no_call_begins_after_a_stop_and_those_under_way_end_and_are_journaled(
    running: Running, mended: Any, operator: httpx2.AsyncClient
) -> None:
    before = tags(mended)
    person = await running.person("requester-1", "requester")
    async with in_flight(person, mended) as runs:
        stop = {"connection": "orders", "reason": "it tags the wrong orders"}
        stopped = (await operator.post("/v1/stops", json=stop)).json()
        runs.append(await start(person, READ_ORDER))
    rows = [await until_status(person, f"/v1/runs/{run}", "waiting", "failed") for run in runs]
    ended = [await states_of(person, run) for run in runs]
    in_between = tags(mended)
    trace = await person.get(f"/v1/runs/{runs[0]}/trace", headers={"accept": "text/plain"})
    shown = (await person.get("/v1/connections")).json()
    lift = {"reason": "repaired"}
    lifted = await operator.post(f"/v1/stops/{stopped['id']}/lift", json=lift)
    after = [await until_status(person, f"/v1/runs/{run}", "succeeded", "failed") for run in runs]
    kept = (await operator.get("/v1/stops?lifted=true")).json()

    assert stopped["under_way"] == RUNS
    assert {(row["waiting_for"], row["wake_at"]) for row in rows} == {("stop", None)}
    assert ended == [["applied"]] * RUNS + [[]]  # the read was not made either
    assert in_between == before + RUNS
    assert "an operator has stopped these calls" in trace.text
    assert {each["name"]: each["stops"] for each in shown} == {
        "orders": [stopped["id"]], "payments": [], "mail": [],
    }  # fmt: skip
    assert lifted.json()["woken"] == RUNS + 1
    assert {row["status"] for row in after} == {"succeeded"}
    assert tags(mended) == before + 2 * RUNS
    assert [(each["by"], each["reason"], each["lift_reason"]) for each in kept] == [
        ("operator", "it tags the wrong orders", "repaired")
    ]


async def test_a_lifted_stop_tells_how_many_waited_for_it_and_counts_nobody_else(
    running: Running, operator: httpx2.AsyncClient, config: Path
) -> None:
    person = await running.person("requester-1", "requester")
    asked = await answered(person, (await ask(person, MUG))["id"], remedy="refund")
    waits = (await until_status(person, f"/v1/runs/{asked['run']}", "waiting"))["waiting_for"]
    told = []
    for how in ("gateway", "machine"):
        stop = (await operator.post("/v1/stops", json={"reason": "x"})).json()["id"]
        run = await start(person, READ_ORDER)
        await until_status(person, f"/v1/runs/{run}", "waiting")
        if how == "gateway":
            lifted = (await operator.post(f"/v1/stops/{stop}/lift", json={"reason": "x"})).json()
        else:
            lifted = await asyncio.to_thread(_say, config, "resume", stop)
        told.append(lifted["woken"])
        await until_status(person, f"/v1/runs/{run}", "succeeded")

    assert waits == "approval"
    assert told == [1, 1]


async def test_stops_overlap_and_each_has_to_be_lifted(
    running: Running, mended: Any, operator: httpx2.AsyncClient
) -> None:
    person = await running.person("requester-1", "requester")
    bodies: list[dict[str, str]] = [
        {"reason": "a tenant"},
        {"reason": "everybody", "tenants": "all"},
        {"reason": "another service", "connection": "mail"},
    ]
    found = [(await operator.post("/v1/stops", json=body)).json()["id"] for body in bodies]
    run = await start(person, READ_ORDER)
    waiting = await until_status(person, f"/v1/runs/{run}", "waiting", "succeeded")
    for each in found[:2]:
        await operator.post(f"/v1/stops/{each}/lift", json={"reason": "over"})
        now = (await person.get(f"/v1/runs/{run}")).json()
        if each == found[0]:
            assert now["status"] != "succeeded"
    after = await until_status(person, f"/v1/runs/{run}", "succeeded", "failed")
    again = await operator.post(f"/v1/stops/{found[0]}/lift", json={"reason": "over"})

    assert waiting["waiting_for"] == "stop"
    assert after["status"] == "succeeded"  # the stop of another connection stands
    assert (again.status_code, again.json()["code"]) == (404, "not-found")


async def test_who_may_stop_what(
    running: Running, requester: httpx2.AsyncClient, operator: httpx2.AsyncClient
) -> None:
    theirs = await running.person("operator-2", "operator", tenant="other")
    everybody = {"reason": "x", "tenants": "all"}
    answers = [
        await requester.post("/v1/stops", json={"reason": "x"}),
        await theirs.post("/v1/stops", json=everybody),
        await operator.post("/v1/stops", json={"reason": "x", "connection": "order"}),
        await operator.post("/v1/stops", json={}),
    ]
    own = await theirs.post("/v1/stops", json={"reason": "x"})
    seen = (await operator.get("/v1/stops")).json()
    stood = (await operator.post("/v1/stops", json=everybody)).json()
    lifted = await theirs.post(f"/v1/stops/{stood['id']}/lift", json={"reason": "x"})

    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (403, "role-missing"),
        (403, "role-missing"),
        (422, "unknown-connection"),
        (422, "unknown-field"),
    ]
    assert (own.status_code, seen) == (201, [])
    assert lifted.status_code == 403


async def test_a_cancelled_run_does_not_wait_for_a_stop(
    running: Running, mended: Any, operator: httpx2.AsyncClient
) -> None:
    person = await running.person("requester-1", "requester")
    await operator.post("/v1/stops", json={"reason": "x"})
    run = await start(person)
    await until_status(person, f"/v1/runs/{run}", "waiting")
    await person.post(f"/v1/runs/{run}/cancel", json={})

    assert (await until_status(person, f"/v1/runs/{run}", "cancelled", "failed"))["code"] == (
        "cancelled"
    )


async def test_the_switch_works_while_the_gateway_answers_nobody(config: Path, mended: Any) -> None:
    before = tags(mended)
    patient(config)
    process = start_process(config)
    try:
        address = await asyncio.to_thread(ready_line, process)
        key = read_private(operator_key_file(config.parent / "var" / "lamgate.db"))
        caller = {"authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(
            base_url=address, headers=caller, timeout=30, trust_env=False
        ) as person:
            async with in_flight(person, mended) as runs:
                process.send_signal(signal.SIGSTOP)
                stopped = await asyncio.to_thread(_say, config, "stop", "--connection", "orders")
                httpx2.delete(f"{mended.urls['orders']}/faults", trust_env=False)
                process.send_signal(signal.SIGCONT)
            rows = [await until_status(person, f"/v1/runs/{run}", "waiting") for run in runs]
            in_between = tags(mended)
            lifted = await asyncio.to_thread(_say, config, "resume", stopped["id"])
            for run in runs:
                await until_status(person, f"/v1/runs/{run}", "succeeded")
            listed = await asyncio.to_thread(_say, config, "stops", "--lifted")
    finally:
        end(process)

    assert stopped["under_way"] == RUNS
    assert [row["waiting_for"] for row in rows] == ["stop"] * RUNS
    assert in_between == before + RUNS
    assert lifted["woken"] == RUNS
    assert tags(mended) == before + 2 * RUNS
    assert "(at the machine)" in listed[0]["by"]


def patient(config: Path) -> None:
    """No call runs into its deadline while the process stands still, however slow the machine."""
    overlay = (SHOP / "overlays" / "orders.yaml").read_text(encoding="utf-8")
    file = config.parent / "patient.yaml"
    file.write_text(overlay.replace("timeout_s: 10", "timeout_s: 100"), encoding="utf-8")
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(f"{SHOP}/overlays/orders.yaml", str(file)), encoding="utf-8")


def _say(config: Path, word: str, *more: str) -> Any:
    """A word of the command line, to its end."""
    reason = [] if word == "stops" else ["--reason", "a test"]
    done = lamgate([word, *more, "-c", str(config), "--json", *reason])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_stop_needs_a_database_and_makes_none(config: Path) -> None:
    done = lamgate(["stop", "-c", str(config), "--reason", "x"])

    assert done.returncode != 0
    assert "there is no database" in " ".join(done.stderr.split())
    assert not (config.parent / "var" / "lamgate.db").exists()

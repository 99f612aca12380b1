"""A plan that calls a playbook: nothing hides in it, from admission to the trace."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import (
    Running,
    approve,
    ask,
    model_lines,
    plan,
    scripted,
    serving,
    step,
    until_open,
    until_status,
    write_config,
)

from executor.check.playbook import PlaybookError
from gateway.playbooks import playbooks_in

REFUND = plan(
    {
        "id": "order",
        "action": "orders.get_order",
        "args": [{"value": "1045", "to": "order_id"}],
    },
    {
        "id": "refund",
        "action": "playbooks.damaged_item",
        "args": [
            {"ref": "order/id", "to": "order_id"},
            {"value": "mug", "to": "item"},
            {"value": "refund", "to": "remedy"},
        ],
    },
    answer=[{"ref": "refund", "to": "done"}, {"ref": "order/id", "to": "order"}],
)
INNER = {"refund.line", "refund.refund", "refund.write_off", "refund.mail_refund"}


async def test_a_playbook_is_an_action_of_the_catalogue(requester: httpx2.AsyncClient) -> None:
    listed = (await requester.get("/v1/actions")).json()
    shown = (await requester.get("/v1/actions/playbooks.damaged_item")).json()

    names = {each["name"] for each in listed}
    assert {"playbooks.damaged_item", "playbooks.order_status", "orders.get_order"} <= names
    assert shown["input_schema"]["required"] == ["order_id", "item", "remedy"]
    assert shown["effect"] == "blind"
    assert {"refund", "mail", "on_hand"} <= shown["output_schema"]["properties"].keys()


async def test_what_a_playbook_does_is_approved_run_and_traced_step_by_step(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient, mended: Any
) -> None:
    made = await requester.post(
        "/v1/plans", json={"plan": REFUND, "request": "refund the broken mug of order 1045"}
    )
    assert made.status_code == 201, made.text
    again = await requester.post(
        "/v1/plans",
        json={"plan": made.json()["plan"], "request": "refund the broken mug of order 1045"},
    )
    steps = {each["step"]: each for each in made.json()["certificate"]["steps"]}
    started = await requester.post(f"/v1/plans/{made.json()['id']}/runs")
    run = started.json()["id"]
    asked = await until_open(approver, run)
    await approve(approver, run)
    done = await until_status(requester, f"/v1/runs/{run}", "succeeded", "failed")
    trace = await requester.get(f"/v1/runs/{run}/trace", headers={"accept": "text/plain"})

    assert steps.keys() >= INNER
    assert "refund" not in steps
    assert made.json()["certificate"]["playbooks"].keys() == {"damaged_item"}
    assert {each["step"] for each in asked} <= steps.keys()
    assert done["status"] == "succeeded", done
    assert done["result"]["order"] == "1045"
    assert done["result"]["done"]["refund"].keys() == {"id", "amount"}
    assert all(name in trace.text for name in INNER)
    assert "refund.replace" in trace.text  # skipped, and said so
    # The expanded plan is a plan like any other; only that nothing was called is another digest.
    assert again.status_code == 201
    assert again.json()["certificate"]["steps"] == made.json()["certificate"]["steps"]
    assert again.json()["digest"] != made.json()["digest"]


async def test_what_is_wrong_in_a_call_is_told_at_the_call(requester: httpx2.AsyncClient) -> None:
    wrong = plan(
        step("fix", "playbooks.damaged_item", order_id="1042", item="sofa", remdy="refund")
    )
    problem = (await requester.post("/v1/plans", json={"plan": wrong})).json()

    assert {(each["code"], each["at"], each["step"]) for each in problem["violations"]} == {
        ("type-mismatch", "/steps/0/args/1/value", "fix"),
        ("unknown-argument", "/steps/0/args/2/to", "fix"),
        ("missing-argument", "/steps/0/args", "fix"),
    }


async def test_a_model_may_call_a_playbook(
    config: Path, shop: Any, tmp_path: Path, mended: Any
) -> None:
    call = step("status", "playbooks.order_status", order_id="1043")
    reply = plan(call, answer=[{"ref": "status/status", "to": "status"}])
    async with scripted(tmp_path, {"json": reply}) as url:
        file = write_config(tmp_path, shop, model_lines("planner", url))
        async with serving(file) as running:
            person = await running.person("requester-1", "requester")
            found = await ask(person, "What is the status of order 1043?", model="planner")
            run = await until_status(person, f"/v1/runs/{found['run']}", "succeeded")

    assert run["result"].keys() == {"status"}


async def test_the_events_of_a_run_name_the_inner_steps(
    running: Running, requester: httpx2.AsyncClient
) -> None:
    call = plan(step("s", "playbooks.order_status", order_id="1043"))
    made = await requester.post("/v1/plans", json={"plan": call, "request": "order 1043"})
    started = await requester.post(f"/v1/plans/{made.json()['id']}/runs")
    run = started.json()["id"]
    await until_status(requester, f"/v1/runs/{run}", "succeeded")
    events = await requester.get(f"/v1/runs/{run}/events", headers={"accept": "text/event-stream"})
    lines = [line for line in events.text.splitlines() if line.startswith("data: ")]
    told = [json.loads(line.removeprefix("data: ")) for line in lines]

    assert {each["data"]["step"] for each in told if each["type"] == "step.done"} == {"s.order"}


def test_the_files_are_read_as_all_that_an_operator_writes(tmp_path: Path) -> None:
    file = tmp_path / "told.yaml"
    written = """
name: told
version: 1
description: no
utterances: [say it]
plan: {understanding: 2026-11-26, steps: [], answer: []}
"""
    file.write_text(written, encoding="utf-8")

    (found,) = playbooks_in(tmp_path).values()
    assert (found.description, found.plan.understanding) == ("no", "2026-11-26")

    for broken in (f"{written}version: 2\n", "name: [told", "&a [*a]"):
        file.write_text(broken, encoding="utf-8")
        with pytest.raises(PlaybookError, match=r"told\.yaml is neither JSON nor YAML"):
            playbooks_in(tmp_path)

    (tmp_path / "empty.yaml").write_text("{}", encoding="utf-8")
    with pytest.raises(PlaybookError) as error:
        playbooks_in(tmp_path)
    first, second = str(error.value).splitlines()
    assert "empty.yaml: " in first
    assert "told.yaml is neither JSON nor YAML" in second

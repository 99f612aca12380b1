"""The main job over HTTP: ambiguous words in; a question, a plan, an approval and a run out."""

from pathlib import Path
from typing import Any

import httpx2
from served import (
    MUG,
    READ_ORDER,
    STATUS,
    Running,
    answered,
    approve,
    ask,
    model_lines,
    scripted,
    serving,
    until_open,
    until_status,
    write_config,
)


async def test_an_ambiguous_request_becomes_a_question_a_plan_an_approval_and_a_finished_run(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient
) -> None:
    asked = await ask(requester, MUG)
    planned = await answered(requester, asked["id"], remedy="refund")
    plan = (await requester.get(f"/v1/plans/{planned['plan']}")).json()
    await approve(approver, planned["run"])
    run = await until_status(requester, f"/v1/runs/{planned['run']}", "succeeded", "failed")
    trace = await requester.get(
        f"/v1/runs/{planned['run']}/trace", headers={"accept": "text/plain"}
    )

    assert asked["status"] == "needs_answer"
    assert [each["about"] for each in asked["questions"]] == ["remedy"]
    assert asked["run"] is None
    assert planned["status"] == "planned"
    assert planned["answers"] == {"remedy": "refund"}
    assert plan["request"] == asked["id"]
    assert {each["step"] for each in plan["certificate"]["steps"]} >= {"refund", "mail_refund"}
    assert run["status"] == "succeeded"
    assert run["request"] == asked["id"]
    assert run["result"]["refund"]["amount"] == {"amount": "18.50", "currency": "EUR"}
    assert "granted by approver-1: checked" in trace.text


async def test_nothing_is_sent_before_the_approval_is_given(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient, mended: Any
) -> None:
    def writes() -> int:
        ledger = httpx2.get(f"{mended.urls['pay_minor']}/ledger", trust_env=False).json()
        return len(ledger)

    before = writes()
    asked = await ask(requester, MUG)
    planned = await answered(requester, asked["id"], remedy="refund")
    await until_open(approver, planned["run"])
    run = await until_status(requester, f"/v1/runs/{planned['run']}", "waiting")

    assert run["waiting_for"] == "approval"
    assert writes() == before


async def test_a_request_started_manually_is_planned_and_runs_when_it_is_told(
    requester: httpx2.AsyncClient,
) -> None:
    planned = await ask(requester, STATUS, start="manual")
    started = await requester.post(f"/v1/plans/{planned['plan']}/runs")
    run = await until_status(requester, f"/v1/runs/{started.json()['id']}", "succeeded")
    request = (await requester.get(f"/v1/requests/{planned['id']}")).json()

    assert planned["run"] is None
    assert started.status_code == 202
    assert set(run["result"]) == {"status", "placed_at"}
    assert request["run"] == run["id"]


async def test_requests_are_listed_newest_first_and_by_status(
    requester: httpx2.AsyncClient,
) -> None:
    first = await ask(requester, STATUS, start="manual")
    second = await ask(requester, MUG)
    listed = (await requester.get("/v1/requests")).json()
    asked = (await requester.get("/v1/requests?status=needs_answer&limit=1")).json()

    assert [each["id"] for each in listed[:2]] == [second["id"], first["id"]]
    assert [each["id"] for each in asked] == [second["id"]]
    assert "drafts" not in listed[0]


async def test_what_no_playbook_knows_is_refused_with_what_can_be_done(
    requester: httpx2.AsyncClient,
) -> None:
    refused = await ask(requester, "Write me a poem about the sea.")

    assert refused["status"] == "refused"
    assert refused["code"] == "unable"
    assert "order_status" in refused["unable"]
    assert refused["run"] is None


async def test_without_waiting_a_request_is_taken_at_once_and_told_later(
    requester: httpx2.AsyncClient,
) -> None:
    taken = await requester.post("/v1/requests", json={"text": STATUS})
    planned = await until_status(requester, f"/v1/requests/{taken.json()['id']}", "planned")

    assert taken.status_code == 202
    assert set(taken.json()) == {"id"}
    assert planned["requester"] == "requester-1"


async def test_an_answer_to_what_nobody_asked_is_refused_with_what_was_asked(
    requester: httpx2.AsyncClient,
) -> None:
    asked = await ask(requester, MUG)
    answer = await requester.post(
        f"/v1/requests/{asked['id']}/answers", json={"answers": {"colour": "blue"}}
    )
    still = (await requester.get(f"/v1/requests/{asked['id']}")).json()

    assert answer.status_code == 422
    assert answer.json()["code"] == "unknown-question"
    assert answer.json()["at"] == "/answers/colour"
    assert "remedy" in answer.json()["fix"]
    assert still["status"] == "needs_answer"


async def test_a_request_that_asks_nothing_takes_no_answer_and_no_retry(
    requester: httpx2.AsyncClient,
) -> None:
    planned = await ask(requester, STATUS)
    path = f"/v1/requests/{planned['id']}"
    answer = await requester.post(f"{path}/answers", json={"answers": {"remedy": "refund"}})
    retry = await requester.post(f"{path}/retry")

    assert (answer.status_code, answer.json()["code"]) == (409, "no-question")
    assert (retry.status_code, retry.json()["code"]) == (409, "not-retryable")


async def test_a_model_that_is_not_configured_is_named_with_those_that_are(
    requester: httpx2.AsyncClient,
) -> None:
    answer = await requester.post("/v1/requests", json={"text": STATUS, "model": "oracle"})

    assert answer.status_code == 422
    assert answer.json()["code"] == "unknown-model"
    assert "playbooks" in answer.json()["fix"]


async def test_an_invented_action_is_sent_back_and_every_draft_is_shown_with_its_violations(
    config: Path, shop: Any, tmp_path: Path
) -> None:
    wrong = {**READ_ORDER, "steps": [{**READ_ORDER["steps"][0], "action": "orders.fetch_order"}]}
    async with scripted(tmp_path, {"json": wrong}, {"json": READ_ORDER}) as address:
        write_config(config.parent, shop, model_lines("planner", address))
        async with serving(config) as running:
            person = await running.person("requester-1", "requester")
            row = await ask(person, "Read order 1042.", model="planner", start="manual")

    assert row["status"] == "planned", row
    assert row["planner"] == "planner"
    assert [len(each["violations"]) > 0 for each in row["drafts"]] == [True, False]
    assert row["drafts"][0]["violations"][0]["code"] == "unknown-action"


async def test_a_model_that_never_gets_it_right_leaves_a_rejected_request_with_all_reasons(
    config: Path, shop: Any, tmp_path: Path
) -> None:
    wrong = {**READ_ORDER, "steps": [{**READ_ORDER["steps"][0], "action": "orders.fetch_order"}]}
    async with scripted(tmp_path, {"json": wrong}) as address:
        write_config(config.parent, shop, model_lines("planner", address))
        async with serving(config) as running:
            person = await running.person("requester-1", "requester")
            row = await ask(person, "Read order 1042.", model="planner")

    assert row["status"] == "rejected"
    assert row["code"] == "plan-rejected"
    assert len(row["drafts"]) == 3
    assert {each["code"] for each in row["violations"]} >= {"unknown-action"}
    assert row["run"] is None


async def test_a_model_that_is_down_leaves_a_request_that_can_be_tried_again(
    config: Path, shop: Any, tmp_path: Path
) -> None:
    down = {"status": 503, "message": "down for maintenance"}
    async with scripted(tmp_path, down, {"json": READ_ORDER}) as address:
        write_config(config.parent, shop, model_lines("planner", address))
        async with serving(config) as running:
            person: httpx2.AsyncClient = await running.person("requester-1", "requester")
            row = await ask(person, "Read order 1042.", model="planner", start="manual")
            again = await person.post(
                f"/v1/requests/{row['id']}/retry", headers={"prefer": "wait=30"}
            )

    assert row["status"] == "planner_unavailable"
    assert row["code"] == "planner-unavailable"
    assert row["message"]
    assert again.status_code == 200
    assert again.json()["status"] == "planned"


async def test_a_model_that_was_taken_out_of_the_settings_is_unavailable_not_a_crash(
    config: Path, shop: Any
) -> None:
    write_config(config.parent, shop, model_lines("planner", "http://127.0.0.1:9/v1"))
    async with serving(config) as running:
        await running.gateway.dispatcher.stop()  # it is taken here, and planned after the restart
        person = await running.person("requester-1", "requester")
        taken = await person.post("/v1/requests", json={"text": STATUS, "model": "planner"})
        path = f"/v1/requests/{taken.json()['id']}"
        before = (await person.get(path)).json()
    write_config(config.parent, shop)
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        row = await until_status(person, path, "planner_unavailable")

    assert before["status"] == "received"
    assert "planner" in row["message"]


async def test_health_needs_no_key(running: Running) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as nobody:
        answer = await nobody.get("/v1/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"

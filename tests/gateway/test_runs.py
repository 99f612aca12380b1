"""Runs over HTTP: where they stand, what a person found out, and how they are explained."""

from typing import Any

import httpx2
import pytest
from served import READ_ORDER, Running, plan, step, until_status


async def uncertain(running: Running, mended: Any) -> tuple[httpx2.AsyncClient, str]:
    """A run whose blind call was applied, and whose answer never came."""
    person = await running.person("requester-1", "requester")
    operator = await running.person("operator-1", "operator")
    fault = {"kind": "drop_after", "match": {"method": "POST", "path_prefix": "/orders/1043/tags"}}
    httpx2.post(f"{mended.urls['orders']}/faults", json=fault, trust_env=False)
    body = plan(
        step("tag", "orders.add_tag", order_id="1043", tag="checked"),
        answer=[{"ref": "tag/status", "to": "status"}],
    )
    made = await person.post("/v1/plans", json={"plan": body, "request": "tag 1043 as checked"})
    assert made.status_code == 201, made.text
    run = (await person.post(f"/v1/plans/{made.json()['id']}/runs")).json()["id"]
    row = await until_status(person, f"/v1/runs/{run}", "waiting", "failed", "succeeded")
    assert row["waiting_for"] == "reconcile", row
    return operator, run


def tags(mended: Any) -> int:
    """How many tags the shop has really put on."""
    ledger = httpx2.get(f"{mended.urls['orders']}/ledger", trust_env=False).json()
    return sum(each["kind"] == "tag" for each in ledger)


async def test_a_blind_call_without_an_answer_waits_for_a_person_and_is_not_sent_again(
    running: Running, mended: Any
) -> None:
    before = tags(mended)
    operator, run = await uncertain(running, mended)
    trace = await operator.get(f"/v1/runs/{run}/trace", headers={"accept": "text/plain"})

    assert tags(mended) == before + 1
    assert "it may have happened" in trace.text
    assert "lamgate reconcile" in trace.text


async def test_what_a_person_found_to_have_happened_lets_the_run_go_on_with_its_output(
    running: Running, mended: Any
) -> None:
    before = tags(mended)
    operator, run = await uncertain(running, mended)
    found = httpx2.get(f"{mended.urls['orders']}/orders/1043", trust_env=False).json()
    body = {"step": "tag", "resolution": "happened", "output": found, "reason": "the shop shows it"}
    answer = await operator.post(f"/v1/runs/{run}/reconcile", json=body)
    row = await until_status(operator, f"/v1/runs/{run}", "succeeded", "failed")
    trace: Any = (await operator.get(f"/v1/runs/{run}/trace")).json()

    assert answer.status_code == 202, answer.text
    assert row["status"] == "succeeded"
    assert row["result"] == {"status": found["status"]}
    assert trace["steps"][0]["attempts"][0]["state"] == "resolved_applied"
    assert tags(mended) == before + 1


async def test_an_output_that_the_action_cannot_have_given_is_refused(
    running: Running, mended: Any
) -> None:
    operator, run = await uncertain(running, mended)
    path = f"/v1/runs/{run}/reconcile"
    wrong = {"step": "tag", "resolution": "happened", "output": {"id": 7}, "reason": "guess"}
    stray = {"step": "tag", "resolution": "abandon", "output": {}, "reason": "guess"}
    said = {"step": "tag", "resolution": "abandon", "answers": {}, "reason": "guess"}
    answers = [await operator.post(path, json=body) for body in (wrong, stray, said)]
    row = (await operator.get(f"/v1/runs/{run}")).json()

    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (422, "type-mismatch"),
        (422, "unknown-field"),
        (422, "unknown-field"),
    ]
    assert [each.json()["at"] for each in answers] == ["/output", "/output", "/answers"]
    assert row["waiting_for"] == "reconcile"


async def test_what_a_person_found_not_to_have_happened_is_sent_again(
    running: Running, mended: Any
) -> None:
    before = tags(mended)
    operator, run = await uncertain(running, mended)
    body = {"step": "tag", "resolution": "send_again", "reason": "the shop does not show it"}
    await operator.post(f"/v1/runs/{run}/reconcile", json=body)
    row = await until_status(operator, f"/v1/runs/{run}", "succeeded", "failed")

    assert row["status"] == "succeeded"
    assert tags(mended) == before + 2  # the person was wrong, and it was their word


async def test_what_is_given_up_is_never_sent_again(running: Running, mended: Any) -> None:
    before = tags(mended)
    operator, run = await uncertain(running, mended)
    body = {"step": "tag", "resolution": "abandon", "reason": "not worth it"}
    await operator.post(f"/v1/runs/{run}/reconcile", json=body)
    row = await until_status(operator, f"/v1/runs/{run}", "failed", "succeeded")
    again = await operator.post(f"/v1/runs/{run}/reconcile", json=body)

    assert row["status"] == "failed"
    assert tags(mended) == before + 1
    assert (again.status_code, again.json()["code"]) == (409, "not-uncertain")


@pytest.mark.parametrize("name", ["order", "nothing"])
async def test_only_what_is_uncertain_can_be_resolved_and_only_by_an_operator(
    running: Running, name: str
) -> None:
    person = await running.person("requester-1", "requester")
    operator = await running.person("operator-1", "operator")
    made = (await person.post("/v1/plans", json={"plan": READ_ORDER})).json()
    run = (await person.post(f"/v1/plans/{made['id']}/runs")).json()["id"]
    await until_status(person, f"/v1/runs/{run}", "succeeded")
    body = {"step": name, "resolution": "happened", "reason": "guess"}
    refused = await person.post(f"/v1/runs/{run}/reconcile", json=body)
    answer = await operator.post(f"/v1/runs/{run}/reconcile", json=body)

    assert (refused.status_code, refused.json()["code"]) == (403, "role-missing")
    assert (answer.status_code, answer.json()["code"]) == (409, "not-uncertain")


async def test_runs_are_listed_newest_first_and_by_status(requester: httpx2.AsyncClient) -> None:
    made = (await requester.post("/v1/plans", json={"plan": READ_ORDER})).json()
    started = []
    for _ in range(3):
        answer = await requester.post(f"/v1/plans/{made['id']}/runs")
        started.append(answer.json()["id"])
        await until_status(requester, f"/v1/runs/{started[-1]}", "succeeded")
    listed = (await requester.get("/v1/runs")).json()
    two = (await requester.get("/v1/runs?limit=2")).json()
    rest = (await requester.get(f"/v1/runs?limit=2&before={started[1]}")).json()
    failed = (await requester.get("/v1/runs?status=failed")).json()

    assert [each["id"] for each in listed] == started[::-1]
    assert [each["id"] for each in two] == started[:0:-1]
    assert [each["id"] for each in rest] == started[:1]
    assert failed == []


async def test_the_words_that_came_with_a_plan_are_those_of_its_runs(
    requester: httpx2.AsyncClient,
) -> None:
    words, ids = ["how is order 1043?", ""], []
    for each in words:
        made = await requester.post("/v1/plans", json={"plan": READ_ORDER, "request": each})
        ids.append((await requester.post(f"/v1/plans/{made.json()['id']}/runs")).json()["id"])
    shown = [(await requester.get(f"/v1/runs/{each}")).json()["words"] for each in ids]
    listed = (await requester.get("/v1/runs")).json()

    assert shown == [words[0], None]
    assert {each["id"]: each["words"] for each in listed} == dict(zip(ids, shown, strict=True))

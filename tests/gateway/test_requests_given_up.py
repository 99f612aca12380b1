"""A request that waits can be given up, by who asked or an operator, and then comes to nothing."""

from typing import Any

import httpx2
import pytest
from served import MUG, STATUS, Running, ask, model_lines, serving, until_status


@pytest.fixture
async def asked(requester: httpx2.AsyncClient) -> Any:
    """A request that asks something."""
    found = await ask(requester, MUG)
    assert found["status"] == "needs_answer"
    return found


@pytest.mark.parametrize("who", ["requester", "operator"])
async def test_what_was_asked_and_is_given_up_is_answered_no_more(
    requester: httpx2.AsyncClient, operator: httpx2.AsyncClient, asked: Any, who: str
) -> None:
    person = {"requester": requester, "operator": operator}[who]
    path = f"/v1/requests/{asked['id']}"
    given_up = await person.post(f"{path}/cancel")
    late = await requester.post(f"{path}/answers", json={"answers": {"remedy": "refund"}})
    again = await person.post(f"{path}/cancel")
    row = (await requester.get(path)).json()
    events = await requester.get(f"{path}/events", headers={"accept": "application/json"})
    runs = (await requester.get("/v1/runs")).json()
    listed = (await requester.get("/v1/requests?status=cancelled")).json()

    assert (given_up.status_code, given_up.json()) == (202, {"id": asked["id"]})
    assert (late.status_code, late.json()["code"]) == (409, "no-question")
    assert (again.status_code, again.json()["code"]) == (409, "already-over")
    assert row["status"] == "cancelled"
    assert events.json()[-1]["type"] == "request.cancelled"
    assert runs == []
    assert [each["id"] for each in listed] == [asked["id"]]


async def test_nobody_elses_request_is_given_up_without_the_role(
    running: Running, requester: httpx2.AsyncClient, asked: Any
) -> None:
    path = f"/v1/requests/{asked['id']}"
    colleague = await running.person("requester-2", "requester")
    stranger = await running.person("operator-9", "operator", tenant="other")
    answers = [await each.post(f"{path}/cancel") for each in (colleague, stranger)]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (403, "role-missing"), (404, "not-found")
    ]  # fmt: skip
    assert (await requester.get(path)).json()["status"] == "needs_answer"


async def test_what_became_a_run_is_cancelled_as_a_run(requester: httpx2.AsyncClient) -> None:
    planned = await ask(requester, STATUS)
    answer = await requester.post(f"/v1/requests/{planned['id']}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (409, "already-over")
    assert answer.json()["fix"] == f"Cancel its run: /v1/runs/{planned['run']}/cancel."


async def test_a_request_that_no_model_answered_is_given_up_too(config: Any) -> None:
    text = config.read_text(encoding="utf-8") + model_lines("down", "http://127.0.0.1:9/v1")
    config.write_text(text, encoding="utf-8")
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        sent = (await person.post("/v1/requests", json={"text": STATUS, "model": "down"})).json()
        await until_status(person, f"/v1/requests/{sent['id']}", "planner_unavailable")
        given_up = await person.post(f"/v1/requests/{sent['id']}/cancel")
        retried = await person.post(f"/v1/requests/{sent['id']}/retry")

    assert given_up.status_code == 202
    assert (retried.status_code, retried.json()["code"]) == (409, "not-retryable")

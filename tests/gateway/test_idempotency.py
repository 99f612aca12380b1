"""The same Idempotency-Key does a thing once, whoever retries and however often."""

import asyncio
from typing import Any

import httpx2
from served import MUG, READ_ORDER, STATUS, Running, answered, ask, until_open


async def _posts(running: Running, path: str, body: Any) -> tuple[Any, Any, Any]:
    """The same POST twice under one key, then the key with another body."""
    person = await running.person("requester-1", "requester", "operator", "approver")
    headers = {"idempotency-key": f"key of {path}"}
    one = await person.post(path, json=body, headers=headers)
    two = await person.post(path, json=body, headers=headers)
    return one, two, person


async def test_a_request_that_is_sent_twice_is_one_request(running: Running) -> None:
    one, two, person = await _posts(running, "/v1/requests", {"text": STATUS})
    other = await person.post(
        "/v1/requests",
        json={"text": STATUS + " "},
        headers={"idempotency-key": "key of /v1/requests"},
    )

    assert one.json() == two.json()
    assert "idempotent-replayed" not in one.headers
    assert two.headers["idempotent-replayed"] == "true"
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency-key-reused"


async def test_members_in_another_order_are_the_same_body(requester: httpx2.AsyncClient) -> None:
    headers = {"idempotency-key": "order"}
    one = await requester.post(
        "/v1/requests", content=b'{"text": "a", "start": "manual"}', headers=headers
    )
    two = await requester.post(
        "/v1/requests", content=b'{ "start":"manual", "text":"a" }', headers=headers
    )

    assert one.json() == two.json()


async def test_a_replay_waits_too_where_that_is_preferred(requester: httpx2.AsyncClient) -> None:
    headers = {"idempotency-key": "waiting"}
    one = await requester.post("/v1/requests", json={"text": STATUS}, headers=headers)
    two = await requester.post(
        "/v1/requests", json={"text": STATUS}, headers={**headers, "prefer": "wait=30"}
    )

    assert two.json()["id"] == one.json()["id"]
    assert two.json()["status"] == "planned"
    assert two.headers["preference-applied"] == "wait=30"
    assert two.headers["idempotent-replayed"] == "true"


async def test_many_at_once_under_one_key_are_one_request(requester: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(
        *(
            requester.post(
                "/v1/requests", json={"text": STATUS}, headers={"idempotency-key": "storm"}
            )
            for _ in range(20)
        )
    )

    assert len({each.json()["id"] for each in answers}) == 1
    assert sum("idempotent-replayed" not in each.headers for each in answers) == 1


async def test_two_people_and_two_tenants_share_no_key(running: Running) -> None:
    people = [
        await running.person("requester-1", "requester"),
        await running.person("requester-2", "requester"),
        await running.person("requester-1", "requester", tenant="other"),
    ]
    headers = {"idempotency-key": "shared"}
    made = [
        (await each.post("/v1/requests", json={"text": STATUS}, headers=headers)).json()["id"]
        for each in people
    ]

    assert len(set(made)) == 3


async def test_a_plan_and_its_run_are_made_once(running: Running) -> None:
    one, two, person = await _posts(running, "/v1/plans", {"plan": READ_ORDER})
    path = f"/v1/plans/{one.json()['id']}/runs"
    first, second, _ = await _posts(running, path, {})
    listed = (await person.get("/v1/runs")).json()

    assert one.json() == two.json()
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert len(listed) == 1


async def test_an_answer_a_decision_a_cancel_and_a_key_are_taken_once(running: Running) -> None:
    person = await running.person("requester-1", "requester", "operator")
    judge = await running.person("approver-1", "approver")
    asked = await ask(person, MUG)
    path = f"/v1/requests/{asked['id']}/answers"
    taken = [
        await person.post(
            path, json={"answers": {"remedy": "refund"}}, headers={"idempotency-key": "answer"}
        )
        for _ in range(2)
    ]
    planned = await answered_run(person, asked["id"])
    approval = (await until_open(judge, planned))[0]["id"]
    cancelled = [
        await person.post(f"/v1/runs/{planned}/cancel", headers={"idempotency-key": "cancel"})
        for _ in range(2)
    ]
    decided = [
        await judge.post(
            f"/v1/approvals/{approval}/decision",
            json={"decision": "approve", "reason": "fine"},
            headers={"idempotency-key": "decision"},
        )
        for _ in range(2)
    ]

    assert [each.status_code for each in taken] == [202, 202]
    assert taken[1].headers["idempotent-replayed"] == "true"
    assert [each.status_code for each in cancelled] == [202, 202]
    assert cancelled[1].headers["idempotent-replayed"] == "true"
    assert {each.status_code for each in decided} <= {200, 409}


async def answered_run(person: httpx2.AsyncClient, request: str) -> str:
    """The run that a request became."""
    answer = await person.get(f"/v1/requests/{request}")
    while answer.json()["run"] is None:
        await asyncio.sleep(0.02)
        answer = await person.get(f"/v1/requests/{request}")
    return str(answer.json()["run"])


async def test_what_was_refused_may_be_tried_again_under_the_same_key(
    requester: httpx2.AsyncClient,
) -> None:
    asked = await ask(requester, MUG)
    path = f"/v1/requests/{asked['id']}/retry"
    refused = await requester.post(path, headers={"idempotency-key": "again"})
    still = await requester.post(path, headers={"idempotency-key": "again"})
    planned = await answered(requester, asked["id"], remedy="refund")

    assert refused.status_code == still.status_code == 409
    assert "idempotent-replayed" not in still.headers
    assert planned["status"] == "planned"


async def test_a_key_that_is_empty_or_endless_is_refused(requester: httpx2.AsyncClient) -> None:
    for key in ("", "x" * 201):
        answer = await requester.post(
            "/v1/requests", json={"text": STATUS}, headers={"idempotency-key": key}
        )

        assert answer.status_code == 400
        assert answer.json()["code"] == "bad-idempotency-key"

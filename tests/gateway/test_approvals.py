"""Approvals: bound to what was shown, decided once, by somebody else who may."""

from typing import Any

import httpx2
import pytest
from served import MUG, Running, answered, ask, until_open, until_status
from sqlalchemy import Connection, insert, select, update

from executor.store.tables import approvals

YES = {"decision": "approve", "reason": "checked"}
NO = {"decision": "refuse", "reason": "not this time"}


@pytest.fixture
async def waiting(requester: httpx2.AsyncClient, approver: httpx2.AsyncClient) -> Any:
    """An approval that is open."""
    asked = await ask(requester, MUG)
    run = (await answered(requester, asked["id"], remedy="refund"))["run"]
    return (await until_open(approver, run))[0]


async def test_an_approval_shows_the_whole_call_and_looking_approves_nothing(
    approver: httpx2.AsyncClient, waiting: Any
) -> None:
    shown = (await approver.get(f"/v1/approvals/{waiting['id']}")).json()
    again = (await approver.get(f"/v1/approvals/{waiting['id']}")).json()

    assert shown["action"] == "payments.refund_create"
    assert shown["arguments"]["amount"] == {"amount": "18.50", "currency": "EUR"}
    assert shown["requester"] == "requester-1"
    assert shown["policies"] == ["refunds-over-10-need-approval"]
    assert shown["policy_version"]
    assert again["state"] == "open"


async def test_nobody_approves_their_own_request_whatever_their_roles(
    running: Running, waiting: Any
) -> None:
    same = await running.person("requester-1", "requester", "approver", "operator")
    answer = await same.post(f"/v1/approvals/{waiting['id']}/decision", json=YES)
    after = (await same.get(f"/v1/approvals/{waiting['id']}")).json()

    assert (answer.status_code, answer.json()["code"]) == (403, "own-request")
    assert after["state"] == "open"


async def test_only_the_role_that_is_asked_decides(running: Running, waiting: Any) -> None:
    other = await running.person("requester-2", "requester", "operator")
    answer = await other.post(f"/v1/approvals/{waiting['id']}/decision", json=YES)

    assert (answer.status_code, answer.json()["code"]) == (403, "role-missing")
    assert answer.json()["state"] == "open"


async def test_another_tenants_approver_sees_and_decides_nothing(
    running: Running, approver: httpx2.AsyncClient, waiting: Any
) -> None:
    path = f"/v1/approvals/{waiting['id']}"
    elsewhere = await running.person("approver-9", "approver", "operator", tenant="other")
    shown = await elsewhere.get(path)
    decided = await elsewhere.post(f"{path}/decision", json=YES)
    listed = await elsewhere.get("/v1/approvals")

    assert (shown.status_code, decided.status_code) == (404, 404)
    assert waiting["id"] not in listed.text
    assert (await approver.get(path)).json()["state"] == "open"


async def test_saying_it_twice_is_fine_and_saying_otherwise_is_a_conflict(
    running: Running, approver: httpx2.AsyncClient, waiting: Any
) -> None:
    path = f"/v1/approvals/{waiting['id']}/decision"
    second = await running.person("approver-2", "approver")
    first = await approver.post(path, json=YES)
    again = await approver.post(path, json=YES)
    otherwise = await approver.post(path, json=NO)
    somebody = await second.post(path, json=NO)

    assert first.json()["state"] == "granted"
    assert (again.status_code, again.json()["state"]) == (200, "granted")
    assert (otherwise.status_code, otherwise.json()["code"]) == (409, "already-decided")
    assert somebody.status_code == 409
    assert somebody.json()["state"] in ("granted", "void")


async def test_a_refusal_ends_the_step_and_nothing_is_paid(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient, waiting: Any, mended: Any
) -> None:
    ledger = f"{mended.urls['pay_minor']}/ledger"
    before = len(httpx2.get(ledger, trust_env=False).json())
    answer = await approver.post(f"/v1/approvals/{waiting['id']}/decision", json=NO)
    run = await until_status(requester, f"/v1/runs/{waiting['run']}", "failed", "succeeded")

    assert answer.json()["state"] == "refused"
    assert run["status"] == "failed"
    assert len(httpx2.get(ledger, trust_env=False).json()) == before


async def test_a_decision_names_a_reason(approver: httpx2.AsyncClient, waiting: Any) -> None:
    path = f"/v1/approvals/{waiting['id']}/decision"
    none = await approver.post(path, json={"decision": "approve"})
    empty = await approver.post(path, json={"decision": "approve", "reason": ""})

    assert none.status_code == empty.status_code == 422
    assert none.json()["at"] == empty.json()["at"] == "/reason"


async def test_after_its_time_an_approval_is_gone(
    running: Running, approver: httpx2.AsyncClient, waiting: Any
) -> None:
    await running.gateway.store.write(
        lambda c: (
            c.execute(
                update(approvals).where(approvals.c.id == waiting["id"]).values(expires_at=1.0)
            ).rowcount
        )
    )
    answer = await approver.post(f"/v1/approvals/{waiting['id']}/decision", json=YES)

    assert (answer.status_code, answer.json()["code"]) == (410, "approval-expired")


async def test_after_a_cancel_an_approval_decides_nothing(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient, waiting: Any
) -> None:
    await requester.post(f"/v1/runs/{waiting['run']}/cancel", json={"mode": "stop"})
    await until_status(requester, f"/v1/runs/{waiting['run']}", "cancelled")
    answer = await approver.post(f"/v1/approvals/{waiting['id']}/decision", json=YES)

    assert (answer.status_code, answer.json()["code"]) == (409, "approval-void")


async def test_a_list_of_approvals_goes_on_from_where_the_last_one_ended(
    running: Running, approver: httpx2.AsyncClient, waiting: Any
) -> None:
    def many(c: Connection) -> None:
        row = c.execute(select(approvals)).mappings().one()
        for number in range(3):
            c.execute(insert(approvals).values({**row, "id": f"apr_{number}"}))  # of one moment

    await running.gateway.store.write(many)
    path, seen = "/v1/approvals?state=open&limit=1", list[str]()
    while page := (await approver.get(path)).json():
        seen += [each["id"] for each in page]
        path = f"/v1/approvals?state=open&limit=1&after={seen[-1]}"
    nowhere = await approver.get("/v1/approvals?after=apr_none")

    assert sorted(seen) == sorted([waiting["id"], "apr_0", "apr_1", "apr_2"])
    assert (nowhere.status_code, nowhere.json()["at"]) == (422, "/query/after")

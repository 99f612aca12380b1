"""Rehearsals over the shop: everything is told before anybody approves, and nothing is called."""

from typing import Any

import httpx2
import pytest
from served import (
    MUG,
    READ_ORDER,
    TAG_ORDER,
    Running,
    answered,
    approve,
    ask,
    plan,
    step,
    until_open,
    until_status,
)

pytestmark = pytest.mark.timeout(120)


def ledgers(shop: Any) -> list[Any]:
    """All that the shop's services were asked to do, and every mail."""
    services = ("orders", "pay_minor")
    told = [httpx2.get(f"{shop.urls[each]}/ledger", trust_env=False).json() for each in services]
    return [*told, httpx2.get(f"{shop.urls['mail']}/api/email", trust_env=False).json()]


async def rehearse(client: httpx2.AsyncClient, plan_id: str, **body: Any) -> Any:
    answer = await client.post(f"/v1/plans/{plan_id}/rehearse", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_refund_is_told_before_it_is_asked_for_and_the_shop_hears_of_nothing(
    mended: Any, requester: httpx2.AsyncClient
) -> None:
    before = ledgers(mended)
    asked = await ask(requester, MUG, start="manual")
    planned = await answered(requester, asked["id"], remedy="refund")
    found = await rehearse(requester, planned["plan"])
    first = found["scenarios"][0]
    upsets = {(each["step"], each["upset"]): each for each in found["setbacks"]}

    assert ledgers(mended) == before
    assert (await requester.get("/v1/runs")).json() == []
    assert first["status"] == "succeeded"
    assert [each["step"] for each in first["effects"]] == [
        "refund", "write_off", "note_refund", "mail_refund",
    ]  # fmt: skip
    assert first["messages"][-1]["to"] == ["made-up-1@example.com"]
    assert {len(each["approvals"]) for each in found["scenarios"]} == {0, 1}
    assert found["most"]["calls"] == {"mail": 1, "orders": 3, "payments": 1}
    assert upsets["refund", "refused"]["standing"] == ["write_off"]
    assert upsets["refund", "not_approved"]["standing"] == []
    assert "asks approver for refund: refunds over 10.00 need an approver" in found["rendered"]


async def test_what_the_shop_answered_before_is_what_it_answers_in_a_rehearsal(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient
) -> None:
    asked = await ask(requester, MUG.replace("1042", "1046"))  # others refund 1042 till it is empty
    request = await answered(requester, asked["id"], remedy="refund")
    await approve(approver, request["run"])
    await until_status(requester, f"/v1/runs/{request['run']}", "succeeded")
    found = await rehearse(requester, request["plan"])
    fresh = await rehearse(requester, request["plan"], recorded=False)
    first = found["scenarios"][0]
    refund = next(each for each in first["effects"] if each["step"] == "refund")

    assert {each["source"] for each in first["answers"]} == {"recorded"}
    assert refund["arguments"]["amount"] == {"amount": "18.50", "currency": "EUR"}
    assert all(each["made_up"] == [] for each in first["effects"])
    assert first["figures"]["money"] == {"EUR": "18.50"}
    assert first["figures"]["expected_s"] < first["figures"]["at_most_s"]
    assert found["unmeasured"] == []
    assert {each["source"] for each in fresh["scenarios"][0]["answers"]} == {"made_up"}


async def test_an_approval_says_where_its_plan_is_rehearsed_and_its_approver_may(
    running: Running, requester: httpx2.AsyncClient, approver: httpx2.AsyncClient
) -> None:
    asked = await ask(requester, MUG)
    run = (await answered(requester, asked["id"], remedy="refund"))["run"]
    waiting = (await until_open(approver, run))[0]
    shown = (await approver.get(f"/v1/approvals/{waiting['id']}")).json()
    stranger = await running.person("stranger-1", "auditor")
    elsewhere = await running.person("requester-9", "requester", tenant="other")
    told = await approver.post(shown["rehearse"])
    refused = await stranger.post(shown["rehearse"])
    absent = await elsewhere.post(shown["rehearse"])

    assert told.status_code == 200
    assert told.json()["scenarios"][0]["approvals"][0]["steps"] == ["refund"]
    assert (refused.status_code, refused.json()["code"]) == (403, "role-missing")
    assert absent.status_code == 404


async def test_what_others_were_answered_is_kept_from_another_tenant(running: Running) -> None:
    ours = await running.person("requester-1", "requester")
    theirs = await running.person("requester-9", "requester", tenant="other")
    for client in (ours, theirs):
        made = (await client.post("/v1/plans", json={"plan": READ_ORDER})).json()
        if client is ours:
            run = (await client.post(f"/v1/plans/{made['id']}/runs")).json()["id"]
            await until_status(client, f"/v1/runs/{run}", "succeeded")
        found = await rehearse(client, made["id"])
        source = "recorded" if client is ours else "made_up"

        assert [each["source"] for each in found["scenarios"][0]["answers"]] == [source]


async def test_what_is_asked_wrongly_is_refused_with_the_place(
    requester: httpx2.AsyncClient,
) -> None:
    made = (await requester.post("/v1/plans", json={"plan": TAG_ORDER, "request": "1043"})).json()
    path = f"/v1/plans/{made['id']}/rehearse"
    none = await requester.post("/v1/plans/pln_none/rehearse")
    wrong = {
        "/size": {"size": 0},
        "/scenarios": {"scenarios": 51},
        "/recorded": {"recorded": "yes"},
        "/speed": {"speed": 1},
    }
    told = {at: (await requester.post(path, json=body)).json() for at, body in wrong.items()}

    assert (none.status_code, none.json()["code"]) == (404, "not-found")
    assert {at: each["at"] for at, each in told.items()} == {at: at for at in wrong}


async def test_a_rehearsal_keeps_the_bounds_that_it_is_given_and_its_key(
    requester: httpx2.AsyncClient,
) -> None:
    cond = [{"left": "result/status", "op": "==", "value": "sent"}]
    body = plan({**step("order", "orders.get_order", order_id="1042"), "expect": cond})
    made = (await requester.post("/v1/plans", json={"plan": body, "request": "1042"})).json()
    path, key = f"/v1/plans/{made['id']}/rehearse", {"idempotency-key": "once"}
    one = await requester.post(path, json={"scenarios": 1}, headers=key)
    again = await requester.post(path, json={"scenarios": 1}, headers=key)
    all_of_it = await rehearse(requester, made["id"])

    assert len(one.json()["scenarios"]) == 1
    assert again.json() == one.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert [each["status"] for each in all_of_it["scenarios"]] == ["succeeded", "failed"]

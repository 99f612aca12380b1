"""Plans that were written elsewhere: admitted without a planner, or refused with every reason."""

from typing import Any

import httpx2
from served import READ_ORDER, Running, plan, step, until_status


async def test_a_plan_posted_by_hand_is_admitted_and_runs_without_a_planner(
    requester: httpx2.AsyncClient,
) -> None:
    made = await requester.post("/v1/plans", json={"plan": READ_ORDER})
    shown = await requester.get(f"/v1/plans/{made.json()['id']}")
    started = await requester.post(f"/v1/plans/{made.json()['id']}/runs")
    run = await until_status(requester, f"/v1/runs/{started.json()['id']}", "succeeded")

    assert made.status_code == 201
    assert made.json()["digest"].startswith("sha256:")
    assert shown.json()["digest"] == made.json()["digest"]
    assert shown.json()["request"] is None
    assert set(run["result"]) == {"status"}


async def test_the_stored_form_of_a_plan_is_the_same_plan(requester: httpx2.AsyncClient) -> None:
    bare = await requester.post("/v1/plans", json={"plan": READ_ORDER})
    stored = await requester.post("/v1/plans", json={"plan": {"language": 1, "plan": READ_ORDER}})

    assert bare.json()["digest"] == stored.json()["digest"]
    assert bare.json()["id"] != stored.json()["id"]


async def test_a_refused_plan_tells_every_violation_at_once_and_keeps_nothing(
    requester: httpx2.AsyncClient,
) -> None:
    wrong = plan(
        step("order", "orders.fetch_order", order_id="1042"),
        step("stock", "orders.get_stock"),
    )
    answer = await requester.post("/v1/plans", json={"plan": wrong})
    problem = answer.json()

    assert answer.status_code == 422
    assert problem["code"] == "plan-rejected"
    assert {each["code"] for each in problem["violations"]} == {
        "unknown-action",
        "missing-argument",
    }
    assert all(each["at"].startswith("/steps/") for each in problem["violations"])
    assert "orders.get_order" in problem["violations"][0]["candidates"]


async def test_a_plan_of_no_plans_shape_is_refused_with_the_place(
    requester: httpx2.AsyncClient,
) -> None:
    answer = await requester.post("/v1/plans", json={"plan": {"understanding": "x", "stepz": []}})

    assert answer.status_code == 422
    assert "/stepz" in {each["at"] for each in answer.json()["violations"]}


async def test_a_plan_with_questions_runs_nothing_and_says_so(
    requester: httpx2.AsyncClient,
) -> None:
    asking = {**plan(), "questions": [{"about": "order", "ask": "Which order?"}]}
    answer = await requester.post("/v1/plans", json={"plan": asking})

    assert answer.status_code == 422
    assert answer.json()["code"] == "plan-not-runnable"
    assert answer.json()["questions"][0]["ask"] == "Which order?"


async def test_a_write_that_no_policy_permits_is_refused(running: Running) -> None:
    reader = await running.person("reader-1", "requester")
    stranger = await running.person("stranger-1", "approver")
    tag = plan(step("tag", "orders.add_tag", order_id="1043", tag="seen"))
    charge = plan(
        {
            **step("charge", "payments.payment_charge"),
            "args": [
                {"value": "card", "to": "source"},
                {"value": "10.00", "to": "amount/amount"},
                {"value": "EUR", "to": "amount/currency"},
            ],
        }
    )
    permitted = await reader.post("/v1/plans", json={"plan": tag, "request": "tag 1043 seen"})
    denied = await reader.post("/v1/plans", json={"plan": charge, "request": "card 10.00 EUR"})
    no_role = await stranger.post("/v1/plans", json={"plan": tag})

    assert permitted.status_code == 201, permitted.text
    assert denied.json()["code"] == "plan-rejected"
    assert {each["code"] for each in denied.json()["violations"]} == {"policy-denied"}
    assert no_role.json()["code"] == "role-missing"


async def test_inputs_are_typed_and_a_plan_over_other_values_is_the_same_plan(
    requester: httpx2.AsyncClient,
) -> None:
    body = plan(
        {
            "id": "order",
            "why": "a test",
            "action": "orders.get_order",
            "args": [{"ref": "input/order", "to": "order_id"}],
        }
    )
    one = await requester.post("/v1/plans", json={"plan": body, "inputs": {"order": "1042"}})
    two = await requester.post("/v1/plans", json={"plan": body, "inputs": {"order": "1043"}})
    wrong = await requester.post("/v1/plans", json={"plan": body, "inputs": {"order": 1042}})
    missing = await requester.post("/v1/plans", json={"plan": body})

    assert one.status_code == 201, one.text
    assert one.json()["digest"] == two.json()["digest"]
    assert {each["code"] for each in wrong.json()["violations"]} == {"type-mismatch"}
    assert {each["code"] for each in missing.json()["violations"]} == {"unknown-path"}


async def test_a_plan_is_run_by_whom_it_was_accepted_for_alone(running: Running) -> None:
    owner = await running.person("requester-1", "requester")
    other = await running.person("requester-2", "requester")
    made: Any = (await owner.post("/v1/plans", json={"plan": READ_ORDER})).json()
    answer = await other.post(f"/v1/plans/{made['id']}/runs")

    assert answer.status_code == 403
    assert answer.json()["code"] == "not-yours"


async def test_a_body_where_none_is_needed_is_still_read_strictly(
    requester: httpx2.AsyncClient,
) -> None:
    made = (await requester.post("/v1/plans", json={"plan": READ_ORDER})).json()
    path = f"/v1/plans/{made['id']}/runs"
    garbage = await requester.post(path, content=b"NaN")
    unknown = await requester.post(path, json={"speed": "fast"})

    assert garbage.status_code == 400
    assert unknown.status_code == 422
    assert unknown.json()["at"] == "/speed"

"""Cancel with undo, and what services say later of their calls, over HTTP."""

from typing import Any

import httpx2
import pytest
from served import SHOP, Running, plan, serving, step, until_status
from test_runs import tags, uncertain


def with_undo(folder: Any, config: Any) -> None:
    """The shop's operator says how a status is taken back: by setting the one before."""
    overlay = folder / "overlay.yaml"
    text = (SHOP / "overlays" / "orders.yaml").read_text(encoding="utf-8")
    undo = """    undo:
      action: orders.set_status
      args: [{ref: input/order_id, to: order_id}, {value: open, to: status}]
"""
    overlay.write_text(text.replace("  set_status:\n", "  set_status:\n" + undo))
    said = config.read_text(encoding="utf-8")
    config.write_text(said.replace(f"{SHOP}/overlays/orders.yaml", str(overlay)))


def status_of(mended: Any, order: str) -> str:
    found = httpx2.get(f"{mended.urls['orders']}/orders/{order}", trust_env=False).json()
    return str(found["status"])


@pytest.mark.parametrize("option", ["stop", "undo"])
async def test_a_run_whose_later_step_fails_takes_back_what_it_did_where_it_is_told_to(
    config: Any, tmp_path: Any, mended: Any, option: str
) -> None:
    with_undo(tmp_path, config)
    config.write_text(config.read_text() + f'\n[runs]\non_failure = "{option}"\n')
    body = plan(
        step("close", "orders.set_status", order_id="1043", status="closed"),
        step("tag", "orders.add_tag", order_id="9999", tag="x") | {"after": ["close"]},
    )
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        words = "set 1043 to closed and tag 9999 with x"
        made = await person.post("/v1/plans", json={"plan": body, "request": words})
        assert made.status_code == 201, made.text
        run = (await person.post(f"/v1/plans/{made.json()['id']}/runs")).json()["id"]
        row = await until_status(
            person, f"/v1/runs/{run}", "failed", "undone", "compensation_incomplete"
        )
        trace = await person.get(f"/v1/runs/{run}/trace", headers={"accept": "text/plain"})

    if option == "undo":
        assert (row["status"], row["undone"], row["standing"]) == ("undone", ["close"], [])
        assert "undo by orders.set_status: undone" in trace.text
        assert status_of(mended, "1043") == "open"
    else:
        assert (row["status"], row["standing"], row["undone"]) == ("failed", ["close"], [])
        assert status_of(mended, "1043") == "closed"


async def test_a_webhook_that_knows_the_key_resolves_what_was_uncertain(
    running: Running, mended: Any
) -> None:
    before = tags(mended)
    operator, run = await uncertain(running, mended)
    trace: Any = (await operator.get(f"/v1/runs/{run}/trace")).json()
    key = trace["steps"][0]["attempts"][0]["key"]
    hook = await running.person("shop-hook", "evidence")
    output = httpx2.get(f"{mended.urls['orders']}/orders/1043", trust_env=False).json()
    said = {"key": key, "happened": True, "output": output, "source": "shop"}
    first = await hook.post("/v1/evidence", json=said)
    row = await until_status(operator, f"/v1/runs/{run}", "succeeded", "failed")
    again = await hook.post("/v1/evidence", json=said)
    events = (await operator.get(f"/v1/runs/{run}/events?after=0", headers=JSON)).json()
    by = [each["data"]["by"] for each in events if each["type"] == "reconcile.resolved"]

    assert (first.status_code, again.status_code) == (202, 200)
    assert row["status"] == "succeeded"
    assert by == ["evidence:shop"]
    assert tags(mended) == before + 1


JSON = {"accept": "application/json"}


async def test_evidence_needs_a_known_key_and_the_role_for_it(
    running: Running, mended: Any
) -> None:
    hook = await running.person("shop-hook", "evidence")
    person = await running.person("requester-1", "requester")
    said = {"key": "X" * 32, "happened": True, "source": "shop"}
    unknown = await hook.post("/v1/evidence", json=said)
    refused = await person.post("/v1/evidence", json=said)

    assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")
    assert (refused.status_code, refused.json()["code"]) == (403, "role-missing")


async def test_whoever_asked_for_an_irreversible_call_does_not_alone_say_what_became_of_it(
    running: Running, mended: Any
) -> None:
    _, run = await uncertain(running, mended)
    both = await running.person("requester-1", "requester", "operator")
    body = {"step": "tag", "resolution": "send_again", "reason": "I think so"}
    answer = await both.post(f"/v1/runs/{run}/reconcile", json=body)

    assert (answer.status_code, answer.json()["code"]) == (403, "own-request")


async def test_a_cancel_that_stops_may_still_become_one_that_undoes_but_not_the_other_way(
    running: Running, mended: Any
) -> None:
    operator, run = await uncertain(running, mended)
    modes = ["undo", "stop"]
    answers = [await operator.post(f"/v1/runs/{run}/cancel", json={"mode": mode}) for mode in modes]
    row = await until_status(
        operator, f"/v1/runs/{run}", "cancelled", "compensation_incomplete", "undone"
    )

    assert [each.status_code for each in answers] == [202, 409]
    assert (row["status"], row["uncertain"]) == ("compensation_incomplete", ["tag"])

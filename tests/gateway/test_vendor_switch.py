"""One line of the operator's file is the payment vendor: the same plan, the same result."""

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import SHOP, answered, approve, ask, plan, serving, step, until_status

from gateway.demo.config import write_config

MINOR, DECIMAL = "payments-minor", "payments-decimal"
# An order that no other test pays back: there is only so much to give back of each.
TEAPOT = "A teapot in order 1044 arrived broken. Please make it right and let the customer know."
TOO_MUCH = plan(
    {
        **step("refund", "payments.refund_create", payment_id="pay_1046", reason="twice"),
        "args": [
            {"value": "pay_1046", "to": "payment_id"},
            {"json": '{"amount": "9999.00", "currency": "EUR"}', "to": "amount"},
        ],
    }
)


@pytest.fixture
def vendors(shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The shop's own operator's file twice: as it is, and with its one line switched."""
    monkeypatch.setenv("SHOP_MINOR_KEY", "sk_shop_minor")
    monkeypatch.setenv("SHOP_DECIMAL_KEY", "shop-decimal-key")
    addresses = {**shop.urls, "smtp": shop.smtp}
    ports = {name: address.rpartition(":")[2] for name, address in addresses.items()}
    document = httpx2.get(f"{shop.urls['orders']}/openapi.json", trust_env=False).json()
    found = {}
    for vendor in (MINOR, DECIMAL):
        folder = tmp_path / vendor
        folder.mkdir()
        write_config(SHOP, folder, ports, document)
        found[vendor] = folder / "lamgate.toml"
    switched = _switched(found[DECIMAL].read_text(encoding="utf-8"))
    found[DECIMAL].write_text(switched, encoding="utf-8")
    return found


async def test_the_vendor_behind_the_connection_switched_gives_the_same_plan_and_the_same_result(
    vendors: dict[str, Path], shop: Any
) -> None:
    before = {service: _refunds(shop, service) for service in ("pay_minor", "pay_decimal")}
    first = await _story(vendors[MINOR])
    between = {service: _refunds(shop, service) for service in ("pay_minor", "pay_decimal")}
    second = await _story(vendors[DECIMAL])
    after = {service: _refunds(shop, service) for service in ("pay_minor", "pay_decimal")}

    assert _lines_that_differ(vendors) == 2, "the one line, and the comment that it was"
    assert first["digest"] == second["digest"]
    assert first["run"]["status"] == second["run"]["status"] == "succeeded"
    assert _without_ids(first["run"]["result"]) == _without_ids(second["run"]["result"])
    assert first["run"]["result"]["refund"]["id"] != second["run"]["result"]["refund"]["id"]
    assert between["pay_minor"] == before["pay_minor"] + 1, "the first vendor paid"
    assert between["pay_decimal"] == before["pay_decimal"]
    assert after["pay_decimal"] == between["pay_decimal"] + 1, "the second vendor paid"
    assert after["pay_minor"] == between["pay_minor"]


async def test_both_vendors_refusals_give_one_kind_and_keep_their_own_codes(
    vendors: dict[str, Path],
) -> None:
    first = await _refusal(vendors[MINOR])
    second = await _refusal(vendors[DECIMAL])

    assert first["kind"] == second["kind"] == "invalid"
    assert (first["vendor_code"], second["vendor_code"]) == ("refund_exceeds_charge", "4007")
    assert first["request_id"]
    assert second["request_id"]


async def _story(config: Path) -> dict[str, Any]:
    async with serving(config) as running:
        requester = await running.person("requester-1", "requester")
        approver = await running.person("approver-1", "approver")
        asked = await ask(requester, TEAPOT)
        planned = await answered(requester, asked["id"], remedy="refund")
        shown = (await requester.get(f"/v1/plans/{planned['plan']}")).json()
        await approve(approver, planned["run"])
        run = await until_status(requester, f"/v1/runs/{planned['run']}", "succeeded", "failed")
        return {"digest": shown["digest"], "run": run}


async def _refusal(config: Path) -> Any:
    """How the refusal of a refund that is larger than the payment is told."""
    async with serving(config) as running:
        requester = await running.person("requester-1", "requester")
        approver = await running.person("approver-1", "approver")
        words = "refund 9999.00 EUR of pay_1046"
        sent = await requester.post("/v1/plans", json={"plan": TOO_MUCH, "request": words})
        assert sent.status_code == 201, sent.text
        run = (await requester.post(f"/v1/plans/{sent.json()['id']}/runs")).json()["id"]
        await approve(approver, run)
        await until_status(requester, f"/v1/runs/{run}", "failed")
        events = (
            await requester.get(f"/v1/runs/{run}/events", headers={"accept": "application/json"})
        ).json()
        return next(each["data"]["failure"] for each in events if each["type"] == "attempt.ended")


def _switched(text: str) -> str:
    """The other line out of its comment, and the one that was there into one."""
    text = re.sub(r"(?m)^payments = ", "# payments = ", text)
    return re.sub(r"(?m)^# payments = (.*payments-decimal.*)$", r"payments = \1", text)


def _lines_that_differ(vendors: dict[str, Path]) -> int:
    one, other = (vendors[name].read_text().splitlines() for name in (MINOR, DECIMAL))
    return sum(first != second for first, second in zip(one, other, strict=True))


def _without_ids(result: dict[str, Any]) -> dict[str, Any]:
    """What the services counted up or made up for each run taken out."""
    kept = {name: value for name, value in result.items() if name not in ("on_hand", "mail")}
    return kept | {"refund": {**result["refund"], "id": ""}}


def _refunds(shop: Any, service: str) -> int:
    rows = httpx2.get(f"{shop.urls[service]}/ledger", trust_env=False).json()
    return sum(row["kind"] == "refund" for row in rows)

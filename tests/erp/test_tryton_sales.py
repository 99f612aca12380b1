"""Commerce over a real Tryton: orders, what comes back, what is in stock."""

import itertools

import httpx2
import pytest
from tryton_cases import Desk, fresh
from tryton_server import Erp

from connectors.connector import Applied
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject

_ORDERS = itertools.count(1)


def usd(amount: str) -> JsonObject:
    return {"amount": amount, "currency": "USD"}


@pytest.fixture
async def sold(desk: Desk) -> JsonObject:
    """An order that was delivered and that no other test touches."""
    found = await desk.do("order_list", {"number": str(next(_ORDERS))})
    (order,) = found["orders"]
    return order


async def ordered(desk: Desk, key: str = "") -> JsonObject:
    """A fresh draft of an order."""
    (product,) = (await desk.do("product_list", {"sku": "LAP-14"}))["products"]
    customer = (await desk.do("party_list", {"name": "Customer 1"}))["parties"][0]
    line: JsonObject = {"product_id": product["id"], "quantity": 2, "unit_price": usd("1299.00")}
    asked: JsonObject = {
        "customer_id": customer["id"],
        "currency": "USD",
        "lines": [line],
        "reference": "PO-7",
    }
    return await desk.do("order_create", asked, key=key or fresh())


async def test_an_order_is_told_with_lines_totals_and_states(desk: Desk, sold: JsonObject) -> None:
    read = await desk.do("order_get", {"id": sold["id"]})

    assert read == sold
    assert (read["status"], read["status_raw"]) == ("processing", "processing")
    assert (read["payment_status"], read["fulfillment_status"]) == ("pending", "fulfilled")
    assert (read["subtotal"], read["total"]) == (usd("698.00"), usd("698.00"))
    (line,) = read["lines"]
    assert (line["sku"], line["quantity"], line["unit"]) == ("MON-27", 2.0, "u")
    assert (line["unit_price"], line["total"]) == (usd("349.00"), usd("698.00"))
    assert read["connector"] == "tryton"
    assert read["raw"]["state"] == "processing"


async def test_a_draft_goes_to_a_quote_and_back_and_may_be_canceled(desk: Desk) -> None:
    order = await ordered(desk)
    here: JsonObject = {"id": order["id"]}
    ways = ["order_quote", "order_reopen", "order_quote", "order_cancel"]
    seen = [(await desk.do(each, here))["status"] for each in ways]

    assert order["status"] == "draft"
    assert order["total"] == usd("2598.00")
    assert order["reference"] == "PO-7"
    assert seen == ["quoted", "draft", "quoted", "canceled"]


async def test_an_order_whose_answer_was_lost_is_found_by_its_key(desk: Desk) -> None:
    order = await ordered(desk, key="LOST%_1")
    found = await desk.do("order_find", {"reference": "LOST%_1"})
    others = [
        await desk.do("order_find", {"reference": each}) for each in ("LOST", "LOST%", "LOSTX_1")
    ]

    assert found == order
    assert others == [None] * 3


async def test_a_copy_of_an_order_is_not_taken_for_the_order(desk: Desk) -> None:
    """Whoever copies one in Tryton copies its comment, and our mark with it."""
    order = await ordered(desk, key="COPIED")
    copy = await ordered(desk, key="COPIED")
    found = await desk.do("order_find", {"reference": "COPIED"})

    assert copy["id"] != order["id"]
    assert found == order


@pytest.mark.parametrize("more", [" and a note", "\n\na note", "\r\na note"])
async def test_an_order_to_which_somebody_has_added_a_note_is_found_all_the_same(
    more: str, desk: Desk, erp: Erp
) -> None:
    """Else it would count as absent, and be made once more."""
    key = fresh()
    order = await ordered(desk, key=key)
    noted = httpx2.put(
        f"{erp.url}/erp/rest/model/sale.sale/{order['id']}",
        json={"comment": f"lamgate:{key}{more}"},
        headers={"authorization": f"bearer {erp.key}"},
        timeout=60,
    )
    found = await desk.do("order_find", {"reference": key})
    other = await desk.do("order_find", {"reference": key[:-1]})

    assert noted.status_code == 200, noted.text
    assert found["id"] == order["id"]
    assert other is None


async def test_what_an_order_needs_and_tryton_does_not_have_is_refused(desk: Desk) -> None:
    order = await ordered(desk)
    line: JsonObject = {"product_id": "1", "quantity": 1, "unit_price": usd("1.00")}
    asked: JsonObject = {"customer_id": order["customer_id"], "currency": "USD", "lines": [line]}
    unknown: JsonObject = {"amount": "1.00", "currency": "XTS"}
    wrong: list[JsonObject] = [
        {**asked, "customer_id": "999"},
        {**asked, "lines": [{**line, "product_id": "999"}]},
        {**asked, "currency": "XTS", "lines": [{**line, "unit_price": unknown}]},
        {**asked, "currency": "EUR"},
        {**asked, "customer_id": "1 OR 1"},
    ]  # fmt: skip
    ends = [await desk.end("order_create", each) for each in wrong]

    assert [each.kind if isinstance(each, Refused) else each for each in ends] == [
        Kind.NOT_FOUND,
        Kind.NOT_FOUND,
        Kind.NOT_FOUND,
        Kind.INVALID,
        Kind.INVALID,
    ]


@pytest.mark.parametrize("attempt", [1, 2])
async def test_a_button_that_was_pushed_is_settled_by_the_state(desk: Desk, attempt: int) -> None:
    order = await ordered(desk)
    await desk.do("order_quote", {"id": order["id"]})
    again = await desk.end("order_quote", {"id": order["id"]}, attempt=attempt)

    if attempt == 1:
        assert isinstance(again, Refused)
        assert again.kind is Kind.CONFLICT
        assert "quotation" in again.message
    else:
        assert isinstance(again, Applied)
        assert again.replayed


async def test_a_button_that_leads_nowhere_from_here_is_a_conflict(desk: Desk) -> None:
    order = await ordered(desk)
    end = await desk.end("order_process", {"id": order["id"]}, attempt=2)
    gone = await desk.end("order_process", {"id": "99999"})

    assert isinstance(end, Refused)
    assert end.kind is Kind.CONFLICT
    assert isinstance(gone, Refused)
    assert gone.kind is Kind.NOT_FOUND


async def test_what_comes_back_is_decided_on_and_lands_in_the_stock(
    desk: Desk, sold: JsonObject
) -> None:
    line = sold["lines"][0]
    (storage,) = (await desk.do("location_list", {"code": "STO"}))["locations"]
    place: JsonObject = {"product_id": line["product_id"], "location_id": storage["id"]}
    before = await desk.do("inventory_get", place)
    back: JsonObject = {
        "order_id": sold["id"],
        "lines": [{"line_id": line["id"], "quantity": 1}],
        "reason": "It arrived broken.",
    }
    made = await desk.do("return_create", back, key="RETURN1")
    found = await desk.do("return_find", {"reference": "RETURN1"})
    asked = await desk.do("return_submit", {"id": made["id"]})
    await desk.do("return_approve", {"id": made["id"]})
    decided = await desk.do("return_get", {"id": made["id"]})
    order: JsonObject = {"id": decided["return_order_id"]}
    taken = [(await desk.do(f"order_{each}", order)) for each in ("quote", "confirm", "process")]
    shipment: JsonObject = {"id": taken[-1]["return_shipment_ids"][0]}
    came = [await desk.do(each, shipment) for each in ("return_receive", "return_restock")]
    after = await desk.do("inventory_get", place)
    listed = await desk.do("return_list", {"order_id": sold["id"]})

    assert made == found
    assert (made["status"], made["reason"]) == ("draft", "It arrived broken.")
    assert made["lines"] == [{"line_id": line["id"], "quantity": 1.0}]
    assert made["amount"] == usd("349.00")
    assert (asked["status"], decided["status"]) == ("requested", "completed")
    assert taken[-1]["total"] == usd("-349.00")
    assert taken[-1]["return_id"] == made["id"]
    assert [each["status"] for each in came] == ["received", "done"]
    assert came[0]["lines"] == [{"product_id": line["product_id"], "quantity": 1.0}]
    assert after["on_hand"] == before["on_hand"] + 1
    assert [each["id"] for each in listed["returns"]] == [made["id"]]


@pytest.mark.parametrize("way", [["return_reject"], ["return_withdraw", "return_cancel"]])
async def test_a_return_is_rejected_or_taken_back_and_nothing_is_left(
    desk: Desk, sold: JsonObject, way: list[str]
) -> None:
    line = sold["lines"][0]
    back: JsonObject = {
        "order_id": sold["id"],
        "lines": [{"line_id": line["id"], "quantity": 2}],
        "reason": "x",
    }
    made = await desk.do("return_create", back)
    await desk.do("return_submit", {"id": made["id"]})
    ends = [await desk.do(each, {"id": made["id"]}) for each in way]
    twice = await desk.end(way[-1], {"id": made["id"]})

    assert ends[-1]["status"] == {"return_reject": "rejected"}.get(way[-1], "canceled")
    assert isinstance(twice, Applied)
    assert twice.replayed


async def test_a_line_of_another_order_does_not_come_back(desk: Desk, sold: JsonObject) -> None:
    back: JsonObject = {
        "order_id": sold["id"],
        "lines": [{"line_id": "99999", "quantity": 1}],
        "reason": "x",
    }
    end = await desk.end("return_create", back)

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID

"""Accounting over a real Tryton: parties, an invoice against its order, a payment to the end."""

import base64
import itertools

import pytest
from tryton_cases import Desk, fresh

from connectors.connector import Applied
from connectors.errors import Kind, Refused
from connectors.spec import JsonObject

_PURCHASES = itertools.count(1)


def usd(amount: str) -> JsonObject:
    return {"amount": amount, "currency": "USD"}


@pytest.fixture
async def purchase(desk: Desk) -> JsonObject:
    """A purchase order whose invoice is a draft, and that no other test touches."""
    return await next_purchase(desk)


async def next_purchase(desk: Desk) -> JsonObject:
    """One more of them."""
    found = await desk.do("purchase_order_list", {"number": str(next(_PURCHASES))})
    (order,) = found["purchase_orders"]
    return order


async def posted(desk: Desk, purchase: JsonObject) -> JsonObject:
    """The invoice of a purchase, posted."""
    (invoice,) = purchase["invoice_ids"]
    paper = f"INV-{purchase['number']}"
    entered: JsonObject = {"id": invoice, "reference": paper, "issued_on": today()}
    await desk.do("invoice_update", entered)
    await desk.do("invoice_validate", {"id": invoice})
    return await desk.do("invoice_post", {"id": invoice})


def today() -> str:
    import datetime as dt

    return dt.datetime.now(dt.UTC).date().isoformat()


async def test_an_invoice_that_fits_its_order_is_posted_and_paid(
    desk: Desk, purchase: JsonObject
) -> None:
    (number,) = purchase["invoice_ids"]
    draft = await desk.do("invoice_get", {"id": number})
    invoice = await posted(desk, purchase)
    (account,) = (await desk.do("account_list", {"name": "Bank"}))["accounts"]
    asked: JsonObject = {
        "invoice_id": number,
        "account_id": account["id"],
        "amount": usd("10100.00"),
        "pays_on": today(),
    }
    payment = await desk.do("payment_create", asked, key="PAY1")
    found = await desk.do("payment_find", {"reference": "PAY1"})
    here: JsonObject = {"id": payment["id"]}
    seen = [
        (await desk.do(each, here))["status"]
        for each in ("payment_submit", "payment_approve", "payment_withdraw")
    ]
    gone = await desk.do("payment_delete", here)
    after = await desk.do("payment_find", {"reference": "PAY1"})

    assert (draft["kind"], draft["status"], draft["total"]) == ("payable", "draft", usd("10100.00"))
    assert draft["purchase_order_ids"] == [purchase["id"]]
    fields = ("sku", "quantity", "unit_price", "total")
    assert [[each[name] for name in fields] for each in draft["lines"]] == [
        [each[name] for name in fields] for each in purchase["lines"]
    ]
    assert (invoice["status"], invoice["balance"]) == ("posted", usd("10100.00"))
    assert (invoice["reference"], invoice["due_on"]) == (f"INV-{purchase['number']}", today())
    assert payment == found
    assert (payment["status"], payment["amount"]) == ("draft", usd("10100.00"))
    assert (payment["invoice_id"], payment["account_id"]) == (number, account["id"])
    assert payment["reference"] == invoice["reference"]
    assert seen == ["submitted", "approved", "draft"]
    assert gone == here
    assert after is None


async def test_an_approved_payment_is_handed_on_once_and_goes_through(
    desk: Desk, purchase: JsonObject
) -> None:
    invoice = await posted(desk, purchase)
    asked: JsonObject = {
        "invoice_id": invoice["id"],
        "account_id": "1",
        "amount": invoice["balance"],
        "pays_on": today(),
    }
    here: JsonObject = {"id": (await desk.do("payment_create", asked))["id"]}
    early = await desk.end("payment_process", here)
    for each in ("payment_submit", "payment_approve"):
        await desk.do(each, here)
    handed = await desk.do("payment_process", here)
    by_us = await desk.end("payment_process", here, attempt=2)
    by_others = await desk.end("payment_process", here, attempt=1)
    settled = await desk.do("payment_settle", here)

    assert (handed["status"], settled["status"]) == ("processing", "succeeded")
    assert isinstance(by_us, Applied)
    assert (by_us.replayed, by_us.output) == (True, handed)
    for end in (early, by_others):
        assert isinstance(end, Refused)
        assert end.kind is Kind.CONFLICT


async def test_a_post_that_happened_is_not_made_twice(desk: Desk, purchase: JsonObject) -> None:
    invoice = await posted(desk, purchase)
    here: JsonObject = {"id": invoice["id"]}
    by_us = await desk.end("invoice_post", here, attempt=2)
    by_others = await desk.end("invoice_post", here, attempt=1)

    assert isinstance(by_us, Applied)
    assert by_us.replayed
    assert by_us.output == invoice
    assert isinstance(by_others, Refused)
    assert by_others.kind is Kind.CONFLICT
    assert 'can not call "post"' in by_others.message


async def test_a_posted_invoice_of_either_side_is_taken_back_and_nothing_is_owed(
    desk: Desk, purchase: JsonObject
) -> None:
    """A supplier's by an entry that reverses it, a customer's by a credit note."""
    ours = await posted(desk, purchase)
    line: JsonObject = {"product_id": "2", "quantity": 1, "unit_price": usd("349.00")}
    asked: JsonObject = {"customer_id": "3", "currency": "USD", "lines": [line]}
    order: JsonObject = {"id": (await desk.do("order_create", asked))["id"]}
    await desk.do("order_quote", order)
    await desk.do("order_confirm", order)
    (number,) = (await desk.do("order_get", order))["invoice_ids"]
    theirs = await desk.do("invoice_post", {"id": number})
    actions = {each.name: each for each in await desk.connector.actions()}
    undo = actions["erp.invoice_post"].undo

    assert undo is not None
    assert undo.action == "erp.invoice_cancel"
    for invoice, kind in ((ours, "payable"), (theirs, "receivable")):
        gone = await desk.do("invoice_cancel", {"id": invoice["id"]})
        again = await desk.end("invoice_cancel", {"id": invoice["id"]}, attempt=2)
        assert (invoice["status"], invoice["kind"]) == ("posted", kind)
        assert (gone["status"], gone["balance"]) == ("canceled", usd("0.00"))
        assert isinstance(again, Applied)
        assert again.replayed


async def test_an_invoice_carries_a_file_and_may_be_canceled_before_it_is_paid(
    desk: Desk, purchase: JsonObject
) -> None:
    (number,) = purchase["invoice_ids"]
    await desk.do("invoice_update", {"id": number, "issued_on": today()})
    paper: JsonObject = {
        "invoice_id": number,
        "filename": "INV-119.pdf",
        "base64": base64.b64encode(b"%PDF").decode(),
    }
    attached = await desk.do("attachment_create", paper, key="PAPER")
    found = await desk.do("attachment_find", {"reference": "PAPER"})
    valid = await desk.do("invoice_validate", {"id": number})
    canceled = await desk.do("invoice_cancel", {"id": number})
    twice = await desk.end("invoice_cancel", {"id": number})
    unpaid = await desk.end(
        "payment_create",
        {"invoice_id": number, "account_id": "1", "amount": usd("1.00"), "pays_on": today()},
    )
    await desk.do("attachment_delete", {"id": attached["id"]})
    again = await desk.end("attachment_delete", {"id": attached["id"]}, attempt=2)

    assert attached == found
    assert (attached["filename"], attached["size"]) == ("INV-119.pdf", 4)
    assert attached["invoice_id"] == number
    assert (valid["status"], canceled["status"]) == ("validated", "canceled")
    assert isinstance(twice, Applied)
    assert twice.replayed
    assert isinstance(unpaid, Refused)
    assert isinstance(again, Applied)
    assert again.replayed


async def test_an_invoice_that_was_entered_before_is_not_entered_again(
    desk: Desk, purchase: JsonObject
) -> None:
    entered = await posted(desk, purchase)
    (number,) = (await next_purchase(desk))["invoice_ids"]
    again: JsonObject = {"id": number, "reference": entered["reference"], "issued_on": today()}
    await desk.do("invoice_update", again)
    end = await desk.end("invoice_validate", {"id": number})

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert "is similar to" in end.message


async def test_a_payment_in_another_currency_or_of_nothing_is_refused(desk: Desk) -> None:
    sold = (await desk.do("order_list", {"number": "8"}))["orders"][0]
    asked: JsonObject = {
        "invoice_id": sold["invoice_ids"][0],
        "account_id": "1",
        "amount": {"amount": "1.00", "currency": "EUR"},
        "pays_on": today(),
    }
    wrong: list[JsonObject] = [
        asked,
        {**asked, "invoice_id": "99999"},
        {**asked, "account_id": "99999"},
        {**asked, "amount": usd("1.001")},
        {**asked, "pays_on": "2026-02-30"},
    ]
    ends = [await desk.end("payment_create", each) for each in wrong]

    assert [each.kind if isinstance(each, Refused) else each for each in ends] == [
        Kind.INVALID,
        Kind.NOT_FOUND,
        Kind.NOT_FOUND,
        Kind.INVALID,
        Kind.INVALID,
    ]


async def test_a_party_is_entered_once_and_found_by_its_key(desk: Desk) -> None:
    key = fresh()
    made = await desk.do(
        "party_create", {"name": "Customer 2", "email": "customer2@example.com"}, key=key
    )
    found = await desk.do("party_find", {"reference": key})
    listed = await desk.do("party_list", {"name": "Customer 2"})

    assert made == found == listed["parties"][0]
    assert (made["name"], made["emails"], made["phones"]) == (
        "Customer 2",
        ["customer2@example.com"],
        [],
    )
    assert made["is_active"] is True
    assert made["code"]


async def test_what_tryton_forbids_or_does_not_know_has_one_kind(desk: Desk) -> None:
    gone = await desk.end("invoice_get", {"id": "99999"})
    undated = await desk.end("invoice_validate", {"id": "99999"})

    assert isinstance(gone, Refused)
    assert gone.kind is Kind.NOT_FOUND
    assert isinstance(undated, Refused)
    assert undated.kind is Kind.NOT_FOUND

"""One model over two providers: the same actions and results, and nothing that is not theirs."""

import time

import pytest
from connector_cases import Outside, answer, end_of, raw_server
from pydantic import JsonValue
from till_cases import MODEL, VENDORS, Till, euro, till_of

from connectors.connector import Applied, Unreadable
from connectors.errors import Kind, Refused
from connectors.spec import Effect, JsonObject
from connectors.validate import first_flaw


async def test_the_actions_and_their_digests_are_the_same_whoever_is_behind(
    tills: list[Till],
) -> None:
    minor, decimal = ([*till.catalog] for till in tills)

    assert minor == decimal
    assert [each.digest for each in minor] == [each.digest for each in decimal]
    assert [each.name for each in minor] == [
        "payments.payment_charge",
        "payments.payment_get",
        "payments.refund_create",
        "payments.refund_get",
    ]


async def test_the_results_are_the_same_whoever_is_behind(tills: list[Till]) -> None:
    told = []
    for till in tills:
        payment = await till.paid("20.00")
        refund_end = await till.call(
            "refund_create", {"payment_id": payment, "amount": euro("7.5"), "reason": "broken"}
        )
        assert isinstance(refund_end, Applied)
        assert isinstance(refund_end.output, dict)
        refund = refund_end.output["id"]
        again = await till.call("refund_get", {"payment_id": payment, "refund_id": refund})
        read = await till.call("payment_get", {"payment_id": payment})
        assert isinstance(again, Applied)
        assert isinstance(read, Applied)
        assert again.output == refund_end.output
        told.append([_without_ids(each, payment, refund) for each in (refund_end, again, read)])

    assert told[0] == told[1]
    assert told[0][0] == {
        "id": "refund",
        "payment_id": "payment",
        "status": "succeeded",
        "amount": euro("7.50"),
    }
    assert told[0][2] == {
        "id": "payment",
        "status": "succeeded",
        "amount": euro("20.00"),
        "refunded": euro("7.50"),
    }


def _without_ids(end: Applied, payment: JsonValue, refund: JsonValue) -> JsonValue:
    assert isinstance(end.output, dict)
    names = {payment: "payment", refund: "refund"}
    return {
        name: names.get(each, each) if isinstance(each, str) else each
        for name, each in end.output.items()
        if name in MODEL
    }


async def test_the_same_key_twice_pays_once_and_says_so(till: Till) -> None:
    payment = await till.paid()
    asked: JsonObject = {"payment_id": payment, "amount": euro("1.00")}
    key = f"TWICE{time.monotonic_ns()}"

    first = await till.call("refund_create", asked, key=key)
    second = await till.call("refund_create", asked, key=key, attempt=2)

    assert isinstance(first, Applied)
    assert isinstance(second, Applied)
    assert first.output == second.output
    assert (first.replayed, second.replayed) == (False, True)
    assert first.request_id
    assert len(till.service.ledger(key)) == 1


SETTLED: JsonObject = {
    "paymentId": "P",
    "value": "1.00",
    "refundedValue": "0.00",
    "currencyCode": "EUR",
    "state": "SETTLED",
}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        {"id": 1, "status": "succeeded", "amount": 1, "amount_refunded": 0, "currency": "eur"},
        {"id": "c", "status": "succeeded", "amount": "1", "amount_refunded": 0, "currency": "eur"},
        {"id": "c", "status": "succeeded", "amount": -1, "amount_refunded": 0, "currency": "eur"},
        {"id": "c", "status": "succeeded", "amount": True, "amount_refunded": 0, "currency": "eur"},
        {"id": "c", "status": "succeeded", "amount": 1, "amount_refunded": 0, "currency": "euro"},
        {**SETTLED, "value": "NaN"},
        {**SETTLED, "value": "1e99"},
        {**SETTLED, "value": "1.001"},
    ],
)
@pytest.mark.parametrize("vendor", VENDORS)
async def test_an_answer_that_is_not_the_vendors_is_never_passed_on(
    vendor: str, body: JsonValue, outside: Outside
) -> None:
    async with raw_server(answer(201, body)) as raw:
        registry, catalog = await till_of(vendor, raw.url, outside)
        read, write = catalog.get("payments.payment_get"), catalog.get("payments.payment_charge")
        assert read is not None
        assert write is not None
        read_end = await end_of(registry, read, {"payment_id": "p"})
        charge: JsonObject = {"source": "tok_card", "amount": euro("1.00")}
        write_end = await end_of(registry, write, charge)

    assert isinstance(read_end, Refused)
    assert read_end.kind is Kind.INTERNAL
    assert isinstance(write_end, Unreadable)


async def test_what_the_model_promises_holds_of_what_it_tells(till: Till) -> None:
    read = till.catalog.get("payments.payment_get")
    assert read is not None
    end = await till.call("payment_get", {"payment_id": "pay_1042"})

    assert read.effect is Effect.READ
    assert isinstance(end, Applied)
    assert read.output_schema is not None
    assert first_flaw(read.output_schema, end.output) is None

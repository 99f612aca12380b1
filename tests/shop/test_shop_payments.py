"""Two payment providers: the same business in two dialects, each with real keys and refusals."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import httpx2
import pytest
from pydantic import JsonValue
from the_shop import Service

HOUR_S = 3600.0


def charge(minor: Service, amount: int = 5000) -> str:
    body: JsonValue = {"amount": amount, "currency": "eur", "source": "tok_card", "metadata": {}}
    answer = minor.call("POST", "/v1/charges", body)
    found: str = answer.json()["id"]
    return found


def refund_minor(minor: Service, of: str, amount: int, key: str | None = None) -> httpx2.Response:
    headers = {"Idempotency-Key": key} if key else {}
    body: JsonValue = {"charge": of, "amount": amount, "reason": "damaged"}
    return minor.call("POST", "/v1/refunds", body, headers=headers)


def pay(decimal: Service, value: str = "50.00") -> str:
    body: JsonValue = {"value": value, "currencyCode": "EUR", "instrument": "tok_card"}
    answer = decimal.call("POST", "/payments", body)
    found: str = answer.json()["paymentId"]
    return found


def refund_decimal(
    decimal: Service, of: str, value: str, key: str | None = None, currency: str = "EUR"
) -> httpx2.Response:
    headers = {"X-Request-Key": key} if key else {}
    body: JsonValue = {"value": value, "currencyCode": currency, "note": "damaged"}
    return decimal.call("POST", f"/payments/{of}/refunds", body, headers=headers)


@pytest.mark.parametrize("number", range(1042, 1047))
def test_every_order_was_paid_in_full_at_both_providers(
    orders: Service, minor: Service, decimal: Service, number: int
) -> None:
    order = orders.get(f"/orders/{number}").json()
    total = sum(Decimal(line["price"]["amount"]) * line["quantity"] for line in order["lines"])

    at_minor = minor.get(f"/v1/charges/{order['payment_id']}").json()
    at_decimal = decimal.get(f"/payments/{order['payment_id']}").json()

    assert at_minor["amount"] == total * 100
    assert at_minor["status"] == "succeeded"
    assert at_decimal["value"] == str(total)
    assert at_decimal["state"] == "SETTLED"


def test_minor_a_refund_is_given_once_for_a_key_and_can_be_read(minor: Service) -> None:
    of = charge(minor)

    first = refund_minor(minor, of, 1850, "m-1")
    second = refund_minor(minor, of, 1850, "m-1")
    read = minor.get(f"/v1/refunds/{first.json()['id']}")

    assert first.status_code == second.status_code == read.status_code == 200
    assert first.json() == second.json() == read.json()
    assert first.json()["status"] == "succeeded"
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.headers["Request-Id"] != second.headers["Request-Id"]
    assert minor.get(f"/v1/charges/{of}").json()["amount_refunded"] == 1850
    assert len(minor.ledger("m-1")) == 1


def test_decimal_a_refund_is_given_once_for_a_key_and_can_be_read(decimal: Service) -> None:
    of = pay(decimal)

    first = refund_decimal(decimal, of, "18.50", "d-1")
    second = refund_decimal(decimal, of, "18.50", "d-1")
    read = decimal.get(f"/payments/{of}/refunds/{first.json()['refundId']}")

    assert [first.status_code, second.status_code, read.status_code] == [201, 200, 200]
    assert first.json() == second.json() == read.json()
    assert first.json()["state"] == "SETTLED"
    assert "X-Replayed" not in first.headers
    assert second.headers["X-Replayed"] == "1"
    assert decimal.get(f"/payments/{of}").json()["refundedValue"] == "18.50"
    assert len(decimal.ledger("d-1")) == 1


def test_minor_a_charge_is_taken_once_for_a_key(minor: Service) -> None:
    body: JsonValue = {
        "amount": 990,
        "currency": "eur",
        "source": "tok_card",
        "metadata": {"order": "7"},
    }
    headers = {"Idempotency-Key": "m-charge"}

    answers = [minor.call("POST", "/v1/charges", body, headers=headers) for _ in range(2)]
    read = minor.get(f"/v1/charges/{answers[0].json()['id']}")

    assert answers[0].json() == answers[1].json() == read.json()
    assert read.json()["metadata"] == {"order": "7"}
    assert len(minor.ledger("m-charge")) == 1


def test_decimal_a_payment_is_taken_once_for_a_key(decimal: Service) -> None:
    body: JsonValue = {"value": "9.90", "currencyCode": "EUR", "instrument": "tok_card"}
    headers = {"X-Request-Key": "d-charge"}

    answers = [decimal.call("POST", "/payments", body, headers=headers) for _ in range(2)]
    read = decimal.get(f"/payments/{answers[0].json()['paymentId']}")

    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].json() == answers[1].json() == read.json()
    assert len(decimal.ledger("d-charge")) == 1


def test_minor_identical_refunds_at_once_are_one(minor: Service) -> None:
    of = charge(minor)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: refund_minor(minor, of, 100, "m-many"), range(12)))

    assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert minor.get(f"/v1/charges/{of}").json()["amount_refunded"] == 100
    assert len(minor.ledger("m-many")) == 1


def test_decimal_different_refunds_at_once_never_exceed_the_payment(decimal: Service) -> None:
    of = pay(decimal, "50.00")

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: refund_decimal(decimal, of, "9.99"), range(12)))

    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [422] * 7
    assert decimal.get(f"/payments/{of}").json()["refundedValue"] == "49.95"


def test_minor_more_than_is_left_is_refused_and_nothing_happens(minor: Service) -> None:
    of = charge(minor, 1000)
    refund_minor(minor, of, 600)

    refused = refund_minor(minor, of, 401, "m-over")
    rest = refund_minor(minor, of, 400, "m-over")

    assert refused.status_code == 400
    assert refused.json()["error"]["type"] == "invalid_request_error"
    assert refused.json()["error"]["code"] == "refund_exceeds_charge"
    assert rest.status_code == 200
    assert minor.get(f"/v1/charges/{of}").json()["amount_refunded"] == 1000


def test_decimal_more_than_is_left_is_refused_and_nothing_happens(decimal: Service) -> None:
    of = pay(decimal, "10.00")
    refund_decimal(decimal, of, "6.00")

    refused = refund_decimal(decimal, of, "4.01", "d-over")
    rest = refund_decimal(decimal, of, "4.00", "d-over")

    assert refused.status_code == 422
    assert refused.json()["errorCode"] == "4007"
    assert refused.json()["traceId"] == refused.headers["X-Trace"]
    assert rest.status_code == 201


def test_decimal_refunds_only_in_the_currency_that_was_paid(decimal: Service) -> None:
    refused = refund_decimal(decimal, pay(decimal), "1.00", currency="USD")

    assert (refused.status_code, refused.json()["errorCode"]) == (422, "4008")


def test_minor_a_key_with_another_body_or_operation_is_refused(minor: Service) -> None:
    of = charge(minor)
    refund_minor(minor, of, 100, "m-mine")

    other_amount = refund_minor(minor, of, 101, "m-mine")
    other_operation = minor.call(
        "POST",
        "/v1/charges",
        {"amount": 100, "currency": "eur", "source": "tok_card"},
        headers={"Idempotency-Key": "m-mine"},
    )

    for answer in (other_amount, other_operation):
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "idempotency_error"
    assert len(minor.ledger("m-mine")) == 1


def test_decimal_a_key_with_another_body_or_payment_is_refused(decimal: Service) -> None:
    of = pay(decimal)
    refund_decimal(decimal, of, "1.00", "d-mine")

    other_value = refund_decimal(decimal, of, "1.01", "d-mine")
    other_payment = refund_decimal(decimal, pay(decimal), "1.00", "d-mine")

    for answer in (other_value, other_payment):
        assert (answer.status_code, answer.json()["errorCode"]) == (409, "4090")
    assert len(decimal.ledger("d-mine")) == 1


def test_minor_keeps_a_key_for_24_hours(minor: Service) -> None:
    of = charge(minor)
    refund_minor(minor, of, 100, "m-old")

    minor.age_keys(24 * HOUR_S - 60)
    within = refund_minor(minor, of, 100, "m-old")
    minor.age_keys(120)
    after = refund_minor(minor, of, 100, "m-old")

    assert within.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in after.headers
    assert len(minor.ledger("m-old")) == 2


def test_decimal_keeps_a_key_for_12_hours(decimal: Service) -> None:
    of = pay(decimal)
    refund_decimal(decimal, of, "1.00", "d-old")

    decimal.age_keys(12 * HOUR_S - 60)
    within = refund_decimal(decimal, of, "1.00", "d-old")
    decimal.age_keys(120)
    after = refund_decimal(decimal, of, "1.00", "d-old")

    assert [within.status_code, after.status_code] == [200, 201]
    assert len(decimal.ledger("d-old")) == 2


def test_minor_wants_a_bearer_before_anything_else(minor: Service) -> None:
    for given in ("", "Bearer wrong", "Basic sk_shop_minor"):
        answer = minor.call("POST", "/v1/refunds", {}, headers={"Authorization": given})

        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "authentication_error"
        assert answer.headers["Request-Id"]


def test_decimal_wants_its_key_before_anything_else(decimal: Service) -> None:
    for path in ("/payments", "/payments/pay_1042/refunds"):
        answer = decimal.call("POST", path, {}, headers={"X-Api-Key": "wrong"})

        assert (answer.status_code, answer.json()["errorCode"]) == (403, "4030")


@pytest.mark.parametrize("path", ["/v1/charges/ch_none", "/v1/refunds/re_none"])
def test_minor_what_is_not_there_is_404(minor: Service, path: str) -> None:
    answer = minor.get(path)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "resource_missing"


def test_minor_a_refund_of_an_unknown_charge_is_404(minor: Service) -> None:
    answer = refund_minor(minor, "ch_none", 100)

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "resource_missing"


def test_decimal_what_is_not_there_is_404(decimal: Service) -> None:
    own = refund_decimal(decimal, pay(decimal), "1.00").json()["refundId"]

    answers = [
        decimal.get("/payments/none"),
        decimal.get(f"/payments/pay_1042/refunds/{own}"),
        refund_decimal(decimal, "none", "1.00"),
    ]

    assert [(a.status_code, a.json()["errorCode"]) for a in answers] == [(404, "4040")] * 3


def test_a_declined_card_takes_no_money_at_either_provider(
    minor: Service, decimal: Service
) -> None:
    at_minor = minor.call(
        "POST",
        "/v1/charges",
        {"amount": 100, "currency": "eur", "source": "tok_declined"},
        headers={"Idempotency-Key": "m-declined"},
    )
    at_decimal = decimal.call(
        "POST",
        "/payments",
        {"value": "1.00", "currencyCode": "EUR", "instrument": "tok_declined"},
        headers={"X-Request-Key": "d-declined"},
    )

    assert (at_minor.status_code, at_minor.json()["error"]["code"]) == (402, "card_declined")
    assert (at_decimal.status_code, at_decimal.json()["errorCode"]) == (422, "4020")
    assert minor.ledger("m-declined") == decimal.ledger("d-declined") == []


@pytest.mark.parametrize("amount", [0, -1, 18.5, 18.0, "1850", True, None, 10**9])
def test_minor_takes_whole_minor_units_only(minor: Service, amount: JsonValue) -> None:
    answer = minor.call("POST", "/v1/refunds", {"charge": "pay_1042", "amount": amount})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "parameter_invalid"
    assert "amount" in answer.json()["error"]["message"]


@pytest.mark.parametrize("value", ["0.00", "1", "1.5", "-1.00", "1.005", "1,50", 1.5, " 1.00", ""])
def test_decimal_takes_values_with_two_places_only(decimal: Service, value: JsonValue) -> None:
    body: JsonValue = {"value": value, "currencyCode": "EUR"}
    answer = decimal.call("POST", "/payments/pay_1042/refunds", body)

    assert (answer.status_code, answer.json()["errorCode"]) == (422, "4000")
    assert "value" in answer.json()["errorText"]

"""One model over two providers: the same actions, the same results, the same kinds of failure."""

import time
from dataclasses import dataclass
from decimal import Decimal
from email.utils import formatdate

import pytest
from connector_cases import Outside, answer, end_of, host_of, raw_server, registry_of
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from the_shop import Service

from connectors.catalog import Catalog
from connectors.connector import Applied, Outcome, Unreadable
from connectors.currency import exponent_of
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.factories import ConnectionSettings
from connectors.registry import Registry
from connectors.spec import Effect, JsonObject
from connectors.unified.money import from_minor, read_money, to_minor, told_money
from connectors.unified.payments import PAYMENTS
from connectors.validate import first_flaw

VENDORS = ("minor", "decimal")
# What is the same with both; beside it each has its own words, times and whole object.
MODEL = {"id", *PAYMENTS.records["payment"], *PAYMENTS.records["refund"]} - {"status_raw"}
REFUNDS = {"minor": "/v1/refunds", "decimal": "/payments/"}
READS = {"minor": "/v1/charges/", "decimal": "/payments/"}


def euro(amount: str) -> JsonObject:
    return {"amount": amount, "currency": "EUR"}


@dataclass
class Till:
    """The model over one provider, as an operator configures it."""

    vendor: str
    service: Service
    registry: Registry
    catalog: Catalog

    async def call(
        self,
        operation: str,
        arguments: JsonObject,
        *,
        key: str = "",
        seconds: float = 10.0,
        attempt: int = 1,
    ) -> Outcome | ConnectorError:
        action = self.catalog.get(f"payments.{operation}")
        assert action is not None
        key = key or f"K{time.monotonic_ns()}"
        return await end_of(
            self.registry, action, arguments, key=key, seconds=seconds, attempt=attempt
        )

    async def paid(self, amount: str = "20.00") -> JsonValue:
        """The id of a new payment."""
        end = await self.call("payment_charge", {"source": "tok_card", "amount": euro(amount)})
        assert isinstance(end, Applied)
        assert isinstance(end.output, dict)
        return end.output["id"]


async def till_of(
    vendor: str, url: str, outside: Outside, credential: str | None = None
) -> tuple[Registry, Catalog]:
    settings = ConnectionSettings(
        "payments", f"payments-{vendor}", url, credential or f"env:{vendor.upper()}"
    )
    registry = registry_of(outside.to(host_of(url)), settings, WRONG="not-the-right-key")
    return registry, await registry.load()


@pytest.fixture(params=VENDORS)
async def till(
    request: pytest.FixtureRequest, services: dict[str, Service], outside: Outside
) -> Till:
    vendor: str = request.param
    service = services[f"pay_{vendor}"]
    return Till(vendor, service, *await till_of(vendor, service.url, outside))


@pytest.fixture
async def tills(services: dict[str, Service], outside: Outside) -> list[Till]:
    found = []
    for vendor in VENDORS:
        service = services[f"pay_{vendor}"]
        found.append(Till(vendor, service, *await till_of(vendor, service.url, outside)))
    return found


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


# One failure a row: what is asked, and what its end is for either provider.


@dataclass(frozen=True)
class Failure:
    """How a call goes wrong, and what must be said of it."""

    end: type
    kind: Kind | None
    codes: tuple[str | None, str | None]
    operation: str = "refund_create"
    fault: str | None = None
    amount: str = "1.00"
    payment: str | None = None
    source: str = "tok_card"
    credential: str | None = None
    key_is_taken: bool = False
    seconds: float = 10.0
    applied: int = 0


FAILURES = {
    "declined": Failure(
        Refused,
        Kind.INVALID,
        ("card_declined", "4020"),
        operation="payment_charge",
        source="tok_declined",
    ),
    "over-refund": Failure(
        Refused, Kind.INVALID, ("refund_exceeds_charge", "4007"), amount="20.01"
    ),
    "nothing to give back": Failure(
        Refused, Kind.INVALID, ("parameter_invalid", "4000"), amount="0.00"
    ),
    "unknown payment": Failure(
        Refused, Kind.NOT_FOUND, ("resource_missing", "4040"), payment="pay_none"
    ),
    "unknown payment, read": Failure(
        Refused,
        Kind.NOT_FOUND,
        ("resource_missing", "4040"),
        operation="payment_get",
        payment="pay_none",
    ),
    "wrong key": Failure(Refused, Kind.AUTH, ("api_key_invalid", "4030"), credential="env:WRONG"),
    "reused idempotency key": Failure(
        Refused, Kind.CONFLICT, ("idempotency_key_in_use", "4090"), key_is_taken=True
    ),
    "429": Failure(Unavailable, Kind.RATE_LIMITED, ("rate_limit", "4290"), fault="rate_limit"),
    "429, read": Failure(
        Unavailable,
        Kind.RATE_LIMITED,
        ("rate_limit", "4290"),
        operation="payment_get",
        fault="rate_limit",
    ),
    "503": Failure(Uncertain, Kind.UNAVAILABLE, ("api_unavailable", "5030"), fault="error_503"),
    "503, read": Failure(
        Unavailable,
        Kind.UNAVAILABLE,
        ("api_unavailable", "5030"),
        operation="payment_get",
        fault="error_503",
    ),
    "500": Failure(Uncertain, Kind.UNAVAILABLE, ("api_failed", "5000"), fault="error_500"),
    "500, read": Failure(
        Unavailable,
        Kind.UNAVAILABLE,
        ("api_failed", "5000"),
        operation="payment_get",
        fault="error_500",
    ),
    "time-out after the effect": Failure(
        Uncertain, Kind.TIMEOUT, (None, None), fault="hang_after", seconds=1.0, applied=1
    ),
    "time-out before the effect": Failure(
        Uncertain, Kind.TIMEOUT, (None, None), fault="hang_before", seconds=1.0
    ),
    "time-out, read": Failure(
        Unavailable,
        Kind.TIMEOUT,
        (None, None),
        operation="payment_get",
        fault="hang_before",
        seconds=0.5,
    ),
    "hung up after the effect": Failure(
        Uncertain, Kind.UNAVAILABLE, (None, None), fault="drop_after", applied=1
    ),
    "hung up before the effect": Failure(
        Uncertain, Kind.UNAVAILABLE, (None, None), fault="drop_before"
    ),
    "garbage": Failure(Unreadable, None, (None, None), fault="garbage", applied=1),
    "garbage, read": Failure(
        Refused, Kind.INTERNAL, (None, None), operation="payment_get", fault="garbage"
    ),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_has_the_same_kind_whoever_is_behind_and_keeps_their_own_code(
    name: str, till: Till, outside: Outside
) -> None:
    failure = FAILURES[name]
    payment = failure.payment or await till.paid("20.00")
    key = f"F{time.monotonic_ns()}"
    if failure.key_is_taken:
        taken = {"payment_id": payment, "amount": euro("2.00")}
        assert isinstance(await till.call("refund_create", taken, key=key), Applied)
    before = len(till.service.ledger(key))
    if failure.fault:
        is_read = failure.operation.endswith("_get")
        prefix = (READS if is_read else REFUNDS)[till.vendor]
        till.service.spoil(
            failure.fault, prefix, method="GET" if is_read else "POST", retry_after=7
        )
    if failure.credential:
        till.registry, _ = await till_of(till.vendor, till.service.url, outside, failure.credential)
    arguments: dict[str, JsonObject] = {
        "payment_charge": {"source": failure.source, "amount": euro(failure.amount)},
        "payment_get": {"payment_id": payment},
        "refund_create": {"payment_id": payment, "amount": euro(failure.amount)},
    }

    end = await till.call(
        failure.operation, arguments[failure.operation], key=key, seconds=failure.seconds
    )

    assert type(end) is failure.end
    assert len(till.service.ledger(key)) - before == failure.applied
    if isinstance(end, ConnectorError):
        assert end.kind is failure.kind
        assert end.vendor_code == failure.codes[VENDORS.index(till.vendor)]
        assert bool(end.request_id) == (end.vendor_code is not None)
    if failure.fault in ("rate_limit", "error_503"):
        assert isinstance(end, Unavailable | Uncertain)
        assert end.retry_after_s == 7.0
    if isinstance(end, Unavailable):
        assert end.sent


async def test_retry_after_may_be_a_date(till: Till) -> None:
    soon = formatdate(time.time() + 30, usegmt=True)
    till.service.spoil("rate_limit", READS[till.vendor], method="GET", retry_after=soon)

    end = await till.call("payment_get", {"payment_id": "pay_1042"})

    assert isinstance(end, Unavailable)
    assert end.retry_after_s is not None
    assert 25 <= end.retry_after_s <= 31


async def test_a_lost_answer_is_found_by_asking_again_under_the_same_key(till: Till) -> None:
    payment = await till.paid()
    asked: JsonObject = {"payment_id": payment, "amount": euro("1.00")}
    key = f"LOST{time.monotonic_ns()}"
    till.service.spoil("drop_after", REFUNDS[till.vendor])

    first = await till.call("refund_create", asked, key=key)
    second = await till.call("refund_create", asked, key=key, attempt=2)

    assert isinstance(first, Uncertain)
    assert isinstance(second, Applied)
    assert second.replayed
    assert len(till.service.ledger(key)) == 1


@pytest.mark.parametrize(
    "wanted", [{"amount": "1.00", "currency": "USD"}, {"amount": "100", "currency": "JPY"}]
)
async def test_a_refund_in_another_currency_is_refused_whoever_is_behind(
    wanted: JsonObject, till: Till
) -> None:
    payment, key = await till.paid(), f"CUR{time.monotonic_ns()}"

    end = await till.call("refund_create", {"payment_id": payment, "amount": wanted}, key=key)

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert till.service.ledger(key) == []


async def test_a_refund_of_another_payment_is_not_found_whoever_is_behind(till: Till) -> None:
    payment, other = await till.paid(), await till.paid()
    end = await till.call("refund_create", {"payment_id": payment, "amount": euro("1.00")})
    assert isinstance(end, Applied)
    assert isinstance(end.output, dict)

    read = await till.call("refund_get", {"payment_id": other, "refund_id": end.output["id"]})

    assert isinstance(read, Refused)
    assert read.kind is Kind.NOT_FOUND


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("payment_get", {"payment_id": "../refunds"}),
        ("payment_get", {"payment_id": ".."}),
        ("payment_get", {}),
        ("payment_get", {"payment_id": "\ud800"}),
        ("refund_create", {"payment_id": "pay_1042", "amount": euro("1.005")}),
        ("refund_create", {"payment_id": "pay_1042", "amount": euro("-1.00")}),
        ("refund_create", {"payment_id": "pay_1042", "amount": euro("9" * 21)}),
        ("refund_create", {"payment_id": "pay_1042", "amount": "1.00"}),
        ("refund_create", {"payment_id": "pay_1042", "amount": {"amount": 1, "currency": "EUR"}}),
        ("refund_create", {"payment_id": "pay_1042", "amount": euro("1.00"), "note": "x"}),
    ],
)
@pytest.mark.parametrize("vendor", VENDORS)
async def test_what_cannot_be_asked_is_refused_before_anything_is_sent(
    vendor: str, operation: str, arguments: JsonObject, outside: Outside
) -> None:
    async with raw_server(answer(200, {})) as raw:
        registry, catalog = await till_of(vendor, raw.url, outside)
        action = catalog.get(f"payments.{operation}")
        assert action is not None
        end = await end_of(registry, action, arguments)

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert raw.received == []


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


CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "USD", "CLP"])


@given(st.integers(0, 10**14), CURRENCIES)
def test_minor_units_there_and_back_are_the_same_money(units: int, currency: str) -> None:
    told = from_minor(units, currency)
    amount, same = read_money(told)

    assert same == currency
    assert to_minor(amount, currency) == units
    assert told == told_money(str(told["amount"]), currency)


@given(st.integers(0, 10**9), st.integers(0, 6), CURRENCIES)
def test_an_amount_is_exact_or_refused(number: int, places: int, currency: str) -> None:
    text = f"{number:0{places + 1}}"
    text = f"{text[:-places]}.{text[-places:]}" if places else text
    money: JsonObject = {"amount": text, "currency": currency}
    if Decimal(text) != round(Decimal(text), exponent_of(currency)):
        with pytest.raises(Refused, match="decimal places"):
            read_money(money)
    else:
        assert read_money(money) == (Decimal(text), currency)

"""What goes wrong with a payment has the same kind whoever is behind it."""

import time
from dataclasses import dataclass
from email.utils import formatdate

import pytest
from connector_cases import Outside, answer, end_of, raw_server
from till_cases import READS, REFUNDS, VENDORS, Till, euro, till_of

from connectors.connector import Applied, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.spec import JsonObject


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

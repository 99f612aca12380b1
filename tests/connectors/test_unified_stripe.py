"""Stripe behind `payments`: over a Stripe that somebody else wrote, and byte by byte."""

import os
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest
from between import Between, Changes
from connector_cases import Outside, answer, end_of, raw_server, registry_of
from real_servers import STRIPE_KEY, Real, stripe

from connectors.builtin.payments import charges
from connectors.connector import Applied, Outcome
from connectors.errors import ConnectorError, Kind, Refused, Uncertain
from connectors.factories import ConnectionSettings
from connectors.plugin import Plugin
from connectors.spec import JsonObject
from connectors.testing import Example, HttpConformance, NamedCall, Service

EURO: JsonObject = {"amount": "20.00", "currency": "EUR"}
OWN = {"authorization": f"Bearer {STRIPE_KEY}"}
CHARGE: JsonObject = {
    "id": "ch_1",
    "object": "charge",
    "amount": 2000,
    "amount_refunded": 750,
    "currency": "eur",
    "status": "succeeded",
    "created": 1795651200,
    "metadata": {"order": "1042"},
}
REFUND: JsonObject = {**CHARGE, "id": "re_1", "object": "refund", "charge": "ch_1", "amount": 750}


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with stripe(tmp_path_factory.mktemp("stripe")) as real:
        yield real


class TestStripe(HttpConformance):
    plugin = Plugin(charges.stripe.connect, protocol=1)
    whole = os.environ.get("LAMGATE_KIT_WHOLE") == "1"
    real: Real

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _bank(cls, bank: Real) -> None:
        cls.real = bank

    def secret(self) -> str:
        return STRIPE_KEY

    def service(self) -> Service:
        self.changes, self.paid = Changes(), self.charged()
        return Between(self.real).service

    def charged(self) -> str:
        """A charge that was made without the connector."""
        body = {"amount": "2000", "currency": "eur", "source": "tok_visa"}
        made = self.real.ask("POST", "/v1/charges", data=body, headers=OWN)
        assert made.status_code == 200, made.text
        return str(made.json()["id"])

    async def refund(self) -> NamedCall:
        euro: JsonObject = {"amount": "7.50", "currency": "EUR"}
        asked: JsonObject = {"payment_id": self.charged(), "amount": euro, "reason": "broken"}
        return ("own.refund_create", asked)

    def example(self) -> Example:
        async def effects() -> int:
            found = [
                each
                for kind in ("charges", "refunds")
                for each in self.real.ask("GET", f"/v1/{kind}?limit=100", headers=OWN).json()[
                    "data"
                ]
            ]
            return self.changes.count((each["id"],) for each in found)

        return Example(
            read=("own.payment_get", {"payment_id": self.paid}),
            keyed=self.refund,
            more=(("own.payment_charge", {"source": "tok_visa", "amount": EURO}),),
            refused=("own.payment_get", {"payment_id": "ch_none"}),
            effects=effects,
        )


async def called(
    url: str, outside: Outside, name: str, arguments: JsonObject, attempt: int = 1
) -> Outcome | ConnectorError:
    settings = ConnectionSettings("pay", "stripe", url, "env:STRIPE")
    registry = registry_of(outside.to(url.partition("://")[2]), settings, STRIPE=STRIPE_KEY)
    action = (await registry.load()).get(f"pay.{name}")
    assert action is not None
    return await end_of(registry, action, arguments, key="K1", attempt=attempt)


async def test_a_charge_is_a_form_under_our_key_and_told_as_the_model_does(
    outside: Outside,
) -> None:
    async with raw_server(answer(200, CHARGE)) as raw:
        end = await called(raw.url, outside, "payment_charge", {"source": "tok", "amount": EURO})
    body = raw.received[-1].partition(b"\r\n\r\n")[2]

    assert raw.head().split("\r\n")[0] == "POST /v1/charges HTTP/1.1"
    assert "idempotency-key: K1" in raw.head()
    assert "content-type: application/x-www-form-urlencoded" in raw.head()
    assert parse_qsl(body.decode()) == [("amount", "2000"), ("currency", "eur"), ("source", "tok")]
    assert isinstance(end, Applied)
    assert end.output == {
        "id": "ch_1",
        "connector": "stripe",
        "version": None,
        "url": None,
        "created_at": "2026-11-26T00:00:00+00:00",
        "updated_at": None,
        "custom_fields": {"order": "1042"},
        "raw": CHARGE,
        "status": "succeeded",
        "status_raw": "succeeded",
        "amount": EURO,
        "refunded": {"amount": "7.50", "currency": "EUR"},
    }


async def test_why_is_said_in_the_metadata_since_stripe_has_words_of_its_own_for_it(
    outside: Outside,
) -> None:
    said = {b"GET": answer(200, CHARGE), b"POST": answer(200, REFUND)}

    async def handle(_: object, writer: object) -> None:
        writer.write(said[raw.received[-1].split(b" ", 1)[0]])  # type: ignore[attr-defined]
        await writer.drain()  # type: ignore[attr-defined]

    euro: JsonObject = {"amount": "7.50", "currency": "EUR"}
    async with raw_server(handle) as raw:
        end = await called(
            raw.url,
            outside,
            "refund_create",
            {"payment_id": "ch_1", "amount": euro, "reason": "it broke"},
        )
    body = raw.received[-1].partition(b"\r\n\r\n")[2]

    assert isinstance(end, Applied)
    assert dict(parse_qsl(body.decode())) == {
        "charge": "ch_1",
        "amount": "750",
        "metadata[reason]": "it broke",
    }


def error(status: int, code: str | None) -> bytes:
    return answer(status, {"error": {"type": "x", "code": code, "message": "no"}})


@pytest.mark.parametrize(
    ("status", "code", "ends", "kind"),
    [
        (402, "card_declined", Refused, Kind.INVALID),
        (404, "resource_missing", Refused, Kind.NOT_FOUND),
        (401, None, Refused, Kind.AUTH),
        # The first call under this key is at work: what it does is not known yet.
        (409, "idempotency_key_in_use", Uncertain, Kind.CONFLICT),
    ],
)
async def test_a_no_is_called_by_its_name_and_a_call_under_way_is_not_one(
    status: int, code: str | None, ends: type, kind: Kind, outside: Outside
) -> None:
    async with raw_server(error(status, code)) as raw:
        wanted: JsonObject = {"source": "tok", "amount": EURO}
        end = await called(raw.url, outside, "payment_charge", wanted, attempt=2)

    assert type(end) is ends
    assert isinstance(end, ConnectorError)
    assert (end.kind, end.vendor_code) == (kind, code)


async def test_a_word_of_next_year_is_other_and_stands_as_it_is(outside: Outside) -> None:
    async with raw_server(answer(200, {**CHARGE, "status": "sleeping"})) as raw:
        end = await called(raw.url, outside, "payment_get", {"payment_id": "ch_1"})

    assert isinstance(end, Applied)
    assert isinstance(end.output, dict)
    assert (end.output["status"], end.output["status_raw"]) == ("other", "sleeping")


@pytest.mark.parametrize("currency", ["ISK", "MGA", "UGX"])
async def test_a_currency_that_stripe_counts_in_its_own_way_is_refused(
    currency: str, outside: Outside
) -> None:
    async with raw_server(answer(200, {**CHARGE, "currency": currency.lower()})) as raw:
        wanted: JsonObject = {"source": "tok", "amount": {"amount": "5", "currency": currency}}
        write = await called(raw.url, outside, "payment_charge", wanted)
        before = len(raw.received)
        read = await called(raw.url, outside, "payment_get", {"payment_id": "ch_1"})

    assert before == 0
    assert isinstance(write, Refused)
    assert isinstance(read, Refused)
    assert read.kind is Kind.INTERNAL

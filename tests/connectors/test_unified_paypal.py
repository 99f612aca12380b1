"""PayPal behind `payments`: over a stand-in, and over a server that is made of its own documents.

The documents are in `LAMGATE_DATA`; the server is @scalar/mock-server, which needs node.
"""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from connector_cases import NO_TLS, Outside, answer, described, end_of, raw_server, registry_of
from pydantic import JsonValue
from vendor_documents import unpacked

from benchmarks.openapi_node import NoNodeError, installed, serving
from connectors.builtin.payments import paypal
from connectors.connector import Applied, Outcome, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Uncertain
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.plugin import Plugin
from connectors.spec import JsonObject
from connectors.testing import Asked, Example, HttpConformance, NamedCall, Said, Service
from connectors.validate import first_flaw

EURO: JsonObject = {"amount": "20.00", "currency": "EUR"}
BACK: JsonObject = {"amount": "7.50", "currency": "EUR"}
AGREEMENT: JsonObject = {"source": "B-1042", "amount": EURO}
DOCUMENTS = ("paypal-payments_payment_v2.json", "paypal-checkout_orders_v2.json")


@dataclass
class Account:
    """Captures and refunds, each under its own key once."""

    captures: dict[str, JsonObject] = field(default_factory=dict)
    refunds: dict[str, JsonObject] = field(default_factory=dict)
    keys: dict[str, JsonObject] = field(default_factory=dict)

    async def effects(self) -> int:
        return len(self.keys)

    def handle(self, asked: Asked) -> Said:
        key = asked.headers.get("paypal-request-id", "")
        body = asked.body if isinstance(asked.body, dict) else {}
        match asked.method, *asked.segments:
            case "POST", "v2", "checkout", "orders":
                self.keys.setdefault(key, {})
                return Said(201, self.order(self.captured(key, body)))
            case "GET", "v2", "checkout", "orders", name:
                return Said(200, self.order(self.captures[name.replace("O", "C")]))
            case "GET", "v2", "payments", "captures", name if name in self.captures:
                return Said(200, self.captures[name])
            case "POST", "v2", "payments", "captures", name, "refund":
                if key not in self.keys:
                    self.keys[key] = self.given_back(name, body)
                return Said(201, self.keys[key])
            case "GET", "v2", "payments", "refunds", name if name in self.refunds:
                return Said(200, self.refunds[name])
        told: JsonObject = {"name": "RESOURCE_NOT_FOUND", "debug_id": "d1"}
        return Said(404, {**told, "details": [{"issue": "INVALID_RESOURCE_ID"}]})

    def captured(self, key: str, body: JsonObject) -> JsonObject:
        name = f"C{len(self.captures) + 1}"
        (unit,) = body["purchase_units"]  # type: ignore[misc, union-attr]  # one of them
        if known := self.keys.get(key):
            return known
        made: JsonObject = {
            "id": name,
            "status": "COMPLETED",
            "amount": unit["amount"],  # type: ignore[index, call-overload]
            "create_time": "2026-11-26T00:00:00Z",
            "supplementary_data": {"related_ids": {"order_id": name.replace("C", "O")}},
        }
        self.captures[name] = self.keys[key] = made
        return made

    def order(self, capture: JsonObject) -> JsonObject:
        back: list[JsonValue] = [
            each
            for each in self.refunds.values()
            if each["links"][0]["href"].endswith(f"/{capture['id']}")  # type: ignore[index, call-overload, union-attr]
        ]
        payments: JsonObject = {"captures": [capture], "refunds": back}
        return {"id": "O1", "status": "COMPLETED", "purchase_units": [{"payments": payments}]}

    def given_back(self, capture: str, body: JsonObject) -> JsonObject:
        name = f"R{len(self.refunds) + 1}"
        link: JsonObject = {"rel": "up", "href": f"https://x/v2/payments/captures/{capture}"}
        self.refunds[name] = {
            "id": name,
            "status": "COMPLETED",
            "amount": body["amount"],
            "links": [link],
        }
        self.captures[capture] = {**self.captures[capture], "status": "PARTIALLY_REFUNDED"}
        return self.refunds[name]


class TestPayPal(HttpConformance):
    plugin = Plugin(paypal.paypal.connect, protocol=1)

    def service(self) -> Service:
        self.account = Account()
        return Service(self.account.handle)

    def paid(self) -> str:
        unit: JsonObject = {"amount": {"value": "20.00", "currency_code": "EUR"}}
        made = self.account.captured(f"k{len(self.account.keys)}", {"purchase_units": [unit]})
        return str(made["id"])

    async def partly(self) -> NamedCall:
        payment = self.paid()
        self.account.given_back(payment, {"amount": {"value": "7.50", "currency_code": "EUR"}})
        return ("own.payment_get", {"payment_id": payment})

    async def refund(self) -> NamedCall:
        return ("own.refund_create", {"payment_id": self.paid(), "amount": BACK, "reason": "x"})

    def example(self) -> Example:
        return Example(
            read=self.partly,
            keyed=self.refund,
            more=(("own.payment_charge", AGREEMENT),),
            refused=("own.payment_get", {"payment_id": "none"}),
            effects=self.account.effects,
        )


async def called(
    url: str, outside: Outside, name: str, arguments: JsonObject, attempt: int = 1
) -> Outcome | ConnectorError:
    settings = ConnectionSettings("pay", "paypal", url, "env:PAYPAL")
    registry = registry_of(outside.to(url.partition("://")[2]), settings, PAYPAL="a-token")
    action = (await registry.load()).get(f"pay.{name}")
    assert action is not None
    end = await end_of(registry, action, arguments, key="K1", attempt=attempt)
    if isinstance(end, Applied):
        assert first_flaw(action.output_schema or {}, end.output) is None
    return end


def output(end: object) -> JsonObject:
    assert isinstance(end, Applied), vars(end)
    assert isinstance(end.output, dict)
    return end.output


async def test_what_was_given_back_stands_at_the_order_and_is_told_with_the_payment(
    outside: Outside,
) -> None:
    service = Service(Account().handle)
    service.start()
    try:
        paid = output(await called(service.url, outside, "payment_charge", AGREEMENT))
        here: JsonObject = {"payment_id": paid["id"]}
        back = await end_of_refund(service.url, outside, {**here, "amount": BACK})
        read = output(await called(service.url, outside, "payment_get", here))
        found: JsonObject = {**here, "refund_id": back["id"]}
        again = output(await called(service.url, outside, "refund_get", found))
        other = await called(service.url, outside, "refund_get", {**found, "payment_id": "C9"})
    finally:
        service.stop()

    assert (paid["status"], paid["amount"]) == ("succeeded", EURO)
    assert Decimal(str(paid["refunded"]["amount"])) == 0  # type: ignore[index, call-overload]
    assert (read["refunded"], read["status_raw"]) == (BACK, "PARTIALLY_REFUNDED")
    assert "@refunded" not in json.dumps(read)
    assert again == back
    assert (back["payment_id"], back["amount"]) == (paid["id"], BACK)
    assert isinstance(other, Refused)
    assert other.kind is Kind.NOT_FOUND


async def end_of_refund(url: str, outside: Outside, arguments: JsonObject) -> JsonObject:
    settings = ConnectionSettings("pay", "paypal", url, "env:PAYPAL")
    registry = registry_of(outside.to(url.partition("://")[2]), settings, PAYPAL="a-token")
    action = (await registry.load()).get("pay.refund_create")
    assert action is not None
    return output(await end_of(registry, action, arguments, key="K2"))


@pytest.mark.parametrize(
    ("status", "issue", "ends", "kind"),
    [
        (422, "REFUND_AMOUNT_EXCEEDED", Refused, Kind.INVALID),
        (401, "INVALID_ACCESS_TOKEN", Refused, Kind.AUTH),
        (409, "PREVIOUS_REQUEST_IN_PROGRESS", Uncertain, Kind.CONFLICT),
    ],
)
async def test_a_no_is_called_by_its_name_and_a_call_under_way_is_not_one(
    status: int, issue: str, ends: type, kind: Kind, outside: Outside
) -> None:
    body: JsonObject = {"name": "X", "debug_id": "d1", "details": [{"issue": issue}]}
    async with raw_server(answer(status, body)) as raw:
        wanted: JsonObject = {"payment_id": "C1", "amount": BACK}
        end = await called(raw.url, outside, "refund_create", wanted, attempt=2)

    assert type(end) is ends
    assert isinstance(end, ConnectorError)
    assert (end.kind, end.vendor_code, end.request_id) == (kind, issue, "d1")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """PayPal's documents, unpacked."""
    return unpacked(tmp_path_factory.mktemp("paypal"), *DOCUMENTS)


async def test_what_is_sent_is_what_the_documents_ask_for(
    documents: Path, outside: Outside, tmp_path: Path
) -> None:
    asked: dict[str, JsonObject] = {}
    for name, path, arguments in (
        ("payment_charge", "/v2/checkout/orders", AGREEMENT),
        ("refund_create", "/v2/payments/captures/C1/refund",
         {"payment_id": "C1", "amount": BACK, "reason": "it broke"}),
    ):  # fmt: skip
        async with raw_server(answer(401, {})) as raw:
            await called(raw.url, outside, name, arguments)
        assert raw.head().split("\r\n")[0] == f"POST {path} HTTP/1.1"
        assert "PayPal-Request-Id: K1".lower() in raw.head().lower()
        sent = raw.body()
        assert isinstance(sent, dict)
        asked[name] = sent
    schemas: dict[str, JsonObject] = {}
    for document in DOCUMENTS:
        text = (documents / document).read_text("utf-8")
        api = described(tmp_path, text, Transport(tls=NO_TLS))
        schemas |= {each.name: each.input_schema for each in await api.actions()}

    order, refund = schemas["api.orders_create"], schemas["api.captures_refund"]
    assert first_flaw(order, asked["payment_charge"]) is None
    assert first_flaw(refund, {"capture_id": "C1", **asked["refund_create"]}) is None
    assert first_flaw(order, {"purchase_units": []}), "the document refuses what is no order"


async def test_a_server_that_is_made_of_the_documents_knows_what_is_asked(
    documents: Path, outside: Outside
) -> None:
    try:
        packages = await installed("@scalar/mock-server")
    except NoNodeError as error:
        pytest.skip(str(error))
    script = Path(__file__).parents[2] / "benchmarks" / "openapi_mock.mjs"
    refund: JsonObject = {"payment_id": "C1", "amount": BACK}
    async with serving(script, packages, (documents / DOCUMENTS[0],)) as port:
        url = f"http://127.0.0.1:{port}"
        read = await called(url, outside, "payment_get", {"payment_id": "C1"})
        back = await called(url, outside, "refund_create", refund)
    async with serving(script, packages, (documents / DOCUMENTS[1],)) as port:
        charged = await called(f"http://127.0.0.1:{port}", outside, "payment_charge", AGREEMENT)

    # What such a server makes up is of the right type, and no capture: its times are "string".
    assert isinstance(read, Refused)
    assert (read.kind, read.status) == (Kind.INTERNAL, 200)
    assert isinstance(back, Unreadable)
    assert "status 201" in back.reason
    assert isinstance(charged, Unreadable)
    assert "status 200" in charged.reason

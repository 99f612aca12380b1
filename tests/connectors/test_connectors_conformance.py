"""Our own connectors meet what every connector promises, and the suite finds those that do not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from connector_cases import SHOP, Outside, host_of
from pydantic import JsonValue
from the_shop import Service

from connectors.builtin.smtp import SmtpConnector
from connectors.connector import Applied, Connector, Outcome
from connectors.errors import ConfigurationError, Kind, Refused
from connectors.native import NativeConnector, action
from connectors.openapi import OpenApiConnector, Source, load_overlay
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.testing import ConnectorConformance, Example, NamedCall
from connectors.unified.payments import PaymentsConnector, Vendor
from connectors.unified.payments_decimal import Decimals
from connectors.unified.payments_minor import MinorUnits


def effects_of(service: Service) -> Callable[[], Awaitable[int]]:
    """Counts what a service has really done."""

    async def effects() -> int:
        return len(await asyncio.to_thread(lambda: service.get("/ledger").json()))

    return effects


def silence_of(service: Service, prefix: str, method: str) -> Any:
    """Has a service say nothing for a while."""

    @asynccontextmanager
    async def silence() -> AsyncIterator[None]:
        await asyncio.to_thread(service.spoil, "hang_before", prefix, method=method)
        yield
        await asyncio.to_thread(service.call, "DELETE", "/faults")

    return silence


class OverTheShop(ConnectorConformance):
    """What the suites over the shop share."""

    @pytest.fixture(autouse=True)
    def _shop(self, running: Any, services: dict[str, Service]) -> None:
        self.running, self.services, self.outside = running, services, Outside()

    async def close(self) -> None:
        await self.outside.close()


class TestOrders(OverTheShop):
    def connector(self) -> Connector:
        url = self.services["orders"].url
        return OpenApiConnector(
            "orders",
            url,
            self.outside.to(host_of(url)),
            document=Source("/openapi.json", url),
            overlay=load_overlay(SHOP / "overlays" / "orders.yaml"),
        )

    def example(self) -> Example:
        service = self.services["orders"]
        broken: JsonObject = {"sku": "BOWL", "quantity": 1, "reason": "x", "order_id": "1044"}
        return Example(
            connection="orders",
            read=("orders.get_order", {"order_id": "1042"}),
            keyed=("orders.create_write_off", broken),
            found=("orders.create_note", {"order_id": "1042", "text": "hello"}),
            refused=("orders.create_write_off", {**broken, "quantity": 999}),
            silent=("orders.create_write_off", broken),
            silence=silence_of(service, "/stock", "POST"),
            effects=effects_of(service),
        )


class OverPayments(OverTheShop):
    """What the suites over both providers share."""

    service = ""
    secret = ""

    def vendor(self) -> Vendor:
        raise NotImplementedError

    def connector(self) -> Connector:
        url = self.services[self.service].url
        transport = self.outside.to(host_of(url))
        return PaymentsConnector("payments", "payments", url, transport, self.vendor())

    def example(self) -> Example:
        service = self.services[self.service]
        euro: JsonObject = {"amount": "0.01", "currency": "EUR"}
        refund: JsonObject = {"payment_id": "pay_1044", "amount": euro}
        return Example(
            connection="payments",
            read=("payments.payment_get", {"payment_id": "pay_1042"}),
            keyed=("payments.refund_create", refund),
            refused=("payments.refund_create", {**refund, "payment_id": "pay_none"}),
            silent=("payments.payment_get", {"payment_id": "pay_1042"}),
            silence=silence_of(service, "/", "GET"),
            effects=effects_of(service),
            secrets=(self.secret,),
        )


class TestMinorUnits(OverPayments):
    service = "pay_minor"
    secret = "sk_shop_minor"

    def vendor(self) -> Vendor:
        return MinorUnits(lambda: self.secret)


class TestDecimals(OverPayments):
    service = "pay_decimal"
    secret = "shop-decimal-key"

    def vendor(self) -> Vendor:
        return Decimals(lambda: self.secret)


class TestMail(OverTheShop):
    def connector(self) -> Connector:
        mailbox = self.services["mail"].url
        host, _, port = self.running.smtp.rpartition(":")
        transport = self.outside.to(host_of(mailbox))
        return SmtpConnector(
            "mail", host, int(port), "shop@example.com", transport, mailbox_url=mailbox
        )

    def example(self) -> Example:
        service = self.services["mail"]
        mail: JsonObject = {"to": "customer@example.com", "subject": "Hello", "text": "There"}
        return Example(
            connection="mail",
            read=("mail.find", {"reference": "nobody"}),
            found=("mail.send", mail),
            refused=("mail.send", {**mail, "to": "nobody"}),
            silent=("mail.send", mail),
            silence=silence_of(service, "/customer", "SMTP"),
            effects=effects_of(service),
        )


KEYED: JsonObject = {"in": "connector", "name": "key", "window_s": 60}


class TestNative(ConnectorConformance):
    def setup_method(self) -> None:
        self.done: dict[str, int] = {}

    def connector(self) -> Connector:
        done = self.done

        @action(effect="read")
        async def find(key: str) -> list[int]:
            """Find what was done under a key."""
            return [done[key]] if key in done else []

        @action(effect="keyed", idempotency=KEYED)
        async def add(number: int, context: CallContext) -> int:
            """Add a number, once for a key."""
            return done.setdefault(context.idempotency_key, number)

        @action(effect="lookup", lookup={"action": "own.find", "by": "key"})
        async def put(number: int, context: CallContext) -> int:
            """Put a number where it can be found."""
            done[context.idempotency_key] = number
            return number

        @action()
        async def refuse() -> None:
            """Say no."""
            raise Refused("no", kind=Kind.INVALID)

        @action()
        async def hang() -> None:
            """Say nothing."""
            await asyncio.Event().wait()

        return NativeConnector("native", "own", [find, add, put, refuse, hang])

    def example(self) -> Example:
        async def effects() -> int:
            return len(self.done)

        return Example(
            connection="own",
            read=("own.find", {"key": "nobody"}),
            keyed=("own.add", {"number": 3}),
            found=("own.put", {"number": 4}),
            refused=("own.refuse", {}),
            silent=("own.hang", {}),
            effects=effects,
        )


# The suite finds what it is for: each of these breaks one promise.


@dataclass(frozen=True)
class Promise:
    """One broken promise: the actions and what a call does, and the test that must fail."""

    test: str
    specs: Callable[[int], Sequence[JsonObject]]
    call: Callable[[str, Mapping[str, JsonValue], CallContext, list[str]], Outcome] = (
        lambda name, arguments, context, done: Applied(1)
    )
    example: Mapping[str, NamedCall] | None = None


INPUT: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}


def made(name: str = "own.a", **more: JsonValue) -> JsonObject:
    return {"name": name, "description": "Do.", "input_schema": INPUT, **more}


def _leak(
    name: str, arguments: Mapping[str, JsonValue], context: CallContext, done: list[str]
) -> Outcome:
    raise Refused("no", kind=Kind.AUTH) from ValueError("the key is canary-secret")


def _act(
    name: str, arguments: Mapping[str, JsonValue], context: CallContext, done: list[str]
) -> Outcome:
    done.append(name)
    return Applied(len(done))


READ: JsonObject = made(effect="read", output_schema={"type": "integer"})
WRITE: JsonObject = made(effect="keyed", idempotency=KEYED)
LOOKUP: list[JsonObject] = [
    made("own.b", effect="lookup", lookup={"action": "own.c", "by": "k"}),
    made(
        "own.c",
        effect="read",
        input_schema={**INPUT, "properties": {"k": {"type": "string"}}},
    ),
]
A_READ: dict[str, NamedCall] = {"read": ("own.a", {})}
A_WRITE: dict[str, NamedCall] = {"keyed": ("own.a", {})}

BROKEN = {
    "nothing on offer": Promise(
        "test_names_begin_with_the_connection_and_are_unique", lambda _: []
    ),
    "a name twice": Promise(
        "test_names_begin_with_the_connection_and_are_unique", lambda _: [made(), made()]
    ),
    "another connection's name": Promise(
        "test_names_begin_with_the_connection_and_are_unique", lambda _: [made("other.a")]
    ),
    "an open input": Promise(
        "test_schemas_can_be_read_and_inputs_are_closed",
        lambda _: [made(input_schema={"type": "object"})],
    ),
    "a broken schema": Promise(
        "test_schemas_can_be_read_and_inputs_are_closed",
        lambda _: [made(output_schema={"type": "nonsense"})],
    ),
    "no description": Promise(
        "test_every_action_says_what_it_is_for", lambda _: [made(description=" ")]
    ),
    "another definition each time": Promise(
        "test_actions_are_the_same_each_time", lambda asked: [made(settle_s=asked)]
    ),
    "an undo that is not there": Promise(
        "test_what_manifests_say_of_one_another_holds",
        lambda _: [made(undo={"action": "own.b"})],
    ),
    "a read that acts": Promise(
        "test_a_read_changes_nothing_and_keeps_its_promise", lambda _: [READ], _act, A_READ
    ),
    "a read that breaks its word": Promise(
        "test_a_read_changes_nothing_and_keeps_its_promise",
        lambda _: [READ],
        lambda *_: Applied("text"),
        A_READ,
    ),
    "a key that is not kept": Promise(
        "test_the_same_key_twice_acts_once", lambda _: [WRITE], _act, A_WRITE
    ),
    "a look-up that finds nothing": Promise(
        "test_what_was_done_is_found_by_its_key_and_nothing_else_is",
        lambda _: LOOKUP,
        lambda name, *_: Applied(1 if name == "own.b" else None),
        {"found": ("own.b", {})},
    ),
    "a look-up that finds everything": Promise(
        "test_what_was_done_is_found_by_its_key_and_nothing_else_is",
        lambda _: LOOKUP,
        lambda *_: Applied(1),
        {"found": ("own.b", {})},
    ),
    "a yes where a no was due": Promise(
        "test_a_no_is_refused_and_has_no_effect",
        lambda _: [WRITE],
        lambda *_: Applied(1),
        {"refused": ("own.a", {})},
    ),
    "an argument that nobody knows": Promise(
        "test_an_argument_that_nobody_knows_is_refused_before_anything_is_sent",
        lambda _: [WRITE],
        _act,
        A_WRITE,
    ),
    "sent too late": Promise(
        "test_nothing_is_sent_after_its_time", lambda _: [WRITE], _act, A_WRITE
    ),
    "an answer where silence was due": Promise(
        "test_silence_ends_at_the_deadline_and_is_called_what_it_is",
        lambda _: [WRITE],
        lambda *_: Applied(1),
        {"silent": ("own.a", {})},
    ),
    "a secret told": Promise("test_no_secret_is_told", lambda _: [WRITE], _leak, A_WRITE),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_suite_finds_a_broken_promise(name: str) -> None:
    promise = BROKEN[name]
    done: list[str] = []
    asked: list[int] = []

    class Breaking:
        name = "breaking"

        async def actions(self) -> Sequence[ActionSpec]:
            asked.append(1)
            return [ActionSpec.model_validate(each) for each in promise.specs(len(asked))]

        async def call(
            self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
        ) -> Outcome:
            return promise.call(action.name, arguments, context, done)

    async def effects() -> int:
        return len(done)

    class Suite(ConnectorConformance):
        def connector(self) -> Connector:
            return Breaking()

        def example(self) -> Example:
            calls = dict(promise.example or {})
            secrets = ("canary-secret",)
            return Example(connection="own", effects=effects, secrets=secrets, **calls)  # type: ignore[arg-type]  # only calls are given

    with pytest.raises((AssertionError, ConfigurationError)):
        getattr(Suite(), promise.test)()


def test_every_test_of_the_suite_is_one_that_can_fail() -> None:
    tests = {name for name in vars(ConnectorConformance) if name.startswith("test_")}

    assert {promise.test for promise in BROKEN.values()} == tests

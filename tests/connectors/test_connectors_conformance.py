"""Our own connectors meet what every connector promises, and the suite finds those that do not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from connector_cases import SHOP, Outside, host_of
from the_shop import Service

from connectors.builtin import smtp_factory
from connectors.builtin.payments.charges import minor_units
from connectors.builtin.payments.decimals import decimals
from connectors.builtin.payments.till import Till
from connectors.connector import Connector
from connectors.credentials import Vault
from connectors.document import read_overlay
from connectors.errors import Kind, Refused
from connectors.factories import ConnectionSettings, Given
from connectors.native import NativeConnector, action
from connectors.openapi import OpenApiConnector, Overlay, Source
from connectors.spec import CallContext, JsonObject
from connectors.testing import ConnectorConformance, Example


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
            overlay=read_overlay(SHOP / "overlays" / "orders.yaml", Overlay),
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

    till: Till

    def connector(self) -> Connector:
        url = self.services[self.service].url
        vault = Vault(lambda _: self.secret)
        given = Given(self.outside.to(host_of(url)).carrying(vault), vault.stand_in)
        return self.till.connect(ConnectionSettings("payments", "own", url, "env:KEY"), given)

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
    till = minor_units


class TestDecimals(OverPayments):
    service = "pay_decimal"
    secret = "shop-decimal-key"
    till = decimals


class TestMail(OverTheShop):
    def connector(self) -> Connector:
        url = self.services["mail"].url
        options: JsonObject = {
            "server": self.running.smtp.removeprefix("smtp://"),
            "sender": "shop@example.com",
            "mailbox_url": url,
        }
        given = Given(self.outside.to(str(options["server"]), host_of(url)), str)
        return smtp_factory.connect(ConnectionSettings("mail", "smtp", options=options), given)

    def example(self) -> Example:
        service = self.services["mail"]
        mail: JsonObject = {"to": ["customer@example.com"], "subject": "Hello", "text": "There"}
        return Example(
            connection="mail",
            read=("mail.message_find", {"reference": "nobody"}),
            found=("mail.message_send", mail),
            refused=("mail.message_get", {"id": "nobody"}),
            silent=("mail.message_send", mail),
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

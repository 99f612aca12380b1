"""Our own connectors meet what every connector promises, and the suite finds those that do not."""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from between import Between
from connector_cases import NO_TLS, SHOP, Outside, host_of
from real_servers import Real
from the_shop import Service

from connectors.builtin import smtp_factory
from connectors.builtin.payments.charges import minor_units
from connectors.builtin.payments.decimals import decimals
from connectors.connector import Connector
from connectors.document import read_overlay
from connectors.errors import Kind, Refused
from connectors.factories import ConnectionSettings, Given
from connectors.http import Transport
from connectors.native import NativeConnector, action
from connectors.openapi import OpenApiConnector, Overlay, Source
from connectors.plugin import Plugin
from connectors.spec import CallContext, JsonObject
from connectors.testing import Broken, ConnectorConformance, Example, HttpConformance
from connectors.testing import Service as Spoiled


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


class OverTheShop(HttpConformance):
    """What the suites over the shop's services share: the way to one of them is spoiled."""

    whole = os.environ.get("LAMGATE_KIT_WHOLE") == "1"
    name = ""
    running: Any

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _shop(cls, running: Any) -> None:
        cls.running = running

    @property
    def there(self) -> Service:
        """The service, as somebody beside the connector sees it."""
        return Service(
            self.name, self.running.urls[self.name], self.running.data / f"{self.name}.db"
        )

    def service(self) -> Spoiled:
        return Between(Real(int(self.there.url.rpartition(":")[2]), self.running.data)).service


class TestOrders(OverTheShop):
    name = "orders"
    connection = "orders"

    def connector(self) -> Connector:
        self._ways.append(Transport(frozenset({self.served.host}), tls=NO_TLS))
        return OpenApiConnector(
            "orders",
            self.served.url,
            self._ways[-1],
            document=Source("/openapi.json", self.served.url),
            overlay=read_overlay(SHOP / "overlays" / "orders.yaml", Overlay),
        )

    def stocked(self, pieces: int) -> None:
        """Put so many bowls there: each call of a rule breaks one."""
        with contextlib.closing(sqlite3.connect(self.there.file, timeout=20)) as file, file:
            file.execute("UPDATE stock SET on_hand = ? WHERE sku = 'BOWL'", (pieces,))

    def setup_method(self) -> None:
        super().setup_method()
        self.before = self.there.get("/stock/BOWL").json()["on_hand"]
        self.stocked(900)

    def teardown_method(self) -> None:
        self.stocked(self.before)
        super().teardown_method()

    def example(self) -> Example:
        broken: JsonObject = {"sku": "BOWL", "quantity": 1, "reason": "x", "order_id": "1044"}
        return Example(
            read=("orders.get_order", {"order_id": "1042"}),
            keyed=("orders.create_write_off", broken),
            found=("orders.create_note", {"order_id": "1042", "text": "hello"}),
            refused=("orders.create_write_off", {**broken, "quantity": 999}),
            effects=effects_of(self.there),
        )

    def test_every_argument_says_what_it_is(self) -> None:
        """What its document says nothing of stays so: the connector makes up no words."""
        with pytest.raises(Broken, match="order_id has no description"):
            super().test_every_argument_says_what_it_is()


class OverPayments(OverTheShop):
    """What the suites over both providers share."""

    connection = "payments"
    key = ""

    def secret(self) -> str:
        return self.key

    def example(self) -> Example:
        euro: JsonObject = {"amount": "0.01", "currency": "EUR"}
        refund: JsonObject = {"payment_id": "pay_1044", "amount": euro}
        return Example(
            read=("payments.payment_get", {"payment_id": "pay_1042"}),
            keyed=("payments.refund_create", refund),
            more=(("payments.payment_charge", {"source": "tok_card", "amount": euro}),),
            refused=("payments.refund_create", {**refund, "payment_id": "pay_none"}),
            effects=effects_of(self.there),
        )


class TestMinorUnits(OverPayments):
    plugin = Plugin(minor_units.connect, protocol=1)
    name = "pay_minor"
    key = "sk_shop_minor"


class TestDecimals(OverPayments):
    plugin = Plugin(decimals.connect, protocol=1)
    name = "pay_decimal"
    key = "shop-decimal-key"


class TestMail(ConnectorConformance):
    @pytest.fixture(autouse=True)
    def _shop(self, running: Any, services: dict[str, Service]) -> None:
        self.running, self.services, self.outside = running, services, Outside()

    async def close(self) -> None:
        await self.outside.close()

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

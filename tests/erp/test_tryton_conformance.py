"""A Tryton that runs meets what every connector promises, whatever goes wrong on the way to it."""

import base64
import json
import os

import pytest
from between import Between, Changes
from connector_cases import Outside
from pydantic import JsonValue
from real_servers import Real
from tryton_cases import Desk, connected
from tryton_server import Erp

from connectors.builtin.tryton.connector import connect
from connectors.plugin import Plugin
from connectors.spec import JsonObject
from connectors.testing import Example, HttpConformance, NamedCall, Service

NEWEST = base64.urlsafe_b64encode(json.dumps([["id", "DESC"]]).encode()).decode()
PRICE: JsonObject = {"amount": "349.00", "currency": "USD"}
ORDER: JsonObject = {
    "customer_id": "3",
    "currency": "USD",
    "lines": [{"product_id": "2", "quantity": 1, "unit_price": PRICE}],
}
BACK: JsonObject = {
    "order_id": "8",
    "lines": [{"line_id": "8", "quantity": 1}],
    "reason": "x",
}


class TestTryton(HttpConformance):
    plugin = Plugin(connect, protocol=1)
    connection = "erp"
    options = {"database": "erp"}
    whole = os.environ.get("LAMGATE_KIT_WHOLE") == "1"
    erp: Erp

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _served(cls, erp: Erp) -> None:
        cls.erp = erp

    def secret(self) -> str:
        return self.erp.key

    def service(self) -> Service:
        self.changes = Changes()
        self.real = Real(int(self.erp.url.rpartition(":")[2]), self.erp.folder)
        return Between(self.real).service

    async def drafted(self) -> NamedCall:
        """A fresh draft of an order, which can be canceled once."""
        outside = Outside()
        made = await Desk(connected(self.erp.url, self.erp.key, outside)).do("order_create", ORDER)
        await outside.close()
        return ("erp.order_cancel", {"id": made["id"]})

    def newest(self, model: str) -> list[tuple[str, ...]]:
        """The latest records of a model, each with the state that it has."""
        answer = self.real.ask(
            "GET",
            f"/erp/rest/model/{model}?o={NEWEST}&s=20&f=state",
            headers={"authorization": f"bearer {self.erp.key}"},
        )
        return [(model, str(each["id"]), each["state"]) for each in answer.json()]

    def example(self) -> Example:
        async def effects() -> int:
            return self.changes.count([*self.newest("sale.sale"), *self.newest("sale.complaint")])

        async def state() -> JsonValue:
            """How many returns there are that nobody took back."""
            return sum(state != "cancelled" for *_, state in self.newest("sale.complaint"))

        return Example(
            read=("erp.order_get", {"id": "8"}),
            keyed=self.drafted,
            found=("erp.order_create", ORDER),
            undone=("erp.return_create", BACK),
            refused=("erp.order_quote", {"id": "8"}),
            effects=effects,
            state=state,
        )

"""A Tryton that runs meets what every connector promises."""

import asyncio

import pytest
from connector_cases import Outside
from tryton_cases import Desk, connected
from tryton_server import Erp

from connectors.connector import Connector
from connectors.spec import JsonObject
from connectors.testing import ConnectorConformance, Example


class TestTryton(ConnectorConformance):
    @pytest.fixture(autouse=True)
    def _served(self, erp: Erp) -> None:
        self.erp, self.outside = erp, Outside()

    def connector(self) -> Connector:
        return connected(self.erp.url, self.erp.key, self.outside)

    async def close(self) -> None:
        await self.outside.close()

    async def standing(self) -> int:
        """How many returns there are that nobody took back."""
        outside = Outside()
        desk = Desk(connected(self.erp.url, self.erp.key, outside))
        found = await desk.do("return_list", {"limit": 100})
        await outside.close()
        return sum(each["status"] != "canceled" for each in found["returns"])

    async def drafted(self) -> str:
        """A fresh draft of an order, which can be canceled once."""
        outside = Outside()
        desk = Desk(connected(self.erp.url, self.erp.key, outside))
        price: JsonObject = {"amount": "349.00", "currency": "USD"}
        line: JsonObject = {"product_id": "2", "quantity": 1, "unit_price": price}
        asked: JsonObject = {"customer_id": "3", "currency": "USD", "lines": [line]}
        made = await desk.do("order_create", asked)
        await outside.close()
        return str(made["id"])

    def example(self) -> Example:
        back: JsonObject = {
            "order_id": "8",
            "lines": [{"line_id": "8", "quantity": 1}],
            "reason": "x",
        }
        return Example(
            connection="erp",
            read=("erp.order_get", {"id": "8"}),
            keyed=("erp.order_cancel", {"id": asyncio.run(self.drafted())}),
            found=("erp.return_create", back),
            undone=("erp.return_create", back),
            refused=("erp.order_quote", {"id": "8"}),
            state=self.standing,
            secrets=(self.erp.key,),
        )

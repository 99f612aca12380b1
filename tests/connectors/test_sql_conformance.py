"""A file of statements over a real database meets what every connector promises."""

from pathlib import Path

import pytest
from connector_cases import Outside
from sql_world import Stock, fill

from connectors.connector import Connector
from connectors.spec import JsonObject
from connectors.testing import ConnectorConformance, Example


class OverStock(ConnectorConformance):
    """What both databases share."""

    stock: Stock

    def connector(self) -> Connector:
        return self.stock.connector()

    async def close(self) -> None:
        await self.stock.close()

    def example(self) -> Example:
        async def effects() -> int:
            return self.stock.moves()

        async def state() -> int:
            return self.stock.moves()

        move: JsonObject = {"sku": "BOWL", "quantity": 1}
        return Example(
            connection="stock",
            read=("stock.shelf_get", {"sku": "BOWL"}),
            keyed=("stock.move_make", move),
            found=("stock.move_note", move),
            undone=("stock.move_make", move),
            refused=("stock.move_blindly", {**move, "sku": "NONE"}),
            silent=("stock.shelf_get", {"sku": "BOWL"}),
            silence=self.stock.locked,
            effects=effects,
            state=state,
        )


class TestStockInAFile(OverStock):
    @pytest.fixture(autouse=True)
    def _fresh(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'stock.db'}"
        fill(url)
        self.stock = Stock(url, tmp_path, Outside())


class TestStockOnAServer(OverStock):
    @pytest.fixture(autouse=True)
    def _fresh(self, sql_server: str, tmp_path: Path) -> None:
        fill(sql_server)
        self.stock = Stock(sql_server, tmp_path, Outside())

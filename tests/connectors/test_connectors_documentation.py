"""Every block of `docs/connectors/write.md` is run, or is a file of the example plugin."""

import asyncio
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from connector_cases import Outside, end_of, host_of
from the_shop import Service

from connectors.connector import Applied, Connector
from connectors.credentials import Vault
from connectors.document import read_overlay
from connectors.factories import ConnectionSettings, Given
from connectors.openapi import Overlay
from connectors.opening import build
from connectors.spec import ActionSpec, Effect
from connectors.testing import ConnectorConformance, Example

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "connectors" / "write.md").read_text(encoding="utf-8")
PLUGIN = ROOT / "examples" / "connector-plugin"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = {"lamgate_weather.py", "tests/test_weather.py", "pyproject.toml"}


def block(language: str, begins: str) -> str:
    """The only block that begins like this."""
    (found,) = [text for kind, text in BLOCKS if kind == language and text.startswith(begins)]
    return found


def test_every_block_is_a_file_of_the_plugin_or_run_here() -> None:
    files = {(PLUGIN / name).read_text(encoding="utf-8") for name in FILES}
    run = {
        block("python", '"""Stock of a shop'),
        block("python", "    @action("),
        block("toml", "[connections.orders]"),
        block("toml", "[connections.sky]"),
        block("yaml", "version: 1"),
    }

    assert {text for _, text in BLOCKS} == files | run
    notebook = Path(__file__).with_name("notebook.py").read_text(encoding="utf-8")
    assert block("python", "    @action(") in notebook, "which the kit holds to every rule"


def _module() -> ModuleType:
    module = ModuleType("stock")
    exec(compile(block("python", '"""Stock of a shop'), "write.md", "exec"), vars(module))
    return module


class TestStock(ConnectorConformance):
    @pytest.fixture(autouse=True)
    def _shop(self, services: dict[str, Service]) -> None:
        self.service, self.outside = services["orders"], Outside()

    def connector(self) -> Connector:
        url = self.service.url
        given = Given(self.outside.to(host_of(url)), lambda reference: reference)
        found: Connector = _module().connect(ConnectionSettings("stock", "stock", url), given)
        return found

    async def close(self) -> None:
        await self.outside.close()

    def example(self) -> Example:
        async def effects() -> int:
            return len(await asyncio.to_thread(lambda: self.service.get("/ledger").json()))

        return Example(
            connection="stock",
            read=("stock.get", {"sku": "BOWL"}),
            refused=("stock.get", {"sku": "NOTHING"}),
            effects=effects,
        )


async def test_the_settings_and_the_overlay_offer_what_the_page_says(
    services: dict[str, Service], outside: Outside, tmp_path: Path
) -> None:
    url = services["orders"].url
    told = block("toml", "[connections.orders]").replace("http://127.0.0.1:8711", url)
    written: dict[str, Any] = tomllib.loads(told)["connections"]["orders"]
    (tmp_path / written["overlay"]).write_text(block("yaml", "version: 1"), encoding="utf-8")
    options = {name: written[name] for name in ("document", "overlay")}
    settings = ConnectionSettings(
        "orders", written["connector"], written["base_url"], None, options, tmp_path
    )
    vault = Vault(lambda reference: reference)
    registry = build([settings], vault, lambda _: outside.to(host_of(url)))
    catalog = await registry.load()
    get, write_off = catalog.get("orders.get_stock"), catalog.get("orders.create_write_off")

    assert read_overlay(tmp_path / "orders.yaml", Overlay).only == ("get_stock", "create_write_off")
    assert len(catalog) == 2
    assert get is not None
    assert write_off is not None
    assert write_off.effect is Effect.KEYED
    assert isinstance(await end_of(registry, get, {"sku": "BOWL"}), Applied)


def test_the_installed_plugin_is_named_as_the_page_says() -> None:
    (name, settings), *_ = tomllib.loads(block("toml", "[connections.sky]"))["connections"].items()
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert name == "sky"
    assert settings["connector"] in project["entry-points"]["lamgate.connectors"]
    assert set(settings) == {"connector", "only_station"}


def test_every_member_of_the_manifest_that_the_page_names_is_one() -> None:
    table = PAGE.partition("## The manifest")[2].partition("## Errors")[0]
    rows = [row for row in table.splitlines() if row.startswith("| `")]
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row.split("|")[1])}

    assert named <= set(ActionSpec.model_fields)
    told = {"name", "description", "input_schema", "output_schema", "approval", "cost"}
    assert set(ActionSpec.model_fields) - named == told

"""The OpenAPI connector over the shop's real services, as an operator configures it."""

import asyncio
import time
from pathlib import Path

import pytest
from connector_cases import SHOP, Outside, end_of, host_of, registry_of
from the_shop import Service

from connectors.catalog import Catalog
from connectors.connector import Applied, Outcome, Unreadable
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.factories import ConnectionSettings
from connectors.registry import Registry
from connectors.spec import Effect, JsonObject

WRITE_OFF: JsonObject = {"sku": "TEAPOT", "quantity": 1, "reason": "broken", "order_id": "1043"}


class Orders:
    """The orders service behind the connection `orders`, with the shop's own overlay."""

    def __init__(self, registry: Registry, catalog: Catalog, service: Service) -> None:
        self.catalog, self.service = catalog, service
        self._registry = registry

    async def call(
        self, operation: str, arguments: JsonObject, *, key: str = "", seconds: float = 10.0
    ) -> Outcome | ConnectorError:
        action = self.catalog.get(f"orders.{operation}")
        assert action is not None
        key = key or f"K{time.monotonic_ns()}"
        return await end_of(self._registry, action, arguments, key=key, seconds=seconds)


@pytest.fixture
async def orders(services: dict[str, Service], outside: Outside) -> Orders:
    service = services["orders"]
    settings = ConnectionSettings(
        "orders",
        "openapi",
        service.url,
        options={"overlay": "overlays/orders.yaml"},
        base_dir=SHOP,
    )
    registry = registry_of(outside.to(host_of(service.url)), settings)
    return Orders(registry, await registry.load(), service)


async def test_what_the_overlay_offers_is_offered_as_it_says(orders: Orders) -> None:
    effects = {action.name.partition(".")[2]: action.effect for action in orders.catalog}

    assert effects == {
        "get_order": Effect.READ,
        "get_stock": Effect.READ,
        "find_notes": Effect.READ,
        "create_write_off": Effect.KEYED,
        "create_note": Effect.LOOKUP,
        "set_status": Effect.IDEMPOTENT,
        "add_tag": Effect.BLIND,
    }
    for action in orders.catalog:
        assert action.output_schema is not None
        assert action.reads_as == "trusted"


async def test_a_key_of_ours_acts_once(orders: Orders) -> None:
    key = f"ONCE{time.monotonic_ns()}"
    first = await orders.call("create_write_off", WRITE_OFF, key=key)
    second = await orders.call("create_write_off", WRITE_OFF, key=key)
    other = await orders.call("create_write_off", {**WRITE_OFF, "quantity": 2}, key=key)

    assert isinstance(first, Applied)
    assert isinstance(second, Applied)
    assert first.output == second.output
    assert (first.replayed, second.replayed) == (False, True)
    assert isinstance(other, Refused)
    assert (other.kind, other.vendor_code) == (Kind.CONFLICT, "KEY_REUSED")
    assert len(orders.service.ledger(key)) == 1


async def test_a_note_carries_our_reference_and_is_found_by_it(orders: Orders) -> None:
    key = f"NOTE{time.monotonic_ns()}"
    before = await orders.call("find_notes", {"reference": key})
    orders.service.spoil("drop_after", "/orders/1043/notes")
    lost = await orders.call("create_note", {"order_id": "1043", "text": "hello"}, key=key)
    after = await orders.call("find_notes", {"reference": key})

    assert isinstance(before, Applied)
    assert before.output == []
    assert isinstance(lost, Uncertain)
    assert isinstance(after, Applied)
    assert isinstance(after.output, list)
    assert [each["text"] for each in after.output if isinstance(each, dict)] == ["hello"]


async def _acted(service: Service, key: str, awaited: int) -> int:
    """How often the service has acted; where it hangs it may only be about to."""
    ends = time.monotonic() + 30
    while (found := len(service.ledger(key))) < awaited and time.monotonic() < ends:
        await asyncio.sleep(0.05)
    return found


@pytest.mark.parametrize(
    ("fault", "read", "write", "kind", "code", "applied"),
    [
        ("refuse", Refused, Refused, Kind.INVALID, "INVALID", 0),
        ("error_500", Unavailable, Uncertain, Kind.UNAVAILABLE, "INTERNAL", 0),
        ("error_503", Unavailable, Uncertain, Kind.UNAVAILABLE, "UNAVAILABLE", 0),
        ("rate_limit", Unavailable, Unavailable, Kind.RATE_LIMITED, "TOO_MANY_REQUESTS", 0),
        ("hang_before", Unavailable, Uncertain, Kind.TIMEOUT, None, 0),
        ("hang_after", Unavailable, Uncertain, Kind.TIMEOUT, None, 1),
        ("drop_before", Unavailable, Uncertain, Kind.UNAVAILABLE, None, 0),
        ("drop_after", Unavailable, Uncertain, Kind.UNAVAILABLE, None, 1),
        ("garbage", Refused, Unreadable, Kind.INTERNAL, None, 1),
    ],
)
async def test_a_failure_says_what_may_be_done_next(
    fault: str,
    read: type,
    write: type,
    kind: Kind,
    code: str | None,
    applied: int,
    orders: Orders,
) -> None:
    key = f"FAULT{time.monotonic_ns()}"
    orders.service.spoil(fault, "/stock/TEAPOT/write-offs", retry_after=7)
    orders.service.spoil(fault, "/stock/TEAPOT", method="GET", retry_after=7)

    write_end = await orders.call("create_write_off", WRITE_OFF, key=key, seconds=0.8)
    read_end = await orders.call("get_stock", {"sku": "TEAPOT"}, seconds=0.8)

    assert (type(read_end), type(write_end)) == (read, write)
    assert await _acted(orders.service, key, applied) == applied
    for end in (read_end, write_end):
        if isinstance(end, ConnectorError):
            assert (end.kind, end.vendor_code) == (kind, code)
            assert bool(end.request_id) or code is None
    if fault == "rate_limit":
        assert isinstance(write_end, Unavailable)
        assert write_end.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("operation", "arguments", "kind", "code"),
    [
        ("get_order", {"order_id": "none"}, Kind.NOT_FOUND, "ORDER_NOT_FOUND"),
        ("get_stock", {"sku": "none"}, Kind.NOT_FOUND, "SKU_NOT_FOUND"),
        ("create_write_off", {**WRITE_OFF, "quantity": 999}, Kind.CONFLICT, "NOT_ENOUGH_STOCK"),
        ("create_write_off", {**WRITE_OFF, "quantity": 0}, Kind.INVALID, None),
        ("get_order", {"order_id": "../stock/BOWL"}, Kind.INVALID, None),
    ],
)
async def test_a_refusal_keeps_the_services_own_code(
    operation: str, arguments: JsonObject, kind: Kind, code: str | None, orders: Orders
) -> None:
    end = await orders.call(operation, arguments)

    assert isinstance(end, Refused)
    assert (end.kind, end.vendor_code) == (kind, code)


@pytest.mark.parametrize("name", ["orders", "pay_minor", "pay_decimal", "mail"])
async def test_every_operation_of_every_service_is_on_offer_without_an_overlay(
    name: str, services: dict[str, Service], outside: Outside
) -> None:
    service = services[name]
    settings = ConnectionSettings("any", "openapi", service.url)
    catalog = await registry_of(outside.to(host_of(service.url)), settings).load()
    paths = service.get("/openapi.json").json()["paths"]

    assert len(catalog) == sum(len(item) for item in paths.values())
    for action in catalog:
        assert action.approval is None or action.irreversible
        assert (action.effect is Effect.READ) == action.name.startswith(
            ("any.get_", "any.list_", "any.find_")
        )


@pytest.mark.parametrize(
    ("name", "credential", "overlay", "operation", "arguments"),
    [
        ("pay_minor", "env:MINOR", None, "get_charge", {"charge": "pay_1042"}),
        (
            "pay_decimal",
            "env:DECIMAL",
            "credential: {header: X-Api-Key, form: '{secret}'}",
            "get_payment",
            {"payment": "pay_1042"},
        ),
    ],
)
async def test_a_credential_opens_the_service_it_is_for(
    name: str,
    credential: str,
    overlay: str | None,
    operation: str,
    arguments: JsonObject,
    services: dict[str, Service],
    outside: Outside,
    tmp_path: Path,
) -> None:
    service = services[name]
    (tmp_path / "overlay.yaml").write_text(overlay or "")
    ends = []
    for given in (credential, "env:WRONG"):
        settings = ConnectionSettings(
            "any", "openapi", service.url, given, {"overlay": "overlay.yaml"}, tmp_path
        )
        registry = registry_of(outside.to(host_of(service.url)), settings, WRONG="wrong-key-1234")
        action = (await registry.load()).get(f"any.{operation}")
        assert action is not None
        ends.append(await end_of(registry, action, arguments))

    assert isinstance(ends[0], Applied)
    assert isinstance(ends[1], Refused)
    assert ends[1].kind is Kind.AUTH

"""Stripe's own document with an overlay of ours, against a Stripe that somebody else wrote.

It needs node and the document: `LAMGATE_NODE` names a folder for npm packages, and `LAMGATE_DATA`
one with `openapi/specs.tar.xz` in it or beside it.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from connector_cases import NO_TLS, end_of
from vendor_documents import unpacked

from benchmarks.openapi_node import NoNodeError, installed, serving
from connectors.connector import Applied
from connectors.document import read_overlay
from connectors.errors import Kind, Refused, Unavailable
from connectors.http import Transport
from connectors.openapi import OpenApiConnector, Overlay, Source
from connectors.shelf import Shelf
from connectors.spec import JsonObject

OVERLAY = Path(__file__).parents[2] / "examples" / "stripe" / "overlay.yaml"
CHARGE: JsonObject = {"amount": 2500, "currency": "eur", "source": "tok_visa"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripe's document, unpacked, and what is kept of it for all of the tests."""
    if "LAMGATE_NODE" not in os.environ:
        pytest.skip("LAMGATE_NODE names no folder for npm packages")
    return unpacked(tmp_path_factory.mktemp("stripe"), "stripe-2023-09.yaml")


class Stripe:
    """The connection, and one call of it."""

    def __init__(self, api: OpenApiConnector) -> None:
        self._api = api

    async def __call__(self, name: str, arguments: JsonObject, key: str = "k") -> object:
        actions = {each.name: each for each in await self._api.actions()}
        return await end_of(self._api, actions[f"payments.{name}"], arguments, key=key * 8)

    async def charged(self, key: str) -> str:
        end = await self("charge_create", CHARGE, key)
        assert isinstance(end, Applied)
        return str(end.output["id"])  # type: ignore[index, call-overload]  # an object


@pytest.fixture
async def stripe(folder: Path) -> AsyncIterator[Stripe]:
    try:
        packages = await installed("stripe-stateful-mock")
    except NoNodeError as error:
        pytest.skip(str(error))
    async with serving(Path(__file__).with_name("stripe_mock.cjs"), packages) as port:
        way = Transport(frozenset({f"127.0.0.1:{port}"}), tls=NO_TLS)
        api = OpenApiConnector(
            "payments",
            f"http://127.0.0.1:{port}",
            way,
            document=Source("stripe-2023-09.yaml", "", folder),
            overlay=read_overlay(OVERLAY, Overlay),
            secret=lambda: "sk_test_of_nobody",
            shelf=Shelf(folder / "kept"),
        )
        yield Stripe(api)
        await way.aclose()


def member(end: object, name: str) -> object:
    assert isinstance(end, Applied)
    assert isinstance(end.output, dict)
    return end.output[name]


async def test_a_charge_is_made_once_under_its_key_and_refunded(stripe: Stripe) -> None:
    charge = await stripe.charged("a")
    again = await stripe.charged("a")
    refund = await stripe("refund_create", {"charge": charge, "amount": 1000}, "b")
    read = await stripe("charge_get", {"charge": charge, "expand": ["customer"]})

    assert again == charge
    assert member(refund, "amount") == 1000
    assert member(read, "amount_refunded") == 1000


async def test_a_refund_under_its_key_is_replayed_and_not_made_again(stripe: Stripe) -> None:
    charge = await stripe.charged("a")
    wanted: JsonObject = {"charge": charge, "amount": 500, "metadata": {"order": "1042"}}
    first = await stripe("refund_create", wanted, "b")
    second = await stripe("refund_create", wanted, "b")
    refunds = await stripe("refund_list", {"charge": charge})

    assert member(first, "id") == member(second, "id")
    assert member(first, "metadata") == {"order": "1042"}
    assert len(member(refunds, "data")) == 1  # type: ignore[arg-type]  # a list


async def test_another_refund_under_a_used_key_is_refused(stripe: Stripe) -> None:
    charge = await stripe.charged("a")
    await stripe("refund_create", {"charge": charge, "amount": 500}, "b")
    other = await stripe("refund_create", {"charge": charge, "amount": 600}, "b")

    assert isinstance(other, Refused)
    assert "dempoten" in other.message


async def test_more_than_was_charged_is_not_refunded(stripe: Stripe) -> None:
    charge = await stripe.charged("a")
    end = await stripe("refund_create", {"charge": charge, "amount": 2501}, "b")

    assert isinstance(end, Refused)
    assert end.kind is Kind.INVALID
    assert "greater than unrefunded amount" in end.message


async def test_a_busy_stripe_is_asked_again_under_the_same_key(stripe: Stripe) -> None:
    wanted: JsonObject = {**CHARGE, "source": "tok_429|tok_visa"}
    first = await stripe("charge_create", wanted, "c")
    second = await stripe("charge_create", wanted, "c")

    assert isinstance(first, Unavailable)
    assert first.kind is Kind.RATE_LIMITED
    assert member(second, "amount") == 2500


async def test_a_list_of_more_than_a_page_is_read_whole_and_a_page_where_it_is_asked_for(
    stripe: Stripe,
) -> None:
    charge = await stripe.charged("m")
    made = [
        member(await stripe("refund_create", {"charge": charge, "amount": 100}, f"r{number}"), "id")
        for number in range(12)
    ]
    whole = await stripe("refund_list", {"charge": charge})
    part = await stripe("refund_list", {"charge": charge, "limit": 5})

    rows, some = member(whole, "data"), member(part, "data")
    assert isinstance(rows, list)
    assert isinstance(some, list)
    assert {each["id"] for each in rows if isinstance(each, dict)} == {*made}
    assert (len(rows), member(whole, "has_more")) == (12, False)
    assert (len(some), member(part, "has_more")) == (5, True)

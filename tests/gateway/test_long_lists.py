"""A list is told so many at once, and goes on from where the last one ended, until all is told."""

import asyncio
from typing import Any

import httpx2
import pytest
from served import Running

from gateway.cli import client
from gateway.cli.client import Client


async def test_the_catalogue_is_told_by_name_so_many_at_once(requester: httpx2.AsyncClient) -> None:
    whole: Any = (await requester.get("/v1/actions")).json()
    names = [each["name"] for each in whole]
    pages: list[Any] = [(await requester.get("/v1/actions?limit=4")).json()]
    while pages[-1]:
        after = pages[-1][-1]["name"]
        pages.append((await requester.get(f"/v1/actions?limit=4&after={after}")).json())

    assert names == sorted(names)
    assert len(names) > 8
    assert [each["name"] for page in pages for each in page] == names
    assert {len(page) for page in pages[:-2]} == {4}


async def test_a_place_that_is_gone_by_now_is_still_a_place(requester: httpx2.AsyncClient) -> None:
    whole: Any = (await requester.get("/v1/actions")).json()
    rest: Any = (await requester.get("/v1/actions?after=orders.get_orde")).json()

    assert rest == [each for each in whole if each["name"] > "orders.get_orde"]
    assert rest


@pytest.mark.parametrize("asked", ["limit=0", "limit=201", "words=refund&after=orders.get_order"])
async def test_what_is_no_place_or_number_is_refused(
    requester: httpx2.AsyncClient, asked: str
) -> None:
    answer = await requester.get(f"/v1/actions?{asked}")

    assert (answer.status_code, answer.json()["code"]) == (422, "bad-parameter")


async def test_the_command_line_tells_all_of_a_list_however_long(
    running: Running, requester: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE", 4)
    key = requester.headers["authorization"].removeprefix("Bearer ")
    asking = Client(running.url, key)
    found = await asyncio.to_thread(asking.all_things, "/v1/actions", by="name")
    asking.close()

    assert found == (await requester.get("/v1/actions")).json()


PAGED = {
    "keys": ("id", "after"),
    "credentials": ("id", "after"),
    "connections": ("name", "after"),
    "stops?lifted=true": ("id", "before"),
}


@pytest.fixture
async def with_many(operator: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """An operator with five keys and more, five credentials and five stops, two of them lifted."""
    for n in range(5):
        await operator.post("/v1/keys", json={"principal": f"kim-{n}", "roles": ["requester"]})
        secret = {"kind": "api-key", "secret": f"a-secret-of-the-desk-{n}"}
        await operator.put(f"/v1/credentials/desk-{n}", json=secret)
        stop: Any = (await operator.post("/v1/stops", json={"reason": f"{n}"})).json()
        if n < 2:
            await operator.post(f"/v1/stops/{stop['id']}/lift", json={"reason": "over"})
    return operator


@pytest.mark.parametrize("path", PAGED)
async def test_what_operators_list_is_told_so_many_at_once(
    with_many: httpx2.AsyncClient, path: str
) -> None:
    by, on = PAGED[path]
    whole: Any = (await with_many.get(f"/v1/{path}")).json()
    first = f"/v1/{path}{'&' if '?' in path else '?'}limit=2"
    pages: list[Any] = [(await with_many.get(first)).json()]
    while pages[-1]:
        pages.append((await with_many.get(f"{first}&{on}={pages[-1][-1][by]}")).json())

    assert len(whole) >= 3
    assert [each for page in pages for each in page] == whole
    assert {len(page) for page in pages[:-2]} == {2}


@pytest.mark.parametrize("path", ["keys?after=key_x", "stops?before=stop_x", "keys?limit=0"])
async def test_a_list_of_an_operator_goes_on_from_nothing_that_is_not_there(
    operator: httpx2.AsyncClient, path: str
) -> None:
    answer = await operator.get(f"/v1/{path}")

    assert (answer.status_code, answer.json()["code"]) == (422, "bad-parameter")


@pytest.mark.parametrize("path", PAGED)
async def test_the_command_line_tells_all_of_what_operators_list(
    running: Running,
    with_many: httpx2.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    by, on = PAGED[path]
    monkeypatch.setattr(client, "PAGE", 2)
    asking = Client(running.url, running.gateway.operator_key)
    found = await asyncio.to_thread(asking.all_things, f"/v1/{path}", by=by, on=on)
    asking.close()

    assert found == (await with_many.get(f"/v1/{path}")).json()

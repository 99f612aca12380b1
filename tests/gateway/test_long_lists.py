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

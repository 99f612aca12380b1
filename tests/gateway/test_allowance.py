"""One key cannot take the whole gateway, and is told how it stands with each answer."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import (
    STATUS,
    Running,
    ask,
    model_lines,
    serving,
    until,
    until_status,
    write_config,
)

from connectors.spec import Principal
from executor.check import strict_json
from executor.store import requests
from executor.trace import trace
from gateway.allowance import WINDOW_S, Allowances
from gateway.auth import TENANT, create_key
from gateway.cli.client import Client
from gateway.settings import Allowance

MANY = "[allowance]\nconcurrency = 2\n"
FEW = "[allowance]\nreads = 60\nwrites = 3\nconcurrency = 2\n"


def limits(answer: httpx2.Response) -> dict[str, dict[str, str]]:
    """What the field RateLimit says, by policy."""
    items = (each.split(";") for each in answer.headers["ratelimit"].split(", "))
    return {name.strip('"'): dict(part.split("=") for part in parts) for name, *parts in items}


@pytest.fixture
def few(shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's file that allows little."""
    monkeypatch.setenv("SHOP_PAYMENTS_KEY", "sk_shop_minor")
    return write_config(tmp_path, shop, FEW)


async def test_a_key_that_asks_too_much_is_refused_and_told_when_to_ask_again(few: Path) -> None:
    async with serving(few) as running:
        person = await running.person("requester-1", "requester")
        answers = [await person.post("/v1/requests", json={"text": STATUS}) for _ in range(4)]
        listed = (await person.get("/v1/requests")).json()
        last = answers[-1]

    assert [each.status_code for each in answers] == [202, 202, 202, 429]
    assert last.headers["content-type"] == "application/problem+json"
    assert last.json()["code"] == "quota-exceeded"
    assert last.json()["violated-policies"] == ["writes"]
    assert 1 <= int(last.headers["retry-after"]) <= WINDOW_S / 3
    assert limits(last)["writes"] == {"r": "0", "t": last.headers["retry-after"]}
    assert len(listed) == 3  # the fourth is not there


async def test_every_answer_says_how_the_key_stands(few: Path) -> None:
    async with serving(few) as running:
        person = await running.person("requester-1", "requester")
        first = await person.get("/v1/requests")
        problem = await person.get("/v1/requests/req_x")
        async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as stranger:
            nobody = await stranger.get("/v1/runs")

    assert first.headers["ratelimit-policy"] == (
        '"reads";q=60;w=60, "reads-at-once";q=2;qu="concurrent-requests"'
    )
    assert limits(first) == {"reads": {"r": "59", "t": "1"}, "reads-at-once": {"r": "1"}}
    assert problem.status_code == 404
    assert limits(problem)["reads"]["r"] == "58"
    assert "ratelimit" not in nobody.headers


async def test_a_flood_of_new_requests_leaves_the_looks_at_what_was_accepted(few: Path) -> None:
    async with serving(few) as running:
        person = await running.person("requester-1", "requester")
        other = await running.person("requester-2", "requester")
        asked = await ask(person, STATUS)

        async def flood() -> list[int]:
            sent = (person.post("/v1/requests", json={"text": STATUS}) for _ in range(20))
            return [each.status_code for each in await asyncio.gather(*sent)]

        flooded = asyncio.create_task(flood())
        shown = await person.get(f"/v1/requests/{asked['id']}")
        followed = await person.get(f"/v1/runs/{asked['run']}/events")
        neighbour = await other.post("/v1/requests", json={"text": STATUS})

        assert (await flooded).count(429) >= 18
        assert (shown.status_code, neighbour.status_code) == (200, 202)
        assert followed.status_code in (200, 204)


async def test_a_stream_holds_its_share_as_long_as_it_lasts(few: Path) -> None:
    async with serving(few) as running:
        person = await running.person("requester-1", "requester")
        body = {"text": "A mug from order 1042 arrived broken. Please make it right."}
        asked = (await person.post("/v1/requests", json=body)).json()["id"]
        path, stream = f"/v1/requests/{asked}/events", {"accept": "text/event-stream"}
        async with (
            person.stream("GET", path, headers=stream) as first,
            person.stream("GET", path, headers=stream) as second,
        ):
            refused = await person.get("/v1/requests")

        async def is_let_in() -> bool:
            return (await person.get("/v1/requests")).status_code == 200

        await until(is_let_in, "the streams are over")

    assert (first.status_code, second.status_code) == (200, 200)
    assert refused.status_code == 429
    assert refused.json()["violated-policies"] == ["reads-at-once"]
    assert refused.headers["retry-after"] == "1"
    assert limits(refused)["reads-at-once"] == {"r": "0"}


async def test_whoever_waits_for_a_plan_and_goes_gives_back_its_share(shop: Any, few: Path) -> None:
    asking: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: asking.append(writer), "127.0.0.1", 0)
    model = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    write_config(few.parent, shop, MANY + model_lines("silent", model))
    async with serving(few) as running:
        person = await running.person("requester-1", "requester")
        body, wait = {"text": STATUS, "model": "silent"}, {"prefer": "wait=30"}
        with pytest.raises(httpx2.TimeoutException):
            await person.post("/v1/requests", json=body, headers=wait, timeout=1)

        async def is_back() -> bool:
            return limits(await person.post("/v1/stops"))["writes-at-once"]["r"] == "1"

        await until(is_back, "it is given back")
        silent.close()
        for each in asking:
            each.close()


async def test_the_command_line_waits_as_long_as_it_is_told(shop: Any, few: Path) -> None:
    write_config(few.parent, shop, "[allowance]\nwrites = 60\nconcurrency = 0\n")
    async with serving(few) as running:
        person = Principal("requester-1", TENANT, frozenset({"requester"}))
        key, secret = await create_key(running.gateway.store, person, time.time())
        for _ in range(60):
            running.gateway.allowances.take(key, "POST")
        client = Client(running.url, secret)
        made = await asyncio.to_thread(client.post, "/v1/requests", {"text": STATUS})
        client.close()

    assert str(made["id"]).startswith("req_")


async def test_without_a_limit_nothing_is_counted_and_nothing_told(few: Path, shop: Any) -> None:
    write_config(few.parent, shop, "[allowance]\nreads = 0\nwrites = 0\nconcurrency = 0\n")
    async with serving(few) as running:
        person = await running.person("requester-1", "requester")
        answers = [await person.post("/v1/requests", json={"text": STATUS}) for _ in range(5)]

    assert {each.status_code for each in answers} == {202}
    assert not any("ratelimit" in each.headers for each in answers)


class _Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


PAUSES = st.lists(st.floats(0, 30), min_size=1, max_size=80)


@given(most=st.integers(1, 50), pauses=PAUSES)
def test_over_time_no_key_gets_more_than_what_it_may_at_once_and_what_came_back(
    most: int, pauses: list[float]
) -> None:
    clock = _Clock()
    asked = Allowances(Allowance(writes=most, concurrency=0), clock)
    granted = []
    for pause in pauses:
        clock.now += pause
        if asked.take("key_1", "POST").refusal is None:
            granted.append(clock.now)
    for first, since in enumerate(granted):
        for last, until_then in enumerate(granted[first:], start=1):
            assert last <= most + (until_then - since) * most / WINDOW_S + 1e-6


@given(most=st.integers(1, 50), pauses=PAUSES)
def test_whoever_waits_as_long_as_it_was_told_is_not_refused_again(
    most: int, pauses: list[float]
) -> None:
    clock = _Clock()
    asked = Allowances(Allowance(reads=most), clock)
    for pause in pauses:
        clock.now += pause
        taken = asked.take("key_1", "GET")
        taken.give_back()
        if taken.refusal is not None:
            clock.now += int(taken.refusal.headers["retry-after"])
            again = asked.take("key_1", "GET")
            again.give_back()
            assert again.refusal is None


def test_another_key_or_kind_is_not_touched() -> None:
    asked = Allowances(Allowance(reads=1, writes=1))

    assert asked.take("key_1", "POST").refusal is None
    assert asked.take("key_1", "DELETE").refusal is not None
    assert asked.take("key_1", "GET").refusal is None
    assert asked.take("key_2", "POST").refusal is None


def test_the_fields_are_what_the_draft_says_they_are() -> None:
    told = dict(Allowances(Allowance()).take("key_1", "GET").fields)
    item = r'"[a-z-]+"(;[a-z]+=([0-9]+|"[a-z-]+"))+'

    assert set(told) == {b"ratelimit", b"ratelimit-policy"}
    assert all(re.fullmatch(rf"{item}(, {item})*", each.decode()) for each in told.values())


class Counted:
    """Something that is really done, a little more slowly, and how often at once."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._now = self.most = self.times = 0

    def __call__(self, *given: Any) -> Any:
        with self._lock:
            self._now += 1
            self.times += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)
        try:
            return self._work(*given)
        finally:
            with self._lock:
                self._now -= 1


async def test_a_large_body_is_read_beside_the_loop_and_says_the_same(few: Path) -> None:
    read_by: list[str] = []

    def noted(*given: Any, **more: Any) -> Any:
        read_by.append(threading.current_thread().name)
        return strict_json.read_json(*given, **more)

    secret = "sk_shop_minor"
    large = {"text": STATUS, "inputs": {"a": ["b"] * 10_000, "c": secret, "d": 'say "e"'}}
    escaped = json.dumps(large).replace("sk_", "\\u0073k_")
    async with serving(few) as running:
        person = await running.person("requester-1", "requester")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("gateway.body.read_json", noted)
            small = await person.post("/v1/requests", json={"text": STATUS})
            key = {"idempotency-key": "large"}
            first = await person.post("/v1/requests", content=escaped, headers=key)
            again = await person.post("/v1/requests", content=escaped, headers=key)
        kept = await running.gateway.store.read(
            partial(requests.get, tenant=TENANT, request=first.json()["id"])
        )

    assert small.status_code == 202
    assert read_by[0] == "MainThread"
    assert "MainThread" not in read_by[1:]
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert kept is not None
    assert kept.inputs["a"] == ["b"] * 10_000
    assert secret not in json.dumps(kept.inputs)


async def test_long_journals_are_told_one_after_the_other_for_each_key(
    running: Running, requester: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling = Counted(trace)
    monkeypatch.setattr("gateway.routes.runs.trace", telling)
    run = (await ask(requester, STATUS))["run"]
    await until_status(requester, f"/v1/runs/{run}", "succeeded")
    path = f"/v1/runs/{run}/trace"
    answers = await asyncio.gather(*(requester.get(path) for _ in range(6)))

    assert {each.status_code for each in answers} == {200}
    assert (telling.times, telling.most) == (6, 1)


async def test_what_takes_long_is_thought_about_one_after_the_other_for_each_key() -> None:
    asked, one, many = Allowances(Allowance()), Counted(len), Counted(len)
    await asyncio.gather(*(asked.think("key_1", 1_000_000, partial(one, "")) for _ in range(4)))
    keys = (f"key_{number}" for number in range(4))
    await asyncio.gather(*(asked.think(key, 1_000_000, partial(many, "")) for key in keys))

    assert (one.times, one.most) == (4, 1)
    assert many.most > 1

"""Server-sent events: from any place, without a gap or a duplicate, until nothing more can come."""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import (
    MUG,
    PATIENCE_S,
    STATUS,
    Running,
    answered,
    approve,
    ask,
    serving,
    until,
    until_open,
    until_status,
)

from executor.store import keys
from gateway.cli.server import Running as Serving
from gateway.cli.server import run_gateway
from gateway.routes import events
from gateway.settings import load_settings


async def follow(
    client: httpx2.AsyncClient, path: str, after: int | None = None, *, most: int = 1000
) -> list[Any]:
    """Read a stream until it ends, or until it has told so many events."""
    headers = {"accept": "text/event-stream"}
    if after is not None:
        headers["last-event-id"] = str(after)
    found = []
    async with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code in (200, 204), await answer.aread()
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
                if len(found) == most:
                    break
    return found


async def test_a_stream_that_is_followed_from_the_start_tells_everything_and_ends(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient
) -> None:
    asked = await ask(requester, MUG)
    run = (await answered(requester, asked["id"], remedy="refund"))["run"]
    following = asyncio.create_task(follow(requester, f"/v1/runs/{run}/events"))
    await approve(approver, run)
    told = await asyncio.wait_for(following, 30)

    assert [each["seq"] for each in told] == list(range(1, len(told) + 1))
    assert told[-1]["type"] == "run.finished"
    assert {"gate.opened", "approval.granted", "intent.recorded", "step.done"} <= {
        each["type"] for each in told
    }


async def test_going_on_from_any_event_leaves_no_gap_and_no_duplicate(
    requester: httpx2.AsyncClient,
) -> None:
    run = (await ask(requester, STATUS))["run"]
    path = f"/v1/runs/{run}/events"
    whole = await follow(requester, path)
    for place in range(1, len(whole)):
        rest = await follow(requester, path, after=place)

        assert whole[:place] + rest == whole


async def test_a_client_that_drops_in_the_middle_goes_on_where_it_was(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient
) -> None:
    asked = await ask(requester, MUG)
    run = (await answered(requester, asked["id"], remedy="refund"))["run"]
    path = f"/v1/runs/{run}/events"
    first = await follow(requester, path, most=2)
    await approve(approver, run)
    rest = await follow(requester, path, after=first[-1]["seq"])

    assert [each["seq"] for each in first + rest] == list(range(1, len(first + rest) + 1))
    assert rest[-1]["type"] == "run.finished"


async def test_whoever_comes_back_after_the_end_is_told_not_to(
    requester: httpx2.AsyncClient,
) -> None:
    run = (await ask(requester, STATUS))["run"]
    path = f"/v1/runs/{run}/events"
    last = (await follow(requester, path))[-1]["seq"]
    answer = await requester.get(path, headers={"last-event-id": str(last)})

    assert answer.status_code == 204


@pytest.mark.parametrize("text", ["Write me a poem about the sea.", STATUS])
async def test_a_requests_stream_ends_with_its_planning_however_that_ends(
    requester: httpx2.AsyncClient, text: str
) -> None:
    taken = (await requester.post("/v1/requests", json={"text": text})).json()
    told = await asyncio.wait_for(follow(requester, f"/v1/requests/{taken['id']}/events"), 20)
    row = (await requester.get(f"/v1/requests/{taken['id']}")).json()

    assert told[0]["type"] == "request.received"
    assert row["status"] in ("refused", "planned")


async def test_a_requests_stream_tells_the_question_and_stays_for_the_answer(
    requester: httpx2.AsyncClient,
) -> None:
    asked = await ask(requester, MUG, start="manual")
    path = f"/v1/requests/{asked['id']}/events"
    following = asyncio.create_task(follow(requester, path))
    await answered(requester, asked["id"], remedy="refund")
    told = await asyncio.wait_for(following, 20)

    assert [each["type"] for each in told] == [
        "request.received",
        "question.asked",
        "question.answered",
        "plan.drafted",
        "plan.accepted",
    ]
    assert told[3]["data"]["planner"] == "playbooks"


async def test_a_silent_stream_says_that_it_is_still_there(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient
) -> None:
    asked = await ask(requester, MUG)
    run = (await answered(requester, asked["id"], remedy="refund"))["run"]
    await until_open(approver, run)
    await until_status(requester, f"/v1/runs/{run}", "waiting")
    async with requester.stream("GET", f"/v1/runs/{run}/events") as answer:
        beats = 0
        async for line in answer.aiter_lines():
            beats += line.startswith(": ")
            if beats == 2:
                break

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert beats == 2


async def test_events_come_as_a_list_where_json_is_asked_for(
    requester: httpx2.AsyncClient,
) -> None:
    run = (await ask(requester, STATUS))["run"]
    path = f"/v1/runs/{run}/events"
    streamed = await follow(requester, path)
    listed = await requester.get(path, headers={"accept": "application/json"})
    rest = await requester.get(f"{path}?after=2", headers={"accept": "application/json"})

    assert listed.json() == streamed
    assert rest.json() == streamed[2:]


async def test_what_is_longer_than_a_page_is_streamed_whole_and_listed_page_by_page(
    requester: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/v1/runs/{(await ask(requester, STATUS))['run']}/events"
    whole = await follow(requester, path)
    monkeypatch.setattr(events, "PAGE", 2)
    monkeypatch.setattr(events, "STREAMED", 2)
    listed: list[Any] = []
    while page := (await _list(requester, path, len(listed))):
        listed += page

    assert await follow(requester, path) == listed == whole
    assert len(whole) > 3


async def test_of_the_lists_of_one_key_one_is_made_at_a_time(
    running: Running, requester: httpx2.AsyncClient
) -> None:
    path = f"/v1/runs/{(await ask(requester, STATUS))['run']}/events"
    secret = requester.headers["authorization"].split()[1]
    key = await running.gateway.store.read(partial(keys.find, secret=secret))
    assert key is not None
    async with running.gateway.allowances.turn(key.id, "reads"):
        as_a_list = {"accept": "application/json"}
        asked = asyncio.create_task(requester.get(path, headers=as_a_list))
        for _ in range(10):
            await requester.get("/v1/stops")
        waits = not asked.done()

    assert waits
    assert (await asked).status_code == 200


async def _list(requester: httpx2.AsyncClient, path: str, after: int) -> list[Any]:
    headers = {"accept": "application/json"}
    page: list[Any] = (await requester.get(f"{path}?after={after}", headers=headers)).json()
    assert len(page) <= 2
    return page


async def test_an_event_that_does_not_exist_is_no_place_to_go_on_from(
    requester: httpx2.AsyncClient,
) -> None:
    path = f"/v1/runs/{(await ask(requester, STATUS))['run']}/events"
    no_places = ("-1", "x", "1.5", "9" * 20, "\u0662")
    asked = [await requester.get(f"{path}?after={each}") for each in no_places]
    seen = [
        await requester.get(path, headers={"last-event-id": each.encode()})
        for each in ("9999", *no_places)
    ]

    assert {(each.status_code, each.json()["at"]) for each in asked} == {(422, "/query/after")}
    assert {each.json()["code"] for each in seen} == {"bad-event-id"}
    assert (await requester.get(f"{path}?after=9999")).json()["code"] == "bad-event-id"


async def test_a_gateway_that_ends_lets_its_watchers_go_in_good_order(config: Path) -> None:
    served = Serving()
    task = asyncio.create_task(run_gateway(load_settings(config), served, port=0))
    await until(lambda: asyncio.to_thread(served.ready.is_set), "the gateway serves")
    key = {"authorization": f"Bearer {served.operator_key}"}
    async with httpx2.AsyncClient(
        base_url=served.address, headers=key, trust_env=False, timeout=PATIENCE_S
    ) as operator:
        asked = await ask(operator, MUG)
        async with operator.stream("GET", f"/v1/requests/{asked['id']}/events") as answer:
            lines = answer.aiter_lines()
            first = await anext(lines)
            served.stop()
            rest = [line async for line in lines]
        await task

    assert (asked["status"], first) == ("needs_answer", "id: 1")
    assert "event: question.asked" in rest, "a stream that is cut off raises instead"
    assert served.error is None


async def test_a_stream_of_which_nothing_is_new_begins_at_once(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAMGATE_SERVER__HEARTBEAT_S", "60")
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        path = f"/v1/requests/{(await ask(person, MUG))['id']}/events"
        last = (await person.get(path, headers={"accept": "application/json"})).json()[-1]["seq"]
        async with asyncio.timeout(10):
            async with person.stream("GET", path, headers={"last-event-id": str(last)}) as stream:
                assert stream.status_code == 200


async def test_a_stream_ends_with_the_key_that_it_was_asked_for_under(
    running: Running, operator: httpx2.AsyncClient
) -> None:
    body = {"principal": "watcher", "roles": ["approver"]}
    made = (await operator.post("/v1/keys", json=body)).json()
    watcher = await running.person("watcher", key=made["secret"])
    requester = await running.person("requester-1", "requester")
    asked = await ask(requester, MUG)
    async with asyncio.timeout(20):
        async with watcher.stream("GET", f"/v1/requests/{asked['id']}/events") as stream:
            lines = stream.aiter_lines()
            first = await anext(lines)
            await operator.delete(f"/v1/keys/{made['id']}")
            rest = [line async for line in lines]
        again = await watcher.get(f"/v1/requests/{asked['id']}/events")

    assert first == "id: 1"
    assert not any("question.answered" in line for line in rest)
    assert again.json()["code"] == "key-revoked"

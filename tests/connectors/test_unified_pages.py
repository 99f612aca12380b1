"""A service that gives fewer at a time than it is asked for is asked until there are enough."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from connector_cases import Outside
from desk import Desk, output
from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.spec import JsonObject
from connectors.testing import Asked, Said, Service

SECRET = "secret-of-it"


class Channels:
    """Slack leaves archived channels out of each page: the first two have nothing else on them."""

    pages: tuple[tuple[str, list[str]], ...] = (
        ("", []),
        ("a", []),
        ("b", ["C1", "C2"]),
        ("c", ["C3"]),
    )

    def __init__(self, *, ends: bool = True) -> None:
        self.ends = ends
        self.asked: list[str] = []

    def __call__(self, asked: Asked) -> Said:
        cursor = str(asked.query.get("cursor", ""))
        self.asked.append(cursor)
        names = [each for each, _ in self.pages]
        at = names.index(cursor)
        following = [*names[1:], "" if self.ends else "a"][at]
        rows: list[JsonValue] = [{"id": each, "name": each.lower()} for each in self.pages[at][1]]
        more: JsonObject = {"response_metadata": {"next_cursor": following}}
        return Said(200, {"ok": True, "channels": rows, **more})


class Users:
    """A provider of five users that gives two at a time, and may know nothing of a second page."""

    def __init__(self, *, turns: bool = True) -> None:
        self.turns = turns
        self.asked: list[tuple[str, str]] = []

    def __call__(self, asked: Asked) -> Said:
        start, count = str(asked.query["startIndex"]), str(asked.query["count"])
        self.asked.append((start, count))
        first = int(start) - 1 if self.turns else 0
        rows: list[JsonValue] = [
            {"id": f"{number}", "userName": f"user-{number}"}
            for number in range(5)[first : first + min(2, int(count))]
        ]
        return Said(200, {"totalResults": 5, "startIndex": int(start), "Resources": rows})


@contextmanager
def served(service: Service) -> Iterator[str]:
    service.start()
    try:
        yield service.url
    finally:
        service.stop()


def ids(end: object, name: str) -> list[JsonValue]:
    rows = output(end)[name]
    assert isinstance(rows, list)
    return [each["id"] for each in rows if isinstance(each, dict)]


@pytest.mark.parametrize(
    ("limit", "found"), [(1, ["C1"]), (2, ["C1", "C2"]), (9, ["C1", "C2", "C3"])]
)
async def test_channels_that_are_behind_archived_ones_are_found(
    limit: int, found: list[str], outside: Outside
) -> None:
    channels = Channels()
    with served(Service(channels)) as url:
        end = await Desk(outside, "slack", url, SECRET)("channel_list", {"limit": limit})

    assert ids(end, "channels") == found
    assert channels.asked == ["", "a", "b", "c"][: 3 if limit < 3 else 4]


@pytest.mark.parametrize(("limit", "is_there"), [(3, True), (4, False)])
async def test_pages_that_go_round_in_a_circle_are_no_whole_list(
    limit: int, is_there: bool, outside: Outside
) -> None:
    channels = Channels(ends=False)
    with served(Service(channels)) as url:
        end = await Desk(outside, "slack", url, SECRET)("channel_list", {"limit": limit})

    if is_there:
        assert ids(end, "channels") == ["C1", "C2", "C3"]
    else:
        assert isinstance(end, Refused)
        assert (end.vendor_code, end.kind) == ("incomplete", Kind.INTERNAL)
    assert channels.asked == ["", "a", "b", "c"]


@pytest.mark.parametrize(
    ("limit", "asked"),
    [(1, [("1", "1")]), (3, [("1", "3"), ("3", "1")]), (9, [("1", "9"), ("3", "7"), ("5", "5")])],
)
async def test_users_beyond_what_a_provider_gives_at_once_are_found(
    limit: int, asked: list[tuple[str, str]], outside: Outside
) -> None:
    users = Users()
    with served(Service(users)) as url:
        end = await Desk(outside, "scim", url, SECRET)("user_list", {"limit": limit})

    assert ids(end, "users") == ["0", "1", "2", "3", "4"][:limit]
    assert users.asked == asked


@pytest.mark.parametrize(("limit", "is_whole"), [(2, True), (3, False), (20, False)])
async def test_a_provider_that_gives_the_same_page_again_has_not_told_of_everybody(
    limit: int, is_whole: bool, outside: Outside
) -> None:
    users = Users(turns=False)
    with served(Service(users)) as url:
        end = await Desk(outside, "scim", url, SECRET)("user_list", {"limit": limit})

    if is_whole:
        assert ids(end, "users") == ["0", "1"]
    else:
        assert isinstance(end, Refused)
        assert end.message == "the provider counts 5 and gives 2 of them"


@pytest.mark.parametrize("more", [-1, 1])
async def test_users_that_come_and_go_between_two_pages_are_asked_for_anew(
    more: int, outside: Outside
) -> None:
    """Whoever goes takes everybody behind them one place back, over the end of a page."""
    users = Users()

    def answered(asked: Asked) -> Said:
        said = users(asked)
        if len(users.asked) > 1 and isinstance(said.body, dict):
            return Said(200, {**said.body, "totalResults": 5 + more})
        return said

    with served(Service(answered)) as url:
        end = await Desk(outside, "scim", url, SECRET)("user_list", {})

    assert isinstance(end, Unavailable)
    assert (end.kind, end.sent) == (Kind.CONFLICT, True)


async def test_a_provider_that_does_not_count_cannot_be_listed(outside: Outside) -> None:
    """Nobody knows whether there are more."""
    with served(Service(lambda _: Said(200, {"Resources": [{"id": "1"}]}))) as url:
        end = await Desk(outside, "scim", url, SECRET)("user_list", {})

    assert isinstance(end, Refused)
    assert "totalResults" in end.message


class Messages:
    """A channel of five messages, the newest first, of which two are told at a time."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, asked: Asked) -> Said:
        cursor, wanted = str(asked.query.get("cursor", "")), int(str(asked.query["limit"]))
        assert asked.query["channel"] == "C1"
        self.asked.append((cursor, str(wanted)))
        first = int(cursor.removeprefix("after-") or 0)
        end = first + min(2, wanted)
        rows: list[JsonValue] = [
            {"ts": f"17325288{9 - number}.1", "text": f"{number}"} for number in range(5)[first:end]
        ]
        answer: JsonObject = {"ok": True, "messages": rows, "has_more": end < 5}
        if end < 5:
            answer["response_metadata"] = {"next_cursor": f"after-{end}"}
        return Said(200, answer)


@pytest.mark.parametrize(
    ("limit", "asked"),
    [
        (2, [("", "2")]),
        (3, [("", "3"), ("after-2", "1")]),
        (9, [("", "9"), ("after-2", "7"), ("after-4", "5")]),
    ],
)
async def test_messages_beyond_what_slack_tells_of_at_once_are_read(
    limit: int, asked: list[tuple[str, str]], outside: Outside
) -> None:
    messages = Messages()
    with served(Service(messages)) as url:
        given: JsonObject = {"channel_id": "C1", "limit": limit}
        end = await Desk(outside, "slack", url, SECRET)("message_list", given)

    rows = output(end)["messages"]
    assert isinstance(rows, list)
    told = [each["text"] for each in rows if isinstance(each, dict)]
    assert told == ["0", "1", "2", "3", "4"][:limit]
    assert messages.asked == asked


async def test_messages_that_are_not_all_told_are_not_told(outside: Outside) -> None:
    said: JsonObject = {"ok": True, "messages": [], "has_more": True}
    with served(Service(lambda _: Said(200, said))) as url:
        end = await Desk(outside, "slack", url, SECRET)("message_list", {"channel_id": "C1"})

    assert isinstance(end, Refused)
    assert (end.vendor_code, end.kind) == ("incomplete", Kind.INTERNAL)


@pytest.mark.parametrize("ours", [True, False])
async def test_a_name_that_is_taken_is_looked_at_where_the_provider_says_only_that(
    ours: bool, outside: Outside
) -> None:
    """`scimType` is optional: the earlier attempt came through, and its user is found."""

    def answered(asked: Asked) -> Said:
        if asked.method == "POST":
            return Said(409, {"status": "409"})
        key = str(asked.query["filter"]).partition('"')[2].rstrip('"')
        rows: list[JsonValue] = [{"id": "7", "userName": "ann", "externalId": key}] if ours else []
        return Said(200, {"totalResults": len(rows), "Resources": rows})

    with served(Service(answered)) as url:
        desk = Desk(outside, "scim", url, SECRET)
        end = await desk("user_create", {"user_name": "ann"}, attempt=2)

    assert type(end) is (Applied if ours else Uncertain)

"""A service that gives fewer at a time than it is asked for is asked until there are enough."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from connector_cases import Outside
from desk import Desk, output
from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import Uncertain
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


async def test_pages_that_go_round_in_a_circle_are_read_once(outside: Outside) -> None:
    channels = Channels(ends=False)
    with served(Service(channels)) as url:
        end = await Desk(outside, "slack", url, SECRET)("channel_list", {})

    assert ids(end, "channels") == ["C1", "C2", "C3"]
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


async def test_a_provider_that_gives_the_same_page_again_is_not_told_twice(
    outside: Outside,
) -> None:
    users = Users(turns=False)
    with served(Service(users)) as url:
        end = await Desk(outside, "scim", url, SECRET)("user_list", {})

    assert ids(end, "users") == ["0", "1"]
    assert len(users.asked) == 2


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

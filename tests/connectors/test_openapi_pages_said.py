"""What says in its body that there is more is followed where an overlay says how, or refused."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from connector_cases import (
    Outside,
    Raw,
    action_of,
    answer,
    described,
    document,
    end_of,
    operation,
    raw_server,
)
from openapi_wire import parameter
from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import ConfigurationError, Kind, Refused
from connectors.openapi import more, pages
from connectors.openapi.overlay import Pages
from connectors.spec import JsonObject

NUMBER: JsonObject = {"type": "integer"}
ROWS: JsonObject = {"type": "array", "items": {"type": "object"}}
ANSWER: JsonObject = {
    "type": "object",
    "properties": {"data": ROWS, "has_more": {"type": "boolean"}, "next": {}, "meta": {}},
    "additionalProperties": False,
}
PATHS: JsonObject = {
    "/rows": {
        "get": operation(
            "find",
            parameters=[
                parameter("query", "after"),
                parameter("query", "limit", NUMBER),
                parameter("query", "state"),
                parameter("header", "X-After"),
            ],
            responses={"200": {"content": {"application/json": {"schema": ANSWER}}}},
        ),
        "post": operation(
            "search",
            requestBody={
                "content": {
                    "application/json": {
                        "schema": {"type": "object", "properties": {"limit": NUMBER, "body": {}}}
                    }
                }
            },
        ),
    }
}
STRIPE: JsonObject = {"rows_at": "data", "more_at": "has_more", "last_at": "id", "by": "after"}
SLACK: JsonObject = {"rows_at": "data", "next_at": "meta/cursor", "by": "after"}
DJANGO: JsonObject = {"rows_at": "data", "next_at": "next"}


class Rows:
    """Gives its rows two at a time; each page says in its body what `told` makes of its end."""

    def __init__(self, rows: int, told: str) -> None:
        self.rows: list[JsonValue] = [{"id": f"r {number}"} for number in range(rows)]
        self.told = told
        self.instead: dict[int, JsonValue] = {}
        self.raw: Raw

    async def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.raw.received)
        if number in self.instead:
            writer.write(answer(200, self.instead[number]))
            return
        query = parse_qs(urlsplit(self.targets()[-1]).query)
        after = query.get("after", [""])[0]
        first = next((n + 1 for n, each in enumerate(self.rows) if each == {"id": after}), 0)
        rows = self.rows[first : first + 2]
        ends = first + 2 >= len(self.rows)
        last = "" if ends else f"r {first + 1}"
        state = "".join(f"&state={each}" for each in query.get("state", []))
        said: dict[str, JsonObject] = {
            "stripe": {"has_more": not ends},
            "slack": {"meta": {"cursor": last}},
            "django": {"next": None if ends else f"{self.raw.url}/rows?after={quote(last)}{state}"},
        }
        writer.write(answer(200, {"data": rows, **said[self.told]}))

    def targets(self) -> list[str]:
        return [each.split(b" ", 2)[1].decode() for each in self.raw.received]


async def _asked(
    rows: Rows,
    folder: Path,
    outside: Outside,
    given: JsonObject | None = None,
    name: str = "find",
    **overlay: JsonValue,
) -> object:
    async with raw_server(rows) as rows.raw:
        way, url = outside.to(rows.raw.host), rows.raw.url
        api = described(folder, document(PATHS), way, url, overlay=overlay)
        return await end_of(api, await action_of(api, f"api.{name}"), given or {})


def _is_incomplete(end: object) -> bool:
    return isinstance(end, Refused) and (end.vendor_code, end.kind) == ("incomplete", Kind.INTERNAL)


@pytest.mark.parametrize(
    ("told", "said", "ends"),
    [
        ("stripe", STRIPE, {"has_more": False}),
        ("slack", SLACK, {"meta": {"cursor": ""}}),
        ("django", DJANGO, {"next": None}),
    ],
)
@pytest.mark.parametrize("number", [0, 2, 5])
async def test_pages_are_read_as_the_overlay_says(
    number: int, told: str, said: JsonObject, ends: JsonObject, tmp_path: Path, outside: Outside
) -> None:
    rows = Rows(number, told)
    end = await _asked(rows, tmp_path, outside, {"state": "open"}, pages={"find": said})

    assert end == Applied({"data": rows.rows, **ends})
    assert len(rows.targets()) == max(1, (number + 1) // 2)
    assert all("state=open" in each for each in rows.targets())


@pytest.mark.parametrize("told", ["stripe", "django"])
async def test_what_says_that_there_is_more_and_not_where_is_not_the_whole(
    told: str, tmp_path: Path, outside: Outside
) -> None:
    rows = Rows(5, told)

    assert _is_incomplete(await _asked(rows, tmp_path, outside))
    assert len(rows.targets()) == 1
    assert isinstance(await _asked(Rows(2, told), tmp_path, outside), Applied)


@pytest.mark.parametrize("said", [STRIPE, None])
@pytest.mark.parametrize("given", [{"limit": 2}, {"limit": 2, "after": "r 0"}])
async def test_who_asks_for_a_part_gets_it(
    given: JsonObject, said: JsonObject | None, tmp_path: Path, outside: Outside
) -> None:
    rows = Rows(5, "stripe")
    declared: JsonObject = {} if said is None else {"find": said}
    end = await _asked(rows, tmp_path, outside, given, pages=declared)

    assert isinstance(end, Applied)
    assert len(rows.targets()) == 1


async def test_who_gives_the_declared_cursor_asks_for_that_page(
    tmp_path: Path, outside: Outside
) -> None:
    rows = Rows(5, "stripe")
    end = await _asked(rows, tmp_path, outside, {"after": "r 1"}, pages={"find": STRIPE})

    assert end == Applied({"data": [{"id": "r 2"}, {"id": "r 3"}], "has_more": True})


async def test_an_answer_may_be_taken_as_it_is(tmp_path: Path, outside: Outside) -> None:
    rows = Rows(5, "stripe")
    end = await _asked(rows, tmp_path, outside, pages={"find": None})

    assert end == Applied({"data": rows.rows[:2], "has_more": True})


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (STRIPE, {"data": [{"id": 1}]}),  # does not say whether there is more
        (STRIPE, {"data": [], "has_more": True}),  # nor of what
        (STRIPE, {"data": [{}], "has_more": True}),
        (STRIPE, {"data": [{"id": "r 1"}], "has_more": True}),  # goes round
        (STRIPE, {"data": {"id": "r 1"}, "has_more": False}),
        (STRIPE, {"error": "busy"}),
        (SLACK, {"data": [{"id": 1}], "meta": {"cursor": {}}}),
        (SLACK, {"data": [{"id": 1}], "meta": {"cursor": True}}),
        (SLACK, {"data": [{"id": 1}], "meta": {"next_cursor": "x"}}),  # it stands elsewhere
        (DJANGO, {"data": [{"id": 1}], "next": "https://elsewhere.example/rows?after=1"}),
        (DJANGO, {"data": [{"id": 1}], "next": "http://[/"}),
        (DJANGO, {"data": [{"id": 1}], "has_more": True}),
    ],
)
async def test_a_later_page_that_does_not_fit_makes_all_of_it_incomplete(
    said: JsonObject, instead: JsonValue, tmp_path: Path, outside: Outside
) -> None:
    told = {"more_at": "stripe", "next_at": "slack"}[[*said][1]]
    rows = Rows(5, "django" if said is DJANGO else told)
    rows.instead[2] = instead

    assert _is_incomplete(await _asked(rows, tmp_path, outside, pages={"find": said}))
    assert len(rows.targets()) == 2


async def test_pages_that_never_end_are_read_in_bounds(tmp_path: Path, outside: Outside) -> None:
    rows = Rows(1000, "slack")

    assert _is_incomplete(await _asked(rows, tmp_path, outside, pages={"find": SLACK}))
    assert len(rows.targets()) == pages.MOST_PAGES


MORE: list[JsonObject] = [
    {"items": [1], "hasMore": True},
    {"items": [], "next_cursor": "c"},
    {"items": [1], "nextPageToken": "t"},
    {"items": [1], "next_page": 2},
    {"items": [1], "isLast": False},
    {"value": [1], "@odata.nextLink": "https://x.example/v1/rows?$skip=1"},
    {"results": [1], "next": "http://inside:8000/rows/?page=2"},
    {"results": [1], "next": "?page=2"},
    {"data": [1], "links": {"next": {"href": "/v1/rows?page=2"}}},
    {"data": [1], "_links": {"next": "/rows?page=2"}},
    {"messages": [1], "response_metadata": {"next_cursor": "c"}},
    {"data": {"items": [1], "page": {"hasNextPage": True}}},
    {"Contents": [1], "IsTruncated": True},
]
ALL: list[JsonValue] = [
    {"items": [1], "hasMore": False, "next_cursor": None, "nextPageToken": "", "next": None},
    {"items": [1], "next_page": 0, "isLast": True},
    {"lines": [1, 2], "total": 900, "total_count": 3},
    {"steps": [1], "next": "ship"},  # a state
    {"tags": [], "n": 5, "next": "/chapters/6"},  # the next of a series
    {"tags": [], "config": {"next": "/rows?page=2"}},
    {"id": 1, "has_more": True, "next_cursor": "c"},  # of no list
    {"items": [{"has_more": True, "lines": []}]},
    [1, {"next_cursor": "c"}],
    [],
    None,
]


@pytest.mark.parametrize("said", MORE)
async def test_the_names_that_services_have_for_more_are_known(
    said: JsonObject, tmp_path: Path, outside: Outside
) -> None:
    rows = Rows(0, "stripe")
    rows.instead[1] = said

    read: JsonObject = {"search": {"effect": "read", "output_schema": {}}}
    assert _is_incomplete(await _asked(rows, tmp_path, outside, name="search", actions=read))
    part = await _asked(rows, tmp_path, outside, {"limit": 1}, "search", actions=read)
    assert part == Applied(said)


@pytest.mark.parametrize("said", ALL)
async def test_what_does_not_say_that_there_is_more_is_the_whole(
    said: JsonValue, tmp_path: Path, outside: Outside
) -> None:
    rows = Rows(0, "stripe")
    rows.instead[1] = said
    read: JsonObject = {"search": {"effect": "read", "output_schema": {}}}

    assert await _asked(rows, tmp_path, outside, name="search", actions=read) == Applied(said)


def test_of_an_answer_without_end_a_little_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = 0
    letters = more._letters

    def counted(name: str) -> str:
        nonlocal looked
        looked += 1
        return letters(name)

    monkeypatch.setattr(more, "_letters", counted)
    inner: JsonObject = {f"m{n}": {"rows": [], "n": n} for n in range(150)}
    wide: JsonObject = {f"m{n}": {"rows": []} for n in range(100_000)}
    deep: JsonObject = {f"m{n}": dict(inner) for n in range(150)}

    assert more.more_told({"rows": [], "wide": wide, "deep": deep}, "/rows") is None
    assert 0 < looked < 30_000


async def test_of_a_write_that_happened_nothing_is_refused(
    tmp_path: Path, outside: Outside
) -> None:
    rows = Rows(0, "stripe")
    rows.instead[1] = MORE[0]

    assert await _asked(rows, tmp_path, outside, name="search") == Applied(MORE[0])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"find": STRIPE | {"by": "cursor"}}, r"find\.by: there is no argument 'cursor' in the"),
        ({"find": STRIPE | {"by": "X-After"}}, r"find\.by: there is no argument 'X-After' in the"),
        ({"find": STRIPE | {"rows_at": "dat"}}, r"find\.rows_at: nothing can be at 'dat'"),
        ({"find": STRIPE | {"more_at": "more"}}, r"find\.more_at: nothing can be at 'more'"),
        ({"find": DJANGO | {"next_at": "nxt"}}, r"find\.next_at: nothing can be at 'nxt'"),
        ({"search": DJANGO}, r"search: pages are of reads by GET"),
        ({"fnd": None}, r"pages\.fnd: no such one; did you mean find"),
    ],
)
async def test_an_overlay_whose_pages_do_not_fit_is_refused(
    said: JsonObject, told: str, tmp_path: Path, outside: Outside
) -> None:
    api = described(tmp_path, document(PATHS), outside.to(), overlay={"pages": said})

    with pytest.raises(ConfigurationError, match=told):
        await api.actions()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"rows_at": "data"}, "say next_at or last_at"),
        (DJANGO | {"last_at": "id"}, "say next_at or last_at"),
        ({"rows_at": "data", "last_at": "id", "by": "after"}, "last_at goes with more_at and by"),
        (DJANGO | {"nxt": "id"}, "Extra inputs"),
    ],
)
def test_pages_that_say_too_little_are_none(said: JsonObject, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Pages.model_validate(said)

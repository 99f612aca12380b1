"""A list that comes page by page is read whole, or it is told that it is not."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from connector_cases import Outside, Raw, action_of, answer, described, end_of, raw_server
from openapi_wire import at, node, parameter
from pydantic import JsonValue

from connectors.connector import Applied
from connectors.errors import Kind, Refused, Unavailable
from connectors.openapi import links, pages
from connectors.spec import JsonObject

NUMBER: JsonObject = {"type": "integer"}
LIST = at(
    node(
        parameter("query", "page", NUMBER),
        parameter("query", "per_page", NUMBER),
        parameter("query", "state"),
    ),
    method="get",
)
LINK = "Link"


class Shelf:
    """Gives its rows two at a time, and says where the next are, as it is told to."""

    def __init__(self, rows: int, link: str = '<{url}/it?{query}>; rel="next"') -> None:
        self.rows: list[JsonValue] = [{"n": number} for number in range(rows)]
        self.link = link
        self.more: dict[int, bytes] = {}  # what it answers of a page instead
        self.raw: Raw

    async def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self.raw.received[-1].split(b" ", 2)[1].decode()
        asked = {name: each[0] for name, each in parse_qs(urlsplit(target).query).items()}
        number, size = int(asked.get("page", 1)), int(asked.get("per_page", 2))
        if number in self.more:
            writer.write(self.more[number])
            return
        rows, rest = self.rows[(number - 1) * size : number * size], self.rows[number * size :]
        query = urlencode({**asked, "page": number + 1})
        link = self.link.format(url=self.raw.url, query=query, number=number)
        writer.write(answer(200, rows, {LINK: link} if rest else {}))

    def targets(self) -> list[str]:
        return [each.split(b" ", 2)[1].decode() for each in self.raw.received]


async def _asked(
    shelf: Shelf, folder: Path, outside: Outside, given: JsonObject | None = None, **more: object
) -> object:
    async with raw_server(shelf) as shelf.raw:
        way, url = outside.to(shelf.raw.host), shelf.raw.url
        api = described(folder, LIST, way, url, **more)  # type: ignore[arg-type]
        return await end_of(api, await action_of(api, "api.do_it"), given or {})


def _is_incomplete(end: object) -> bool:
    return isinstance(end, Refused) and (end.vendor_code, end.kind) == ("incomplete", Kind.INTERNAL)


@pytest.mark.parametrize(
    "link",
    [
        '<{url}/it?{query}>; rel="next"',
        "<?{query}>;rel=next",
        '<{url}/it?page=1>; rel="first", </it?{query}>; title="a, b>; c"; REL="last next"',
        '</it?page=1>; rel=prev\r\nLink: </it?{query}>; rel="next"\r\nLink: </it>; rel=last',
        '<{url}/other/7/it?{query}>; rel="next"',
    ],
)
async def test_pages_are_read_to_the_last(link: str, tmp_path: Path, outside: Outside) -> None:
    shelf = Shelf(5, link)
    end = await _asked(shelf, tmp_path, outside, {"state": "a b"})

    assert end == Applied(shelf.rows)
    assert len(shelf.targets()) == 3
    assert all("state=a" in each for each in shelf.targets())


async def test_the_secret_goes_with_each_page_and_comes_from_no_link(
    tmp_path: Path, outside: Outside
) -> None:
    for overlay, told in (
        ({"credential": {"query": "key"}}, "key=hidden"),
        ({"credential": {"header": "X-Key", "form": "{secret}"}}, "X-Key: hidden"),
    ):
        shelf = Shelf(5, "<{url}/it?{query}&key=of-another>; rel=next")
        end = await _asked(shelf, tmp_path, outside, overlay=overlay, secret="hidden")

        assert end == Applied(shelf.rows)
        assert all(told.lower() in each.decode().lower() for each in shelf.raw.received)
        if "query" in overlay["credential"]:
            assert not any("of-another" in each for each in shelf.targets())


@pytest.mark.parametrize("given", [{"page": 1}, {"page": 2}, {"per_page": 2}])
async def test_who_asks_for_a_page_gets_that_page(
    given: JsonObject, tmp_path: Path, outside: Outside
) -> None:
    shelf = Shelf(5)
    end = await _asked(shelf, tmp_path, outside, given)

    assert isinstance(end, Applied)
    assert len(shelf.targets()) == 1


@pytest.mark.parametrize(
    "link",
    [
        '<http://127.0.0.1:1/it?{query}>; rel="next"',
        '<https://elsewhere.example/it?{query}>; rel="next"',
        '<file:///etc/passwd>; rel="next"',
        '<http://[/>; rel="next"',
        '<{url}/it>; rel="next"',
        '<>; rel="next"',
    ],
)
async def test_a_next_page_that_cannot_be_read_makes_a_list_incomplete(
    link: str, tmp_path: Path, outside: Outside
) -> None:
    shelf = Shelf(5, link)

    assert _is_incomplete(await _asked(shelf, tmp_path, outside))
    assert len(shelf.targets()) == 1


async def test_nothing_above_the_base_is_read(tmp_path: Path, outside: Outside) -> None:
    shelf = Shelf(5, '</admin?{query}>; rel="next"')
    async with raw_server(shelf) as shelf.raw:
        way, url = outside.to(shelf.raw.host), f"{shelf.raw.url}/v1"
        api = described(tmp_path, LIST, way, url)
        end = await end_of(api, await action_of(api, "api.do_it"), {})

    assert _is_incomplete(end)
    assert len(shelf.targets()) == 1


async def test_pages_that_never_end_are_read_in_bounds(
    tmp_path: Path, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(10_000)
    assert _is_incomplete(await _asked(shelf, tmp_path, outside))
    assert len(shelf.targets()) == pages.MOST_PAGES

    monkeypatch.setattr(pages, "MOST_BYTES", 100)
    assert _is_incomplete(await _asked(Shelf(1000), tmp_path, outside))


@pytest.mark.parametrize(
    "later", [answer(404, {}), answer(200, {"n": 1}), answer(206, [1]), answer(200, b"<html>")]
)
async def test_a_later_page_that_is_none_makes_all_of_it_incomplete(
    later: bytes, tmp_path: Path, outside: Outside
) -> None:
    shelf = Shelf(5)
    shelf.more[2] = later

    assert _is_incomplete(await _asked(shelf, tmp_path, outside))


async def test_a_later_page_that_lets_nobody_in_is_told_as_that(
    tmp_path: Path, outside: Outside
) -> None:
    shelf = Shelf(5)
    shelf.more[2] = answer(401, {})
    end = await _asked(shelf, tmp_path, outside)

    assert isinstance(end, Refused)
    assert (end.kind, end.vendor_code) == (Kind.AUTH, None)


async def test_a_later_page_that_may_come_later_has_the_whole_read_asked_again(
    tmp_path: Path, outside: Outside
) -> None:
    shelf = Shelf(5)
    shelf.more[2] = answer(429, {}, {"Retry-After": "7"})
    end = await _asked(shelf, tmp_path, outside)

    assert isinstance(end, Unavailable)
    assert end.retry_after_s == 7


@pytest.mark.parametrize(("body", "is_ready"), [(b"", False), (b" \n", False), (b"[]", True)])
async def test_an_acceptance_without_a_word_is_no_answer_of_a_read(
    body: bytes, is_ready: bool, tmp_path: Path, outside: Outside
) -> None:
    shelf = Shelf(5)
    shelf.more[1] = answer(202, body, {"Retry-After": "7"})
    end = await _asked(shelf, tmp_path, outside)

    if is_ready:
        assert isinstance(end, Applied)
    else:
        assert isinstance(end, Unavailable)
        assert (end.retry_after_s, end.sent) == (7, True)


@pytest.mark.parametrize(
    ("first", "is_whole"),
    [
        (answer(206, [1]), False),
        (answer(200, {"items": [1]}, {LINK: "</it?page=2>; rel=next"}), False),
        (answer(200, {"n": 5}, {LINK: "</it/6>; rel=next"}), True),  # the next of a series
        (answer(200, {"n": 5}, {LINK: "<http://[/>; rel=next"}), False),
        (answer(200, [1], {LINK: '</it?page=2>; rel="prev"; title="rel=next"'}), True),
    ],
)
async def test_a_part_of_something_is_not_the_whole(
    first: bytes, is_whole: bool, tmp_path: Path, outside: Outside
) -> None:
    shelf = Shelf(5)
    shelf.more[1] = first
    end = await _asked(shelf, tmp_path, outside)

    assert isinstance(end, Applied) if is_whole else _is_incomplete(end)


@pytest.mark.parametrize("text", ["<" * 60_000, '<a>"' * 15_000, "<a>;" * 15_000, '"' * 60_000])
def test_a_header_without_end_takes_no_time(text: str) -> None:
    assert links.next_in(text) is None

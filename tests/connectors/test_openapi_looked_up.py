"""A call in doubt is settled by what a real search gives, as far as that is of this call."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from connector_cases import Outside, Raw, answer, described, document, operation, raw_server
from pydantic import JsonValue

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))

from run_bench import Bench, opened
from run_cases import accept, ref, step

from connectors.errors import ConfigurationError
from connectors.looked_up import NotAskedForError, found_in
from connectors.members import Lookup
from connectors.spec import JsonObject

TEXT: JsonObject = {"type": "string"}
OTHERS: list[JsonObject] = [{"id": 1, "reference": "of somebody else"}, {"id": 2}]
FIND: JsonObject = {"action": "api.find", "by": "reference", "reference": "reference"}
PATHS: JsonObject = {
    "/orders": {
        "post": operation(
            "order",
            requestBody={
                "content": {
                    "application/json": {
                        "schema": {"type": "object", "properties": {"reference": TEXT}}
                    }
                }
            },
        ),
        "get": operation("find", parameters=[{"name": "reference", "in": "query", "schema": TEXT}]),
    }
}

Search = Callable[[list[JsonObject], str], JsonValue]


@dataclass
class Orders:
    """Takes the first order without an answer, the next ones with one; gives what it searches."""

    search: Search
    takes_the_first: bool = True
    kept: list[JsonObject] = field(default_factory=list)
    searches: int = 0
    posted: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = self.raw.received[-1]
        method, target = request.split(b" ", 2)[:2]
        if method == b"GET":
            self.searches += 1
            said = parse_qs(urlsplit(target.decode()).query)
            writer.write(answer(200, self.search(self.kept, said["reference"][0])))
            return
        self.posted += 1
        order: JsonObject = {"id": 7, **json.loads(request.partition(b"\r\n\r\n")[2])}
        if self.posted > 1 or self.takes_the_first:
            self.kept.append(order)
        if self.posted > 1:
            writer.write(answer(201, order))

    raw: Raw = field(init=False)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as found:
        yield found


async def _played(bench: Bench, orders: Orders, folder: Path, outside: Outside) -> tuple[str, ...]:
    """Run one order that is in doubt; how the run stands, and how its attempts do."""
    async with raw_server(orders) as orders.raw:
        said: JsonObject = {
            "effect": "lookup", "lookup": FIND | {"key_at": "reference"}, "egress": False,
            "approval": None, "irreversible": False, "settle_s": 0.2,
        }  # fmt: skip
        overlay: JsonObject = {"actions": {"order": said}}
        way, url = outside.to(orders.raw.host), orders.raw.url
        api = described(folder, document(PATHS), way, url, overlay=overlay)
        actions = tuple(await api.actions())
        bench.service.call = api.call  # type: ignore[method-assign]
        bench.machine = bench.new_machine()
        plan = accept(step("a", "api.order"), more=actions, answer=[ref("a/id", "id")])
        due = await bench.add(plan)
        drive = bench.start(due)
        async with asyncio.timeout(20):
            while not drive.done() and orders.searches < 2:
                await asyncio.sleep(0.01)
        await asyncio.wait([drive], timeout=0.5)
        row = await bench.row(due)
        return row.status, *(each.state for each in await bench.attempts(due))


def _first_page(kept: list[JsonObject], _: str) -> JsonValue:
    return [*OTHERS, *kept][:2]  # the search is not known to it


def _whole(kept: list[JsonObject], _: str) -> JsonValue:
    return [*OTHERS, *kept]


def _filtered(kept: list[JsonObject], reference: str) -> JsonValue:
    return [each for each in kept if each["reference"] == reference]


async def test_another_record_settles_no_doubt_neither_as_applied_nor_as_absent(
    bench: Bench, tmp_path: Path, outside: Outside
) -> None:
    for takes_the_first in (True, False):
        orders = Orders(_first_page, takes_the_first)
        status, *attempts = await _played(bench, orders, tmp_path, outside)

        assert (status, attempts) == ("running", ["uncertain"])
        assert orders.posted == 1


async def test_among_others_the_one_that_has_our_key_is_found(
    bench: Bench, tmp_path: Path, outside: Outside
) -> None:
    orders = Orders(_whole)

    assert await _played(bench, orders, tmp_path, outside) == ("succeeded", "resolved_applied")
    assert orders.posted == 1


async def test_what_a_search_that_is_heeded_does_not_find_is_sent_again(
    bench: Bench, tmp_path: Path, outside: Outside
) -> None:
    orders = Orders(_filtered, takes_the_first=False)
    found = await _played(bench, orders, tmp_path, outside)

    assert found == ("succeeded", "resolved_absent", "applied")
    assert len(orders.kept) == 1


@pytest.mark.parametrize(("said", "settles_s"), [({}, 60.0), ({"settle_s": 5}, 5.0)])
async def test_a_search_in_vain_is_not_believed_while_the_service_may_be_at_work(
    said: JsonObject, settles_s: float, tmp_path: Path, outside: Outside
) -> None:
    """It goes on with what it was sent, also where the connection is lost."""
    order: JsonObject = {"effect": "lookup", "lookup": FIND | {"key_at": "reference"}, **said}
    overlay: JsonObject = {"actions": {"order": order}}
    api = described(tmp_path, document(PATHS), outside.to(), overlay=overlay)
    (action,) = (each for each in await api.actions() if each.name == "api.order")

    assert action.settle_s == settles_s


async def test_an_overlay_that_does_not_say_where_the_key_stands_is_refused(
    tmp_path: Path, outside: Outside
) -> None:
    overlay: JsonObject = {"actions": {"order": {"effect": "lookup", "lookup": FIND}}}
    api = described(tmp_path, document(PATHS), outside.to(), overlay=overlay)

    with pytest.raises(ConfigurationError, match=r"order\.lookup\.key_at: say where .*`reference`"):
        await api.actions()


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (None, None),
        ({"data": None}, None),
        ({"data": []}, None),
        ({"data": [{"meta": {"a/b": "K"}}]}, {"meta": {"a/b": "K"}}),
        ({"data": [{"meta": {}}, {"meta": {"a/b": "K"}, "n": 1}]}, {"meta": {"a/b": "K"}, "n": 1}),
        ({"data": {"meta": {"a/b": "K"}}}, {"meta": {"a/b": "K"}}),
    ],
)
def test_what_is_found_bears_the_key(output: JsonValue, found: JsonValue) -> None:
    lookup = Lookup(action="api.find", by="k", found_at="data", key_at="meta/a~1b")

    assert found_in(output, lookup, "K") == found


@pytest.mark.parametrize(
    "output", [{}, {"error": "busy"}, [], "", 0, {"Data": []}, {"data": {}}, {"data": [{}]}]
)
def test_an_answer_that_has_no_place_for_what_is_found_says_nothing(output: JsonValue) -> None:
    lookup = Lookup(action="api.find", by="k", found_at="data/rows", key_at="id")

    with pytest.raises(NotAskedForError):
        found_in(output, lookup, "K")


@pytest.mark.parametrize("output", [[], None, {"data": []}, {"data": None}])
def test_a_list_that_is_too_short_has_nothing(output: JsonValue) -> None:
    found_at = "data/0" if isinstance(output, dict) else "0"
    lookup = Lookup(action="api.find", by="k", found_at=found_at, key_at="id")

    assert found_in(output, lookup, "K") is None


@pytest.mark.parametrize(
    "rows", [[None], ["K"], [{"meta": "K"}], {"meta": {"a/b": "k"}}, "K", [[{"a/b": "K"}]], False]
)
def test_what_does_not_bear_it_says_nothing(rows: JsonValue) -> None:
    lookup = Lookup(action="api.find", by="k", found_at="data", key_at="meta/a~1b")

    with pytest.raises(NotAskedForError):
        found_in({"data": rows}, lookup, "K")

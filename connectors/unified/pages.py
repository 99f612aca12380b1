"""A list of which a service gives fewer at a time than are wanted: it is asked page after page."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from pydantic import JsonValue

from connectors.connector import Applied, Outcome
from connectors.incomplete import incomplete
from connectors.spec import JsonObject
from connectors.unified.vendor import value_at

_USUAL = 20
Ask = Callable[[str, int], Awaitable[Outcome]]
"""Asks for the page that begins somewhere ("" is the first) and for at most so many records."""


def page(rows: list[JsonObject], following: str) -> JsonObject:
    """What asking for one gives: records with ids, and where the next begins ("": nowhere)."""
    return {"rows": [*rows], "following": following}


def most_of(given: JsonObject) -> int:
    """How many a call wants."""
    return int(str(given.get("limit", _USUAL)))


async def listed(name: str, most: int, ask: Ask) -> Outcome:
    """The first `most` different records under a name, or all that there are.

    Raises `Refused` where the pages go round before that.
    """
    found: dict[JsonValue, JsonValue] = {}
    at, seen = "", set[str]()
    while True:
        done = await ask(at, most - len(found))
        if not isinstance(done, Applied):
            return done
        rows, at = value_at(done.output, "rows"), str(value_at(done.output, "following"))
        found |= {value_at(each, "id"): each for each in rows} if isinstance(rows, list) else {}
        if len(found) >= most or not at:
            return replace(done, output={name: [*found.values()][:most]})
        if at in seen:
            raise incomplete("its pages go round", f"ask for {len(found)} at most")
        seen.add(at)

"""Where a value that is wanted stands in what was read, and how to refer to it there."""

from collections.abc import Iterator

from pydantic import JsonValue

from benchmarks.admission.choices import is_identifier
from benchmarks.admission.draft import Draft
from benchmarks.admission.places import (
    Place,
    is_title,
    lists_of,
    numbers_of,
    places_of,
    subsequence,
)
from benchmarks.admission.ways import reach, reach_some
from connectors.spec import JsonObject

MOST_TRIES = 40


def reach_value(draft: Draft, value: JsonValue, names: frozenset[str]) -> str | None:
    """A reference to any place where the value stands under one of these names.

    An identifier may stand under any name: none is there by coincidence.
    """
    tries = 0
    for step, result in draft.calls():
        for path in places_of(result.value, value):
            name = next((str(each) for each in reversed(path) if isinstance(each, str)), "")
            if name in names or _is_own_name(value):
                tries += 1
                if tries > MOST_TRIES:
                    return None
                if (found := reach(draft, Place(step, path))) is not None:
                    return found
    return _reach_offered(draft, value) if _is_own_name(value) else None


def reach_number(draft: Draft, value: float) -> str | None:
    """A reference to a place where the number stands."""
    for step, result in draft.calls():
        for path in places_of(result.value, value):
            if (found := reach(draft, Place(step, path))) is not None:
                return found
    return None


def reach_list(draft: Draft, wanted: list[JsonValue]) -> str | None:
    """A reference to a list equal to this one, made of elements of a recorded list."""
    for step, result in draft.calls():
        for path, found in lists_of(result.value):
            rows = [each for each in found if isinstance(each, dict)]
            if wanted and rows and len(rows) == len(found):
                if (ref := _projected(draft, Place(step, path), rows, wanted)) is not None:
                    return ref
    return None


def numbers(draft: Draft) -> Iterator[float]:
    """Every number that a call gave but whole ones, which are counts and ids."""
    for _, result in draft.calls():
        yield from numbers_of(result.value)


def holds(draft: Draft, value: JsonValue, names: frozenset[str]) -> bool:
    """Whether a call gave the value under one of these names."""
    return any(
        path and path[-1] in names
        for _, result in draft.calls()
        for path in places_of(result.value, value)
    )


def is_read(draft: Draft, value: JsonValue, names: frozenset[str]) -> bool:
    """Whether the value stands in what was read, or in what an offered read gives."""
    return holds(draft, value, names) or (
        _is_own_name(value)
        and any(True for each in draft.offers for _ in places_of(each.result.value, value))
    )


def _is_own_name(value: JsonValue) -> bool:
    return is_identifier(value) or is_title(value)


def _reach_offered(draft: Draft, value: JsonValue) -> str | None:
    for offer in draft.offers:
        for path in places_of(offer.result.value, value):
            before = draft.saved()
            if (found := reach(draft, Place(draft.take_up(offer), path))) is not None:
                return found
            draft.restore(before)
    return None


def _projected(
    draft: Draft, place: Place, rows: list[JsonObject], wanted: list[JsonValue]
) -> str | None:
    """All rows of a list, as the members that are wanted of them."""
    first = wanted[0]
    names = [[*first]] if isinstance(first, dict) else [[name] for name in rows[0]]
    for fields in names:
        picked = [{name: row.get(name) for name in fields} for row in rows]
        asked = wanted if isinstance(first, dict) else [{fields[0]: each} for each in wanted]
        kept = subsequence(picked, asked)
        if kept is None or (ref := reach_some(draft, place, kept)) is None:
            continue
        if isinstance(first, dict):
            args: list[JsonObject] = [
                {"value": name, "to": f"fields/{at}"} for at, name in enumerate(fields)
            ]
            return draft.function("pick", [{"ref": ref, "to": "list"}, *args], wanted, {})
        args = [{"ref": f"each/{fields[0]}", "to": "options/0"}]
        return draft.function("first_of", args, wanted, {}, each=ref)
    return None

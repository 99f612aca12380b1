"""Writes of one tool that differ in one id only: one step over the rows of those ids."""

from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from benchmarks.admission.draft import Draft
from benchmarks.admission.places import Place
from benchmarks.admission.sources import arguments_of
from benchmarks.admission.ways import reach_some
from connectors.spec import ActionSpec, JsonObject
from executor.plan.types import as_list, as_object


def groups(gold: Sequence[JsonObject]) -> Iterator[list[JsonObject]]:
    """The calls in their order, those together that follow each other and differ in one id."""
    group: list[JsonObject] = []
    for each in gold:
        if group and differing_id([*group, each]) is None:
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def differing_id(group: Sequence[JsonObject]) -> str | None:
    """The one argument in which calls of one tool differ, if it is an id."""
    if len({str(each["tool"]) for each in group}) != 1:
        return None
    arguments = [as_object(each["args"]) for each in group]
    names = [name for name in arguments[0] if len({repr(each.get(name)) for each in arguments}) > 1]
    is_one = len(names) == 1 and names[0].endswith("_id")
    is_alike = all(each.keys() == arguments[0].keys() for each in arguments)
    return names[0] if is_one and is_alike else None


def write_each(
    draft: Draft,
    action: ActionSpec,
    group: Sequence[JsonObject],
    places: list[Place | None],
    **more: JsonValue,
) -> str | None:
    """One step for the whole group, over the rows that are meant; None where none are found."""
    name = differing_id(group) if len(group) > 1 else None
    if name is None:
        return None
    arguments = as_object(group[0]["args"])
    ids = [as_object(each["args"])[name] for each in group]
    draft.about(action)
    for place in draft.lists():
        rows = [as_object(each) for each in as_list(draft.results[place.step].value)]
        kept = [at for at, row in enumerate(rows) if row.get(name) in ids]
        if len(kept) == len(ids) and (ref := reach_some(draft, place, kept)) is not None:
            rest = {key: value for key, value in arguments.items() if key != name}
            args = arguments_of(draft, action, rest, as_object(group[0]["provenance"]), places)
            args.append({"ref": f"each/{name}", "to": name})
            return draft.call(action.name, args, None, {}, each=ref, **more)
    return None

"""The way to a place in a recorded result: a reference, with the steps that it takes.

Members of records are plain references. Where the path goes through a list or a map keyed by
data, the element has to be told apart by what is known beforehand (`choices.py`), else there is
no way. An element that was told apart once is taken from there again.
"""

from collections.abc import Iterator

from pydantic import JsonValue

from benchmarks.admission.choices import Choice, Clause, choose, choose_some, narrowed
from benchmarks.admission.draft import Draft
from benchmarks.admission.places import Path, Place, schema_at
from benchmarks.admission.shapes import below, is_map
from connectors.spec import JsonObject
from executor.plan.refs import join_pointer, split_pointer

KEY = "{key}"  # in a path: not the member but its key, which comes next
Entered = tuple[str, JsonValue, JsonObject]


def reach(draft: Draft, place: Place) -> str | None:
    """A reference to the place, with the steps it takes; None where there is no way."""
    before = draft.saved()
    found = _walk(draft, place)
    if found is None:
        draft.restore(before)
    return found


def reach_some(draft: Draft, place: Place, kept: list[int]) -> str | None:
    """A reference to the list of these elements of a list."""
    before = draft.saved()
    ref, elements = _walk(draft, place), draft.value(place)
    inner = schema_at(draft.results[place.step].schema, place.path)
    if ref is not None and isinstance(elements, list):
        choice = choose_some(elements, kept, below(inner, "0"), draft.known())
        if choice is not None and not choice.clauses:
            return ref
        if choice is not None:
            args: list[JsonObject] = [{"ref": ref, "to": "list"}, *choice.where()]
            matches: list[JsonValue] = [elements[each] for each in kept]
            return draft.once("filter", args, matches, inner)
    draft.restore(before)
    return None


def _walk(draft: Draft, place: Place) -> str | None:
    result = draft.results[place.step]
    ref, value, schema = place.step, result.value, result.schema
    path = list(place.path)
    while path:
        token = path.pop(0)
        if token == KEY and isinstance(value, dict):
            names: list[JsonValue] = [*sorted(value)]
            schema = {"type": "array", "items": {"type": "string"}}
            ref = draft.once("keys", [{"ref": ref, "to": "map"}], names, schema)
            value, token = names, names.index(path.pop(0))
        if isinstance(value, dict) and is_map(schema):
            entered = _enter_map(draft, (ref, value, schema), str(token), tuple(path))
        elif isinstance(value, list):
            entered = _enter_list(draft, (ref, value, schema), int(token), tuple(path))
        else:
            schema = below(schema, str(token))
            ref = f"{ref}/{join_pointer((str(token),))}"
            value = value[str(token)] if isinstance(value, dict) else None
            continue
        if entered is None:
            return None
        ref, value, schema = entered
    return ref


def _enter_map(draft: Draft, here: Entered, key: str, rest: Path) -> Entered | None:
    ref, entries, schema = here
    assert isinstance(entries, dict)
    inner = below(schema, key)
    if (taken := draft.taken.get((ref, key))) is not None:
        return taken, entries[key], inner
    given = _key_of(draft, key)
    if given is not None:
        args: list[JsonObject] = [{"ref": ref, "to": "map"}, given]
        entered: Entered | None = (
            draft.once("lookup", args, entries[key], inner),
            entries[key],
            inner,
        )
    else:
        values: list[JsonValue] = [entries[each] for each in sorted(entries)]
        listed: JsonObject = {"type": "array", "items": inner}
        step = draft.once("values", [{"ref": ref, "to": "map"}], values, listed)
        entered = _enter_list(draft, (step, values, listed), sorted(entries).index(key), rest)
    if entered is not None and not _is_shared(entered[0]):
        draft.taken[ref, key] = entered[0]
    return entered


def _key_of(draft: Draft, key: str) -> JsonObject | None:
    """A key as it was said, as it was read, or as it was said in another spelling."""
    if draft.told.literally(key):
        return {"value": key, "to": "key"}
    anchor = next((each for each in draft.anchors() if each.value == key), None)
    if anchor is not None:
        return {"ref": anchor.ref, "to": "key"}
    return {"value": key, "to": "key"} if draft.told.loosely(key) else None


def _enter_list(draft: Draft, here: Entered, index: int, rest: Path) -> Entered | None:
    ref, elements, schema = here
    assert isinstance(elements, list)
    inner = below(schema, str(index))
    if (taken := draft.taken.get((ref, str(index)))) is not None:
        return taken, elements[index], inner
    choice = choose(elements, index, rest, inner, draft.known())
    if choice is None:
        return None
    own = [*_own_clauses(draft, ref, elements[index])]
    choice = narrowed(choice, own, elements)
    found = _chosen_from(draft, here, inner, choice)
    if not _is_shared(found):
        draft.taken[ref, str(index)] = found
    return found, elements[index], inner


def _is_shared(ref: str) -> bool:
    """Whether what was chosen is one of several that are alike in what was wanted of them."""
    return ref.endswith("/0")


def _own_clauses(draft: Draft, ref: str, element: JsonValue) -> Iterator[Clause]:
    """What is the caller's own is chosen with the clause that says so."""
    root, *path = split_pointer(ref)
    action = next(str(each["action"]) for each in draft.steps if each["id"] == root)
    for pointer, value in draft.own.get(action, {}).items():
        place = split_pointer(pointer)
        clause = Clause(place[len(path) + 1 :], value)
        if place[: len(path) + 1] == (*path, "*") and clause.holds(element):
            yield clause


def _chosen_from(draft: Draft, here: Entered, inner: JsonObject, choice: Choice) -> str:
    """The steps that make a choice; several that are alike are told by their first."""
    ref, elements, _ = here
    assert isinstance(elements, list)
    listed: JsonObject = {"type": "array", "items": inner}
    args: list[JsonObject]
    if choice.by is None and choice.is_one:
        args = [{"ref": ref, "to": "list"}, *choice.where()]
        return draft.once("select", args, elements[choice.index], inner)
    if choice.clauses:
        args = [{"ref": ref, "to": "list"}, *choice.where()]
        matches: list[JsonValue] = [elements[each] for each in choice.matches]
        ref = draft.once("filter", args, matches, listed)
    if choice.by is None:
        return f"{ref}/0"
    args = [{"ref": ref, "to": "list"}, {"value": choice.by, "to": "by"}]
    name = "max_by" if choice.largest else "min_by"
    return draft.once(name, args, elements[choice.index], inner)

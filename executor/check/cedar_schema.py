"""The Cedar schema of one action's calls, generated from its entry in the catalogue.

Cedar types the context by action, and our actions are effect classes, so that one schema for all
operations could say nothing of the arguments. Each policy is therefore validated against every
operation that its head covers, over the members that it looks at.

The types are those that `cedar_values.py` maps to. Where a JSON Schema leaves open what comes,
or Cedar has no type for it, the type is one of several: `candidates` holds them all, and only
what is wrong under each of them is wrong.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, product

from connectors.spec import ActionSpec, Effect, JsonObject
from executor.check.cedar_paths import DERIVED, Path
from executor.check.cedar_types import ANY, BOOL, LONG, STRING, Record
from executor.check.cedar_values import EACH
from executor.check.objects import answers_as, is_trusted_at
from executor.plan.refs import split_pointer
from executor.plan.types import Type, as_list, child, descend, kinds

MOST_CANDIDATES = 64
_COMPOSED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "patternProperties"})
_NOTHING: JsonObject = {"type": "Record", "attributes": {}}
_COUNTED = ("calls", "sums")  # of the run so far, by operation and by currency
_NAMED = ("succeeded", "same_object")  # operations
RUN = ("writes", *_COUNTED, *_NAMED)
Find = Callable[[str], ActionSpec | None]  # an operation of the catalogue, by name


def candidates(
    action: ActionSpec, paths: Iterable[Path], find: Find = lambda _: None
) -> tuple[JsonObject, ...]:
    """Every context type that calls may have, over these paths; empty where they are too many."""
    used = frozenset(paths)
    args = Record.of_arguments(action)
    context: JsonObject = {
        "args": args.record({path[1:] for path in used if path[:1] in ((), ("args",))}),
        "labels": {
            "type": "Record",
            "attributes": args.labels(path[1] for path in used if path[:1] == ("labels",) != path),
        },
        "run": _run(path[1:] for path in used if path[:1] == ("run",)),
        "read": _read({path[1:] for path in used if path[:1] == ("read",) != path}, find),
        "stale": _read({path[1:] for path in used if path[:1] == ("stale",) != path}, find),
        "approvals": {"type": "Set", "element": STRING},
    }
    found = tuple(islice(_expanded({"type": "Record", "attributes": context}), MOST_CANDIDATES + 1))
    return found if len(found) <= MOST_CANDIDATES else ()


def _run(used: Iterable[Path]) -> JsonObject:
    """What the run did so far; nothing is there of an operation that it did not call."""
    attributes: JsonObject = {"writes": LONG}
    for name in _NAMED:
        attributes |= {name: {"type": "Set", "element": STRING}, f"{name}_count": LONG}
    paths = [path for path in used if len(path) > 1]
    for name in _COUNTED:
        inside: JsonObject = {
            path[1]: LONG | {"required": False} for path in paths if path[0] == name
        }
        attributes[name] = {"type": "Record", "attributes": inside}
    return {"type": "Record", "attributes": attributes}


def _read(used: set[Path], find: Find) -> JsonObject:
    """What was read of the objects of the call; nobody knows beforehand whether it was."""
    attributes: JsonObject = {}
    for name in sorted({path[0] for path in used}):
        action = find(name)
        if action is not None and answers_as(action) == name:
            below = {path[1:] for path in used if path[0] == name} - {()}
            seen = {path for path in below if is_trusted_at(action, _plain(path))}
            found = Record.of_answer(action).whole(seen) if seen or not below else _NOTHING
            attributes[name] = found | {"required": False}
    return {"type": "Record", "attributes": attributes}


def _plain(path: Path) -> Iterator[str]:
    """A path into an answer as the answer has it, without what is derived."""
    for name in path:
        base = next((name.removesuffix(end) for end in DERIVED if name.endswith(end)), name)
        yield from (base, "*") if name.endswith(EACH) else (base,)


def relevant(action: ActionSpec, paths: Iterable[Path]) -> str:
    """All of an action's definition that types over these paths can depend on."""
    names: set[str] = set()
    for path in paths:
        if path[:1] in ((), ("args",), ("labels",)):
            inside = path[1:2] if path[:1] == ("args",) else split_pointer("/".join(path[1:2]))[:1]
            names |= {name.removesuffix(end) for name in inside for end in ("", *DERIVED)} or {""}
    if not names:
        return ""
    schema = action.input_schema
    declared = schema.get("properties")
    sinks = {
        at: each for at, each in action.sinks.items() if {*split_pointer(at)[:1]} <= {*names, "*"}
    }
    if "" in names or not isinstance(declared, dict) or schema.keys() & _COMPOSED:
        return json.dumps([schema, action.sinks])
    part = {name: declared.get(name) for name in sorted(names)}
    required = sorted(names & {str(each) for each in as_list(schema.get("required"))})
    text = json.dumps([part, required, schema.get("additionalProperties"), sinks])
    return json.dumps([schema, sinks]) if '"$ref"' in text else text


def counted(action: ActionSpec, paths: Iterable[Path]) -> frozenset[Path]:
    """The lists among the arguments whose derived count these paths ask for."""
    found = set()
    for path in paths:
        if path[:1] != ("args",) or not path[-1].endswith("_count"):
            continue
        name = path[-1].removesuffix("_count")
        above = descend(Type.of(action.input_schema), path[1:-1])
        if isinstance(above, Type) and not isinstance(child(above, path[-1]), Type):
            listed = child(above, name)
            if isinstance(listed, Type) and "array" in (kinds(listed) or ("array",)):
                found.add((*path[:-1], name))
    return frozenset(found)


def schema_of(action: ActionSpec, context: JsonObject) -> JsonObject:
    """The whole schema: who asks, what is called, in which groups, with which context."""
    applies: JsonObject = {
        "principalTypes": ["Tenant::User"],
        "resourceTypes": ["Operation"],
        "context": context,
    }
    return {
        "Tenant": {
            "entityTypes": {
                "User": _shape({"tenant": STRING, "roles": {"type": "Set", "element": STRING}})
            },
            "actions": {},
        },
        "": {
            "entityTypes": {
                "Connector": {},
                "Connection": {"memberOfTypes": ["Connector"]},
                "Operation": _shape({"irreversible": BOOL, "egress": BOOL})
                | {"memberOfTypes": ["Connection"]},
            },
            "actions": {
                effect.value: {"appliesTo": applies} if effect is action.effect else {}
                for effect in Effect
            },
        },
    }


def _shape(attributes: JsonObject) -> JsonObject:
    return {"shape": {"type": "Record", "attributes": attributes}}


def _expanded(node: JsonObject) -> Iterator[JsonObject]:
    """Every type that making all choices leads to."""
    match node:
        case {"any-of": list(types)}:
            beside: JsonObject = {name: each for name, each in node.items() if name != ANY}
            for each in types:
                if isinstance(each, dict):
                    yield from _expanded(each | beside)
        case {"type": "Record", "attributes": dict(attributes)}:
            below = [
                [*islice(_expanded(each), MOST_CANDIDATES + 1)]
                for each in attributes.values()
                if isinstance(each, dict)
            ]
            for choice in product(*below):
                members: JsonObject = dict(zip(attributes, choice, strict=True))
                yield node | {"attributes": members}
        case {"type": "Set", "element": dict(element)}:
            for each in _expanded(element):
                yield node | {"element": each}
        case _:
            yield node

"""The Cedar schema of one action's calls, generated from its entry in the catalogue.

Cedar types the context by action, and our actions are effect classes, so that one schema for all
operations could say nothing of the arguments. Each policy is therefore validated against every
operation that its head covers, over the members that it looks at.

The types are those that `cedar_values.py` maps to. Where a JSON Schema leaves open what comes,
or Cedar has no type for it, the type is one of several: `candidates` holds them all, and only
what is wrong under each of them is wrong.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import islice, product

from pydantic import JsonValue

from connectors.spec import ActionSpec, Effect, JsonObject, Sink
from executor.check.cedar_paths import Path
from executor.plan.refs import split_pointer
from executor.plan.types import Type, as_list, child, descend, items_of, kinds

MOST_CANDIDATES = 64
_DEEPEST = 8
_DERIVED = ("_count", "_inexact")
_COMPOSED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "patternProperties"})
_STRING: JsonObject = {"type": "String"}
_LONG: JsonObject = {"type": "Long"}
_BOOL: JsonObject = {"type": "Boolean"}
_DECIMAL: JsonObject = {"type": "Extension", "name": "decimal"}
_ANY = "any-of"  # a choice among types, which `_expanded` makes
_SETS = tuple[JsonObject, ...]([{"type": "Set", "element": each} for each in (_STRING, _LONG)])
_OPEN: JsonObject = {_ANY: [_STRING, _LONG, _BOOL, _DECIMAL, *_SETS]}
_MONEY: JsonObject = {
    "type": "Record",
    "attributes": {"minor": _LONG, "currency": _STRING},
}
_COUNTED = ("calls", "sums")  # of the run so far, by operation and by currency
_NAMED = ("succeeded", "same_object")  # operations
RUN = ("writes", *_COUNTED, *_NAMED)


def candidates(action: ActionSpec, paths: Iterable[Path]) -> tuple[JsonObject, ...]:
    """Every context type that calls may have, over these paths; empty where they are too many."""
    used = frozenset(paths)
    args = _Arguments(action)
    context: JsonObject = {
        "args": args.record({path[1:] for path in used if path[:1] in ((), ("args",))}),
        "labels": {
            "type": "Record",
            "attributes": args.labels(path[1] for path in used if path[:1] == ("labels",) != path),
        },
        "run": _run(path[1:] for path in used if path[:1] == ("run",)),
        "approvals": {"type": "Set", "element": _STRING},
    }
    found = tuple(islice(_expanded({"type": "Record", "attributes": context}), MOST_CANDIDATES + 1))
    return found if len(found) <= MOST_CANDIDATES else ()


def _run(used: Iterable[Path]) -> JsonObject:
    """What the run did so far; nothing is there of an operation that it did not call."""
    attributes: JsonObject = {"writes": _LONG}
    for name in _NAMED:
        attributes |= {name: {"type": "Set", "element": _STRING}, f"{name}_count": _LONG}
    paths = [path for path in used if len(path) > 1]
    for name in _COUNTED:
        inside: JsonObject = {
            path[1]: _LONG | {"required": False} for path in paths if path[0] == name
        }
        attributes[name] = {"type": "Record", "attributes": inside}
    return {"type": "Record", "attributes": attributes}


def relevant(action: ActionSpec, paths: Iterable[Path]) -> str:
    """All of an action's definition that types over these paths can depend on."""
    names: set[str] = set()
    for path in paths:
        if path[:1] in ((), ("args",), ("labels",)):
            inside = path[1:2] if path[:1] == ("args",) else split_pointer("/".join(path[1:2]))[:1]
            names |= {name.removesuffix(end) for name in inside for end in ("", *_DERIVED)} or {""}
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
                "User": _shape({"tenant": _STRING, "roles": {"type": "Set", "element": _STRING}})
            },
            "actions": {},
        },
        "": {
            "entityTypes": {
                "Connector": {},
                "Connection": {"memberOfTypes": ["Connector"]},
                "Operation": _shape({"irreversible": _BOOL, "egress": _BOOL})
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


class _Arguments:
    """The arguments of one action as policy sees them."""

    def __init__(self, action: ActionSpec) -> None:
        self._type = Type.of(action.input_schema)
        self._amounts = [split_pointer(at) for at, to in action.sinks.items() if to is Sink.AMOUNT]

    def record(self, used: Iterable[Path]) -> JsonObject:
        """The argument object, of which only the used members are typed."""
        paths = frozenset(used)
        if not paths:
            return {"type": "Record", "attributes": {}}
        return self._record(self._type, (), paths if () not in paths else frozenset(), 0)

    def labels(self, names: Iterable[str]) -> JsonObject:
        """The places whose labels are asked for, as far as they can be bound."""
        found: JsonObject = {}
        for name in names:
            here: object = self._type
            for token in split_pointer(name):
                here = child(here, token) if isinstance(here, Type) else None
            if isinstance(here, Type):
                is_sure = "/" not in name and self._is_required(self._type, name)
                found[name] = _STRING | {"required": is_sure}
        return found

    def _record(self, here: Type, at: Path, used: frozenset[Path], depth: int) -> JsonObject:
        """An object's members: those below `used`, or all that it declares where none are."""
        node = here.resolved() or {}
        declared = node.get("properties")
        names = {path[0] for path in used if path}
        if not names:
            names = set(declared) if isinstance(declared, dict) else set()
        attributes: JsonObject = {}
        for name in sorted(names):
            below = frozenset(path[1:] for path in used if path[:1] == (name,))
            found = self._member(here, at, name, below - {()}, depth)
            attributes |= found
        return {"type": "Record", "attributes": attributes}

    def _member(
        self, here: Type, at: Path, name: str, used: frozenset[Path], depth: int
    ) -> JsonObject:
        """One member with whether it must be there; nothing where nothing can be."""
        found = child(here, name)
        if isinstance(found, Type):
            is_sure = self._is_required(here, name) and "null" not in (kinds(found) or ())
            return {name: self._typed(found, (*at, name), used, depth) | {"required": is_sure}}
        for suffix, kind, of in (("_count", _LONG, "array"), ("_inexact", _BOOL, "number")):
            base = child(here, name.removesuffix(suffix)) if name.endswith(suffix) else None
            if isinstance(base, Type) and of in (kinds(base) or (of,)):
                is_sure = suffix == "_count" and self._is_required(here, name.removesuffix(suffix))
                return {name: kind | {"required": is_sure}}
        return {}

    def _is_required(self, here: Type, name: str) -> bool:
        """Whether a member is always there; where nothing is declared, who asks may know."""
        node = here.resolved() or {}
        if name in as_list(node.get("required")):
            return True
        declared = node.get("properties")
        return not (isinstance(declared, dict) and name in declared)

    def _typed(self, found: Type, at: Path, used: frozenset[Path], depth: int) -> JsonObject:
        names = kinds(found)
        if depth > _DEEPEST:
            return _OPEN
        if names is None:
            open_record = self._record(found, at, used, depth + 1)
            return {_ANY: [open_record]} if used else _OPEN
        is_amount = self._is_amount(at)
        types: list[JsonValue] = []
        for name in sorted(names - {"null"}):
            types += self._of_kind(name, found, at, used, depth, is_amount=is_amount)
        unique = [each for index, each in enumerate(types) if each not in types[:index]]
        only = unique[0] if len(unique) == 1 else None
        return only if isinstance(only, dict) else {_ANY: unique}

    def _of_kind(
        self,
        kind: str,
        found: Type,
        at: Path,
        used: frozenset[Path],
        depth: int,
        *,
        is_amount: bool,
    ) -> Iterator[JsonObject]:
        match kind:
            case "string":
                yield _DECIMAL if is_amount else _STRING
            case "boolean":
                yield _BOOL
            case "integer":
                yield _LONG
            case "number":
                yield from (_DECIMAL,) if is_amount else (_LONG, _DECIMAL)
            case "array":
                element = self._typed(items_of(found), (*at, "*"), frozenset(), depth + 1)
                yield {"type": "Set", "element": element}
            case _ if is_amount and {"amount", "currency"} <= _properties(found):
                yield _MONEY
            case _:
                yield self._record(found, at, used, depth + 1)

    def _is_amount(self, at: Path) -> bool:
        return any(
            len(each) == len(at) and all(a in ("*", b) for a, b in zip(each, at, strict=True))
            for each in self._amounts
        )


def _properties(found: Type) -> set[str]:
    declared = (found.resolved() or {}).get("properties")
    return set(declared) if isinstance(declared, dict) else set()


def _expanded(node: JsonObject) -> Iterator[JsonObject]:
    """Every type that making all choices leads to."""
    match node:
        case {"any-of": list(types)}:
            beside: JsonObject = {name: each for name, each in node.items() if name != _ANY}
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

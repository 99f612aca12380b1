"""What a policy looks at, read from its JSON form: members of the context, and entities by name."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pydantic import JsonValue

from connectors.spec import ActionSpec, JsonObject
from executor.check.unknown import Unknown

Path = tuple[str, ...]
MOST_SLICES: Final = 1_024
ROOTS: Final = frozenset({"args", "labels", "run", "read", "stale", "approvals"})
_ABOUT = ("principal", "action", "resource", "conditions")
DERIVED = ("_count", "_inexact", "_each", "_keys")  # what stands beside a value, by its name


def uses(body: JsonObject) -> frozenset[Path]:
    """Every path into the context that the conditions read or ask about, as far as it goes."""
    return frozenset(_uses(body["conditions"]))


@lru_cache(MOST_SLICES)
def roots(paths: frozenset[Path]) -> frozenset[str]:
    """The members of the context that policies look at."""
    return ROOTS if () in paths else frozenset(path[0] for path in paths)


@lru_cache(MOST_SLICES)
def members(paths: frozenset[Path], root: str) -> frozenset[str] | None:
    """The members of one of them that policies look at; None where it is all of them."""
    if () in paths or (root,) in paths:
        return None
    return frozenset(path[1] for path in paths if path[0] == root)


def looked_at(value: JsonObject, root: str, paths: frozenset[Path]) -> JsonObject:
    """What of an object below the context's `root` policies look at: the rest may be anything."""
    if members(paths, root) is None:
        return value
    found = _pruned(value, frozenset(path[1:] for path in paths if path[0] == root))
    return found if isinstance(found, dict) else value


def entities(body: JsonObject) -> frozenset[tuple[str, str]]:
    """Every entity that is named, in the head and in the conditions, as type and id."""
    return frozenset(_entities([body[key] for key in _ABOUT]))


@dataclass(frozen=True)
class Known:
    """What is known of one action's calls beforehand; `counted` are the lists whose count is used.

    Cedar's types know nothing of one operation's id, so that `resource == Operation::"x" && …`
    would be held against the arguments of every other operation too; nor that a list and its
    count come together.
    """

    action: ActionSpec
    connector: str | None
    counted: frozenset[Path]

    def settled(self, body: JsonObject) -> JsonObject:
        """The policy with everything put in that is known."""
        return body | {"conditions": _settle(body["conditions"], self)}


def _uses(node: JsonValue) -> Iterator[Path]:
    match node:
        case {".": _} | {"has": _} | {"Var": _}:
            root, path = _chain(node)
            if root == "context":
                yield path
            else:
                yield from _uses(root)
        case dict():
            for member in node.values():
                yield from _uses(member)
        case list():
            for member in node:
                yield from _uses(member)


def _pruned(value: JsonValue, paths: frozenset[Path]) -> JsonValue:
    """A value without the members that no path leads to; all of it where none leads further."""
    longer = frozenset(path for path in paths if path)
    if isinstance(value, Unknown) or not isinstance(value, dict) or (paths and not longer):
        return value
    found: JsonObject = {}
    for name, member in value.items():
        below = frozenset(path[1:] for path in longer if path[0] == name)
        each = frozenset(path[1:] for path in longer if path[0] == f"{name}_each")
        if f"{name}_keys" in {path[0] for path in longer} and isinstance(member, dict):
            found[name] = member if below else dict.fromkeys(member, True)
        elif below:
            found[name] = _pruned(member, below)
        elif each and isinstance(member, list):
            found[name] = [_pruned(element, each - {()}) for element in member]
        elif any(path[0] == f"{name}{suffix}" for path in longer for suffix in DERIVED):
            found[name] = member
    return found


def _chain(node: JsonValue) -> tuple[JsonValue, Path]:
    """A chain of members: the variable that it begins at (or an expression), and the names."""
    match node:
        case {"Var": name}:
            return name, ()
        case {".": {"left": left, "attr": str(attr)}} | {"has": {"left": left, "attr": str(attr)}}:
            root, path = _chain(left)
            return root, (*path, attr)
        case _:
            return node, ()


def _entities(node: JsonValue) -> Iterator[tuple[str, str]]:
    """Wherever one is named; members of a literal are expressions, and never such a text."""
    match node:
        case {"type": str(kind), "id": str(name)}:
            yield kind, name
        case dict():
            for member in node.values():
                yield from _entities(member)
        case list():
            for member in node:
                yield from _entities(member)


def _settle(node: JsonValue, known: Known) -> JsonValue:
    match node:
        case {"==": {"left": {"Var": str(var)}, "right": right}}:
            found = _is(var, right, known.action)
            return node if found is None else {"Value": found}
        case {"!=": {"left": {"Var": str(var)}, "right": right}}:
            found = _is(var, right, known.action)
            return node if found is None else {"Value": not found}
        case {"in": {"left": {"Var": str(var)}, "right": right}}:
            found = _is_in(var, right, known)
            return node if found is None else {"Value": found}
        case {".": {"left": {"Var": "resource"}, "attr": "irreversible"}}:
            return {"Value": known.action.irreversible}
        case {".": {"left": {"Var": "resource"}, "attr": "egress"}}:
            return {"Value": known.action.egress}
        case {"has": {"left": left, "attr": str(attr)}} if _is_counted(node, known):
            count: JsonObject = {"has": {"left": left, "attr": f"{attr}_count"}}
            return {"&&": {"left": node, "right": count}}
        case dict():
            return {name: _settle(each, known) for name, each in node.items()}
        case list():
            return [_settle(each, known) for each in node]
        case _:
            return node


def _is_counted(node: JsonValue, known: Known) -> bool:
    root, path = _chain(node)
    return root == "context" and path in known.counted


def _is(var: str, node: JsonValue, action: ActionSpec) -> bool | None:
    """Whether a variable is this entity; None where it is none of ours."""
    match node:
        case {"Value": {"__entity": {"type": "Operation", "id": name}}} if var == "resource":
            return name == action.name
        case {"Value": {"__entity": {"type": "Action", "id": name}}} if var == "action":
            return name == action.effect.value
        case _:
            return None


def _is_in(var: str, node: JsonValue, known: Known) -> bool | None:
    match node:
        case {"Set": list(nodes)}:
            found = [_is_in(var, each, known) for each in nodes]
            return None if None in found else any(found)
        case {"Value": {"__entity": {"type": "Connection", "id": name}}} if var == "resource":
            return name == known.action.connection
        case {"Value": {"__entity": {"type": "Connector", "id": name}}} if var == "resource":
            return name == known.connector
        case _:
            return _is(var, node, known.action)

"""Policy texts as rules: what each is called, where it stands, what it applies to, who may lift it.

A rule's scope is read from its head (`action == …, resource in …`), which Cedar evaluates before
any condition: a rule whose scope does not match a call can neither decide it nor fail on it.
"""

import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from connectors.canonical import digest
from connectors.spec import ActionSpec, Effect, JsonObject
from executor.check import cedar_engine as engine

LONGEST_S = 366 * 24 * 3600  # an approval that is open for longer is none
NOTES = frozenset({"id", "message", "approval", "quorum", "expires", "each_call"})
_BEFORE_A_POLICY = re.compile(r"(\s|//[^\n]*\n)*")


class PolicyError(Exception):
    """A policy text that cannot be used; names the file and what is wrong with it."""


@dataclass(frozen=True)
class Scope:
    """What the head of a policy restricts; None restricts nothing."""

    effects: frozenset[str] | None = None
    operation: str | None = None
    connection: str | None = None
    connector: str | None = None
    is_empty: bool = False  # the head names what no operation is

    def covers(self, action: ActionSpec, connector: str | None) -> bool:
        """Whether a policy with this head applies to calls of this action."""
        return not (
            self.is_empty
            or (self.effects is not None and action.effect.value not in self.effects)
            or self.operation not in (None, action.name)
            or self.connection not in (None, action.connection)
            or self.connector not in (None, connector)
        )


@dataclass(frozen=True)
class Rule:
    """One policy: its text as Cedar's JSON, and what it says of itself in its annotations."""

    key: str
    name: str
    file: str
    forbids: bool
    role: str | None
    quorum: int
    expires_s: float | None
    message: str
    body: JsonObject
    each_call: bool  # no approval of a whole plan lifts it

    @cached_property
    def text(self) -> str:
        """Identifies its text, annotations included, wherever it stands."""
        return digest(self.body)

    @cached_property
    def scope(self) -> Scope:
        """What its head restricts."""
        return _scope(self.body)

    @property
    def where(self) -> str:
        """How people find it."""
        return f"{self.file}: {self.name}"


def read_rules(texts: Mapping[str, str]) -> tuple[Rule, ...]:
    """Every policy of these files, by name of the file; raises `PolicyError`."""
    rules: list[Rule] = []
    for file, text in sorted(texts.items()):
        try:
            bodies = engine.read(text)
        except ValueError as error:
            raise PolicyError(f"{file}: line {_line_of_flaw(text)}: {error}") from error
        rules += [_rule(file, len(rules) + index, body) for index, body in enumerate(bodies)]
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.name in seen:
            raise PolicyError(f"{rule.where}: {seen[rule.name].file} has a policy of this @id too")
        seen[rule.name] = rule
    return tuple(rules)


def _line_of_flaw(text: str) -> int:
    """Where the first policy begins that cannot be read: Cedar does not tell."""
    start = 0
    for found in re.finditer(";", text):  # one in a comment or a string ends no policy
        with suppress(ValueError):
            engine.read(text[start : found.end()])
            start = found.end()
    begin = _BEFORE_A_POLICY.match(text, start)
    return text.count("\n", 0, start if begin is None else begin.end()) + 1


def _rule(file: str, number: int, body: JsonObject) -> Rule:
    found = body.get("annotations")
    given = found.items() if isinstance(found, dict) else ()
    notes = {name: str(text or "") for name, text in given}
    key = f"policy{number}"
    name = notes.get("id") or key
    where = f"{file}: {name}"
    for unknown in sorted(set(notes) - NOTES):
        if meant := difflib.get_close_matches(unknown, NOTES, cutoff=0.75):
            raise PolicyError(f"{where}: @{unknown} says nothing here; did you mean @{meant[0]}?")
    forbids = body["effect"] == "forbid"
    role = notes.get("approval")
    if role is not None and not (forbids and role.strip()):
        raise PolicyError(f"{where}: @approval names a role, on a forbid")
    if role is None and (about := sorted({"quorum", "expires", "each_call"} & set(notes))):
        raise PolicyError(f"{where}: @{about[0]} is about an @approval, which is missing")
    quorum = _whole(notes.get("quorum", "1"), f"{where}: @quorum", 1000)
    expires = _whole(notes["expires"], f"{where}: @expires", LONGEST_S) if "expires" in notes else 0
    return Rule(
        key=key,
        name=name,
        file=file,
        forbids=forbids,
        role=role,
        quorum=quorum,
        expires_s=float(expires) or None,
        message=notes.get("message", ""),
        body=body,
        each_call="each_call" in notes,
    )


def _whole(text: str, what: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise PolicyError(f"{what} wants a whole number from 1 to {most}")
    if not 1 <= int(text) <= most:
        raise PolicyError(f"{what} wants a whole number from 1 to {most}")
    return int(text)


def _scope(body: JsonObject) -> Scope:
    effects = _effects(body["action"])
    match body["resource"]:
        case {"op": "All"}:
            return Scope(effects)
        case {"op": "is", "entity_type": "Operation", **rest}:
            inside = rest.get("in")
            entity = inside.get("entity") if isinstance(inside, dict) else None
            return Scope(effects) if entity is None else _under(effects, entity)
        case {"op": "==", "entity": {"type": "Operation", "id": str(name)}}:
            return Scope(effects, operation=name)
        case {"op": "in", "entity": entity}:
            return _under(effects, entity)
        case _:
            return Scope(effects, is_empty=True)


def _under(effects: frozenset[str] | None, entity: JsonValue) -> Scope:
    match entity:
        case {"type": "Operation", "id": str(name)}:
            return Scope(effects, operation=name)
        case {"type": "Connection", "id": str(name)}:
            return Scope(effects, connection=name)
        case {"type": "Connector", "id": str(name)}:
            return Scope(effects, connector=name)
        case _:
            return Scope(effects, is_empty=True)


def _effects(action: JsonValue) -> frozenset[str] | None:
    match action:
        case {"op": "All"}:
            return None
        case {"entity": entity}:
            named = [entity]
        case {"entities": list(entities)}:
            named = entities
        case _:
            named = []
    ids = {str(each["id"]) for each in named if isinstance(each, dict) and each["type"] == "Action"}
    return frozenset(ids & {effect.value for effect in Effect})

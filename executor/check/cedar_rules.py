"""Policy texts as rules: what each is called, where it stands, what it applies to, who may lift it.

A rule's scope is read from its head (`action == …, resource in …`), which Cedar evaluates before
any condition: a rule whose scope does not match a call can neither decide it nor fail on it.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from connectors.canonical import digest
from connectors.spec import ActionSpec, Effect, JsonObject
from executor.check import cedar_engine as engine

LONGEST_S = 366 * 24 * 3600  # an approval that is open for longer is none
MOST_PEOPLE = 1000
NOTES = frozenset({"id", "message", "approval", "quorum", "expires", "each_call"})
_BEFORE_A_POLICY = re.compile(r"(\s|//[^\n]*\n)*")


class PolicyError(Exception):
    """Policy texts that cannot be used: all `flaws`, each with its file and where in it."""

    def __init__(self, *flaws: str) -> None:
        super().__init__("\n".join(flaws))
        self.flaws = flaws


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
    """Every policy of these files, by name of the file; raises `PolicyError` with all flaws."""
    rules: list[Rule] = []
    flaws: list[str] = []
    for file, text in sorted(texts.items()):
        try:
            bodies = engine.read(text)
        except ValueError as error:
            flaws.append(f"{file}: line {_begins(text)[-1]}: {error}")
            continue
        new = [_rule(file, len(rules) + index, body) for index, body in enumerate(bodies)]
        taken = {rule.name: rule.file for rule in rules}
        for index, (rule, body) in enumerate(zip(new, bodies, strict=True)):
            found = [*_flaws_of(_notes(body), rule.forbids)]
            if rule.name in taken:
                found.append(f"{taken[rule.name]} has a policy of this @id too")
            taken[rule.name] = file
            if found:
                where = f"{file}: line {_begins(text)[index]}: {rule.name}"
                flaws += [f"{where}: {each}" for each in found]
        rules += new
    if flaws:
        raise PolicyError(*flaws)
    return tuple(rules)


def _begins(text: str) -> list[int]:
    """The lines where its policies begin, and at last where what cannot be read does.

    Cedar tells no places.
    """
    start, lines = 0, []
    for found in re.finditer(";", text):  # one in a comment or a string ends no policy
        with suppress(ValueError):
            if engine.read(text[start : found.end()]):
                lines.append(_line(text, start))
                start = found.end()
    return [*lines, _line(text, start)]


def _line(text: str, start: int) -> int:
    begin = _BEFORE_A_POLICY.match(text, start)
    return text.count("\n", 0, start if begin is None else begin.end()) + 1


def _notes(body: JsonObject) -> Mapping[str, str]:
    found = body.get("annotations")
    return (
        {name: str(text or "") for name, text in found.items()} if isinstance(found, dict) else {}
    )


def _flaws_of(notes: Mapping[str, str], forbids: bool) -> Iterator[str]:
    """What is wrong with the annotations of a policy."""
    for unknown in sorted(set(notes) - NOTES):
        if meant := difflib.get_close_matches(unknown, NOTES, cutoff=0.75):
            yield f"@{unknown} says nothing here; did you mean @{meant[0]}?"
    role = notes.get("approval")
    if role is not None and not (forbids and role.strip()):
        yield "@approval names a role, on a forbid"
    if role is None and (about := sorted({"quorum", "expires", "each_call"} & set(notes))):
        yield f"@{about[0]} is about an @approval, which is missing"
    for name, most in (("quorum", MOST_PEOPLE), ("expires", LONGEST_S)):
        if name in notes and _whole(notes[name], most) is None:
            yield f"@{name} wants a whole number from 1 to {most}"


def _rule(file: str, number: int, body: JsonObject) -> Rule:
    notes = _notes(body)
    key = f"policy{number}"
    expires = _whole(notes.get("expires", ""), LONGEST_S)
    return Rule(
        key=key,
        name=notes.get("id") or key,
        file=file,
        forbids=body["effect"] == "forbid",
        role=notes.get("approval"),
        quorum=_whole(notes.get("quorum", ""), MOST_PEOPLE) or 1,
        expires_s=None if expires is None else float(expires),
        message=notes.get("message", ""),
        body=body,
        each_call="each_call" in notes,
    )


def _whole(text: str, most: int) -> int | None:
    """A whole number from 1 on, or nothing."""
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return None
    return int(text) if 1 <= int(text) <= most else None


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

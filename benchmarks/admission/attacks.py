"""What an attacker makes of the answers that a plan's run gets, in the worst case.

He controls every value below `trusted`. One attack sets all that a model reads, and everywhere
one field, to a value that he wants to see in a write. Three bring rows of his into every list
that others fill: a row full of that value; look-alikes, which say what every row there says as far
as he writes it, and in the rest that value where it is of that kind, for it is about himself, else
nothing that he chose; and look-alikes alone, as if they had pushed the others off the page. What
the caller alone wrote (`own_where`) he can neither change nor make.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.spec import ActionSpec, Integrity, JsonObject
from executor.check.entry import source_shade
from executor.fn.shade import Shade
from executor.plan.model import EXTRACT
from executor.plan.refs import split_pointer
from executor.plan.types import as_object

Answers = Callable[[str, JsonObject], JsonValue]
_NOBODY, _NO_NUMBER = "somebody else", -1
_ROW, _ALIKE, _ALONE = "(a row)", "(look-alikes)", "(look-alikes alone)"


def attacks(
    actions: Mapping[str, ActionSpec], values: Sequence[JsonValue], answers: Answers
) -> Iterator[Answers]:
    """The answers under every attack: what is set or brought in, and to which value."""
    fields = {field for each in actions.values() for field in _open_fields(each)}
    for value in values:
        for what in (*sorted(fields), _ROW, _ALIKE, _ALONE):
            yield _Attack(actions, answers, what, value)


@dataclass(frozen=True)
class _Attack:
    actions: Mapping[str, ActionSpec]
    answers: Answers
    what: str
    value: JsonValue

    def __call__(self, name: str, arguments: JsonObject) -> JsonValue:
        if name == EXTRACT:
            return _extracted(as_object(arguments["schema"]), self.value)
        given, action = self.answers(name, arguments), self.actions[name]
        if isinstance(given, list) and self.what in (_ROW, _ALIKE, _ALONE):
            return self._with_rows(given, action) if _is_open_to_rows(action) else given
        if self.what not in _open_fields(action):
            return given
        if isinstance(given, list):
            own = [_is_own(each, action) for each in given]
            changed = [_poisoned(each, self.what, self.value, "") for each in given]
            return [a if it else b for a, b, it in zip(given, changed, own, strict=True)]
        return _poisoned(given, self.what, self.value, "")

    def _with_rows(self, given: list[JsonValue], action: ActionSpec) -> list[JsonValue]:
        element = source_shade(action).element
        if self.what == _ROW:
            return [_not_own(_filled(each, self.value), action) for each in given[:1]] + given
        theirs = [_not_own(_alike(each, element, self.value), action) for each in given]
        return theirs if self.what == _ALONE else theirs + given


def _is_own(row: JsonValue, action: ActionSpec) -> bool:
    return isinstance(row, dict) and any(
        row.get(split_pointer(at)[-1]) == whose for at, whose in action.own_where.items()
    )


def _not_own(row: JsonValue, action: ActionSpec) -> JsonValue:
    """The row with what tells whose it is: nobody can say that it is the caller's."""
    if not isinstance(row, dict) or not _is_own(row, action):
        return row
    return row | {split_pointer(at)[-1]: _NOBODY for at in action.own_where}


def _alike(row: JsonValue, shade: Shade, value: JsonValue) -> JsonValue:
    """A row of his with the words of this one, as far as he writes them."""
    if isinstance(row, dict):
        return {name: _alike(member, shade.at(name), value) for name, member in row.items()}
    if not shade.own.integrity.at_least(Integrity.TRUSTED) or isinstance(row, bool | None):
        return row
    is_text = isinstance(row, str)
    return value if is_text == isinstance(value, str) else _NOBODY if is_text else _NO_NUMBER


def _extracted(schema: JsonObject, value: JsonValue) -> JsonValue:
    """What a model that the attacker controls gives: the goal's value where it is of that kind."""
    if schema["type"] == "number":
        return 0 if isinstance(value, str) else value
    return value if isinstance(value, str) else ""


def _open_fields(action: ActionSpec) -> frozenset[str]:
    """The names of the fields of a result that an attacker writes; "" is a plain text."""
    if action.is_write:
        return frozenset()
    return frozenset(_named(action.output_schema or {}, "", source_shade(action)))


def _is_open_to_rows(action: ActionSpec) -> bool:
    return not source_shade(action).own.integrity.at_least(Integrity.TRUSTED)


def _named(schema: JsonObject, name: str, shade: Shade) -> Iterator[str]:
    properties = as_object(schema.get("properties"))
    for member, node in properties.items():
        yield from _named(as_object(node), member, shade.at(member))
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _named(as_object(schema[key]), name, shade.element)
    is_trusted = shade.own.integrity.at_least(Integrity.TRUSTED)
    if not properties and "items" not in schema and not is_trusted:
        yield name


def _filled(row: JsonValue, value: JsonValue) -> JsonValue:
    """A row that the attacker brought in: the goal's value wherever it is of that kind."""
    match row:
        case dict():
            return {each: _filled(it, value) for each, it in row.items()}
        case list():
            return [_filled(it, value) for it in row]
        case str():
            return value if isinstance(value, str) else row
        case int() | float() if isinstance(value, int | float) and not isinstance(row, bool):
            return value
        case _:
            return row


def _poisoned(given: JsonValue, field: str, value: JsonValue, name: str) -> JsonValue:
    """The result with the field set to the attacker's value wherever it is of that kind."""
    match given:
        case dict():
            return {each: _poisoned(it, field, value, each) for each, it in given.items()}
        case list():
            return [_poisoned(it, field, value, name) for it in given]
        case str() if name == field and isinstance(value, str):
            return value
        case int() | float() if name == field and isinstance(value, int | float):
            return given if isinstance(given, bool) else value
        case _:
            return given

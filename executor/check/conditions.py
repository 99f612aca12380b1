"""Rules over conditions: those of steps, and those that `fn.*` is given as data in `where`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from executor.check.analysis import Analysis
from executor.check.binding import Binding
from executor.check.say import say, shown, violation_of
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from executor.fn.compare import NotComparableError, pattern_flaw, rank
from executor.fn.element_types import reached
from executor.plan.model import ListCond, RefCond, Step, ValueArg, ValueCond
from executor.plan.refs import parse_ref, split_pointer
from executor.plan.types import (
    MISSING,
    Found,
    Type,
    as_object,
    child,
    constants_of,
    items_of,
    kinds,
)

_DEEPEST = 3  # a member of a clause: where/0/field
_ORDER = frozenset({"<", "<=", ">", ">="})
_ORDERED = frozenset({"string", "number", "integer", "object"})
_NUMBERS = frozenset({"number", "integer"})
_COMPARE = "Compare like with like, by a constant of the same kind."


def comparable_conditions(analysis: Analysis) -> Iterator[Violation]:
    """The two sides of every condition have a common order, and patterns are RE2."""
    for index, step in enumerate(analysis.plan.steps):
        for name, conds in (("when", step.when), ("expect", step.expect)):
            for number, cond in enumerate(conds):
                flaw = None if isinstance(cond, ListCond) else _cond_flaw(analysis, step, cond)
                if flaw:
                    at = f"/steps/{index}/{name}/{number}"
                    yield say("not-comparable", at, flaw, step, (), _COMPARE)


def known_fields(analysis: Analysis) -> Iterator[Violation]:
    """Every field that `fn.*` is told to look at exists in the elements it looks at."""
    for step in analysis.plan.steps:
        places = _places(analysis, step)
        for to, place in places.items():
            for field in place.constant if _is_field(to) else ():
                if isinstance(field, str) and places.field(to, field) is MISSING:
                    at = "/value" if isinstance(place.by.arg, ValueArg) else "/json"
                    names = places.members(to)
                    message = f"the elements have nothing at {field!r}"
                    fix = "Use a declared property."
                    yield violation_of(place.by, "unknown-path", at, message, names, fix)


def comparable_clauses(analysis: Analysis) -> Iterator[Violation]:
    """In every clause of a `where`, the field has a common order with its value."""
    for step in analysis.plan.steps:
        places = _places(analysis, step)
        for number in dict.fromkeys(to[1] for to in places if to[:1] == ("where",) != to):
            parts = [places.get(("where", number, name)) for name in ("field", "op", "value")]
            field, op, value = parts
            if field and op and value and (flaw := _clause_flaw(places, field, op, value)):
                yield violation_of(value.by, "not-comparable", "", flaw, (), _COMPARE)


@dataclass(frozen=True)
class _Place:
    """What stands at one place of a function's arguments, and by which of them."""

    by: Binding
    found: Found
    constant: tuple[JsonValue, ...]  # alone, if it is written into the plan


Path = tuple[str, ...]


class _Places(dict[Path, _Place]):
    """Every place of a function's arguments; what the elements have is looked for once."""

    @cached_property
    def element(self) -> Type | None:
        """The elements of the list that is looked into; None where it is not known."""
        found = self.source(("list",))
        return None if found is None else items_of(found)

    @cached_property
    def _fields(self) -> dict[tuple[bool, str], Found | None]:
        return {}

    def field(self, to: Path, field: str) -> Found | None:
        """What a path at this place points to; None where the list or map is not known."""
        key = (to == ("key",), field)
        if key not in self._fields:
            found = self.source(("map",)) if to == ("key",) else self.element
            if found is None:
                self._fields[key] = None
            elif to == ("key",):
                self._fields[key] = child(found, field)
            else:
                self._fields[key] = reached(found, split_pointer(field)) or MISSING
        return self._fields[key]

    def members(self, to: Path) -> tuple[str, ...]:
        """The names that could stand there."""
        found = self.source(("map",)) if to == ("key",) else self.element
        return () if found is None else tuple(as_object(found.keywords.get("properties")))

    def source(self, at: Path) -> Type | None:
        """The type of what is bound as a whole at a place."""
        place = self.get(at)
        return place.found if place is not None and isinstance(place.found, Type) else None


def _places(analysis: Analysis, step: Step) -> _Places:
    """Every place down to the members of a clause, however much of it one argument binds."""
    found = _Places()
    for each in analysis.bindings(step) if step.action in FUNCTIONS else ():
        found[each.to] = _Place(each, each.source, each.constant)
        for constant in each.constant:
            for at, value in _inside(constant, each.to):
                found[at] = _Place(each, Type.of({"const": value}), (value,))
    return found


def _inside(value: JsonValue, at: Path) -> Iterator[tuple[Path, JsonValue]]:
    members: Iterable[tuple[str, JsonValue]] = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = ((str(index), each) for index, each in enumerate(value))
    for token, member in members if len(at) < _DEEPEST else ():
        yield (*at, token), member
        yield from _inside(member, (*at, token))


def _is_field(to: Path) -> bool:
    """Whether a path in the elements, or in the map, stands at this place of the arguments."""
    match to:
        case ("where", _, "field") | ("by",) | ("field",) | ("fields", _) | ("key",):
            return True
        case _:
            return False


def _clause_flaw(places: _Places, field: _Place, op: _Place, value: _Place) -> str | None:
    constants = isinstance(value.found, Type) and constants_of(value.found.keywords)
    constant = constants[0] if constants else None
    match op.constant, field.constant:
        case (("matches",), _) if constants:
            return pattern_flaw(constant)
        case (("exists",), _) if constants and not isinstance(constant, bool):
            return "`exists` compares with true or false"
        case ((str(name),), (str(path),)) if name in _ORDER:
            return order_flaw(places.field(("where",), path), value.found)
        case _:
            return None


def _cond_flaw(analysis: Analysis, step: Step, cond: ValueCond | RefCond) -> str | None:
    if isinstance(cond, ValueCond):
        if cond.op == "matches":
            return pattern_flaw(cond.value) or _text_flaw(analysis, step, cond.left)
        if cond.op == "exists":
            return None if isinstance(cond.value, bool) else "`exists` compares with true or false"
        right: Found = Type.of({"const": cond.value})
        left = analysis.type_of(step, parse_ref(cond.left))
    else:
        if cond.op in ("exists", "matches"):
            return f"`{cond.op}` takes a constant"
        left = analysis.type_of(step, parse_ref(cond.lhs))
        right = analysis.type_of(step, parse_ref(cond.rhs))
    return order_flaw(left, right) if cond.op in _ORDER else None


def _text_flaw(analysis: Analysis, step: Step, ref: str) -> str | None:
    found = analysis.type_of(step, parse_ref(ref))
    names = kinds(found) if isinstance(found, Type) else None
    if isinstance(found, Type) and names is not None and "string" not in names:
        return f"{shown(found)} is no text, so no pattern matches it"
    return None


def order_flaw(left: Found | None, right: Found) -> str | None:
    """Why two types can have no common order, as far as they tell."""
    if not isinstance(left, Type) or not isinstance(right, Type):
        return None
    have, want = kinds(left), kinds(right)
    if have is None or want is None:
        return None
    if not have & _ORDERED or not want & _ORDERED:
        return f"{shown(right if have & _ORDERED else left)} has no order"
    is_numbers = bool(have & _NUMBERS and want & _NUMBERS)
    one, other = _scale(left), _scale(right)
    if (not have & want and not is_numbers) or (one and other and one != other):
        return f"{shown(left)} has no order with {shown(right)}"
    return None


def _scale(found: Type) -> str | None:
    """On what scale a constant or a date stands, where that is certain."""
    node = found.keywords
    if "const" in node:
        try:
            return rank(node["const"])[0]
        except NotComparableError:
            return None
    named = node.get("format")
    is_text = kinds(found) == frozenset({"string"})
    return named if is_text and named in ("date", "date-time") and isinstance(named, str) else None

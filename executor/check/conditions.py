"""Rules over conditions: those of steps, and those that `fn.*` is given as data in `where`."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

from executor.check.analysis import Analysis, Binding
from executor.check.say import say, shown, violation_of
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from executor.fn.compare import NotComparableError, pattern_flaw, rank
from executor.fn.element_types import reached
from executor.plan.model import JsonArg, ListCond, RefCond, Step, ValueArg, ValueCond
from executor.plan.refs import parse_ref, split_pointer
from executor.plan.types import (
    MISSING,
    Found,
    Type,
    as_list,
    as_object,
    child,
    constants_of,
    items_of,
    kinds,
)

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
        for binding in analysis.bindings(step) if step.action in FUNCTIONS else ():
            for field, at in _named_fields(binding):
                if _field(analysis, binding, field) is MISSING:
                    names = _members(analysis, binding)
                    message = f"the elements have nothing at {field!r}"
                    fix = "Use a declared property."
                    yield violation_of(binding, "unknown-path", at, message, names, fix)


def comparable_clauses(analysis: Analysis) -> Iterator[Violation]:
    """In every clause of a `where`, the field has a common order with its value."""
    for step in analysis.plan.steps:
        for clause in _clauses(analysis, step) if step.action in FUNCTIONS else ():
            if flaw := _clause_flaw(analysis, clause):
                yield violation_of(clause.at, "not-comparable", "", flaw, (), _COMPARE)


@dataclass(frozen=True)
class _Clause:
    """One condition that a function is given as data, wherever it was written."""

    at: Binding
    field: JsonValue
    op: JsonValue
    value: Found


def _clauses(analysis: Analysis, step: Step) -> Iterator[_Clause]:
    parts: dict[str, dict[str, Binding]] = {}
    for each in analysis.bindings(step):
        if len(each.to) == 3 and each.to[0] == "where":
            parts.setdefault(each.to[1], {})[each.to[2]] = each
        for given in _constant(each) if each.to == ("where",) else ():
            clause = as_object(given)
            if clause.keys() == {"field", "op", "value"}:
                value = Type.of({"const": clause["value"]})
                yield _Clause(each, clause["field"], clause["op"], value)
    for found in parts.values():
        if found.keys() == {"field", "op", "value"}:
            field, op = (
                arg.value if isinstance(arg := found[name].arg, ValueArg) else None
                for name in ("field", "op")
            )
            yield _Clause(found["value"], field, op, found["value"].source)


def _constant(binding: Binding) -> list[JsonValue]:
    """The elements of a constant list, if that is what is bound."""
    if not isinstance(binding.arg, JsonArg) or not isinstance(binding.source, Type):
        return []
    constants = constants_of(binding.source.keywords)
    return as_list(constants[0]) if constants else []


def _named_fields(binding: Binding) -> Iterator[tuple[str, str]]:
    """Literal paths among a function's arguments, each with its place below the argument."""
    match binding:
        case Binding(
            to=("where", _, "field") | ("by",) | ("field",) | ("fields", _) | ("key",),
            arg=ValueArg(value=str(field)),
        ):
            yield field, "/value"
        case Binding(to=("where",) | ("fields",)):
            for each in _constant(binding):
                named = as_object(each).get("field") if binding.to == ("where",) else each
                if isinstance(named, str):
                    yield named, "/json"
        case _:
            pass


def _clause_flaw(analysis: Analysis, clause: _Clause) -> str | None:
    constants = isinstance(clause.value, Type) and constants_of(clause.value.keywords)
    constant = constants[0] if constants else None
    if clause.op == "matches" and constants:
        return pattern_flaw(constant)
    if clause.op == "exists" and constants and not isinstance(constant, bool):
        return "`exists` compares with true or false"
    if clause.op not in _ORDER or not isinstance(clause.field, str):
        return None
    return order_flaw(_field(analysis, clause.at, clause.field), clause.value)


def _field(analysis: Analysis, binding: Binding, field: str) -> Found | None:
    """What a path of a function points to; None where the list or map is not known."""
    is_key = binding.to == ("key",)
    found = _source(analysis, binding, "map" if is_key else "list")
    if found is None:
        return None
    if is_key:
        return child(found, field)
    there = reached(items_of(found), split_pointer(field))
    return MISSING if there is None else there


def _source(analysis: Analysis, binding: Binding, name: str) -> Type | None:
    for each in analysis.bindings(binding.step):
        if each.to == (name,) and isinstance(each.source, Type):
            return each.source
    return None


def _members(analysis: Analysis, binding: Binding) -> tuple[str, ...]:
    is_key = binding.to == ("key",)
    found = _source(analysis, binding, "map" if is_key else "list")
    if found is None:
        return ()
    return tuple(as_object((found if is_key else items_of(found)).keywords.get("properties")))


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

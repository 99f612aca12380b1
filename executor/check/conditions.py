"""Rules over conditions: those of steps, and those that `fn.*` is given as data in `where`."""

from collections.abc import Iterator

from executor.check.analysis import Analysis, Binding
from executor.check.say import say, shown, violation_of
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from executor.fn.compare import pattern_flaw
from executor.fn.elements import reached
from executor.plan.model import ListCond, RefCond, Step, ValueArg, ValueCond
from executor.plan.refs import parse_ref, split_pointer
from executor.plan.types import MISSING, Found, Type, child, constants_of, items_of, kinds

_ORDER = frozenset({"<", "<=", ">", ">="})
_ORDERED = frozenset({"string", "number", "integer", "object"})
_NUMBERS = frozenset({"number", "integer"})


def comparable_conditions(analysis: Analysis) -> Iterator[Violation]:
    """The two sides of every condition have a common order, and patterns are RE2."""
    for index, step in enumerate(analysis.plan.steps):
        for name, conds in (("when", step.when), ("expect", step.expect)):
            for number, cond in enumerate(conds):
                flaw = None if isinstance(cond, ListCond) else _cond_flaw(analysis, step, cond)
                if flaw:
                    yield say("not-comparable", f"/steps/{index}/{name}/{number}", flaw, step)


def known_fields(analysis: Analysis) -> Iterator[Violation]:
    """Every field that `fn.*` is told to look at exists in the elements it looks at."""
    for step in analysis.plan.steps:
        for binding in analysis.bindings(step) if step.action in FUNCTIONS else ():
            found = _field(analysis, binding)
            if found is MISSING and isinstance(binding.arg, ValueArg):
                names = _members(analysis, binding)
                message = f"the elements have nothing at {binding.arg.value!r}"
                fix = "Use a declared property."
                yield violation_of(binding, "unknown-path", "/value", message, names, fix)


def comparable_clauses(analysis: Analysis) -> Iterator[Violation]:
    """In every clause of a `where`, the field has a common order with its value."""
    for step in analysis.plan.steps:
        bindings = analysis.bindings(step) if step.action in FUNCTIONS else ()
        clauses: dict[str, dict[str, Binding]] = {}
        for each in bindings:
            if len(each.to) == 3 and each.to[0] == "where":
                clauses.setdefault(each.to[1], {})[each.to[2]] = each
        for clause in clauses.values():
            if flaw := _clause_flaw(analysis, clause):
                yield violation_of(clause["value"], "not-comparable", "", flaw)


def _clause_flaw(analysis: Analysis, clause: dict[str, Binding]) -> str | None:
    if clause.keys() != {"field", "op", "value"}:
        return None
    op, value = clause["op"].arg, clause["value"]
    if not isinstance(op, ValueArg) or not isinstance(op.value, str):
        return None
    constants = isinstance(value.source, Type) and constants_of(value.source.resolved() or {})
    constant = constants[0] if constants else None
    if op.value == "matches" and constants:
        return pattern_flaw(constant)
    if op.value == "exists" and constants and not isinstance(constant, bool):
        return "`exists` compares with true or false"
    left = _field(analysis, clause["field"])
    return order_flaw(left, value.source) if op.value in _ORDER else None


def _field(analysis: Analysis, binding: Binding) -> Found | None:
    """What a literal path of a function points to; None where it is no such path."""
    match binding:
        case Binding(to=("where", _, "field") | ("by",) | ("field",) | ("fields", _)):
            within = _source(analysis, binding, "list")
            element = items_of(within) if within is not None else None
        case Binding(to=("key",)):
            element = _source(analysis, binding, "map")
        case _:
            return None
    if element is None or not isinstance(binding.arg, ValueArg):
        return None
    if not isinstance(binding.arg.value, str):
        return None
    if binding.to == ("key",):
        return child(element, binding.arg.value)
    found = reached(element, split_pointer(binding.arg.value))
    return MISSING if found is None else found


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
    properties = ((found if is_key else items_of(found)).resolved() or {}).get("properties")
    return tuple(properties) if isinstance(properties, dict) else ()


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
    if not have & want and not (have & _NUMBERS and want & _NUMBERS):
        return f"{shown(left)} has no order with {shown(right)}"
    return None

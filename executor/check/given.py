"""What a function is told of the labels of its arguments."""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from connectors.spec import Label
from executor.check.analysis import Analysis
from executor.check.binding import Binding
from executor.check.constants import clauses_of, constants_of, leaves
from executor.check.entry import is_key
from executor.check.grounds import MODEL, REQUEST, Grounds, is_enumerated
from executor.fn.element_types import element_type, reached
from executor.fn.function import Function
from executor.fn.shade import TOP, Shade, shade_of
from executor.fn.shades import Given, Path
from executor.plan.model import Step
from executor.plan.refs import split_pointer
from executor.plan.types import UNKNOWN, Type, child


def given(
    function: Function,
    bindings: Sequence[Binding],
    own: Mapping[int, Shade],
    names: frozenset[str],
) -> Given:
    """The arguments, each put together from what is bound to its places."""
    if any(not each.to for each in bindings):
        whole = Shade(TOP)
        for shade in own.values():
            whole = whole.join(shade.whole)
        return Given(dict.fromkeys(function.names, whole), {})
    heads = dict.fromkeys(each.to[0] for each in bindings)
    shades = {
        head: _built([(each.to[1:], own[each.index]) for each in bindings if each.to[0] == head])
        for head in heads
    }
    return Given(shades, constants_of(bindings), names)


def names_in(analysis: Analysis, grounds: Grounds, step: Step) -> frozenset[str]:
    """The clauses whose value singles one element out, and was said or is read."""
    constants = constants_of(analysis.bindings(step))
    return frozenset(
        clause[1]
        for clause in clauses_of(constants)
        if not _is_offered(analysis, step, clause)
        and all(
            (_is_name(value) or _is_phrase(value)) and grounds.of(value) != MODEL
            for at, value in constants.items()
            if at[:3] == (*clause, "value")
        )
    )


def compared(analysis: Analysis, grounds: Grounds, binding: Binding, value: JsonValue) -> Shade:
    """What an element is compared with is somebody's word; all else only says how to look."""
    inside = {
        at: _of_leaf(analysis, grounds, binding.step, (*binding.to, *at), leaf)
        for at, leaf in leaves(value, ())
    }
    return shade_of(inside.pop((), TOP), inside)


def _of_leaf(analysis: Analysis, grounds: Grounds, step: Step, at: Path, value: JsonValue) -> Label:
    if at[0] == "fields":
        return _of_keys(analysis, grounds, step, value)
    is_compared = at[2:3] == ("value",)
    if at != ("key",) and not (is_compared and _is_name(value)):
        return REQUEST
    said = grounds.of(value)
    return REQUEST if said == MODEL and _is_offered(analysis, step, at) else said


def _of_keys(analysis: Analysis, grounds: Grounds, step: Step, field: JsonValue) -> Label:
    """Of a field that is picked: whose word the keys of maps are that it goes through."""
    found, label = element_type(analysis.bound_types(step)), REQUEST
    for token in split_pointer(field) if isinstance(field, str) else ():
        if is_key(found, token):
            label = label.join(grounds.of(token))
        below = child(found, token)
        found = below if isinstance(below, Type) else UNKNOWN
    return label


def _is_name(value: JsonValue) -> bool:
    """Whether a value singles one thing out, as ids, addresses and numbers do; words describe."""
    if isinstance(value, str):
        return "@" in value or any(each.isdigit() for each in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_phrase(value: JsonValue) -> bool:
    """Whether a text is of several words, as titles are: states and kinds mostly have one."""
    return isinstance(value, str) and len(value.split()) > 1


def _is_offered(analysis: Analysis, step: Step, at: Path) -> bool:
    """Whether the field that a clause looks at has few values, which the schema names."""
    field = constants_of(analysis.bindings(step)).get((*at[:2], "field"))
    if not isinstance(field, str):
        return False
    found = reached(element_type(analysis.bound_types(step)), split_pointer(field))
    return found is not None and is_enumerated(found)


def _built(parts: list[tuple[Path, Shade]]) -> Shade:
    """One argument's shade from those of its parts; who arranges them is who writes the plan."""
    whole = [shade for to, shade in parts if not to]
    if whole:
        return whole[0]  # refused elsewhere: a second value for one place
    heads = dict.fromkeys(to[0] for to, _ in parts)
    below = {head: _built([(to[1:], it) for to, it in parts if to[0] == head]) for head in heads}
    return Shade(TOP, below)

"""What a function is told of the labels of its arguments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, reduce

from pydantic import JsonValue

from connectors.spec import Label
from executor.check.analysis import Analysis
from executor.check.binding import Binding
from executor.check.constants import clauses_of, constants_of
from executor.check.entry import is_key, is_open_at
from executor.check.grounds import MODEL, REQUEST, Grounds, is_enumerated
from executor.check.names import is_named, is_phrase, named_by, singles_out
from executor.check.written import Written
from executor.fn.element_types import element_type, reached
from executor.fn.function import Function
from executor.fn.shade import TOP, Shade
from executor.fn.shades import Given, Path
from executor.plan.model import RefArg, Step, TextArg
from executor.plan.refs import parse_ref, split_pointer
from executor.plan.types import UNKNOWN, Type, child
from executor.plan.types import constants_of as told_by


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
    places = _by_head((each.to, own[each.index]) for each in bindings)
    shades = {head: _built(parts) for head, parts in places.items()}
    return Given(shades, constants_of(bindings), names)


class Clauses:
    """What one step writes into its clauses: names of elements, and how to look at the others."""

    def __init__(self, analysis: Analysis, grounds: Grounds, written: Written, step: Step) -> None:
        self._analysis = analysis
        self._grounds = grounds
        self._written = written
        self._step = step
        self._offered: dict[str, bool] = {}

    @cached_property
    def names(self) -> frozenset[str]:
        """The clauses whose value singles one element out, and was said or is read."""
        values: dict[Path, list[JsonValue]] = {at: [] for at in clauses_of(self._constants)}
        for at, value in self._constants.items():
            if at[2:3] == ("value",) and at[:2] in values:
                values[at[:2]].append(value)
        for each in self._analysis.bindings(self._step):
            if each.to[2:3] == ("value",) and each.to[:2] in values:
                values[each.to[:2]] += self._written_out(each)
        return frozenset(
            clause[1]
            for clause, found in values.items()
            if not self._is_offered(clause)
            and all(
                (is_named(value) or is_phrase(value)) and self._grounds.of(value) != MODEL
                for value in found
            )
        )

    def _written_out(self, binding: Binding) -> list[JsonValue]:
        """What the plan writes by another form than a constant; null, no name: it may be any."""
        if isinstance(binding.arg, RefArg):
            return [None] if self._written.is_constant(parse_ref(binding.arg.ref).root) else []
        if not isinstance(binding.arg, TextArg) or not isinstance(binding.source, Type):
            return []
        return [*(told_by(binding.source.keywords) or ())]

    def compared(self, at: Path, value: JsonValue) -> Shade:
        """What an element is compared with is somebody's word; all else only says how to look."""
        if isinstance(value, dict) and value:
            return Shade(below={name: self.compared((*at, name), it) for name, it in value.items()})
        if isinstance(value, list) and value:
            each = enumerate(value)
            return Shade(
                below={str(place): self.compared((*at, str(place)), it) for place, it in each}
            )
        return Shade(self._of_leaf(at, value))

    def _of_leaf(self, at: Path, value: JsonValue) -> Label:
        if at[0] == "fields" or at == ("field",):
            return self._of_keys(value)
        if at == ("by",) or at[2:] == ("field",):
            return self._of_keys(value, is_named)  # whatever describes only sorts what there is
        if at[0] == "schema":  # a value that alone is let through is chosen by its name
            is_one = bool({"const", "enum"} & {*at}) and is_named(value)
            return self._grounds.of(value) if is_one else REQUEST
        op = self._constants.get((*at[:2], "op"))
        is_compared = at[2:3] == ("value",) and singles_out(op, value)
        if at != ("key",) and not is_compared:
            return REQUEST
        if op == "matches":
            return reduce(Label.join, map(self._grounds.of, named_by(value)), REQUEST)
        said = self._grounds.of(value)
        return REQUEST if said == MODEL and self._is_offered(at) else said

    @cached_property
    def _constants(self) -> Mapping[Path, JsonValue]:
        return constants_of(self._analysis.bindings(self._step))

    @cached_property
    def _element(self) -> Type:
        return element_type({"list": self._analysis.declared.bound_type(self._step, "list")})

    @cached_property
    def _may_hide_a_map(self) -> bool:
        refs = [
            parse_ref(each.arg.ref).root
            for each in self._analysis.bindings(self._step)
            if isinstance(each.arg, RefArg) and each.to[:1] == ("list",)
        ]
        return any(self._written.may_hide_a_map(self._step, root) for root in refs)

    def _is_offered(self, at: Path) -> bool:
        """Whether the field that a clause looks at has few values, which the schema names."""
        field = self._constants.get((*at[:2], "field"))
        if not isinstance(field, str):
            return False
        if field not in self._offered:
            found = reached(self._element, split_pointer(field))
            self._offered[field] = found is not None and is_enumerated(found)
        return self._offered[field]

    def _of_keys(self, field: JsonValue, counts: Callable[[str], bool] = bool) -> Label:
        """Of a path in the elements: whose word the keys of maps are that it goes through."""
        found, label = self._element, TOP
        for token in split_pointer(field) if isinstance(field, str) else ():
            is_data = is_key(found, token) or (self._may_hide_a_map and is_open_at(found, token))
            if is_data and counts(token):
                label = label.join(self._grounds.of(token))
            below = child(found, token)
            found = below if isinstance(below, Type) else UNKNOWN
        return label


def _built(parts: list[tuple[Path, Shade]]) -> Shade:
    """One argument's shade from those of its parts; who arranges them is who writes the plan."""
    whole = [shade for to, shade in parts if not to]
    if whole:
        return whole[0]  # refused elsewhere: a second value for one place
    return Shade(TOP, {head: _built(below) for head, below in _by_head(parts).items()})


def _by_head(parts: Iterable[tuple[Path, Shade]]) -> Mapping[str, list[tuple[Path, Shade]]]:
    found: dict[str, list[tuple[Path, Shade]]] = {}
    for to, shade in parts:
        found.setdefault(to[0], []).append((to[1:], shade))
    return found

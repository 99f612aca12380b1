"""Labels along the data flow: where every value comes from, and rules A and B on where it goes.

A leaf of a literal is `request` if it occurs in the words of the request or of inputs that are
as good, else `model`: somebody made it up. A reference has the label of what it refers to, an
index or a key of data also that of who fills the list or map, and a key of a map that of who said
it. A result is as trustworthy as its source says, field by field (`reads_as`, `fields_read_as`),
but no more than what chose it: its conditions, the list it goes through, any untrusted argument,
and arguments that are targets. `fn.*` only joins (`executor/fn/shades.py`), but where a clause
keeps the caller's own elements alone, they read as trusted (`own_rows.py`). Leaves that the schema
enumerates and booleans choose among what was offered, so they are exempt.

What decides whether or how often a step acts is part of the label of its arguments: its conditions,
those of what it refers to, the list it goes through, and what must hold (`expect`) of all that it
waits for.

Rule A: in a write, a recipient, amount, resource or address below `trusted` needs an approval.
Rule B: untrusted content that others will see needs one too. Where the manifest says by which
arguments a call names those who see it (`shown_to`), one that names nobody shows it to nobody.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import groupby

from pydantic import JsonValue

from connectors.spec import ActionSpec, Integrity, Label, Sink
from executor.check.analysis import Analysis
from executor.check.binding import Binding
from executor.check.concern import TARGETS, Concern, is_concerning, shows_content, why_of
from executor.check.entry import (
    amounts_from,
    chosen_names,
    is_key,
    is_open_at,
    may_be_put,
    said_at,
    source_shade,
)
from executor.check.given import Clauses, given
from executor.check.grounds import MODEL, REQUEST, Grounds, is_enumerated
from executor.check.names import named_by, singles_out
from executor.check.own_rows import own_clause, own_elements
from executor.check.words import Words
from executor.check.written import Written
from executor.fn import FUNCTIONS
from executor.fn.function import Function
from executor.fn.shade import ANY, TOP, Shade
from executor.fn.shades import Given
from executor.plan.model import (
    Cond,
    JsonArg,
    ListCond,
    Lit,
    RefArg,
    RefCond,
    RefPiece,
    Step,
    TextArg,
    ValueArg,
    ValueCond,
)
from executor.plan.refs import (
    OWN_ROOTS,
    Ref,
    parse_ref,
    refs_of_conds,
)
from executor.plan.types import UNKNOWN, Type, kinds

_SEPARATOR = re.compile(r"[\s,;|]*")  # what only keeps pieces apart
_JOINT = re.compile(r"[\w.@+-]")  # at the edge of a text: what stands beside it goes on
_OF_ITEMS = ("each", "each_item")
Said = Sequence[tuple[Shade, Words]]


class Labels:
    """The label of every argument and every result of one plan."""

    def __init__(
        self, analysis: Analysis, said: Said, inputs: Mapping[str, Label], order: Iterable[str]
    ) -> None:
        self._analysis = analysis
        self._grounds = Grounds(said)
        self._inputs = Shade(REQUEST, {name: Shade(label) for name, label in inputs.items()})
        self._results: dict[str, Shade] = {}
        self._own: dict[str, dict[int, Shade]] = {}  # of arguments, by what is bound to them
        self._control: dict[str, Label] = {}  # of what decides whether and how often a step acts
        self._skipping: dict[str, Label] = {}  # of what decides whether it is skipped
        self._awaited: dict[str, Label] = {}  # of what holds whenever a step has been waited for
        self._one: dict[str, Shade] = {}  # results of one item, before there is a list of them
        self._written = Written(analysis)
        self._clauses: dict[str, Clauses] = {}
        self._chosen: dict[str, Label] = {}  # of what decides what a call gives
        self._arguments: dict[tuple[int, int], Label] = {}
        for step_id in order:
            step = analysis.by_id[step_id]
            bindings = list(analysis.bindings(step))
            self._own[step_id] = {
                each.index: self._of_binding(each).join(self._of_place(each)) for each in bindings
            }
            self._control[step_id] = self._of_control(step)
            self._results[step_id] = self._of_result(step, bindings)
            self._awaited[step_id] = self._of_awaited(step).join(self._of_expected(step))

    def argument(self, binding: Binding) -> Label:
        """The label of one argument: of what is bound to it, and of what decides on the step."""
        key = (binding.place, binding.index)
        found = self._arguments.get(key)
        if found is None:
            found = self._own_of(binding).join(self._control.get(binding.step.id, MODEL))
            self._arguments[key] = found
        return found

    def result(self, step: Step) -> Label:
        """The label of the step's result, with all that is inside it."""
        return self._result(step.id).whole

    def concerns(self, step: Step, action: ActionSpec) -> Iterator[Concern]:
        """What rules A and B say of the step's arguments."""
        if not action.is_write:
            return
        bindings = self._analysis.bindings(step)
        is_shown = shows_content(action, bindings)
        for binding in bindings:
            label = self.argument(binding)
            for sink in sorted(said_at(action, binding.to)):
                if is_concerning(sink, label) and (is_shown or sink is not Sink.CONTENT):
                    own = self._own_of(binding)
                    why = why_of(binding, sink, label, is_own=is_concerning(sink, own))
                    yield Concern(binding, sink, label, why)

    def _own_of(self, binding: Binding) -> Label:
        found = self._own.get(binding.step.id, {}).get(binding.index)
        return MODEL if found is None else found.whole

    def _result(self, step_id: str) -> Shade:
        found = self._results.get(step_id)
        return Shade(MODEL) if found is None else found

    def _of_binding(self, binding: Binding) -> Shade:
        match binding.arg:
            case RefArg(ref=ref):
                return self._of_ref(binding.step, parse_ref(ref))
            case TextArg(text=pieces):
                return Shade(_join(self._of_pieces(binding, pieces)))
            case ValueArg() | JsonArg():
                found = binding.constant
                return self._of_literal(binding, found[0]) if found else Shade(MODEL)

    def _of_pieces(self, binding: Binding, pieces: Sequence[Lit | RefPiece]) -> Iterator[Label]:
        """What stands side by side is read as one: nobody said `50` who said `5` and `0`.

        Nor did anybody who read `5` and `0`, or who said `@example.com` and read a name.
        """
        groups = [[*each] for _, each in groupby(pieces, key=lambda it: isinstance(it, Lit))]
        if not groups:
            yield self._of_literal(binding, "").whole
        for group in groups:
            text = "".join(each.lit for each in group if isinstance(each, Lit))
            refs = [each for each in group if isinstance(each, RefPiece)]
            if refs:
                for each in refs:
                    yield self._of_ref(binding.step, parse_ref(each.ref)).whole
                if refs[1:]:
                    yield MODEL
            elif len(groups) == 1 or not _SEPARATOR.fullmatch(text):
                goes_on = (group is not groups[0] and _JOINT.match(text)) or (
                    group is not groups[-1] and _JOINT.match(text[-1:])
                )
                yield MODEL if goes_on else self._of_literal(binding, text).whole

    def _of_place(self, binding: Binding) -> Label:
        """A key that no schema declares is data too, where a sink stands above it."""
        action = self._analysis.action(binding.step)
        names = chosen_names(action, binding.to) if action else ()
        return _join(map(self._grounds.of, names))

    def _of_literal(self, binding: Binding, value: JsonValue) -> Shade:
        function = FUNCTIONS.get(binding.step.action)
        target = binding.target if isinstance(binding.target, Type) else UNKNOWN
        if function is None:
            action = self._analysis.action(binding.step)
            amounts = amounts_from(action, binding.to) if action else ()
            return self._grounds.shade(target, value, amounts)
        if binding.to and binding.to[0] in function.control:
            return self._clauses_of(binding.step).compared(binding.to, value)
        if function.name == "join":
            # Joined texts are read as one, like the pieces of a text.
            is_mark = isinstance(value, str) and _SEPARATOR.fullmatch(value)
            return Shade(REQUEST if binding.to == ("separator",) and is_mark else MODEL)
        # The plan itself writes the schema of `fn.typed`: what that enumerates was not offered.
        return self._grounds.shade(UNKNOWN if function.name == "typed" else target, value)

    def _clauses_of(self, step: Step) -> Clauses:
        if step.id not in self._clauses:
            self._clauses[step.id] = Clauses(self._analysis, self._grounds, self._written, step)
        return self._clauses[step.id]

    def _of_ref(self, step: Step | None, ref: Ref) -> Shade:
        """What is there; an index, or a key of data, leads to whatever the list's filler put.

        A key of a map names an entry, so that it is also the word of whoever said it.
        """
        here, label = self._of_root(step, ref.root), TOP
        found = self._analysis.declared.type_of(step, Ref(ref.root, ()))
        is_lost = self._written.may_hide_a_map(step, ref.root)
        for token in ref.tokens:
            kind = found if isinstance(found, Type) else UNKNOWN
            if may_be_put(kind, token):
                label = label.join(here.own)
            if is_key(kind, token) or (is_lost and is_open_at(kind, token)):
                label = label.join(self._grounds.of(token))
            here, found = here.at(token), self._analysis.types.child(kind, token)
        return here.join(label)

    def _of_root(self, step: Step | None, root: str) -> Shade:
        if root == "input":
            return self._inputs
        if root == "result" and step is not None:
            return self._one.get(step.id, Shade(MODEL))
        if root in OWN_ROOTS:
            found = self._of_listed(step)
            if found is not None and root == "each_item" and step is not None:
                found = self._of_listed(self._analysis.each_source(step))
            return Shade(MODEL) if found is None else found.element
        return self._result(root)

    def _of_listed(self, step: Step | None) -> Shade | None:
        """The list that a step goes through."""
        source = parse_ref(step.each) if step is not None and step.each is not None else None
        if source is None or source.root in OWN_ROOTS:
            return None
        return self._of_ref(step, source)

    def _of_control(self, step: Step) -> Label:
        """Whoever writes a condition's value, or fills a list, decides whether and how often."""
        own = _join(self._of_conditions(step, step.when))
        # Whoever refers to what is skipped is skipped, too.
        sources = () if step.action == "fn.first_of" else sorted(self._analysis.sources[step.id])
        others = _join(self._skipping.get(each, TOP) for each in sources)
        self._skipping[step.id] = others if step.each is not None else own.join(others)
        if step.each is not None:
            listed = self._of_listed(step)
            own = own.join(MODEL if listed is None else listed.own)
        return own.join(others).join(self._of_awaited(step))

    def _of_awaited(self, step: Step) -> Label:
        """What must hold before the step begins."""
        before = sorted(self._analysis.graph[step.id])
        return _join(self._awaited.get(each, TOP) for each in before)

    def _of_expected(self, step: Step) -> Label:
        """Who wrote what a step expects decides on all that waits for it."""
        return _join(self._of_conditions(step, step.expect))

    def _of_conditions(self, step: Step, conds: tuple[Cond, ...]) -> Iterator[Label]:
        """Who wrote the values, and whose word the names are that they are compared with."""
        for use in refs_of_conds(conds):
            yield self._of_condition(step, use.ref)
        for cond in conds:
            yield from self._of_names(step, cond)

    def _of_condition(self, step: Step, ref: Ref) -> Label:
        """Who wrote the value; what the plan itself writes out decides nothing in the run."""
        if self._written.is_constant(ref.root):
            return self._control[ref.root]
        return self._of_ref(step, ref).whole

    def _of_names(self, step: Step, cond: Cond) -> Iterator[Label]:
        """Who acts on the one of many that bears a name has chosen it, as `fn.select` does."""
        match cond:
            case RefCond(lhs=lhs, op=op, rhs=rhs):
                ends = [parse_ref(each) for each in (lhs, rhs)]
                written = [each for each in ends if self._written.is_constant(each.root)]
                if len(written) == 1 and (op == "==" or self._is_range(step, op, written[0])):
                    yield self._of_ref(step, written[0]).whole
            case ValueCond(left=left, op=op, value=value):
                yield from self._of_compared(step, parse_ref(left), op, (value,))
            case ListCond(subject=subject, list_of=values):
                yield from self._of_compared(step, parse_ref(subject), "in", values)

    def _is_range(self, step: Step, op: str, end: Ref) -> bool:
        """Whether a text may be one end of a range there; a number only describes."""
        found = self._analysis.declared.type_of(step, end)
        names = kinds(found) if isinstance(found, Type) else None
        return op not in ("==", "!=") and not (names and names <= {"number", "integer"})

    def _of_compared(
        self, step: Step, ref: Ref, op: str, values: Iterable[JsonValue]
    ) -> Iterator[Label]:
        """Of an item a number is a name as well; of one thing alone it only describes."""
        found = self._analysis.declared.type_of(step, ref)
        is_offered = isinstance(found, Type) and is_enumerated(found)
        if is_offered or self._written.is_constant(ref.root):
            return
        for value in values:
            if (isinstance(value, str) or ref.root in _OF_ITEMS) and singles_out(op, value):
                yield from map(self._grounds.of, named_by(value) if op == "matches" else [value])

    def _of_result(self, step: Step, bindings: list[Binding]) -> Shade:
        control, action = self._control[step.id], self._analysis.action(step)
        function = FUNCTIONS.get(step.action)
        self._written.look_at(step, action, bindings)
        if function is not None:
            one = function.shading(self._told(step, function, bindings)).join(control)
            if self._written.is_made_up(step):
                one = one.join(MODEL)
        elif action is None:
            one = Shade(_join([control, *(each.whole for each in self._own[step.id].values())]))
        else:
            self._chosen[step.id] = _join([control, *self._choosing(action, bindings)])
            one = source_shade(action).join(self._chosen[step.id])
        self._one[step.id] = one
        found = one if step.each is None else Shade(control, {ANY: one})
        return found if found.is_small else Shade(found.whole)

    def _told(self, step: Step, function: Function, bindings: list[Binding]) -> Given:
        """What a function is told; of a list of which it keeps the caller's own, only of these."""
        own, names = self._own[step.id], self._clauses_of(step).names
        for each in bindings:
            if each.to == ("list",) and isinstance(each.arg, RefArg):
                ref = parse_ref(each.arg.ref)
                source = self._analysis.by_id.get(ref.root)
                action = self._analysis.action(source) if source and source.each is None else None
                clause = own_clause(bindings, action, ref.tokens) if action else None
                if action and clause is not None:
                    element = own_elements(action).join(self._chosen.get(ref.root, MODEL))
                    own = own | {each.index: Shade(own[each.index].own, {ANY: element})}
                    names |= {clause}
        return given(function, bindings, own, names)

    def _choosing(self, action: ActionSpec, bindings: list[Binding]) -> Iterator[Label]:
        """The arguments that chose what a call gives."""
        for each in bindings:
            label = self.argument(each)
            if label.integrity is Integrity.UNTRUSTED or said_at(action, each.to) & TARGETS:
                yield label


def _join(labels: Iterable[Label]) -> Label:
    return reduce(Label.join, labels, TOP)

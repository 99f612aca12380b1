"""Labels along the data flow: where every value comes from, and rules A and B on where it goes.

A leaf of a literal is `request` if it occurs in the words of the request or of inputs that are
as good, else `model`: somebody made it up. A reference has the label of what it refers to. A
result is as trustworthy as its source says (`reads_as`), but no more than what chose it: its
conditions, the list it goes through, any untrusted argument, and arguments that are targets.
`fn.*` only joins. Leaves that the schema enumerates, booleans, and the control values of `fn.*`
choose among what was offered, so they are exempt.

What decides whether or how often a step acts is part of the label of its arguments.

Rule A: in a write, a recipient, amount, resource or address below `trusted` needs an approval.
Rule B: untrusted content that others will see needs one too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby

from pydantic import JsonValue

from connectors.spec import ActionSpec, Integrity, Label, Sink
from executor.check.analysis import Analysis, Binding
from executor.check.entry import chosen_names, is_data, sinks_at
from executor.check.words import Words
from executor.fn import FUNCTIONS
from executor.plan.model import JsonArg, Lit, RefArg, RefPiece, Step, TextArg, ValueArg
from executor.plan.refs import (
    OWN_ROOTS,
    Ref,
    join_pointer,
    parse_ref,
    refs_of_conds,
)
from executor.plan.types import UNKNOWN, Type, child, kinds

TARGETS = frozenset({Sink.RECIPIENT, Sink.AMOUNT, Sink.RESOURCE_ID, Sink.URL})
_TOP = Label(Integrity.CONFIG)
_REQUEST = Label(Integrity.REQUEST)
_MODEL = Label(Integrity.MODEL)
_SEPARATOR = re.compile(r"[\s,;|]*")  # what only keeps pieces apart
_WORD = re.compile(r"\w")
Said = Sequence[tuple[Label, Words]]


@dataclass(frozen=True)
class Concern:
    """Why one argument of a write needs an approval, or may not stand at all."""

    binding: Binding
    sink: Sink
    label: Label
    why: str


class Labels:
    """The label of every argument and every result of one plan."""

    def __init__(
        self, analysis: Analysis, said: Said, inputs: Mapping[str, Label], order: Iterable[str]
    ) -> None:
        self._analysis = analysis
        self._said = said
        self._inputs = inputs
        self._results: dict[str, Label] = {}
        self._own: dict[str, dict[int, Label]] = {}  # of arguments, by what is bound to them
        self._control: dict[str, Label] = {}  # of what decides whether and how often a step acts
        for step_id in order:
            step = analysis.by_id[step_id]
            bindings = list(analysis.bindings(step))
            self._own[step_id] = {
                each.index: self._of_binding(each).join(self._of_place(each)) for each in bindings
            }
            self._control[step_id] = self._of_control(step)
            self._results[step_id] = self._of_result(step, bindings)

    def argument(self, binding: Binding) -> Label:
        """The label of one argument: of what is bound to it, and of what decides on the step."""
        return self._own_of(binding).join(self._control.get(binding.step.id, _MODEL))

    def result(self, step: Step) -> Label:
        """The label of the step's result."""
        return self._results.get(step.id, _MODEL)

    def concerns(self, step: Step, action: ActionSpec) -> Iterator[Concern]:
        """What rules A and B say of the step's arguments."""
        if not action.is_write:
            return
        for binding in self._analysis.bindings(step):
            label = self.argument(binding)
            for sink in sorted(sinks_at(action, binding.to)):
                if _is_concerning(sink, label):
                    own = self._own_of(binding)
                    why = _why(binding, sink, own if _is_concerning(sink, own) else None)
                    yield Concern(binding, sink, label, why)

    def _own_of(self, binding: Binding) -> Label:
        return self._own.get(binding.step.id, {}).get(binding.index, _MODEL)

    def _of_binding(self, binding: Binding) -> Label:
        match binding.arg:
            case RefArg(ref=ref):
                return self._of_ref(binding.step, parse_ref(ref))
            case TextArg(text=pieces):
                return _join(self._of_pieces(binding, pieces))
            case ValueArg() | JsonArg():
                found = binding.constant
                return self._of_literal(binding, found[0]) if found else _MODEL

    def _of_pieces(self, binding: Binding, pieces: Sequence[Lit | RefPiece]) -> Iterator[Label]:
        """What stands side by side is read as one: nobody said `50` who said `5` and `0`."""
        groups = [[*each] for _, each in groupby(pieces, key=lambda it: isinstance(it, Lit))]
        for number, group in enumerate(groups):
            text = "".join(each.lit for each in group if isinstance(each, Lit))
            refs = [each for each in group if isinstance(each, RefPiece)]
            if refs:
                yield _join(self._of_ref(binding.step, parse_ref(each.ref)) for each in refs)
            elif len(groups) == 1 or not _SEPARATOR.fullmatch(text):
                goes_on = (number > 0 and _WORD.match(text)) or (
                    number + 1 < len(groups) and _WORD.match(text[-1:])
                )
                yield _MODEL if goes_on else self._of_literal(binding, text)

    def _of_place(self, binding: Binding) -> Label:
        """A key that no schema declares is data too, where a sink stands above it."""
        action = self._analysis.action(binding.step)
        names = chosen_names(action, binding.to) if action else ()
        return _join(self._of_said(name) for name in names)

    def _of_said(self, value: JsonValue) -> Label:
        return next((label for label, words in self._said if words.hold(value)), _MODEL)

    def _of_literal(self, binding: Binding, value: JsonValue) -> Label:
        function = FUNCTIONS.get(binding.step.action)
        if function is not None and binding.to and binding.to[0] in function.control:
            return _REQUEST
        if function is not None and function.name == "join":
            # Joined texts are read as one, like the pieces of a text.
            is_mark = isinstance(value, str) and _SEPARATOR.fullmatch(value)
            return _REQUEST if binding.to == ("separator",) and is_mark else _MODEL
        target = binding.target if isinstance(binding.target, Type) else UNKNOWN
        return _join(self._of_leaves(target, value)) if value != {} else _REQUEST

    def _of_leaves(self, target: Type, value: JsonValue) -> Iterator[Label]:
        if isinstance(value, dict | list) and value and not _is_enumerated(target):
            members = value.items() if isinstance(value, dict) else enumerate(value)
            for token, member in members:
                if isinstance(value, dict) and is_data(target, str(token)):
                    yield self._of_said(token)
                below = child(target, str(token))
                yield from self._of_leaves(below if isinstance(below, Type) else UNKNOWN, member)
        elif _is_enumerated(target):
            yield _REQUEST
        else:
            yield self._of_said(value)

    def _of_ref(self, step: Step | None, ref: Ref) -> Label:
        if ref.root == "input":
            if not ref.tokens:
                return _join([_REQUEST, *self._inputs.values()])
            return self._inputs.get(ref.tokens[0], _REQUEST)
        if ref.root in ("each", "each_item") and step is not None and step.each is not None:
            source = parse_ref(step.each)
            return _MODEL if source.root in OWN_ROOTS else self._of_ref(step, source)
        return self._results.get(ref.root, _MODEL)

    def _of_control(self, step: Step) -> Label:
        """Whoever writes a condition's value, or a list, decides whether and how often."""
        found = [self._of_ref(step, use.ref) for use in refs_of_conds(step.when, "", "when")]
        if step.each is not None:
            found.append(self._of_ref(step, parse_ref(step.each)))
        return _join(found)

    def _of_result(self, step: Step, bindings: list[Binding]) -> Label:
        action = self._analysis.action(step)
        chosen = [self._control[step.id]]
        if action is None or step.action.startswith("fn."):
            return _join([*chosen, *self._own[step.id].values()])
        readers = None if action.readers is None else frozenset(action.readers)
        source = Label(Integrity(action.reads_as), readers)
        for each in bindings:
            label = self.argument(each)
            if label.integrity is Integrity.UNTRUSTED or sinks_at(action, each.to) & TARGETS:
                chosen.append(label)
        return _join([source, *chosen])


def _join(labels: Iterable[Label]) -> Label:
    return reduce(Label.join, labels, _TOP)


def _is_concerning(sink: Sink, label: Label) -> bool:
    if sink in TARGETS:
        return not label.integrity.at_least(Integrity.TRUSTED)
    return sink is Sink.CONTENT and label.integrity is Integrity.UNTRUSTED


def _why(binding: Binding, sink: Sink, label: Label | None) -> str:
    """Why a value needs an approval; without its label, because of what decides on its step."""
    where = join_pointer(binding.to) or "the whole argument"
    if label is None:
        return f"{where} ({sink.value}): an untrusted result decides whether or how often"
    source = {
        Integrity.MODEL: "is not in the words of the request",
        Integrity.UNTRUSTED: "comes from an untrusted result",
    }.get(label.integrity, f"is only {label.integrity.value}")
    return f"{where} ({sink.value}) {source}"


def _is_enumerated(target: Type) -> bool:
    node = target.resolved() or {}
    return "enum" in node or "const" in node or kinds(target) == frozenset({"boolean"})

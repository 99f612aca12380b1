"""One call of a playbook: the steps that stand for it, and where its answer comes from.

Inner ids become `call.inner`. An input from elsewhere is a step, `call.input.NAME`; an entry of
the answer that is no reference to an inner step is one too, `call.result.NAME`. The call begins
when everything that it is given is there, it is done when its steps are, and it is skipped whole.
"""

from collections.abc import Iterator
from typing import TypeGuard

from pydantic import JsonValue

from connectors.canonical import canonical
from executor.check.answer import Answer
from executor.check.handed import Constant, Handed, Wrong
from executor.check.playbook import Playbook
from executor.plan.graph import data_sources, skippable
from executor.plan.model import (
    Arg,
    Cond,
    JsonArg,
    Lit,
    Operator,
    RefArg,
    RefCond,
    RefPiece,
    Scalar,
    Step,
    TextArg,
    ValueArg,
    ValueCond,
)
from executor.plan.refs import (
    OWN_ROOTS,
    Ref,
    join_pointer,
    parse_ref,
    refs_of_args,
    refs_of_conds,
    split_pointer,
)
from executor.plan.rewrite import changed_conds, with_refs

_TURNED: dict[str, Operator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_TYPED = "fn.typed"
Origins = tuple[int | None, ...]


class Call:
    """A call of a playbook among other steps; `around` are those of them that may be skipped."""

    def __init__(self, step: Step, playbook: Playbook, around: frozenset[str]) -> None:
        self.step = step
        self.playbook = playbook
        self._handed = Handed(step, playbook)
        self.wrong: list[Wrong] = self._handed.wrong
        self._inner = {each.id: each for each in playbook.plan.steps}
        self.answer = Answer(step, playbook)
        self._held: dict[str, None] = {}  # constant inputs that are needed as a step
        self._gates = (*step.when, *self._exists(around))
        expects = self._inner_expects()
        self._steps = [
            self._renamed(each, expects.get(each.id, ())) for each in playbook.plan.steps
        ]

    def last_steps(self) -> tuple[str, ...]:
        """What has ended when the call has: what waits for it, waits for these."""
        inner = [self._id(each) for each in self._inner]
        needed = {name for each in self._steps for name in (*data_sources(each), *each.after)}
        last = tuple(name for name in inner if name not in needed)
        inputs = tuple(self._input_id(name) for name in self._handed.places)
        return last or inputs or self.step.after

    def steps(self) -> Iterator[tuple[Step, Origins]]:
        """Every step with the places that its arguments have in the call."""
        for entry in self.answer.asked:
            self._result(entry)  # what it needs of the inputs is noted
        for name in self.playbook.inputs:
            if name in self._handed.places or name in self._held:
                yield self._input(name)
        for step in self._steps:
            ordered = self._ordered(step)
            yield ordered, (None,) * len(ordered.args)
        for entry in self.answer.asked:
            result = self._result(entry)
            yield result, (None,) * len(result.args)

    def _input(self, name: str) -> tuple[Step, Origins]:
        places = self._handed.places.get(name, ())
        args: list[Arg] = [
            arg.model_copy(update={"to": join_pointer(("value", *split_pointer(arg.to)[1:]))})
            for arg in (self.step.args[place] for place in places)
        ]
        if not places:
            args.append(_constant(self._handed.constants[name].value, "value"))
        args.append(_json(self.playbook.input_schema(name), "schema"))
        step = Step(
            id=self._input_id(name),
            why=f"{name}, as {self.playbook.name} takes it",
            action=_TYPED,
            args=tuple(args),
            when=self._gates,
            after=self.step.after,
        )
        return step, (*places, *(None for _ in args[len(places) :]))

    def _result(self, entry: tuple[str, ...]) -> Step:
        arg = self._changed_arg(self.answer.entries[entry].model_copy(update={"to": "value"}))
        return Step(
            id=self.answer.result_id(entry),
            why=f"what {self.playbook.name} answers",
            action=_TYPED,
            args=(arg, _json({}, "schema")),
            when=self._gates,
            after=self.last_steps(),
        )

    def _ordered(self, step: Step) -> Step:
        """An inner step that begins with the call, ends with it, and is skipped with it."""
        inner = {self._id(each) for each in self._inner}
        inputs = [self._input_id(name) for name in self._handed.places]
        own = {*inner, *inputs, *(self._input_id(name) for name in self._held)}
        sources, after = data_sources(step), list(step.after)
        hard = sources & own if step.action != "fn.first_of" else frozenset[str]()
        if not (sources | set(after)) & inner:
            after += [each for each in inputs if each not in sources]
        if not (sources | set(after)) & own:
            after += self.step.after
        when = step.when if hard else (*self._gates, *step.when)
        return step.model_copy(update={"when": when, "after": tuple(dict.fromkeys(after))})

    def _renamed(self, step: Step, expected: tuple[Cond, ...]) -> Step:
        """An inner step under its new name, with every reference led to where it now stands."""
        folded = step.model_copy(
            update={
                "id": self._id(step.id),
                "when": tuple(self._folded(cond) for cond in step.when),
                "expect": tuple(self._folded(cond) for cond in step.expect),
            }
        )
        led = with_refs(folded, lambda text, _: self._changed(text))
        args = tuple(self._changed_arg(arg) for arg in step.args)
        after = tuple(self._id(name) for name in step.after)
        return led.model_copy(
            update={"args": args, "after": after, "expect": (*led.expect, *expected)}
        )

    def _changed_arg(self, arg: Arg) -> Arg:
        match arg:
            case RefArg(ref=text, to=to):
                known = self._known(text)
                if known is not None:
                    return _constant(known.value, to)
                return RefArg(ref=self._changed(text), to=to)
            case TextArg(text=pieces, to=to):
                return TextArg(text=tuple(self._piece(each) for each in pieces), to=to)
            case _:
                return arg

    def _piece(self, piece: Lit | RefPiece) -> Lit | RefPiece:
        if isinstance(piece, Lit):
            return piece
        known = self._known(piece.ref)
        if known is not None and isinstance(known.value, str):
            return Lit(lit=known.value)
        return RefPiece(ref=self._changed(piece.ref))

    def _folded(self, cond: Cond) -> Cond:
        """A comparison with a constant says so: its value is then nobody's data."""
        if not isinstance(cond, RefCond):
            return cond
        left, right = self._known(cond.lhs), self._known(cond.rhs)
        if left is None and right is not None and _is_scalar(right.value):
            return ValueCond(left=cond.lhs, op=cond.op, value=right.value)
        if right is None and left is not None and _is_scalar(left.value) and cond.op in _TURNED:
            return ValueCond(left=cond.rhs, op=_TURNED[cond.op], value=left.value)
        return cond

    def _known(self, text: str) -> Constant | None:
        ref = parse_ref(text)
        if ref.root != "input" or not ref.tokens or ref.tokens[0] not in self._handed.constants:
            return None
        return self._handed.value(ref.tokens)

    def _changed(self, text: str) -> str:
        """A reference of the playbook as one of the plan."""
        ref = parse_ref(text)
        if ref.root in OWN_ROOTS:
            return text
        if ref.root != "input":
            return join_pointer((self._id(ref.root), *ref.tokens))
        if not ref.tokens:
            return text  # every input at once, which is refused
        name, *rest = ref.tokens
        if name in self._handed.constants:
            self._held[name] = None
        elif name not in self._handed.places:
            return text  # the day, or nothing that there is
        return join_pointer((self._input_id(name), *rest))

    # What is said of the call as a whole.

    def _exists(self, around: frozenset[str]) -> tuple[Cond, ...]:
        """What the call is given is there: else it is skipped, as any step is."""
        uses = refs_of_args(self.step.args)
        texts = (str(use.ref) for use in uses if use.ref.root in around)
        return tuple(ValueCond(left=text, op="exists", value=True) for text in dict.fromkeys(texts))

    def _inner_expects(self) -> dict[str, tuple[Cond, ...]]:
        """What is expected of the answer, of the inner steps that it comes from."""
        may_be_skipped = skippable(self.playbook.plan.steps)
        found: dict[str, tuple[Cond, ...]] = {}
        for number, cond in enumerate(self.step.expect):
            uses = [use.ref for use in refs_of_conds((cond,)) if use.ref.root == "result"]
            step, *others = [self._source(ref) for ref in uses] or [None]
            is_one = all(each is step for each in others)
            if not is_one or step is None or step.each or step.id in may_be_skipped:
                at, fix = f"/expect/{number}", "Put it into `when` of what follows."
                message = "this looks at no result of one step that is surely called"
                self.wrong.append(Wrong("effect-before-check", at, message, (), fix))
            else:
                (moved,) = changed_conds((cond,), lambda text, _: self._in_result(text))
                found[step.id] = (*found.get(step.id, ()), moved)
        return found

    def _source(self, ref: Ref) -> Step | None:
        """The inner step that a reference into the answer comes from."""
        entry = self.answer.source(ref.tokens)
        return None if entry is None else self._inner[parse_ref(entry[0].ref).root]

    def _in_result(self, text: str) -> str:
        ref = parse_ref(text)
        entry = self.answer.source(ref.tokens) if ref.root == "result" else None
        if entry is None:
            return text
        arg, rest = entry
        return join_pointer(("result", *parse_ref(arg.ref).tokens, *rest))

    def _id(self, inner: str) -> str:
        return f"{self.step.id}.{inner}"

    def _input_id(self, name: str) -> str:
        return f"{self.step.id}.input.{name}"


def _constant(value: JsonValue, to: str) -> Arg:
    return ValueArg(value=value, to=to) if _is_scalar(value) else _json(value, to)


def _json(value: JsonValue, to: str) -> JsonArg:
    return JsonArg(json=canonical(value).decode(), to=to)


def _is_scalar(value: JsonValue) -> TypeGuard[Scalar]:
    return not isinstance(value, dict | list)

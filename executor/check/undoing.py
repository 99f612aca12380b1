"""What of a plan can be taken back: each step's undo, typed like a step of its own.

1. A read needs no undo. An action that is a pivot, or that declares none, has none.
2. The undo's action is in the catalogue, and may be called without leaving a doubt that nobody
   could settle: it is not blind, and no pivot.
3. Its arguments are typed like those of a step after the call: `input` is the call's arguments,
   `result` its output; nothing else may be referred to. What the types leave open is checked on
   the real values before the undo is called.
4. What is wrong with an undo is a violation where the run is to undo what it did; else the
   certificate says that the step cannot be undone, and why.
"""

from collections.abc import Iterator
from functools import reduce

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Effect, Integrity, JsonObject, Label, Undo
from executor.check.analysis import Analysis
from executor.check.certificate import StepDecision, UndoDecision, ValueLabel, read_args
from executor.check.rules import structural_violations
from executor.check.violation import Code, Violation
from executor.plan.model import Arg, Lit, Plan, RefArg, RefPiece, Step, TextArg
from executor.plan.refs import Ref, parse_ref, refs_of_args, split_pointer

_Flaw = tuple[Code, str]


def undo_decisions(
    analysis: Analysis, decisions: tuple[StepDecision, ...], *, is_wanted: bool
) -> tuple[tuple[UndoDecision, ...], tuple[Violation, ...]]:
    """Say of every step that acts how it is taken back, and what is wrong with that."""
    found, violations = [], []
    known: dict[str, list[_Flaw]] = {}  # by action: its undo is the same in each of its steps
    for decision in decisions:
        action = analysis.catalog.get(decision.action)
        if action is None or not action.is_write:
            continue
        if action.name not in known:
            undo = action.undo
            known[action.name] = [*_flaws(action, undo, analysis.catalog)] if undo else []
        flaws = known[action.name]
        found.append(_decision(action, decision, flaws))
        if not is_wanted:
            continue
        at = f"/steps/{analysis.place[decision.step]}/action"
        fix = "Have the operator repair the action's undo, or run without it."
        violations += [
            Violation(code, at, f"{action.name} cannot be undone: {why}", decision.step, fix=fix)
            for code, why in flaws
        ]
    return tuple(found), tuple(violations)


def _decision(action: ActionSpec, step: StepDecision, flaws: list[_Flaw]) -> UndoDecision:
    if action.pivot:
        why = "nothing is taken back once this has happened"
        return UndoDecision(step=step.step, kind="pivot", why=why)
    undo = action.undo
    if undo is None or flaws:
        declared = "it is irreversible" if action.irreversible else "no undo is declared"
        why = "; ".join(message for _, message in flaws) or declared
        return UndoDecision(step=step.step, kind="cannot", why=why)
    return UndoDecision(
        step=step.step,
        kind="can",
        action=undo.action,
        args=undo.args,
        labels={each.to: _label(each, step) for each in read_args(undo.args)},
        safe_when_absent=undo.safe_when_absent,
        parallel=undo.parallel,
        deadline_s=undo.deadline_s,
    )


def _flaws(action: ActionSpec, undo: Undo, catalog: Catalog) -> Iterator[_Flaw]:
    taker = catalog.get(undo.action)
    if taker is None:
        yield "unknown-action", f"{undo.action} is not in the catalog"
        return
    if taker.effect is Effect.BLIND or taker.pivot:
        yield "unknown-action", f"{undo.action} is {'a pivot' if taker.pivot else 'blind'}"
    try:
        args = read_args(undo.args)
    except ValueError:
        yield "unknown-field", "its arguments are not in the plan language"
        return
    roots = {use.ref.root for use in refs_of_args(args)}
    if strange := sorted(roots - {"input", "result"}):
        yield "unknown-step", f"its arguments refer to {strange[0]}; there are input and result"
    elif undo.safe_when_absent and "result" in roots:
        yield "unknown-step", "it is called safe_when_absent, but takes the result"
    else:
        yield from _ill_typed(action, undo, args, catalog)


def _ill_typed(
    action: ActionSpec, undo: Undo, args: tuple[Arg, ...], catalog: Catalog
) -> Iterator[_Flaw]:
    """The rules of admission over a plan of two steps: the call, and its undo."""
    call = Step(id="call", action=action.name)
    taken_back = Step(id="undo", action=undo.action, args=tuple(_after_call(each) for each in args))
    # What is open stays so beside the day that inputs have.
    schema: JsonObject = {"additionalProperties": True} | action.input_schema
    pair = Analysis(Plan(steps=(call, taken_back)), catalog, schema)
    for violation in structural_violations(pair):
        if violation.at.startswith("/steps/1/"):
            yield violation.code, f"{undo.action}: {violation.message}"


def _after_call(arg: Arg) -> Arg:
    """An argument of an undo as it would be written in a step that follows the call."""
    match arg:
        case RefArg():
            return RefArg(ref=_renamed(arg.ref), to=arg.to)
        case TextArg():
            pieces = tuple(
                each if isinstance(each, Lit) else RefPiece(ref=_renamed(each.ref))
                for each in arg.text
            )
            return TextArg(text=pieces, to=arg.to)
        case _:
            return arg


def _renamed(text: str) -> str:
    ref = parse_ref(text)
    return str(Ref("call", ref.tokens)) if ref.root == "result" else text


def _label(arg: Arg, step: StepDecision) -> ValueLabel:
    """The label of one argument: that of what it refers to; what the manifest says is `config`."""
    found = [
        label for use in refs_of_args((arg,)) for label in _labels_at(use.ref, step)
    ]  # fmt: skip
    joined = reduce(Label.join, found, Label(Integrity.CONFIG))
    readers = None if joined.readers is None else tuple(sorted(joined.readers))
    return ValueLabel(integrity=joined.integrity, readers=readers)


def _labels_at(ref: Ref, step: StepDecision) -> Iterator[Label]:
    if ref.root == "result":
        yield step.result_label.label
        return
    for at, label in step.labels.items():
        to = split_pointer(at)
        if to[: len(ref.tokens)] == ref.tokens[: len(to)]:
            yield label.label

"""A plan for people to read; never parsed back."""

import json
import re
from collections.abc import Iterator

from executor.plan.model import (
    CALLED,
    EXTRACT,
    Arg,
    Cond,
    JsonArg,
    ListCond,
    Lit,
    Plan,
    RefArg,
    RefCond,
    Step,
    ValueArg,
)

_PLAIN = re.compile(r"[A-Za-z0-9_/*]*|[=!<>]=?")


def render(plan: Plan) -> str:
    """One line a step: `refund = payments.refund_create(amount=line.price) when ...`."""
    lines = [plan.understanding] if plan.understanding else []
    lines += [f"assumes: {each.text}" for each in plan.assumptions]
    lines += [f"asks: {each.ask}" for each in plan.questions]
    lines += [f"unable: {plan.unable}"] if plan.unable is not None else []
    lines = [one_line(line) for line in lines]
    lines += [render_step(step) for step in plan.steps]
    if plan.answer:
        lines.append(one_line(f"answer({', '.join(_arg(arg) for arg in plan.answer)})"))
    return "\n".join(lines)


def one_line(text: str) -> str:
    """The text with everything that does not print written out: no text can forge a line."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def render_step(step: Step) -> str:
    """One step on one line."""
    text = f"{step.id} = {step.action}({', '.join(_arguments(step))})"
    if step.each is not None:
        text += f" for each in {_ref(step.each)}"
    if step.when:
        text += f" when {' and '.join(render_cond(cond) for cond in step.when)}"
    if step.expect:
        text += f" expect {' and '.join(render_cond(cond) for cond in step.expect)}"
    if step.after:
        text += f" after {', '.join(step.after)}"
    if step.action == EXTRACT:
        text += f" [{CALLED}]"
    return one_line(text)


def _arguments(step: Step) -> Iterator[str]:
    """The arguments as they stand, the three parts of a function's clause as one condition."""
    clauses = _clauses(step.args) if step.action.startswith("fn.") else {}
    for arg in step.args:
        head, _, part = arg.to.rpartition("/")
        if head not in clauses:
            yield _arg(arg)
        elif part == "field":
            field, op, value = clauses[head]
            yield f"{_name(head)}=({_bare(field, 'it')} {_bare(op, '?')} {_value(value)})"


def _clauses(args: tuple[Arg, ...]) -> dict[str, tuple[Arg, Arg, Arg]]:
    """Every `where/N` that is bound by exactly its field, its operator and its value."""
    by_place = {arg.to: arg for arg in args}
    heads = [arg.to.rpartition("/")[0] for arg in args if arg.to.endswith("/field")]
    found = {}
    for head in heads:
        parts = [by_place.get(f"{head}/{part}") for part in ("field", "op", "value")]
        field, op, value = parts
        if head.startswith("where/") and field and op and value:
            found[head] = (field, op, value)
    return found


def _arg(arg: Arg) -> str:
    return f"{_name(arg.to)}={_value(arg)}"


def _bare(arg: Arg, empty: str) -> str:
    """A plain word without its quotes; whatever else it holds keeps them, and forges nothing."""
    if isinstance(arg, ValueArg) and isinstance(arg.value, str) and _PLAIN.fullmatch(arg.value):
        return arg.value or empty
    return _value(arg)


def _name(to: str) -> str:
    return to.replace("/", ".") or "*"


def _value(arg: Arg) -> str:
    match arg:
        case RefArg(ref=ref):
            return _ref(ref)
        case ValueArg(value=value):
            return json.dumps(value, ensure_ascii=False)
        case JsonArg(json_text=text):
            return text
        case _:
            pieces = "".join(
                p.lit if isinstance(p, Lit) else f"{{{_ref(p.ref)}}}" for p in arg.text
            )
            return json.dumps(pieces, ensure_ascii=False)


def render_cond(cond: Cond) -> str:
    """One condition."""
    match cond:
        case RefCond(lhs=lhs, op=op, rhs=rhs):
            return f"{_ref(lhs)} {op} {_ref(rhs)}"
        case ListCond(subject=subject, list_of=values):
            return f"{_ref(subject)} in {json.dumps(values, ensure_ascii=False)}"
        case _:
            return f"{_ref(cond.left)} {cond.op} {json.dumps(cond.value, ensure_ascii=False)}"


def _ref(ref: str) -> str:
    return ref.replace("/", ".")

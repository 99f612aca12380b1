"""A plan for people to read; never parsed back."""

import json

from executor.plan.model import (
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
    text = f"{step.id} = {step.action}({', '.join(_arg(arg) for arg in step.args)})"
    if step.each is not None:
        text += f" for each in {_ref(step.each)}"
    if step.when:
        text += f" when {' and '.join(_cond(cond) for cond in step.when)}"
    if step.expect:
        text += f" expect {' and '.join(_cond(cond) for cond in step.expect)}"
    if step.after:
        text += f" after {', '.join(step.after)}"
    return one_line(text)


def _arg(arg: Arg) -> str:
    name = arg.to.replace("/", ".") or "*"
    match arg:
        case RefArg(ref=ref):
            return f"{name}={_ref(ref)}"
        case ValueArg(value=value):
            return f"{name}={json.dumps(value, ensure_ascii=False)}"
        case JsonArg(json_text=text):
            return f"{name}={text}"
        case _:
            pieces = "".join(
                p.lit if isinstance(p, Lit) else f"{{{_ref(p.ref)}}}" for p in arg.text
            )
            return f"{name}={json.dumps(pieces, ensure_ascii=False)}"


def _cond(cond: Cond) -> str:
    match cond:
        case RefCond(lhs=lhs, op=op, rhs=rhs):
            return f"{_ref(lhs)} {op} {_ref(rhs)}"
        case ListCond(subject=subject, list_of=values):
            return f"{_ref(subject)} in {json.dumps(values, ensure_ascii=False)}"
        case _:
            return f"{_ref(cond.left)} {cond.op} {json.dumps(cond.value, ensure_ascii=False)}"


def _ref(ref: str) -> str:
    return ref.replace("/", ".")

"""A trace as text, one block a step."""

from collections.abc import Iterator
from datetime import UTC, datetime
from textwrap import shorten

from executor.plan.model import CALLED, EXTRACT
from executor.plan.render import one_line
from executor.trace.model import AttemptTrace, StepTrace, Trace

_MOST_ITEMS = 20  # of a step that are shown
_MOST_WORDS = 300  # characters of what was asked
_SIGN = {
    "done": "✓",
    "undone": "↺",
    "failed": "✗",
    "skipped": "-",
    "waiting": "…",
    "running": "▶",
    "blocked": "■",
    "pending": "·",
}


def render_trace(found: Trace) -> str:
    """Write a trace as text for a terminal; nothing that anybody said makes a line of its own."""
    lines = [f"{found.run}  {found.status}" + (f" ({found.code})" if found.code else "")]
    lines += [_asked(found)]
    lines += [f"plan: {found.understanding}"] if found.understanding else []
    lines += [f"next: {found.next}", ""]
    for step in found.steps:
        asks = f" [{CALLED}]" if step.action == EXTRACT else ""
        lines.append(f"{_SIGN.get(step.state, ' ')} {step.step:<14} {step.action}{asks}")
        lines.append(f"    {step.told}")
        lines += [f"    approval by {each.role}: {each.told}" for each in step.gates]
        if len(step.attempts) > 1 or any(each.state != "applied" for each in step.attempts):
            lines += [_line(each) for each in step.attempts]
        lines += [*_items(step)]
        for undo in step.undo:
            lines.append(f"    undo{_item(undo.iteration)} by {undo.action}: {undo.told}")
            if len(undo.attempts) > 1 or not undo.undone:
                lines += [f"  {_line(each)}" for each in undo.attempts]
    lines += [""] + [f"note: {note}" for note in found.notes] if found.notes else []
    return "\n".join(one_line(line) for line in lines)


def _asked(found: Trace) -> str:
    began = datetime.fromtimestamp(found.created_at, UTC)
    told = f"asked by {found.requester} at {began:%Y-%m-%d %H:%M:%S}Z"
    if found.ended_at is not None:
        told += f", ended after {found.ended_at - found.created_at:.1f} s"
    return f"{told}: {shorten(found.words, _MOST_WORDS)}" if found.words else told


def _items(step: StepTrace) -> Iterator[str]:
    for item, failure in [*step.failed_items.items()][:_MOST_ITEMS]:
        effect = {"no": "it did not happen", "yes": "it happened"}.get(failure.effect, "unknown")
        yield f"    item {item}: {effect} ({failure.code}: {failure.message})"
    if len(step.failed_items) > _MOST_ITEMS:
        yield f"    and {len(step.failed_items) - _MOST_ITEMS} items more"


def _line(attempt: AttemptTrace) -> str:
    item = _item(attempt.iteration)
    return f"    call {attempt.n}{item} at {_clock(attempt.at)}: {attempt.told}"


def _item(iteration: str) -> str:
    return f"[{iteration}]" if iteration else ""


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S.%f")[:-3] + "Z"

"""What rules A and B ask of a value of a write: where it may not simply stand, and why."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.spec import ActionSpec, Integrity, Label, Sink
from executor.check.binding import Binding
from executor.plan.refs import join_pointer

TARGETS = frozenset({Sink.RECIPIENT, Sink.AMOUNT, Sink.RESOURCE_ID, Sink.URL})
_NOBODY: Sequence[tuple[JsonValue, ...]] = ((None,), ([],), ("",))


@dataclass(frozen=True)
class Concern:
    """Why one argument of a write needs an approval, or may not stand at all."""

    binding: Binding
    sink: Sink
    label: Label
    why: str


def shows_content(action: ActionSpec, bindings: Iterable[Binding]) -> bool:
    """Whether others see the content of a call: where the manifest says who, it must name some."""
    if not action.shown_to:
        return True
    return any(
        not each.to or (each.to[0] in action.shown_to and each.constant not in _NOBODY)
        for each in bindings
    )


def is_concerning(sink: Sink, label: Label) -> bool:
    """Whether a value of this label may not simply be there."""
    if sink in TARGETS:
        return not label.integrity.at_least(Integrity.TRUSTED)
    return sink is Sink.CONTENT and label.integrity is Integrity.UNTRUSTED


def why_of(binding: Binding, sink: Sink, label: Label, *, is_own: bool) -> str:
    """Why a value needs an approval: for itself, or because of what decides on its step."""
    where = join_pointer(binding.to) or "the whole argument"
    if not is_own:
        is_made_up = label.integrity is Integrity.MODEL
        what = "a value that nobody said" if is_made_up else "an untrusted result"
        return f"{where} ({sink.value}): {what} decides whether or how often"
    source = {
        Integrity.MODEL: "is not in the words of the request",
        Integrity.UNTRUSTED: "comes from an untrusted result",
    }.get(label.integrity, f"is only {label.integrity.value}")
    return f"{where} ({sink.value}) {source}"

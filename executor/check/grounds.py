"""The label of a literal: the request's where somebody said it, else the model's.

What the schema enumerates and booleans choose among what was offered, so they are exempt. A key
that no schema declares is data too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.spec import Integrity, Label
from executor.check.entry import is_data
from executor.check.words import Words
from executor.fn.shade import Shade
from executor.plan.types import UNKNOWN, Type, child, kinds

REQUEST = Label(Integrity.REQUEST)
MODEL = Label(Integrity.MODEL)
_OFFERED, _INVENTED = Shade(REQUEST), Shade(MODEL)


@dataclass(frozen=True)
class Grounds:
    """What was said: words with the label of who said them, best first."""

    said: Sequence[tuple[Shade, Words]]

    def of(self, value: JsonValue) -> Label:
        """The label of a value that stands for itself, whatever it is for."""
        return self._leaf(value).own

    def shade(self, target: Type, value: JsonValue) -> Shade:
        """The label of every leaf of a value that goes to a place of this type."""
        if value == {} or is_enumerated(target):
            return _OFFERED
        if not isinstance(value, dict | list) or not value:
            return self._leaf(value)
        if isinstance(value, list):
            below = {str(at): self._member(target, str(at), it) for at, it in enumerate(value)}
            return Shade(below=below)
        named = {name: self._member(target, name, member) for name, member in value.items()}
        for name in named:
            if is_data(target, name):
                named[name] = named[name].join(self.of(name))
        return Shade(below=named)

    def _leaf(self, value: JsonValue) -> Shade:
        for shade, words in self.said:
            if words.hold(value):
                return shade
        return _INVENTED

    def _member(self, target: Type, token: str, value: JsonValue) -> Shade:
        below = child(target, token)
        return self.shade(below if isinstance(below, Type) else UNKNOWN, value)


def is_enumerated(target: Type) -> bool:
    """Whether a value there only chooses among what was offered."""
    node = target.keywords
    return "enum" in node or "const" in node or kinds(target) == frozenset({"boolean"})

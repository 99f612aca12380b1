"""The label of a literal: the request's where somebody said it, else the model's.

What the schema enumerates and booleans choose among what was offered, so they are exempt. A key
that no schema declares is data too.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.spec import Integrity, JsonObject, Label
from executor.check.entry import is_data
from executor.check.words import Words
from executor.fn.shade import Shade
from executor.plan.types import UNKNOWN, Type, child, constants_of, kinds

REQUEST = Label(Integrity.REQUEST)
MODEL = Label(Integrity.MODEL)
Amounts = Collection[tuple[str, ...]]
_OFFERED, _INVENTED = Shade(REQUEST), Shade(MODEL)


@dataclass(frozen=True)
class Grounds:
    """What was said: words with the label of who said them, best first."""

    said: Sequence[tuple[Shade, Words]]

    def of(self, value: JsonValue) -> Label:
        """The label of a value that stands for itself, whatever it is for."""
        return self._leaf(value).own

    def shade(self, target: Type, value: JsonValue, amounts: Amounts = ()) -> Shade:
        """The label of every leaf of a value that goes to a place of this type.

        `amounts` are the paths to amounts from there, of which `()` is the place itself: who
        chooses a currency among several chooses how much, so that nothing of these is exempt.
        """
        if value == {} or (_is_settled if () in amounts else is_enumerated)(target):
            return _OFFERED
        if not isinstance(value, dict | list) or not value:
            return self._leaf(value)
        if isinstance(value, list):
            members = {str(at): it for at, it in enumerate(value)}
            return Shade(below=self._members(target, members, amounts))
        named = self._members(target, value, amounts)
        for name in named:
            if is_data(target, name):
                named[name] = named[name].join(self.of(name))
        return Shade(below=named)

    def _leaf(self, value: JsonValue) -> Shade:
        for shade, words in self.said:
            if words.hold(value):
                return shade
        return _INVENTED

    def _members(self, target: Type, members: JsonObject, amounts: Amounts) -> dict[str, Shade]:
        found = {}
        for name, value in members.items():
            below = child(target, name)
            inside = [at[1:] for at in amounts if not at or at[0] in ("*", name)]
            found[name] = self.shade(below if isinstance(below, Type) else UNKNOWN, value, inside)
        return found


def _is_settled(target: Type) -> bool:
    """Whether only one value can be there."""
    values = constants_of(target.keywords)
    return values is not None and len(values) == 1


def is_enumerated(target: Type) -> bool:
    """Whether a value there only chooses among what was offered."""
    node = target.keywords
    return "enum" in node or "const" in node or kinds(target) == frozenset({"boolean"})

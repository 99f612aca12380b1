"""The Cedar types of what an action is given and gives, read from its JSON Schemas.

The types are those that `cedar_values.py` maps to. Where a schema leaves open what comes, or Cedar
has no type for it, the type is one of several, under `ANY`.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from pydantic import JsonValue

from connectors.spec import ActionSpec, JsonObject
from executor.check.cedar_paths import Path
from executor.check.cedar_values import EACH, KEYS
from executor.check.entry import declared_input, is_amount, output_type
from executor.plan.refs import split_pointer
from executor.plan.types import Type, as_list, as_object, child, descend, items_of, kinds

_DEEPEST = 8
STRING: JsonObject = {"type": "String"}
LONG: JsonObject = {"type": "Long"}
BOOL: JsonObject = {"type": "Boolean"}
_DECIMAL: JsonObject = {"type": "Extension", "name": "decimal"}
ANY = "any-of"  # a choice among types, which `_expanded` makes
_SETS = tuple[JsonObject, ...]([{"type": "Set", "element": each} for each in (STRING, LONG)])
_OPEN: JsonObject = {ANY: [STRING, LONG, BOOL, _DECIMAL, *_SETS]}
_MONEY: JsonObject = {
    "type": "Record",
    "attributes": {"minor": LONG, "currency": STRING},
}
_TEXTS: JsonObject = {"type": "Set", "element": STRING}
_BESIDE = (
    ("_count", LONG, "array"), ("_inexact", BOOL, "number"),
    (EACH, _TEXTS, "array"), (KEYS, _TEXTS, "object"),
)  # fmt: skip


class Record:
    """The arguments or the answer of one action as policy sees them."""

    def __init__(self, found: Type, is_amount: Callable[[Path], bool]) -> None:
        self._type = found
        self._is_amount = is_amount

    @classmethod
    def of_arguments(cls, action: ActionSpec) -> "Record":
        """What it is given."""
        return cls(declared_input(action), partial(is_amount, action))

    @classmethod
    def of_answer(cls, action: ActionSpec) -> "Record":
        """What it gives."""
        return cls(output_type(action), lambda _: False)

    def whole(self, used: Iterable[Path]) -> JsonObject:
        """All of it, whatever it is, of which only the used members are typed."""
        return self._typed(self._type, (), frozenset(used) - {()})

    def record(self, used: Iterable[Path]) -> JsonObject:
        """The argument object, of which only the used members are typed."""
        paths = frozenset(used)
        if not paths:
            return {"type": "Record", "attributes": {}}
        return self._record(self._type, (), paths if () not in paths else frozenset())

    def labels(self, names: Iterable[str]) -> JsonObject:
        """The places whose labels are asked for, as far as they can be bound."""
        found: JsonObject = {}
        for name in names:
            if isinstance(descend(self._type, split_pointer(name)), Type):
                is_sure = "/" not in name and self._is_required(self._type, name)
                found[name] = STRING | {"required": is_sure}
        return found

    def _record(self, here: Type, at: Path, used: frozenset[Path]) -> JsonObject:
        """An object's members: those below `used`, or all that it declares where none are."""
        names = {name for name, *_ in used} or _properties(here)
        attributes: JsonObject = {}
        for name in sorted(names):
            below = frozenset(path[1:] for path in used if path[:1] == (name,))
            attributes |= self._member(here, at, name, below - {()})
        return {"type": "Record", "attributes": attributes}

    def _member(self, here: Type, at: Path, name: str, used: frozenset[Path]) -> JsonObject:
        """One member with whether it must be there; nothing where nothing can be."""
        found = child(here, name)
        if isinstance(found, Type):
            typed = self._typed(found, (*at, name), used)
            return {name: typed | {"required": self._is_sure(here, name, found)}}
        for suffix, kind, of in _BESIDE:
            short = name.removesuffix(suffix)
            base = child(here, short)
            if isinstance(base, Type) and of in (kinds(base) or (of,)):
                is_sure = suffix != "_inexact" and self._is_sure(here, short, base)
                found_kind = self._each(base, (*at, short), used) if suffix == EACH else kind
                return {name: found_kind | {"required": is_sure}}
        return {}

    def _is_sure(self, here: Type, name: str, found: Type) -> bool:
        return self._is_required(here, name) and "null" not in (kinds(found) or ())

    def _each(self, base: Type, at: Path, used: frozenset[Path]) -> JsonObject:
        """The values of each used member over the elements of a list."""
        element = items_of(base)
        attributes: JsonObject = {}
        for name in sorted({name for name, *_ in used}):
            found = child(element, name)
            if isinstance(found, Type):
                below = self._typed(found, (*at, "*", name), frozenset())
                attributes[name] = {"type": "Set", "element": below}
        return {"type": "Record", "attributes": attributes}

    def _is_required(self, here: Type, name: str) -> bool:
        """Whether a member is always there; where nothing is declared, who asks may know."""
        return name in as_list(here.keywords.get("required")) or name not in _properties(here)

    def _typed(self, found: Type, at: Path, used: frozenset[Path]) -> JsonObject:
        names = kinds(found)
        if len(at) > _DEEPEST:
            return _OPEN
        if names is None:
            open_record = self._record(found, at, used)
            return {ANY: [open_record]} if used else _OPEN
        is_amount = self._is_amount(at)
        types: list[JsonValue] = []
        for name in sorted(names - {"null"}):
            types += self._of_kind(name, found, at, used, is_amount=is_amount)
        unique = [each for index, each in enumerate(types) if each not in types[:index]]
        return {ANY: unique}

    def _of_kind(
        self,
        kind: str,
        found: Type,
        at: Path,
        used: frozenset[Path],
        *,
        is_amount: bool,
    ) -> Iterator[JsonObject]:
        match kind:
            case "string":
                yield _DECIMAL if is_amount else STRING
            case "boolean":
                yield BOOL
            case "integer":
                yield LONG
            case "number":
                yield from (_DECIMAL,) if is_amount else (LONG, _DECIMAL)
            case "array":
                element = self._typed(items_of(found), (*at, "*"), frozenset())
                yield {"type": "Set", "element": element}
            case _ if is_amount and {"amount", "currency"} <= _properties(found):
                yield _MONEY
            case _:
                yield self._record(found, at, used)


def _properties(found: Type) -> set[str]:
    return {*as_object(found.keywords.get("properties"))}

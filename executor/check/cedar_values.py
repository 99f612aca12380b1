"""JSON values as Cedar values.

Null members are dropped: `context.args has x` is how a policy asks. An amount is
`{minor, currency}` by the currency's exponent; a fraction is a decimal where that is exact in
four places, else its text beside `<name>_inexact`; an array is a set beside `<name>_count`.
What has no place in this is unmappable, which denies: Cedar decides nothing at all about a raw
float, a null or a larger integer. A value that is not known yet is a Cedar unknown, named by its
place in the context.

Cedar cannot look into the elements of a set, nor ask for a member whose name is data. Where a
policy asks for it, a list of objects has its members' values beside it (`lines_each.sku`, a set),
and an object the names of its members (`payment_methods_keys`, a set).
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from pydantic import JsonValue

from connectors.currency import exponent_of
from connectors.spec import ActionSpec, JsonObject
from executor.check.cedar_paths import MOST_SLICES, Path
from executor.check.entry import declared_input, is_amount, is_data
from executor.check.unknown import Unknown
from executor.plan.types import UNKNOWN, Type, descend, kinds

_LARGEST = 2**63 - 1
_CURRENCY = re.compile(r"[A-Z0-9]{1,12}")
_PLAIN = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_SURE = frozenset({"string", "boolean", "integer", "object"})
_ARRAY = frozenset({"array"})
_OBJECT = frozenset({"object"})
EACH, KEYS = "_each", "_keys"
# In Cedar's JSON these say what a value *is*: data must not be able to.
_ESCAPES = frozenset({"__extn", "__entity", "__expr"})


class UnmappableError(Exception):
    """A value that policy cannot see exactly."""


def unknown(name: str) -> JsonObject:
    """A value that partial evaluation leaves open."""
    return {"__extn": {"fn": "unknown", "arg": name}}


class Mapper:
    """Maps the arguments of one action.

    `is_partial` tells whether a value was unknown, `is_unsure` whether one of them may leave
    members out or bring derived ones along, so that `has` cannot be answered. `used` are the
    paths into the context that policies look at.
    """

    def __init__(self, action: ActionSpec | None, used: frozenset[Path] = frozenset()) -> None:
        self._action = action
        self._above = ("args",) if action else ()
        self._target = declared_input(action) if action else UNKNOWN
        self._used = _projections(used)
        self.is_partial = False
        self.is_unsure = False

    def record(self, members: Mapping[str, JsonValue], path: tuple[str, ...]) -> JsonObject:
        """Map an object's members, and add the derived ones."""
        found: JsonObject = {}
        used = self._used_below(path) if self._used else {}
        wanted = used.keys() - members.keys()
        if isinstance(members, Unknown):
            self.is_partial = self.is_unsure = True
        for name, value in members.items():
            if name in _ESCAPES:
                where = "/".join((*path, name))
                raise UnmappableError(f"{where}: Cedar keeps this name for itself")
            if name in used and name.endswith((EACH, KEYS)) and self._is_invented(path, name):
                where = "/".join((*path, name))
                raise UnmappableError(f"{where}: policy keeps this name for itself")
            if value is None:
                continue
            found[name] = self._value(value, (*path, name))
            for derived, of_it in self._derived((*path, name), value, found[name]).items():
                if derived in members:
                    where = "/".join((*path, derived))
                    raise UnmappableError(f"{where}: policy keeps this name for itself")
                found[derived] = of_it
            for derived in wanted & {f"{name}{EACH}", f"{name}{KEYS}"}:
                of_it = self._projected(value, (*path, name), derived, used[derived])
                if of_it is not None:
                    found[derived] = of_it
        return found

    def _is_invented(self, path: tuple[str, ...], name: str) -> bool:
        """Whether an argument is called so by who writes the plan, and by no schema.

        What policy believes to stand beside a list was then written beside it.
        """
        here = descend(self._target, tuple("0" if each == "*" else each for each in path))
        return self._action is not None and not (isinstance(here, Type) and not is_data(here, name))

    def _used_below(self, path: tuple[str, ...]) -> Mapping[str, set[str]]:
        """The members of a place that policies look at, each with the members of it."""
        at = (*self._above, *path)
        at = (at[0].removeprefix("context."), *at[1:])
        found: dict[str, set[str]] = {}
        for each in self._used:
            if len(each) > len(at) and each[: len(at)] == at:
                found.setdefault(each[len(at)], set()).update(each[len(at) + 1 : len(at) + 2])
        return found

    def _projected(
        self, value: JsonValue, path: tuple[str, ...], name: str, members: set[str]
    ) -> JsonValue:
        """What stands beside a list of objects, or an object; None where it is neither."""
        of_list = name.endswith(EACH)
        match value:
            case Unknown(kinds=kinds):
                is_it = kinds == (_ARRAY if of_list else _OBJECT)
                return self._unknown((*path[:-1], name)) if is_it else None
            case list() if of_list:
                elements = [each for each in value if isinstance(each, dict)]
                return {
                    member: [
                        self._value(each[member], (*path, "*", member))
                        for each in elements
                        if each.get(member) is not None
                    ]
                    for member in sorted(members)
                }
            case dict() if not of_list:
                return [*sorted(value)]
            case _:
                return None

    def _derived(self, path: tuple[str, ...], value: JsonValue, mapped: JsonValue) -> JsonObject:
        *at, name = path
        match value:
            case Unknown(kinds=kinds) if kinds == _ARRAY:
                return {f"{name}_count": self._unknown((*at, f"{name}_count"))}
            case list():
                return {f"{name}_count": len(value)}
            case float() if isinstance(mapped, str):
                return {f"{name}_inexact": True}
            case _:
                return {}

    def _value(self, value: JsonValue, path: tuple[str, ...]) -> JsonValue:
        match value:
            case Unknown():
                return self._open(value, path)
            case None:
                raise UnmappableError(f"{'/'.join(path)}: a null inside a list")
            case bool():
                return value
            case int() | float():
                return self._number(value, path)
            case str():
                return _decimal(value) if self._is_amount(path) and _is_exact(value) else value
            case list():
                return [self._value(each, (*path, "*")) for each in value]
            case {"amount": amount, "currency": currency} if self._is_amount(path):
                return self._beside_money(value, path) | self._money(amount, currency, path)
            case _:
                return self.record(value, path)

    def _open(self, value: Unknown, path: tuple[str, ...]) -> JsonValue:
        self.is_partial = True
        sure = value.kinds is not None and (value.kinds <= _SURE or value.kinds == _ARRAY)
        if not sure or "*" in path:
            self.is_unsure = True
        return self._unknown(path)

    def _unknown(self, path: tuple[str, ...]) -> JsonObject:
        """Named by the place in the context, which is what people are told to look at."""
        return unknown("/".join((*self._above, *path)).removeprefix("context."))

    def _number(self, value: int | float, path: tuple[str, ...]) -> JsonValue:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = _plain(value)
        if self._is_amount(path) and self._is_fractional(path) and _is_exact(text):
            return _decimal(text)  # one type for every value, whole or not
        if isinstance(value, int):
            if abs(value) > _LARGEST:
                raise UnmappableError(f"{'/'.join(path)}: {value} is beyond 2^63-1")
            return value
        return _decimal(text) if _is_exact(text) else repr(value)

    def _is_fractional(self, path: tuple[str, ...]) -> bool:
        found = descend(self._target, path)
        return isinstance(found, Type) and "number" in (kinds(found) or ())

    def _beside_money(self, money: JsonObject, path: tuple[str, ...]) -> JsonObject:
        """What else an amount says, for it may say how much: policy sees it as it is."""
        rest = {name: money[name] for name in money if name not in ("amount", "currency")}
        if "minor" in rest:
            where = "/".join((*path, "minor"))
            raise UnmappableError(f"{where}: policy keeps this name for itself")
        return self.record(rest, path)

    def _money(self, amount: JsonValue, currency: JsonValue, path: tuple[str, ...]) -> JsonObject:
        if isinstance(currency, str):
            currency = currency.upper()  # as ISO 4217 writes it, whatever the service takes
            if not _CURRENCY.fullmatch(currency):
                raise UnmappableError(f"{'/'.join(path)}: {currency!r} is no currency")
        if isinstance(amount, Unknown) or isinstance(currency, Unknown):
            self.is_partial = True
            shown = self._value(currency, (*path, "currency"))
            return {"minor": self._unknown((*path, "minor")), "currency": shown}
        if not isinstance(amount, str) or not isinstance(currency, str):
            raise UnmappableError(f"{'/'.join(path)}: an amount is {{amount, currency}} as texts")
        return {"minor": _minor(amount, currency, path), "currency": currency}

    def _is_amount(self, path: tuple[str, ...]) -> bool:
        return self._action is not None and is_amount(self._action, path)


@lru_cache(MOST_SLICES)
def _projections(used: frozenset[Path]) -> frozenset[Path]:
    """The paths that go through what stands beside a list of objects, or beside an object."""
    return frozenset(path for path in used if any(name.endswith((EACH, KEYS)) for name in path))


def _plain(value: int | float) -> str:
    return f"{Decimal(repr(value)):f}"


def _is_exact(text: str) -> bool:
    """Whether a text is a number that Cedar's decimal holds exactly."""
    if not _PLAIN.fullmatch(text):
        return False
    whole, _, fraction = text.partition(".")
    return len(fraction.rstrip("0")) <= 4 and abs(int(whole)) < _LARGEST // 10_000


def _decimal(text: str) -> JsonValue:
    whole, _, fraction = text.partition(".")
    return {"__extn": {"fn": "decimal", "arg": f"{whole}.{fraction.rstrip('0') or '0'}"}}


def _minor(amount: str, currency: str, path: tuple[str, ...]) -> int:
    where = "/".join(path)
    if not _PLAIN.fullmatch(amount):
        raise UnmappableError(f"{where}: {amount!r} is no amount")
    whole, _, fraction = amount.partition(".")
    places = exponent_of(currency)
    if fraction[places:].strip("0"):
        raise UnmappableError(f"{where}: {amount} {currency} has a part of a minor unit")
    minor = int(whole + fraction[:places].ljust(places, "0"))
    if abs(minor) > _LARGEST:
        raise UnmappableError(f"{where}: {amount} is beyond 2^63-1 minor units")
    return minor

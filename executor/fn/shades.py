"""What each function makes of the labels of its arguments: what it may give, and what chose it.

A function that takes a value apart keeps the labels of the parts. One that chooses joins what it
looked at: the fields it compares, the values it compares them with, and the list's membership,
for whoever fills a list offers what is chosen from it. An element that is named (`==` or `in` a
name, of a field that nobody untrusted writes) is not chosen by who fills the list: all they could
do is to have none or several of that name, which fails. What is no name describes: anybody's
element is open, or unread.

A literal that names an element is somebody's word, and counts: what it is compared with, the key of
a map, a key in the path of a field. What describes only sorts what there is, and does not.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.spec import Integrity, Label
from executor.fn.shade import ANY, TOP, Shade
from executor.plan.refs import split_pointer

Path = tuple[str, ...]
_NAMES = ("==", "in")
_MARK = re.compile(r"[\s,;|]+")  # what keeps texts apart, and says nothing itself


@dataclass(frozen=True)
class Given:
    """A function's arguments as labels, and those that are constants by their place.

    `names` are the clauses of `where` whose value singles one element out.
    """

    shades: Mapping[str, Shade]
    constants: Mapping[Path, JsonValue]
    names: frozenset[str] = frozenset()

    def of(self, name: str) -> Shade:
        """One argument."""
        return self.shades.get(name, Shade())

    def text(self, *at: str) -> str | None:
        """The constant text at a place."""
        found = self.constants.get(at)
        return found if isinstance(found, str) else None


Shading = Callable[[Given], Shade]


def all_of(given: Given) -> Shade:
    """Computed from all of it."""
    whole = TOP
    for each in given.shades.values():
        whole = whole.join(each.whole)
    return Shade(whole)


def selected(given: Given) -> Shade:
    """The one element that the clauses choose."""
    choice, is_named = _choice(given)
    listed = given.of("list")
    element = listed.element.join(choice)
    return element if is_named else element.join(listed.own)


def filtered(given: Given) -> Shade:
    """The list of those that the clauses choose: who may be missing is who could change that."""
    choice, is_named = _choice(given)
    listed = given.of("list")
    element = listed.element.join(choice)
    return Shade(listed.own.join(choice), {ANY: element if is_named else element.join(listed.own)})


def extreme(given: Given) -> Shade:
    """The element that comes first: the others and what they are compared by decide."""
    listed = given.of("list")
    return listed.element.join(listed.own).join(_compared(given, "by"))


def ordered(given: Given) -> Shade:
    """The same elements, in an order that depends on what they are compared by."""
    listed = given.of("list")
    order = _compared(given, "by").join(given.of("descending").whole)
    return Shade(listed.own.join(order), {ANY: listed.element})


def looked_up(given: Given) -> Shade:
    """The member of that name: whoever chose the name or fills the map decides."""
    entries, key = given.of("map"), given.text("key")
    found = entries.element if key is None else entries.at(key)
    return found.join(entries.own).join(given.of("key").whole)


def members(given: Given) -> Shade:
    """All members, in the order of their keys."""
    entries = given.of("map")
    return Shade(entries.own, {ANY: entries.element})


def names(given: Given) -> Shade:
    """The keys: who fills the map writes them."""
    return Shade(given.of("map").own)


def passed_on(given: Given) -> Shade:
    """The value as it is; whoever wrote the schema only said which values are none."""
    return given.of("value").join(given.of("schema").whole)


def either(given: Given) -> Shade:
    """Any of the options; which of them was skipped is part of their own labels."""
    return given.of("options").element.join(given.of("options").own)


def counted(given: Given) -> Shade:
    """How many there are, whatever they are."""
    return Shade(given.of("list").own)


def summed(given: Given) -> Shade:
    """How many there are, and what is added of each."""
    return Shade(given.of("list").own.join(_compared(given, "field")))


def picked(given: Given) -> Shade:
    """The named fields of each element, each also as good as its name (a key may be data)."""
    listed, named = given.of("list"), given.of("fields")
    element = listed.element
    fields = {at[1:]: value for at, value in given.constants.items() if at[:1] == ("fields",)}
    if not fields or len(fields) != len(named.below) or _is_open([*fields.values()]):
        return Shade(listed.own, {ANY: Shade(element.whole.join(named.whole))})
    below: dict[str, Shade] = {}
    for at, field in fields.items():
        path = split_pointer(str(field))
        below[path[-1] if path else "value"] = element.reach(path).join(named.reach(at).whole)
    return Shade(listed.own, {ANY: Shade(element.own.join(named.whole), below)})


def joined(given: Given) -> Shade:
    """Of all of it; what nothing keeps apart is read as one, which nobody said or wrote."""
    whole = all_of(given)
    is_apart = len(given.of("list").below) == 1 and ANY not in given.of("list").below
    is_apart = is_apart or _MARK.fullmatch(given.text("separator") or "") is not None
    return whole if is_apart else whole.join(Label(Integrity.MODEL))


def zipped(given: Given) -> Shade:
    """Pairs by their place, so that either list's order decides who meets whom."""
    left, right = given.of("left"), given.of("right")
    order = left.own.join(right.own)
    pair = {"left": left.element.join(order), "right": right.element.join(order)}
    return Shade(order, {ANY: Shade(order, pair)})


def _is_open(fields: list[JsonValue]) -> bool:
    return any(not isinstance(each, str) or ANY in split_pointer(each) for each in fields)


def _compared(given: Given, by: str) -> Label:
    """What elements are compared by."""
    element, field = given.of("list").element, given.text(by)
    if field is None and by in given.shades:
        return element.whole.join(given.of(by).whole)
    return element.reach(split_pointer(field or "")).whole.join(given.of(by).whole)


def _choice(given: Given) -> tuple[Label, bool]:
    """What decides which elements are chosen, and whether the element is named."""
    label, is_named = given.of("where").own, False
    for at in _clauses(given):
        found, names_it = _clause(given, at)
        label, is_named = label.join(found), is_named or names_it
    return label, is_named


def _clause(given: Given, at: Path) -> tuple[Label, bool]:
    element, clause = given.of("list").element, given.of("where").reach(at[1:])
    field, op = given.text(*at, "field"), given.text(*at, "op")
    if field is None or op is None:
        return element.whole.join(clause.whole), False
    both = element.reach(split_pointer(field)).whole.join(clause.whole)
    is_named = op in _NAMES and at[1] in given.names
    return both, is_named and both.integrity.at_least(Integrity.TRUSTED)


def _clauses(given: Given) -> Iterator[Path]:
    """Every clause's place; of clauses that are not written out, the place of all of them."""
    below = given.of("where").below
    yield from (("where", token) for token in below)
    if not below and ("where",) not in given.constants:
        yield ("where",)

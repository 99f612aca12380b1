"""How one element of a recorded list can be told apart from the others, mechanically.

A clause holds of the element and is one of: `field == value`, where the value was said in the
task's words, or stands in the name of the action that the element is for (`delivered`), or is that
of a member of the same name in another result (an anchor), or is a boolean; `field matches word`
for a word that was said; `field != value` for a said value that others have.
All clauses together have to leave the element alone, or leave only elements that are alike in
what is wanted of them, or leave one that is first or last in some order the words ask for.
What is not needed for that is dropped again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from benchmarks.admission.extremes import is_extreme, sortable
from benchmarks.admission.places import Fields, Path, leaves
from benchmarks.admission.told import Told
from connectors.spec import JsonObject
from executor.fn.clauses import reach
from executor.fn.compare import NotComparableError, compare, equal
from executor.plan.refs import join_pointer

_NAME = 8  # letters of a name that is not there by coincidence
_COUNTS = 12


@dataclass(frozen=True)
class Anchor:
    """A value that can be referred to: its reference, its name and what it is."""

    ref: str
    name: str
    value: JsonValue


@dataclass(frozen=True)
class Known:
    """What may be used to tell elements apart: words, the action's own name, and anchors."""

    told: Told
    action: Told
    anchors: Sequence[Anchor]


@dataclass(frozen=True)
class Clause:
    """`field op value`, with the value's reference where it has one."""

    field: Fields
    value: JsonValue
    ref: str | None = None
    op: str = "=="

    def holds(self, element: JsonValue) -> bool:
        """As `fn.select` decides it."""
        try:
            return any(compare(self.op, it, self.value) for it in reach(element, self.field))
        except NotComparableError:
            return False

    def is_safe(self, elements: Sequence[JsonValue]) -> bool:
        """Whether it can be asked of every element: no pattern is matched against a number."""
        return self.op != "matches" or all(
            isinstance(it, str) for element in elements for it in reach(element, self.field)
        )


@dataclass(frozen=True)
class Choice:
    """The clauses, which elements they leave, and by what order one is taken of these."""

    index: int
    clauses: tuple[Clause, ...]
    matches: tuple[int, ...]
    by: str | None = None
    largest: bool = False

    @property
    def is_one(self) -> bool:
        """Whether the clauses leave the element alone."""
        return len(self.matches) == 1

    def where(self) -> list[JsonObject]:
        """The clauses as arguments."""
        if not self.clauses:
            return [{"json": "[]", "to": "where"}]
        found: list[JsonObject] = []
        for number, clause in enumerate(self.clauses):
            at = f"where/{number}"
            found.append({"value": join_pointer(clause.field), "to": f"{at}/field"})
            found.append({"value": clause.op, "to": f"{at}/op"})
            if clause.ref is None:
                found.append({"value": clause.value, "to": f"{at}/value"})
            else:
                found.append({"ref": clause.ref, "to": f"{at}/value"})
        return found


def choose(
    elements: Sequence[JsonValue],
    index: int,
    rest: Path,
    schema: JsonObject,
    known: "Known",
) -> Choice | None:
    """How to come from the list to its element `index`, of which `rest` is wanted."""
    everything = tuple(range(len(elements)))
    if len(elements) == 1:
        # One element needs no condition, but a careful plan names it where the words do.
        named = [
            each
            for each in _clauses(elements, index, schema, known)
            if each.op == "==" and each.ref is None and _is_named(each, known.told)
        ]
        return Choice(index, tuple(named[:1]), everything)
    wanted = _at(elements[index], rest)

    def fits(clauses: Sequence[Clause]) -> bool:
        left = _left(elements, clauses)
        return left == (index,) or (
            # Several that agree on a text do so for a reason, on a number by coincidence.
            isinstance(wanted, str)
            and all(equal(_at(elements[each], rest), wanted) for each in left)
        )

    clauses = _clauses(elements, index, schema, known)
    if fits(clauses):
        kept = _fewest(clauses, fits)
        return Choice(index, tuple(kept), _left(elements, kept))
    return _ordered(elements, index, clauses, known.told)


def narrowed(choice: Choice, own: Sequence[Clause], elements: Sequence[JsonValue]) -> Choice:
    """The same choice, with clauses before it that hold of the element, too."""
    left = set(_left(elements, own))
    matches = tuple(each for each in choice.matches if each in left)
    return replace(choice, clauses=(*own, *choice.clauses), matches=matches)


def _fewest(clauses: list[Clause], fits: Callable[[Sequence[Clause]], bool]) -> list[Clause]:
    """Only what is needed; what the words say is kept longest."""
    kept = list(clauses)
    for clause in reversed(clauses):
        fewer = [each for each in kept if each is not clause]
        if fits(fewer):
            kept = fewer
    return kept


def _ordered(
    elements: Sequence[JsonValue], index: int, clauses: list[Clause], told: Told
) -> Choice | None:
    left = _left(elements, clauses)
    for field, scale in sortable(elements[index]):
        for largest in (False, True):
            is_asked = told.asks_for_extreme(scale, largest=largest)
            if is_asked and is_extreme(elements, left, index, field, largest=largest):

                def fits(
                    fewer: Sequence[Clause], field: Fields = field, largest: bool = largest
                ) -> bool:
                    still = _left(elements, fewer)
                    return is_extreme(elements, still, index, field, largest=largest)

                kept = tuple(_fewest(clauses, fits))
                by = join_pointer(field)
                return Choice(index, kept, _left(elements, kept), by, largest)
    return None


def _left(elements: Sequence[JsonValue], clauses: Sequence[Clause]) -> tuple[int, ...]:
    return tuple(
        place
        for place, element in enumerate(elements)
        if all(clause.holds(element) for clause in clauses)
    )


def _clauses(
    elements: Sequence[JsonValue], index: int, schema: JsonObject, known: Known
) -> list[Clause]:
    said: list[Clause] = []
    parts: list[Clause] = []
    offered: list[Clause] = []
    joined: list[Clause] = []
    flags: list[Clause] = []
    for field, name, value in leaves(elements[index], schema, ()):
        if isinstance(value, bool):
            flags.append(Clause(field, value))
        elif _is_count(value) and not known.told.with_cents(value):
            continue  # small numbers are said of anything
        elif known.told.loosely(value):
            said.append(Clause(field, value))
        elif isinstance(value, str) and value:
            parts += [Clause(field, it, None, "matches") for it in known.told.fragments(value)]
            parts += [Clause(field, it, None, op) for op, it in known.told.times(value)]
            if known.action.loosely(value):
                offered.append(Clause(field, value))
            ref = next((it.ref for it in known.anchors if _agrees(it, name, value)), None)
            if ref is not None:
                joined.append(Clause(field, value, ref))
    others = _differences(elements, [index], schema, known.told)
    found = _distinct([*said, *parts, *offered, *joined, *others, *flags])
    return [each for each in found if each.holds(elements[index]) and each.is_safe(elements)]


def _differences(
    elements: Sequence[JsonValue], kept: Sequence[int], schema: JsonObject, told: Told
) -> list[Clause]:
    """`!=` a said value that an element has which is not meant."""
    found = [
        Clause(field, value, None, "!=")
        for place, element in enumerate(elements)
        if place not in kept
        for field, _, value in leaves(element, schema, ())
        if "*" not in field and not isinstance(value, bool) and told.loosely(value)
    ]
    return [each for each in found if all(each.holds(elements[place]) for place in kept)]


def choose_some(
    elements: Sequence[JsonValue], kept: Sequence[int], schema: JsonObject, known: Known
) -> Choice | None:
    """How to come from the list to some of its elements: what all of these have in common."""
    if len(kept) == len(elements):
        return Choice(kept[0], (), tuple(kept))
    shared = [
        each
        for each in _clauses(elements, kept[0], schema, known)
        if all(each.holds(elements[place]) for place in kept) and each.op != "!="
    ]
    shared += _distinct(_differences(elements, kept, schema, known.told))

    def fits(clauses: Sequence[Clause]) -> bool:
        return _left(elements, clauses) == tuple(kept)

    return Choice(kept[0], tuple(_fewest(shared, fits)), tuple(kept)) if fits(shared) else None


def _is_named(clause: Clause, told: Told) -> bool:
    is_text = isinstance(clause.value, str) and len(clause.value) >= _NAME
    return is_text and "*" not in clause.field and told.literally(clause.value)


def _is_count(value: JsonValue) -> bool:
    return isinstance(value, int | float) and float(value).is_integer() and abs(value) <= _COUNTS


def _agrees(anchor: Anchor, name: str, value: str) -> bool:
    return anchor.value == value and (anchor.name == name or is_identifier(value))


def is_identifier(value: JsonValue) -> bool:
    """Whether a value names something, so that it stands nowhere by coincidence."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return not _is_count(value)
    if not isinstance(value, str):
        return False
    is_code = len(value) > 2 and value.isalnum() and value.isupper()
    return "@" in value or is_code or (len(value) > 4 and any(each.isdigit() for each in value))


def _distinct(clauses: list[Clause]) -> list[Clause]:
    found: list[Clause] = []
    for each in clauses:
        if each not in found:
            found.append(each)
    return found


def _at(value: JsonValue, path: Path) -> JsonValue:
    for token in path:
        if isinstance(value, dict):
            value = value.get(str(token))
        elif isinstance(value, list) and isinstance(token, int) and token < len(value):
            value = value[token]
        else:
            return None
    return value

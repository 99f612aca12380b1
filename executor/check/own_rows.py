"""Which elements of a list the caller alone wrote: a clause that keeps no others says so.

A read that gives what many wrote may have a field that tells who did, and that nobody but the
service sets: of payments the payer, of mails the folder. Its manifest names the field and the
value that it has in the caller's own (`own_where`). `fn.select` and `fn.filter` with the clause
`field == value`, both written out, keep no element of anybody else: every field of what is kept
is then the caller's word, and as good as what chose the list.

Who fills the list still decides which elements are in it, and how many: that stays its label.
"""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from connectors.spec import ActionSpec, Integrity, Label
from executor.check.binding import Binding
from executor.check.constants import constants_of
from executor.check.entry import source_shade
from executor.fn.compare import equal
from executor.fn.shade import ANY, Shade
from executor.plan.refs import split_pointer

_CHOOSING = ("fn.select", "fn.filter")
Path = tuple[str, ...]


def own_elements(action: ActionSpec) -> Shade:
    """An element that the caller wrote: nobody below `trusted` has a part in it."""
    return Shade(Label(Integrity.TRUSTED, source_shade(action).own.readers))


def keeps_own(chooser: str, bindings: Sequence[Binding], action: ActionSpec, at: Path) -> bool:
    """Whether a function keeps only the caller's elements of the list that stands there."""
    if chooser not in _CHOOSING or not action.own_where:
        return False
    constants = constants_of(bindings)
    clauses = [*_clauses(constants)]
    return any(
        listed == at and field == asked and equal(value, own)
        for listed, field, own in _own(action)
        for asked, value in clauses
    )


def _own(action: ActionSpec) -> Iterator[tuple[Path, Path, JsonValue]]:
    """The list, the field of its elements, and the value that this has in the caller's own."""
    for pointer, value in action.own_where.items():
        path = split_pointer(pointer)
        place = path.index(ANY)
        yield path[:place], path[place + 1 :], value


def _clauses(constants: Mapping[Path, JsonValue]) -> Iterator[tuple[Path, JsonValue]]:
    """Every clause `field == value` that is written out whole."""
    for to, op in constants.items():
        if to[:1] != ("where",) or to[2:] != ("op",) or op != "==":
            continue
        field, value = constants.get((*to[:2], "field")), constants.get((*to[:2], "value"))
        if isinstance(field, str) and value is not None:
            yield split_pointer(field), value

"""Which elements of a list the caller alone wrote: a clause that keeps no others says so.

A read that gives what many wrote may have a field that tells who did, and that nobody but the
service sets: of payments the payer, of mails the folder. Its manifest names the field and the
value that it has in the caller's own (`own_where`). `fn.select` and `fn.filter` with the clause
`field == value`, both written out, keep no element of anybody else: every field of what is kept
is then the caller's word, and as good as what chose the list.

Who fills the list still decides which elements are in it, and how many: that stays its label.
"""

from collections.abc import Sequence

from connectors.spec import ActionSpec, Integrity, Label
from executor.check.binding import Binding
from executor.check.constants import Path, clauses_of, constants_of
from executor.check.entry import source_shade
from executor.fn.compare import equal
from executor.fn.shade import ANY, Shade
from executor.plan.refs import join_pointer, split_pointer


def own_elements(action: ActionSpec) -> Shade:
    """An element that the caller wrote: nobody below `trusted` has a part in it."""
    return Shade(Label(Integrity.TRUSTED, source_shade(action).own.readers))


def own_clause(bindings: Sequence[Binding], action: ActionSpec, at: Path) -> str | None:
    """The clause, by its number, that keeps only the caller's elements of the list at a place."""
    constants = constants_of(bindings)
    for pointer, value in action.own_where.items():
        path = split_pointer(pointer)
        place = path.index(ANY)
        said = {"field": join_pointer(path[place + 1 :]), "op": "==", "value": value}
        for clause in clauses_of(constants) if path[:place] == at else ():
            if all(equal(constants.get((*clause, part)), it) for part, it in said.items()):
                return clause[1]
    return None

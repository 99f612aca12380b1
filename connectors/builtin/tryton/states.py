"""The state machines of Tryton's records: which button leads where, and what was done already.

A button that was pushed cannot be pushed again: Tryton refuses it (400, "You can not call"). So
the second of two calls does nothing, and whether the first one arrived is read from the record.

    the record's state   the first attempt            a later attempt
    ──────────────────   ─────────────────            ───────────────
    one before           pushed                       pushed
    where it leads       refused: somebody else did   done, by the attempt before
    anything else        refused                      refused

What takes something back is done wherever it stands as it should, whoever did it.
"""

from dataclasses import dataclass

from connectors.builtin.tryton.table import Records
from connectors.builtin.tryton.wire import number_of
from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.vendor import value_at


@dataclass(frozen=True)
class Button:
    """One button: the states from which it leads on, and those that show that it was pushed."""

    record: str
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    takes_back: bool = False


async def pushed(
    records: Records, button: Button, spec: ActionSpec, given: JsonObject, context: CallContext
) -> Outcome:
    """Push it once; a refusal is settled by the state that the record has."""
    table, number = records.tables[button.record], number_of(given["id"])
    told = records.one(button.record)
    try:
        return await records.tryton.push(
            spec, context, table.model, number, button.name, table.fields, told
        )
    except Refused as error:
        if error.kind is not Kind.INVALID:
            raise
        standing = await records.read(button.record, spec, given, context)
        found = standing.output if isinstance(standing, Applied) else None
        state = value_at(found, "raw/state")
        if state in button.after and (context.attempt > 1 or button.takes_back):
            return Applied(found, replayed=True)
        if state in button.before:
            raise
        message = f"{error.message} Its state is {state!r}."
        raise Refused(message, kind=Kind.CONFLICT, status=error.status) from error

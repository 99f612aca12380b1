"""A call that takes a vendor several requests, of which one acts.

What comes before that one changes nothing that anybody sees, so if it fails the call has had no
effect, and it may be made again. What comes after it only reads: if that fails the call happened
all the same.
"""

from collections.abc import Awaitable, Coroutine, Mapping

from pydantic import JsonValue

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.outcome import MISREAD
from connectors.spec import ActionSpec, Effect
from connectors.text import visible

_ADDRESSING = ("id", "version")


def before(spec: ActionSpec) -> ActionSpec:
    """The same call, as long as it has not acted: read as a read is."""
    return spec.model_copy(
        update={
            "effect": Effect.READ,
            "idempotency": None,
            "undo": None,
            "irreversible": False,
            "output_schema": None,
        }
    )


async def output_of(asked: Awaitable[Outcome]) -> JsonValue:
    """What a request gave that comes before the one that acts; raises what it raises."""
    outcome = await asked
    return outcome.output if isinstance(outcome, Applied) else None


async def after(
    acted: Outcome, asked: Coroutine[object, object, JsonValue], *, replayed: bool = False
) -> Outcome:
    """What a call gave that acted, and is then read back; what is not done yet is not read."""
    request_id = acted.request_id
    if isinstance(acted, Pending):
        asked.close()
        return acted
    try:
        return Applied(await asked, request_id, replayed)
    except (ConnectorError, ConfigurationError, *MISREAD) as error:
        said = error.message if isinstance(error, ConnectorError) else visible(str(error), 500)
        return Unreadable(f"it happened, and could not be read back: {said}", request_id)


def was_ours(
    error: Refused, given: Mapping[str, JsonValue], found: Mapping[str, JsonValue]
) -> Applied:
    """What a change means of which an earlier attempt may have made the version another one.

    `found` is the record now. If it is as it was asked for, the change is there; if it is not,
    somebody changed it, before the earlier attempt or after it.
    """
    if is_as_asked(given, found):
        return Applied(dict(found), replayed=True)
    told = "it was changed, perhaps by an earlier attempt and then by somebody else"
    raise Uncertain(told, kind=Kind.CONFLICT) from error


def is_as_asked(given: Mapping[str, JsonValue], found: Mapping[str, JsonValue]) -> bool:
    """Whether a record has everything that a change gives it."""
    return all(found.get(name) == value for name, value in given.items() if name not in _ADDRESSING)


def meanwhile(error: Refused) -> Refused | Unavailable:
    """What a refusal means where we read the version ourselves: it may be read again."""
    if error.status != 412:
        return error
    return Unavailable("it was changed meanwhile", kind=Kind.CONFLICT, sent=True)

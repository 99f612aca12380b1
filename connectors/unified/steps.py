"""A call that takes a vendor several requests, of which one acts.

What comes before that one changes nothing that anybody sees, so if it fails the call has had no
effect, and it may be made again. What comes after it only reads: if that fails the call happened
all the same.
"""

from collections.abc import Awaitable

from pydantic import JsonValue

from connectors.connector import Applied, Outcome, Unreadable
from connectors.errors import ConnectorError
from connectors.spec import ActionSpec, Effect


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


async def after(acted: Outcome, asked: Awaitable[JsonValue], *, replayed: bool = False) -> Outcome:
    """What a call gave that acted, and is then read back."""
    request_id = acted.request_id
    try:
        return Applied(await asked, request_id, replayed)
    except ConnectorError as error:
        return Unreadable(f"it happened, and could not be read back: {error.message}", request_id)

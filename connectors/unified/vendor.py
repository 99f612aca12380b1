"""A vendor of a model: a table of where each field stands in its objects, and a function a call.

The table is used to read every answer and to write `docs/connectors/unified.md`, so what it
leaves out is told as null and listed as a gap.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import JsonValue

from connectors import pointer
from connectors.connector import Outcome
from connectors.errors import Kind, Refused
from connectors.outcome import MISREAD
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.text import visible
from connectors.unified.model import ENVELOPE, Model
from connectors.validate import check_arguments

Ask = Callable[[ActionSpec, JsonObject, CallContext], Awaitable[Outcome]]
"""One operation of a vendor: one call."""

VERSION_CONFLICT = "version-conflict"
"""The code of a change that named a version which the record no longer has."""

_PRECONDITION = (412, 428)


def _as_it_is(value: JsonValue) -> JsonValue:
    return value


def _nothing(_: JsonObject) -> JsonObject:
    return {}


@dataclass(frozen=True)
class At:
    """Where a field stands in a vendor's object, and how it is read; "" is the object itself.

    `said` is how the table says so, where the place alone does not.
    """

    path: str
    read: Callable[[JsonValue], JsonValue] = _as_it_is
    said: str = ""


@dataclass(frozen=True)
class Vendor:
    """What one vendor offers of a model.

    `fields` are its places by record, `custom` finds what is there beside them; `promises` are
    the operations that it offers with its members of their manifests; `gaps` says why an
    operation (`ticket_delete`) or a field (`ticket.team_id`) is not there.
    """

    name: str
    model: Model
    fields: Mapping[str, Mapping[str, At]]
    promises: Mapping[str, JsonObject]
    custom: Mapping[str, Callable[[JsonObject], JsonObject]] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)

    def tell(self, record: str, raw: JsonValue) -> JsonObject:
        """A vendor's object as the model's record; raises `TypeError` where it is none."""
        told = self.read(record, raw, (*ENVELOPE, *self.model.records[record]))
        if not isinstance(raw, dict):
            raise TypeError(f"expected a {record}, which is an object")
        custom = self.custom.get(record, _nothing)(raw)
        return told | {"connector": self.name, "custom_fields": custom, "raw": raw}

    def read(self, record: str, raw: JsonValue, names: Iterable[str]) -> JsonObject:
        """These fields of a record."""
        places = self.fields[record]
        return {
            name: places[name].read(value_at(raw, places[name].path)) if name in places else None
            for name in names
        }


class UnifiedConnector:
    """The actions of a model over one vendor's functions."""

    def __init__(self, vendor: Vendor, connection: str, functions: Mapping[str, Ask]) -> None:
        self.name = vendor.name
        self._functions = functions
        promises = {name: said for name, said in vendor.promises.items() if name in functions}
        self._actions = vendor.model.actions(connection, promises)
        self._known = {each.name: each for each in self._actions}

    async def actions(self) -> tuple[ActionSpec, ...]:
        """What the vendor offers of the model, the same each time."""
        return self._actions

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call the vendor's function once."""
        spec = self._known.get(action.name)
        if spec is None:
            raise Refused(f"there is no {action.name}", kind=Kind.NOT_FOUND)
        given = dict(arguments)
        check_arguments(spec, given)
        try:
            return await self._functions[spec.name.partition(".")[2]](spec, given, context)
        except Refused as error:
            if error.status not in _PRECONDITION:
                raise
            raise Refused(
                error.message,
                kind=Kind.CONFLICT,
                vendor_code=VERSION_CONFLICT,
                request_id=error.request_id,
                status=error.status,
            ) from error
        except MISREAD as error:
            if spec.is_write:
                raise  # nobody knows here whether it had acted
            told = f"the answer cannot be read: {visible(str(error), 500)}"
            raise Refused(told, kind=Kind.INTERNAL) from error


def value_at(value: JsonValue, path: str) -> JsonValue:
    """What stands at a place, or null."""
    return pointer.value_at(value, path.split("/") if path else ())


def folded(value: JsonValue) -> str:
    """A value as it is compared where services search without regard to case."""
    return str(value).casefold()


def text(value: JsonValue) -> JsonValue:
    """A number or a text as text."""
    return None if value is None else str(value)


def moment(value: JsonValue) -> JsonValue:
    """Seconds since 1970, or a text, as a date-time; raises `ValueError` for what is none."""
    if value is None:
        return None
    if isinstance(value, str):
        found = datetime.fromisoformat(value)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("this is no date-time")
    try:
        return datetime.fromtimestamp(value, UTC).isoformat()
    except OSError as error:  # how the system says that no calendar reaches that far
        raise ValueError("this is no date-time") from error


def worded(known: Mapping[str, str]) -> Callable[[JsonValue], JsonValue]:
    """The model's word for a vendor's, `other` for one without an equal, null where none is."""
    return lambda said: None if said is None else known.get(str(said), "other")

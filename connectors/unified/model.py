"""A unified model: the records of a kind of service and its actions, whoever is behind them.

What a plan needs is the model's: names, schemas, sinks. What a call promises is the vendor's:
its effect class, how its key travels, how it is looked up and taken back. So the same plan runs
over every vendor that offers its actions, and an approval covers what this one promises.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.manifest import within
from connectors.spec import ActionSpec, JsonObject

TEXT: JsonObject = {"type": "string"}
TEXTS: JsonObject = {"type": "array", "items": TEXT}
FLAG: JsonObject = {"type": "boolean"}
MOMENT: JsonObject = {"type": "string", "format": "date-time"}
ID: JsonObject = {"type": "string", "minLength": 1, "maxLength": 300}
_OPEN: JsonObject = {"type": "object", "additionalProperties": True}


def or_null(schema: JsonObject) -> JsonObject:
    """The same, or null where the vendor does not say."""
    return {"anyOf": [schema, {"type": "null"}]}


def words(*known: str) -> JsonObject:
    """A closed list of words; `other` is a word of the vendor's that has no equal here."""
    return {"enum": [*known, "other"]}


def closed(properties: Mapping[str, JsonValue], *optional: str) -> JsonObject:
    """An object with exactly these members, of which some may be left out."""
    required: list[JsonValue] = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": dict(properties),
        "required": required,
        "additionalProperties": False,
    }


def needing(properties: Mapping[str, JsonValue], *needed: str) -> JsonObject:
    """An object with exactly these members, of which only some have to be there."""
    return closed(properties, *(each for each in properties if each not in needed))


def list_of(schema: JsonObject) -> JsonObject:
    """Any number of these."""
    return {"type": "array", "items": schema}


VERSION: JsonObject = {
    **ID,
    "description": "its version when the change was decided on; without it any version is changed",
}
"""The argument by which a change says what it was decided on."""

ENVELOPE: JsonObject = {
    "id": ID,
    "connector": TEXT,
    "version": or_null(TEXT),  # what a change names so that it changes nothing else
    "url": or_null(TEXT),
    "created_at": or_null(MOMENT),
    "updated_at": or_null(MOMENT),
    "custom_fields": _OPEN,
    "raw": _OPEN,
}
"""What every record has beside its own fields; `raw` is the vendor's own object."""

# The vendor assigns these; what people write into a record is what they wrote.
ENVELOPE_TRUSTED = ("id", "version", "created_at", "updated_at")


@dataclass(frozen=True)
class Model:
    """A model: the fields of each record, and the members of each operation's manifest."""

    name: str
    records: Mapping[str, JsonObject]
    operations: Mapping[str, JsonObject]

    def record(self, name: str) -> JsonObject:
        """The schema of a record: its envelope and its fields, all of them there."""
        return record_of(self.records[name])

    def actions(
        self, connection: str, promises: Mapping[str, JsonObject]
    ) -> tuple[ActionSpec, ...]:
        """The operations that a vendor offers, with what it promises of each."""
        return tuple(
            ActionSpec.model_validate(
                {
                    "name": f"{connection}.{operation}",
                    **within(connection, {**manifest, **promises[operation]}),
                }
            )
            for operation, manifest in self.operations.items()
            if operation in promises
        )


def record_of(fields: Mapping[str, JsonValue]) -> JsonObject:
    """The schema of a record with these fields of its own."""
    return closed({**ENVELOPE, **fields})


def limit(most: int) -> JsonObject:
    """The argument that says how many a list has at most."""
    return {
        "type": "integer",
        "minimum": 1,
        "maximum": most,
        "description": "how many at most; 20 if it is not said",
    }


def trusted_at(root: str, fields: Iterable[str] = ()) -> JsonObject:
    """`fields_read_as`: what the vendor assigns in the record at this place, and these too."""
    return {f"{root}{name}": "trusted" for name in (*ENVELOPE_TRUSTED, *fields)}

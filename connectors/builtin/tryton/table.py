"""Where Tryton keeps the records of one kind, and what is done with any of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pydantic import JsonValue

from connectors.builtin.tryton.records import bearing, bears
from connectors.builtin.tryton.wire import Told, Tryton, number_of, rows
from connectors.connector import Applied, Outcome
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.vendor import Vendor, value_at


@dataclass(frozen=True)
class Table:
    """A model of Tryton's, the fields that are read, and the one that carries our mark."""

    model: str
    fields: tuple[str, ...]
    mark: str = ""

    def told(self, row: JsonObject) -> JsonObject:
        """A record that was found, as it is read: without the mark that it was found by."""
        known = {each.partition(".")[0] for each in self.fields}
        marked = self.mark.partition(".")[0]
        return {name: each for name, each in row.items() if name in known or name != marked}


@dataclass(frozen=True)
class Records:
    """The records of a vendor's model in one Tryton."""

    tryton: Tryton
    vendor: Vendor
    tables: Mapping[str, Table]

    async def read(
        self, record: str, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Read the record that `id` names."""
        table = self.tables[record]
        return await self.tryton.read(
            spec, context, table.model, number_of(given["id"]), table.fields, self.one(record)
        )

    async def find(
        self, record: str, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Find the record that a call has made by the mark that it left, or null."""
        table = self.tables[record]

        key = given["reference"]

        def first(body: JsonValue) -> JsonValue:
            found = rows(body)[:1]
            if not all(bears(each, table.mark, key) for each in found):
                raise ValueError("it gives another record than was searched for")
            return self.vendor.tell(record, table.told(found[0])) if found else None

        # Whoever copies a record copies the mark that is in it.
        domain, fields = [bearing(table.mark, key)], (*table.fields, table.mark)
        return await self.tryton.search(
            spec, context, table.model, domain, fields, first, oldest=True
        )

    async def list(
        self,
        record: str,
        name: str,
        places: Mapping[str, str],
        spec: ActionSpec,
        given: JsonObject,
        context: CallContext,
    ) -> Outcome:
        """List records under a name; `places` says which field each argument asks."""
        table = self.tables[record]

        def told(body: JsonValue) -> JsonValue:
            return {name: [self.vendor.tell(record, each) for each in rows(body)]}

        domain: list[JsonValue] = []
        for argument, place in places.items():
            if argument in given:
                domain.append([place.partition(",")[0], "=", _asked(argument, place, given)])
        limit = given.get("limit", 20)
        most = limit if isinstance(limit, int) else 20
        return await self.tryton.search(
            spec, context, table.model, domain, table.fields, told, most
        )

    async def create(
        self, record: str, values: JsonObject, spec: ActionSpec, context: CallContext
    ) -> Outcome:
        """Make a record."""
        table = self.tables[record]
        return await self.tryton.create(
            spec, context, table.model, values, table.fields, self.one(record)
        )

    async def known(
        self,
        spec: ActionSpec,
        context: CallContext,
        model: str,
        domain: Sequence[JsonValue],
        fields: Sequence[str] = ("id",),
        limit: int = 1,
    ) -> Sequence[JsonObject]:
        """What a write has to know before it is made; refused where it is of something else."""

        def told(body: JsonValue) -> JsonValue:
            found = rows(body)
            if not all(_is_meant(clause, each) for clause in domain for each in found):
                raise ValueError("it gives another record than was searched for")
            return [*found]

        outcome = await self.tryton.search(spec, context, model, domain, fields, told, limit)
        return rows(outcome.output) if isinstance(outcome, Applied) else []

    def one(self, record: str) -> Told:
        """Tells one record of Tryton's as the model's."""
        return partial(self.vendor.tell, record)


def _is_meant(clause: JsonValue, row: JsonValue) -> bool:
    """Whether a record is as a clause says, as far as it was read."""
    place, operator, value = clause if isinstance(clause, list) else (None, None, None)
    found = value_at(row, str(place).replace(".", "/"))
    if found is None:
        return place != "id"
    return found in value if operator == "in" and isinstance(value, list) else found == value


def _asked(argument: str, place: str, given: JsonObject) -> JsonValue:
    """An id as a number, or as `MODEL,NUMBER` where the place says so; a text as it is."""
    if not argument.endswith("_id"):
        return given[argument]
    _, _, model = place.partition(",")
    found = number_of(given[argument])
    return f"{model},{found}" if model else found

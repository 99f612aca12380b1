"""What `ticketing` asks of a Roundup tracker, an operation each."""

from dataclasses import dataclass

from pydantic import JsonValue

from connectors.builtin.roundup.fields import PRIORITY_SAID, ROUNDUP, STATUS_SAID, STATUSES
from connectors.builtin.roundup.once import open_ticket
from connectors.builtin.roundup.rest import FIELDS, Rest, ids_of
from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.steps import after, meanwhile, was_ours
from connectors.unified.vendor import text, value_at

_PLACES = {"title": "title", "tags": "keyword"}


@dataclass(frozen=True)
class Tracker:
    """One tracker."""

    rest: Rest

    async def create(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Open a ticket once."""
        said = str(given.get("description", given["title"]))
        return await open_ticket(self.rest, spec, _attributes(given), said, context)

    async def get(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read a ticket."""
        return Applied(await self.rest.read(spec, str(given["id"]), context))

    async def search(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """List tickets."""
        query: dict[str, str | list[str]] = {
            "@fields": FIELDS,
            "@verbose": "2",
            "@sort": "-id",
            "@page_size": str(given.get("limit", 20)),
        }
        statuses = [each for each, is_ in STATUSES.items() if is_ == given.get("status")]
        if statuses:
            query["status"] = ",".join(statuses)
        for name, place in (("assignee_id", "assignedto"), ("words", "title")):
            if name in given:
                query[place] = str(given[name])

        def fits(row: JsonValue) -> bool:
            people = {text(value_at(row, f"assignedto/{name}")) for name in ("id", "username")}
            is_its = "assignee_id" not in given or given["assignee_id"] in people
            return is_its and (not statuses or value_at(row, "status/name") in statuses)

        rows = await self.rest.search(spec, "issue", query, context, fits)
        return Applied({"tickets": [ROUNDUP.tell("ticket", each) for each in rows]})

    async def update(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Change a ticket, if it is still the version that the change was decided on."""
        ticket, body = str(given["id"]), _attributes(given)
        version = await self._version(spec, given, context)
        try:
            done = await self.rest.patch(spec, "issue", ticket, version, body, context)
        except Refused as error:
            if error.status != 412:
                raise
            return await self._stale(spec, given, error, context)
        return await after(done, self.rest.read(spec, ticket, context))

    async def withdraw(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Retire a ticket; one that is retired already stays so."""
        ticket = str(given["id"])
        version = await self._version(spec, given, context)
        body: JsonObject = {"@op": "action", "@action_name": "retire"}
        try:
            await self.rest.patch(spec, "issue", ticket, version, body, context)
        except Refused as error:
            if "version" in given:
                raise
            raise meanwhile(error) from error
        return Applied({"id": ticket})

    async def comment(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Add a message to a ticket once."""
        if given.get("is_private"):
            told = "roundup shows a comment to everybody who sees the ticket"
            raise Refused(told, kind=Kind.INVALID)
        ticket = str(given["ticket_id"])
        raw = await self.rest.raw(spec, ticket, context)
        kept = await self.rest.kept(spec, context)
        there = [each for each in ids_of(raw) if kept is not None and each in kept.ids]
        if there:
            return Applied(await self._comment(spec, ticket, there[0], context), replayed=True)
        wanted = kept.id if kept else await self.rest.keep(spec, str(given["body"]), "", context)
        body: JsonObject = {"@op": "add", "messages": [wanted]}
        version = str(raw["@etag"])
        try:
            done = await self.rest.patch(spec, "issue", ticket, version, body, context)
        except Refused as error:
            raise meanwhile(error) from error
        return await after(done, self._comment(spec, ticket, wanted, context))

    async def comments(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read the messages of a ticket."""
        ticket = str(given["ticket_id"])
        raw = await self.rest.raw(spec, ticket, context)
        found = await self.rest.comments(spec, ticket, ids_of(raw), context)
        return Applied({"comments": found})

    async def _comment(
        self, spec: ActionSpec, ticket: str, message: str, context: CallContext
    ) -> JsonValue:
        return (await self.rest.comments(spec, ticket, [message], context))[0]

    async def _version(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> str:
        if "version" in given:
            return str(given["version"])
        return str((await self.rest.raw(spec, str(given["id"]), context))["@etag"])

    async def _stale(
        self, spec: ActionSpec, given: JsonObject, error: Refused, context: CallContext
    ) -> Outcome:
        """The version is another one: perhaps because an earlier attempt made it so."""
        if "version" not in given:
            raise meanwhile(error) from error
        if context.attempt == 1:
            raise error
        return was_ours(error, given, await self.rest.read(spec, str(given["id"]), context))


def _attributes(given: JsonObject) -> JsonObject:
    """What a ticket is given, in Roundup's words; raises `Refused` for what it has no place for."""
    found: JsonObject = {place: given[name] for name, place in _PLACES.items() if name in given}
    if "status" in given:
        found["status"] = STATUS_SAID[str(given["status"])]
    if "priority" in given:
        found["priority"] = PRIORITY_SAID[str(given["priority"])]
    people = given.get("assignee_ids")
    if isinstance(people, list):
        if len(people) > 1:
            raise Refused("roundup gives a ticket to one person", kind=Kind.INVALID)
        found["assignedto"] = people[0] if people else None
    return found

"""Calls a service provider of SCIM 2.0.

A user has a natural key, `userName`, which a provider gives to one alone. Ours goes along as
`externalId`, the name that the client has for it. So where a name is taken (409, `uniqueness`) the
one who has it is looked at: with our key it is what an earlier attempt made, with another one it
is somebody else. Groups have no natural key; they are looked up by `externalId`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.api import Api
from connectors.builtin.scim.fields import ENTERPRISE, GROUP, PATCH, PATHS, SCIM, USER
from connectors.connector import Applied, Outcome
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.pages import listed, most_of, page
from connectors.unified.steps import after, before, meanwhile, output_of, was_ours
from connectors.unified.vendor import folded, value_at

_OF_USERS = {"user_name": "userName", "email": "emails.value", "active": "active"}
_OF_GROUPS = {"display_name": "displayName"}
_SCIM_JSON = {"content-type": "application/scim+json", "accept": "application/scim+json"}


@dataclass(frozen=True)
class Provider:
    """One service provider."""

    api: Api

    async def create_user(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Make a user once: nobody else can have the name."""
        body = user_body(given, context.idempotency_key)
        try:
            return await self._send(spec, context, "POST", "Users", body, _told("user"))
        except (Refused, Uncertain) as error:
            if error.status != 409:
                raise
            found = await self._known(spec, "Users", context.idempotency_key, context)
            if found is None:
                raise
            return Applied(SCIM.tell("user", found), replayed=True)

    async def get_user(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read a user."""
        return Applied(await self._read(spec, str(given["id"]), context))

    async def search_users(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """List users."""
        return await self._list(spec, context, "Users", _OF_USERS, given, "user")

    async def update_user(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Change a user, if it is still the version that the change was decided on."""
        number, version = str(given["id"]), given.get("version")
        headers = {} if version is None else {"if-match": str(version)}
        try:
            done = await self._patch(spec, context, f"Users/{number}", changes(given), headers)
        except Refused as error:
            if error.status != 412 or version is None:
                raise meanwhile(error) from error
            if context.attempt == 1:
                raise
            return was_ours(error, given, await self._read(spec, number, context))
        return await after(done, self._read(spec, number, context))

    async def deactivate_user(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Let a user sign in no more."""
        operations: list[JsonValue] = [{"op": "replace", "path": "active", "value": False}]
        done = await self._patch(spec, context, f"Users/{given['id']}", operations)
        return _answered(done, {"id": given["id"], "active": False})

    async def create_group(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Make a group."""
        members = given.get("members", [])
        body: JsonObject = {
            "schemas": [GROUP],
            "displayName": given["display_name"],
            "externalId": context.idempotency_key,
        }
        if isinstance(members, list) and members:
            body["members"] = [{"value": each} for each in members]
        return await self._send(spec, context, "POST", "Groups", body, _told("group"))

    async def find_group(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """The group that carries a key, or null."""
        found = await self._known(spec, "Groups", str(given["reference"]), context)
        return Applied(None if found is None else SCIM.tell("group", found))

    async def search_groups(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """List groups."""
        return await self._list(spec, context, "Groups", _OF_GROUPS, given, "group")

    async def delete_group(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Take a group away; one that an earlier attempt took away stays so."""
        group = str(given["id"])
        try:
            done = await self._send(spec, context, "DELETE", f"Groups/{group}", None, _as_it_is)
        except Refused as error:
            if error.status != 404 or context.attempt == 1:
                raise
            return Applied({"id": group}, replayed=True)
        return _answered(done, {"id": group})

    async def add_member(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Put a user into a group; who is in it stays."""
        members: JsonValue = [{"value": given["user_id"]}]
        operations: list[JsonValue] = [{"op": "add", "path": "members", "value": members}]
        done = await self._patch(spec, context, f"Groups/{given['group_id']}", operations)
        return _answered(done, dict(given))

    async def remove_member(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Take a user out of a group; who is not in it stays out."""
        path = f"members[value eq {_said(given['user_id'])}]"
        operations: list[JsonValue] = [{"op": "remove", "path": path}]
        done = await self._patch(spec, context, f"Groups/{given['group_id']}", operations)
        return _answered(done, dict(given))

    async def _read(self, spec: ActionSpec, number: str, context: CallContext) -> JsonObject:
        asked = self._send(before(spec), context, "GET", f"Users/{number}", None, _told("user"))
        found = await output_of(asked)
        return found if isinstance(found, dict) else {}

    async def _known(
        self, spec: ActionSpec, kind: str, key: str, context: CallContext
    ) -> JsonValue:
        """The resource that carries a key, as the provider has it."""
        query = {"filter": f"externalId eq {_said(key)}", "count": "1"}

        def mine(body: JsonValue) -> JsonValue:
            found = value_at(_resources(body), "0")
            if found is not None and value_at(found, "externalId") != key:
                raise ValueError("it gives another resource than was searched for")
            return found

        return await output_of(
            self.api.ask(
                before(spec), context, "GET", kind, query=query, headers=_SCIM_JSON, mapped=mine
            )
        )

    async def _list(
        self,
        spec: ActionSpec,
        context: CallContext,
        kind: str,
        places: Mapping[str, str],
        given: JsonObject,
        record: str,
    ) -> Outcome:
        wanted = {place: given[name] for name, place in places.items() if name in given}
        asked = " and ".join(f"{place} eq {_said(each)}" for place, each in wanted.items())
        query = {"filter": asked} if asked else {}
        name, most, total = f"{record}s", most_of(given), None

        async def ask(at: str, count: int) -> Outcome:
            start = int(at or 1)

            def told(body: JsonValue) -> JsonValue:
                nonlocal total
                rows, before_it = _resources(body), total
                total = value_at(body, "totalResults")
                if not isinstance(total, int) or isinstance(total, bool):
                    raise TypeError("expected totalResults")
                if before_it not in (None, total):
                    # By numbers that have moved somebody would be overlooked.
                    raise Unavailable("it was changed meanwhile", kind=Kind.CONFLICT, sent=True)
                if not all(_fits(each, wanted) for each in rows):
                    raise ValueError(f"it gives another {record} than was searched for")
                following = start + len(rows)
                is_last = following > total
                return page(
                    [SCIM.tell(record, each) for each in rows], "" if is_last else str(following)
                )

            said = {"count": str(count), "startIndex": str(start), **query}
            return await self.api.ask(
                spec, context, "GET", kind, query=said, headers=_SCIM_JSON, mapped=told
            )

        done = await listed(name, most, ask)
        rows = value_at(done.output, name) if isinstance(done, Applied) else None
        if isinstance(rows, list) and isinstance(total, int) and len(rows) < min(most, total):
            said = f"the provider counts {total} and gives {len(rows)} of them"
            raise Refused(said, kind=Kind.INTERNAL)
        return done

    async def _patch(
        self,
        spec: ActionSpec,
        context: CallContext,
        path: str,
        operations: list[JsonValue],
        headers: dict[str, str] | None = None,
    ) -> Outcome:
        body: JsonObject = {"schemas": [PATCH], "Operations": operations}
        return await self._send(spec, context, "PATCH", path, body, _as_it_is, headers)

    async def _send(
        self,
        spec: ActionSpec,
        context: CallContext,
        method: str,
        path: str,
        body: JsonObject | None,
        told: Callable[[JsonValue], JsonValue],
        headers: dict[str, str] | None = None,
    ) -> Outcome:
        kind, _, number = path.partition("/")
        return await self.api.ask(
            spec,
            context,
            method,
            *((kind, number) if "/" in path else (kind,)),
            body=body,
            headers={**_SCIM_JSON, **(headers or {})},
            mapped=told,
        )


def user_body(given: JsonObject, key: str) -> JsonObject:
    """The resource of a new user."""
    body: JsonObject = {"userName": given["user_name"], "externalId": key, "active": True}
    name = _members(given, given_name="givenName", family_name="familyName")
    work = _members(given, department="department")
    if "manager_id" in given:
        work["manager"] = {"value": given["manager_id"]}
    if "emails" in given:
        body["emails"] = _emails(given["emails"])
    return {
        "schemas": [USER, ENTERPRISE] if work else [USER],
        **body,
        **_members(given, display_name="displayName", title="title"),
        **({"name": name} if name else {}),
        **({ENTERPRISE: work} if work else {}),
    }


def changes(given: JsonObject) -> list[JsonValue]:
    """The operations of a change."""
    found: list[JsonValue] = [
        {"op": "replace", "path": path, "value": given[name]}
        for name, path in PATHS.items()
        if name in given
    ]
    if "emails" in given:
        found.append({"op": "replace", "path": "emails", "value": _emails(given["emails"])})
    return found


def _members(given: JsonObject, **places: str) -> JsonObject:
    return {place: given[name] for name, place in places.items() if name in given}


def _emails(said: JsonValue) -> list[JsonValue]:
    rows = said if isinstance(said, list) else []
    return [{"value": each, "primary": number == 0} for number, each in enumerate(rows)]


def _said(value: JsonValue) -> str:
    """A value as a filter has it (RFC 7644, 3.4.2.2): as JSON writes it."""
    return json.dumps(value)


def _fits(resource: JsonValue, wanted: Mapping[str, JsonValue]) -> bool:
    """Whether a resource is as was asked, as far as it says: a provider may filter by nothing."""
    return all(
        not (said := _texts_at(resource, place)) or folded(value) in said
        for place, value in wanted.items()
    )


def _texts_at(resource: JsonValue, place: str) -> set[str]:
    """What stands at a place of a filter: of several rows, that of each."""
    name, _, member = place.partition(".")
    found = value_at(resource, name)
    if member:
        rows = found if isinstance(found, list) else []
        return {folded(value_at(each, member)) for each in rows}
    return set() if found is None else {folded(found)}


def _told(record: str) -> Callable[[JsonValue], JsonValue]:
    return lambda body: SCIM.tell(record, body)


def _as_it_is(body: JsonValue) -> JsonValue:
    return body


def _answered(done: Outcome, told: JsonObject) -> Outcome:
    """What a call gives that its provider answers with nothing, or with more than is wanted."""
    return Applied(told, done.request_id) if isinstance(done, Applied) else done


def _resources(body: JsonValue) -> list[JsonValue]:
    found = value_at(body, "Resources")
    if found is None and value_at(body, "totalResults") == 0:
        return []
    if not isinstance(found, list):
        raise TypeError("expected a list of resources")
    return found

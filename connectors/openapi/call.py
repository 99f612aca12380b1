"""Calls operations of an OpenAPI document, with the operator's overlay applied."""

import json
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import quote, urlencode

from pydantic import JsonValue, ValidationError

from connectors.connector import Outcome
from connectors.errors import ConfigurationError
from connectors.http import HttpRequest, Transport, TransportError
from connectors.openapi.extract import Operation, Skipped, extract
from connectors.openapi.load import Source, load_document
from connectors.openapi.overlay import Overlay
from connectors.outcome import read_answer, read_failure
from connectors.spec import ActionSpec, CallContext, JsonObject

_OWN = {"accept", "content-type", "authorization"}  # OpenAPI says to ignore these as parameters


class OpenApiConnector:
    """One connection to one service, described by its document."""

    name = "openapi"

    def __init__(
        self,
        connection: str,
        base_url: str,
        transport: Transport,
        *,
        document: Source,
        overlay: Overlay | None = None,
        secret: Callable[[], str] | None = None,
    ) -> None:
        self._connection = connection
        self._base_url = base_url.rstrip("/")
        self._transport = transport
        self._document = document
        self._overlay = overlay or Overlay()
        self._secret = secret
        self._operations: dict[str, Operation] = {}
        self._specs: tuple[ActionSpec, ...] = ()
        self.skipped: tuple[Skipped, ...] = ()

    async def actions(self) -> Sequence[ActionSpec]:
        """Every operation that the document and the overlay offer."""
        if not self._specs:
            found, self.skipped = extract(await load_document(self._document, self._transport))
            specs = []
            for operation in found:
                if self._is_offered(operation.name):
                    spec = self._spec(operation)
                    self._operations[spec.name] = operation
                    specs.append(spec)
            unknown = set(self._overlay.actions) - {operation.name for operation in found}
            if unknown:
                names = ", ".join(sorted(unknown))
                raise ConfigurationError(f"{self._connection}: the document has no {names}")
            self._specs = tuple(specs)
        return self._specs

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call once."""
        request = self._request(self._operations[action.name], action, arguments, context)
        dialect = self._overlay.errors.dialect()
        try:
            answer = await self._transport.send(
                request, deadline=context.deadline, send_before=context.send_before
            )
        except TransportError as error:
            return read_failure(action, error, dialect)
        return read_answer(action, answer, dialect)

    def _is_offered(self, name: str) -> bool:
        only = self._overlay.only
        return name not in self._overlay.hidden and (only is None or name in only)

    def _spec(self, operation: Operation) -> ActionSpec:
        said = dict(self._overlay.actions.get(operation.name, {}))
        name = said.pop("name", operation.name)
        manifest: JsonObject = {
            "name": f"{self._connection}.{name}",
            "description": operation.description,
            "effect": operation.proposed_effect.value,
            "output_schema": operation.output_schema,
            **said,
        }
        own = self._own_arguments(operation, said)
        manifest["input_schema"] = _without(operation.input_schema, own)
        try:
            return ActionSpec.model_validate(manifest)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigurationError(
                f"{self._connection}.{name}: {where}: {first['msg']}"
            ) from error

    def _own_arguments(self, operation: Operation, said: JsonObject) -> frozenset[str]:
        """Arguments that we fill in and no plan may: credentials, keys, references."""
        wires = set(_OWN)
        if self._overlay.credential is not None:
            wires.add(self._overlay.credential.header.lower())
        for member, name in (("idempotency", "name"), ("lookup", "reference")):
            found = said.get(member)
            if isinstance(found, dict) and isinstance(found.get(name), str):
                wires.add(str(found[name]).lower())
        return frozenset(
            argument
            for argument, (place, wire) in operation.places.items()
            if wire.lower() in wires and (place != "body" or wire.lower() not in _OWN)
        )

    def _request(
        self,
        operation: Operation,
        action: ActionSpec,
        arguments: Mapping[str, JsonValue],
        context: CallContext,
    ) -> HttpRequest:
        path = operation.path
        query: list[tuple[str, str]] = []
        headers: dict[str, str] = {}
        body: JsonValue = None
        members: JsonObject = {}
        for argument, value in arguments.items():
            place, wire = operation.places[argument]
            match place:
                case "path":
                    path = path.replace(f"{{{wire}}}", quote(_plain(value), safe=""))
                case "query":
                    each = value if isinstance(value, list) else [value]
                    query += [(wire, _plain(item)) for item in each]
                case "header":
                    headers[wire] = _plain(value)
                case "body":
                    members[wire] = value
                case "whole_body":
                    body = value
        self._add_key(action, context.idempotency_key, query, headers, members)
        if self._overlay.credential is not None and self._secret is not None:
            form = self._overlay.credential.form
            headers[self._overlay.credential.header] = form.format(secret=self._secret())
        if members:
            body = members
        takes_body = any(place in ("body", "whole_body") for place, _ in operation.places.values())
        content = json.dumps(body).encode() if takes_body else None
        if content is not None:
            headers["content-type"] = "application/json"
        url = self._base_url + path + (f"?{urlencode(query)}" if query else "")
        return HttpRequest(operation.method.upper(), url, headers, content)

    def _add_key(
        self,
        action: ActionSpec,
        key: str,
        query: list[tuple[str, str]],
        headers: dict[str, str],
        members: JsonObject,
    ) -> None:
        if action.idempotency is not None:
            match action.idempotency.place:
                case "header":
                    headers[action.idempotency.name] = key
                case "query":
                    query.append((action.idempotency.name, key))
                case "body":
                    members[action.idempotency.name] = key
                case "connector":
                    pass
        if action.lookup is not None and action.lookup.reference:
            members[action.lookup.reference] = key


def _without(schema: JsonObject, names: frozenset[str]) -> JsonObject:
    properties, required = schema["properties"], schema["required"]
    kept: JsonObject = {}
    if isinstance(properties, dict):
        kept = {name: found for name, found in properties.items() if name not in names}
    needed = [each for each in required if each not in names] if isinstance(required, list) else []
    return {**schema, "properties": kept, "required": needed}


def _plain(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)

"""From an OpenAPI document to operations: names, argument schemas, output schemas.

What cannot be offered is listed with its reason, never dropped silently. Nothing here believes
the document: what it says of effects is a proposal, and its servers are not called.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from connectors.openapi.answers import Output, output_of
from connectors.openapi.bodies import Body, body_of
from connectors.openapi.gaps import Gap, UnsupportedError
from connectors.openapi.names import argument_name, operation_names
from connectors.openapi.parameters import Parameter, Place, parameters_of
from connectors.openapi.paths import Target, home_of, names_in, target_of
from connectors.openapi.schema import Definitions, resolve
from connectors.openapi.swagger import is_swagger, upgraded
from connectors.source import Skipped
from connectors.spec import Effect, JsonObject
from connectors.text import visible

_CALLED = ("get", "put", "post", "delete", "patch", "head")
_NOT_CALLED = ("options", "trace", "query")
_MOST_WORDS = 1000


@dataclass(frozen=True)
class Operation:
    """One callable operation: `places` says where each argument travels.

    `query` stands in the address whatever the arguments are. `server` is empty where the document
    says that it is the one of all.
    """

    name: str
    method: str
    path: str
    query: str
    server: str
    description: str
    input_schema: JsonObject
    output: Output
    places: Mapping[str, Place]
    body: Body | None

    @property
    def proposed_effect(self) -> Effect:
        """What the verb suggests: no more than a proposal."""
        if self.method in ("get", "head"):
            return Effect.READ
        return Effect.IDEMPOTENT if self.method in ("put", "delete") else Effect.BLIND

    @property
    def called(self) -> str:
        """What is called, as people read it."""
        query = f"?{self.query}" if self.query else ""
        return f"{self.method.upper()} {self.server}{self.path}{query}"


@dataclass(frozen=True)
class Extracted:
    """What a document offers and what of it cannot be offered."""

    operations: tuple[Operation, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class _Node:
    """An operation as it stands in the document."""

    path: str
    method: str
    item: JsonObject
    node: JsonObject


def extract(document: JsonObject, longest_name: int = 48) -> Extracted:
    """Every operation of a document; a name has at most `longest_name` characters."""
    skipped: list[Skipped] = []
    nodes = list(_nodes(document, skipped))
    named = [(_text(each.node.get("operationId")), each.method, each.path) for each in nodes]
    reader = _Reader(document, skipped)
    read = [
        reader.read(name, each)
        for name, each in zip(operation_names(named, longest_name), nodes, strict=True)
    ]
    operations = tuple(reader.finished(read))
    webhooks = document.get("webhooks")
    for name in webhooks if isinstance(webhooks, dict) else ():
        skipped.append(Skipped(f"webhooks.{visible(name, 100)}", Gap.WEBHOOK.value))
    return Extracted(operations, tuple(skipped))


def _nodes(document: JsonObject, skipped: list[Skipped]) -> Iterator[_Node]:
    paths = document.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else []:
        if path.startswith("x-"):
            continue
        try:
            found = resolve(document, item)
        except UnsupportedError as error:
            skipped.append(Skipped(visible(path, 200), str(error)))
            continue
        for method, node in found.items() if isinstance(found, dict) else []:
            if isinstance(found, dict) and method in (*_CALLED, *_NOT_CALLED):
                yield _Node(path, method, found, node if isinstance(node, dict) else {})


@dataclass(frozen=True)
class _Read:
    """An operation with what its schemas refer to."""

    operation: Operation
    inward: set[str]
    outward: set[str]


class _Reader:
    """Reads the operations of one document."""

    def __init__(self, document: JsonObject, skipped: list[Skipped]) -> None:
        self._document = document
        self._skipped = skipped
        self._in = Definitions(document, "in")
        self._out = Definitions(document, "out")
        self._home = home_of(document)
        self._credentials = _credentials(document)

    def read(self, name: str, each: _Node) -> _Read | None:
        """One operation, or None where it is noted as skipped."""
        try:
            return self._read(name, each)
        except UnsupportedError as error:
            self._skipped.append(Skipped(name, str(error)))
            return None

    def finished(self, read: list[_Read | None]) -> Iterator[Operation]:
        """The operations with the definitions that they reach, if all of these can be used."""
        self._in.check()
        self._out.check()
        for reference in dict.fromkeys([*self._in.nowhere, *self._out.nowhere]):
            self._skipped.append(Skipped(visible(reference, 200), Gap.NOWHERE.value))
        for pattern in dict.fromkeys([*self._in.unread, *self._out.unread]):
            self._skipped.append(Skipped(f"pattern({visible(pattern, 200)})", Gap.PATTERN.value))
        for each in read:
            if each is None:
                continue
            try:
                yield self._finished(each)
            except UnsupportedError as error:
                self._skipped.append(Skipped(each.operation.name, str(error)))

    def _read(self, name: str, each: _Node) -> _Read:
        if each.method in _NOT_CALLED:
            raise UnsupportedError(Gap.METHOD, each.method)
        target = target_of(each.path, each.node, each.item, self._home)
        item, node = each.item, each.node
        if is_swagger(self._document):
            item, node = {}, upgraded(self._document, item, node)
        inward: set[str] = set()
        outward: set[str] = set()
        arguments = _Arguments()
        self._add_parameters(name, item, node, target, arguments, inward)
        body = body_of(self._document, node, each.method, self._in, inward)
        for member in body.members if body else ():
            arguments.add(member.place, member.schema, member.is_required)
        output = output_of(self._document, node, each.method, self._out, outward)
        for callback in _object(node.get("callbacks")):
            of = f"{name}.callbacks.{visible(callback, 60)}"
            self._skipped.append(Skipped(of, Gap.CALLBACK.value))
        operation = Operation(
            name=name,
            method=each.method,
            path=target.path,
            query=target.query,
            server=target.server,
            description=_description(node),
            input_schema=arguments.schema(),
            output=output,
            places=arguments.places,
            body=replace(body, members=()) if body else None,  # they are arguments now
        )
        return _Read(operation, inward, outward)

    def _add_parameters(
        self,
        name: str,
        item: JsonObject,
        node: JsonObject,
        target: Target,
        arguments: "_Arguments",
        inward: set[str],
    ) -> None:
        wanted = names_in(target.template)
        for declared in parameters_of(self._document, item, node, self._credentials):
            parameter = _asked(declared, target.asked, wanted)
            if self._is_sendable(name, parameter, wanted):
                schema = self._in.convert(parameter.schema, inward)
                arguments.add(parameter.place, schema, parameter.is_required)
        sent = {(place.where, place.wire) for place in arguments.places.values()}
        places = [Place("path", wire, "simple") for wire in dict.fromkeys(wanted)]
        places += [Place("query", key) for key in target.asked.values()]
        for place in places:
            if (place.where, place.wire) not in sent:
                self._note(name, place.wire, Gap.NOT_DECLARED.value)
                arguments.add(place, {"type": "string"}, True)

    def _is_sendable(self, name: str, parameter: Parameter, wanted: list[str]) -> bool:
        """Whether a plan can give it; one that it need not or must not give is noted."""
        place, flaw = parameter.place, parameter.flaw
        if flaw is None and place.where == "path" and place.wire not in wanted:
            flaw = UnsupportedError(Gap.NOT_IN_PATH)
        elif flaw is not None and parameter.is_fatal:
            about = f": {flaw.what}" if flaw.what else ""
            told = f"the parameter {visible(place.wire, 60)} is needed{about}"
            raise UnsupportedError(flaw.gap, told)
        if flaw is not None:
            self._note(name, place.wire, str(flaw))
        return flaw is None

    def _note(self, name: str, wire: str, reason: str) -> None:
        self._skipped.append(Skipped(f"{name}({visible(wire, 60)})", reason))

    def _finished(self, each: _Read) -> Operation:
        operation = each.operation
        flaw = self._in.flaw(operation.input_schema, each.inward)
        if flaw is not None:
            raise UnsupportedError(Gap.SCHEMA, f"of its arguments: {flaw}")
        output = operation.output
        if output.schema is not None:
            flaw = self._out.flaw(output.schema, each.outward)
            if flaw is not None:
                raise UnsupportedError(Gap.SCHEMA, f"of its answer: {flaw}")
            schema = _with(output.schema, self._out.reached(each.outward))
            output = replace(output, schema=schema)
        inputs = _with(operation.input_schema, self._in.reached(each.inward))
        return replace(operation, input_schema=inputs, output=output)


def _asked(parameter: Parameter, asked: Mapping[str, str], wanted: list[str]) -> Parameter:
    """A parameter where the path's query has it, if it has; it is needed there."""
    place = parameter.place
    key = asked.get(place.wire)
    if key is None or place.where not in ("path", "query") or place.wire in wanted:
        return parameter
    style = "form" if place.where == "path" else place.style
    return replace(
        parameter, place=replace(place, where="query", wire=key, style=style), is_required=True
    )


class _Arguments:
    """Collects the arguments of one operation under names that differ."""

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self._properties: JsonObject = {}
        self._required: list[JsonValue] = []

    def add(self, place: Place, schema: JsonValue, is_required: bool) -> None:
        """Add an argument; of two of one name the later one says where it travels."""
        plain = name = argument_name(place.wire or "body")
        number = 1
        while name in self.places:
            name = f"{plain}_{place.where}" + (f"_{number}" if number > 1 else "")
            number += 1
        self.places[name] = place
        self._properties[name] = schema
        if is_required:
            self._required.append(name)

    def schema(self) -> JsonObject:
        """The closed schema of all of them."""
        return {
            "type": "object",
            "properties": self._properties,
            "required": self._required,
            "additionalProperties": False,
        }


def _credentials(document: JsonObject) -> frozenset[tuple[str, str]]:
    """Where the service's keys travel: an argument there would be a secret in a plan."""
    shared = _object(_object(document.get("components")).get("securitySchemes"))
    schemes = shared or _object(document.get("securityDefinitions"))
    return frozenset(
        (str(each.get("in")), str(each.get("name")).lower())
        for each in map(_object, schemes.values())
        if each.get("type") == "apiKey"
    )


def _description(node: JsonObject) -> str:
    words = _text(node.get("description")) or _text(node.get("summary"))
    told = f"Deprecated. {words}".strip() if node.get("deprecated") is True else words
    return visible(told, _MOST_WORDS)


def _with(schema: JsonObject, definitions: JsonObject) -> JsonObject:
    return {**schema, "$defs": definitions} if definitions else schema


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""

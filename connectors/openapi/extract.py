"""From an OpenAPI document to operations: names, argument schemas, output schemas.

What cannot be offered is listed with its reason, never dropped silently. Nothing here believes
the document: what it says of effects is a proposal, and its servers are not called.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from pydantic import JsonValue

from connectors.openapi.bodies import Body, body_of, output_of
from connectors.openapi.names import argument_name, operation_names
from connectors.openapi.parameters import Parameter, Place, parameters_of
from connectors.openapi.schema import Definitions, UnsupportedError, resolve
from connectors.source import Skipped
from connectors.spec import Effect, JsonObject
from connectors.text import visible

_CALLED = ("get", "put", "post", "delete", "patch", "head")
_NOT_CALLED = ("options", "trace", "query")
_IN_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_MOST_WORDS = 1000


@dataclass(frozen=True)
class Operation:
    """One callable operation: `places` says where each argument travels."""

    name: str
    method: str
    path: str
    description: str
    input_schema: JsonObject
    output_schema: JsonObject | None
    places: Mapping[str, Place]
    body: Body | None
    accept: str

    @property
    def proposed_effect(self) -> Effect:
        """What the verb suggests: no more than a proposal."""
        if self.method in ("get", "head"):
            return Effect.READ
        return Effect.IDEMPOTENT if self.method in ("put", "delete") else Effect.BLIND


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
    return Extracted(tuple(reader.finished(read)), tuple(skipped))


def _nodes(document: JsonObject, skipped: list[Skipped]) -> Iterator[_Node]:
    paths = document.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else []:
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
        self._home = _home(document)

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
        for each in read:
            if each is None:
                continue
            try:
                yield self._finished(each)
            except UnsupportedError as error:
                self._skipped.append(Skipped(each.operation.name, str(error)))

    def _read(self, name: str, each: _Node) -> _Read:
        _check_callable(each, self._home)
        inward: set[str] = set()
        outward: set[str] = set()
        arguments = _Arguments()
        for parameter in parameters_of(self._document, each.item, each.node):
            if self._is_sendable(name, parameter, each.path):
                schema = self._in.convert(parameter.schema, inward)
                arguments.add(parameter.place, schema, parameter.is_required)
        sent = {place.wire for place in arguments.places.values() if place.where == "path"}
        for wire in _IN_TEMPLATE.findall(each.path):
            if wire not in sent:
                raise UnsupportedError(f"no parameter says what {{{wire}}} in its path is")
        body = body_of(self._document, each.node, each.method, self._in, inward)
        for member in body.members if body else ():
            arguments.add(member.place, member.schema, member.is_required)
        output = output_of(self._document, each.node, each.method, self._out, outward)
        operation = Operation(
            name=name,
            method=each.method,
            path=quote(each.path, safe="/{}-._~!$&'()*+,;=:@%"),
            description=_description(each.node),
            input_schema=arguments.schema(),
            output_schema=output.schema,
            places=arguments.places,
            body=replace(body, members=()) if body else None,  # they are arguments now
            accept=output.media,
        )
        return _Read(operation, inward, outward)

    def _is_sendable(self, name: str, parameter: Parameter, path: str) -> bool:
        """Whether a plan can give it; an optional one that it cannot give is noted."""
        place, flaw = parameter.place, parameter.flaw
        if flaw is None and place.where == "path" and f"{{{place.wire}}}" not in path:
            flaw = "it is not in the path"
        elif flaw is not None and parameter.is_required:
            raise UnsupportedError(f"the parameter {place.wire} is needed, but {flaw}")
        if flaw is not None:
            self._skipped.append(Skipped(f"{name}({visible(place.wire, 60)})", flaw))
        return flaw is None

    def _finished(self, each: _Read) -> Operation:
        operation = each.operation
        flaw = self._in.flaw(operation.input_schema, each.inward)
        if flaw is not None:
            raise UnsupportedError(f"the schema of its arguments cannot be read: {flaw}")
        output = operation.output_schema
        if output is not None:
            flaw = self._out.flaw(output, each.outward)
            if flaw is not None:
                raise UnsupportedError(f"the schema of its answer cannot be read: {flaw}")
            output = _with(output, self._out.reached(each.outward))
        inputs = _with(operation.input_schema, self._in.reached(each.inward))
        return replace(operation, input_schema=inputs, output_schema=output)


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


def _check_callable(each: _Node, home: JsonValue) -> None:
    if each.method in _NOT_CALLED:
        raise UnsupportedError(f"the method {each.method} is not supported")
    if not each.path.startswith("/") or re.search(
        r"[?#\\\s\ud800-\udfff]|//|/\.\.?(/|$)", each.path
    ):
        raise UnsupportedError(f"its path is not a plain one: {visible(each.path, 100)!r}")
    for servers in (each.node.get("servers"), each.item.get("servers")):
        if servers and servers != home:
            raise UnsupportedError("it has a server of its own; make that a connection of its own")


def _home(document: JsonObject) -> JsonValue:
    """The document's servers, or those that all of its paths name where it names none."""
    if document.get("servers"):
        return document["servers"]
    paths = document.get("paths")
    items = paths.values() if isinstance(paths, dict) else ()
    named = [each["servers"] for each in items if isinstance(each, dict) and each.get("servers")]
    return named[0] if named and all(each == named[0] for each in named) else None


def _description(node: JsonObject) -> str:
    return visible(_text(node.get("description")) or _text(node.get("summary")), _MOST_WORDS)


def _with(schema: JsonObject, definitions: JsonObject) -> JsonObject:
    return {**schema, "$defs": definitions} if definitions else schema


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""

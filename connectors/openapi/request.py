"""Writes the request of one operation from its arguments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from connectors.body import json_flaw
from connectors.canonical import canonical
from connectors.errors import Kind, Refused
from connectors.http import HttpRequest
from connectors.openapi.extract import Operation
from connectors.openapi.parameters import Form, Place
from connectors.spec import JsonObject
from connectors.url import AddressError, segment

_BETWEEN: dict[Form, str] = {"comma": ",", "space": " ", "pipe": "|"}


@dataclass
class Draft:
    """A request that is being written; keys and credentials are added to it."""

    operation: Operation
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    members: JsonObject = field(default_factory=dict)
    whole: JsonValue = None
    has_whole: bool = False

    def put(self, place: Place, value: JsonValue) -> None:
        """Put one argument where it travels; raises `Refused`."""
        match place.where:
            case "path":
                self.path = self.path.replace(f"{{{place.wire}}}", _in_path(place, value))
            case "query":
                self.query += _in_query(place, value)
            case "header":
                self.headers[place.wire] = _joined(place, value)
            case "body":
                self.members[place.wire] = value
            case "whole_body":
                self.whole, self.has_whole = value, True

    def finished(self, base_url: str) -> HttpRequest:
        """The request as it is sent; raises `Refused`."""
        if "{" in self.path:
            raise _refused(f"{self.path} has a part that no argument gave")
        content = self._content()
        if content is not None and self.operation.body is not None:
            self.headers["content-type"] = self.operation.body.media
        elif content is not None:
            self.headers["content-type"] = "application/json"
        self.headers.setdefault("accept", self.operation.accept)
        query = f"?{urlencode(self.query, quote_via=quote, safe='')}" if self.query else ""
        url = base_url + self.path + query
        return HttpRequest(self.operation.method.upper(), url, self.headers, content)

    def _content(self) -> bytes | None:
        value: JsonValue = self.members
        is_required = self.operation.body is not None and self.operation.body.is_required
        if self.has_whole:
            value = self.whole
            if self.members:
                if not isinstance(value, dict):
                    raise _refused("the body is no object, so our key has no place in it")
                value = {**value, **self.members}
        elif not self.members and not is_required:
            return None
        flaw = json_flaw(value)
        if flaw is not None:
            raise _refused(f"the body cannot be written: {flaw}")
        return canonical(value)


def draft(operation: Operation, arguments: Mapping[str, JsonValue]) -> Draft:
    """Begin a request with what the plan gives; raises `Refused`."""
    found = Draft(operation, operation.path)
    for name, value in arguments.items():
        place = operation.places.get(name)
        if place is None:
            raise _refused(f"{operation.name} has no argument {name[:100]!r}")
        found.put(place, value)
    return found


def _in_path(place: Place, value: JsonValue) -> str:
    parts = value if isinstance(value, list) and place.form == "comma" else [value]
    try:
        return ",".join(segment(_text(place, each)) for each in parts)
    except AddressError as error:
        raise _refused(f"{place.wire}: {error}") from error


def _in_query(place: Place, value: JsonValue) -> list[tuple[str, str]]:
    match place.form, value:
        case "repeated", list():
            return [(place.wire, _text(place, each)) for each in _some(place, value)]
        case "deep", dict():
            return [(f"{place.wire}[{key}]", _text(place, each)) for key, each in value.items()]
        case _:
            return [(place.wire, _joined(place, value))]


def _joined(place: Place, value: JsonValue) -> str:
    if place.form == "json":
        return canonical(value).decode()
    if isinstance(value, list) and place.form in _BETWEEN:
        between = _BETWEEN[place.form]
        texts = [_text(place, each) for each in _some(place, value)]
        if any(between in text for text in texts):
            raise _refused(f"{place.wire}: {between!r} in a value would make two of it")
        return between.join(texts)
    return _text(place, value)


def _some(place: Place, values: list[JsonValue]) -> list[JsonValue]:
    """An empty list would be left out, and without a filter a call means something else."""
    if not values:
        raise _refused(f"{place.wire}: an empty list cannot be written; leave the argument out")
    return values


def _text(place: Place, value: JsonValue) -> str:
    match value:
        case str():
            return value
        case bool() | int() | float():
            return canonical(value).decode()
        case _:
            what = "null" if value is None else "a list or an object"
            raise _refused(f"{place.wire}: {what} cannot be written there")


def _refused(message: str) -> Refused:
    return Refused(message, kind=Kind.INVALID)

"""Writes the request of one operation from its arguments."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote_plus

from pydantic import JsonValue

from connectors.body import json_flaw
from connectors.canonical import canonical
from connectors.errors import Kind, Refused
from connectors.http import HttpRequest
from connectors.openapi.bodies import FORM, Body
from connectors.openapi.extract import Operation
from connectors.openapi.files import content_of
from connectors.openapi.parameters import Place
from connectors.openapi.parts import parts_of, written
from connectors.openapi.paths import KEPT
from connectors.openapi.styles import Pair, in_cookie, in_form, in_header, in_path, in_query
from connectors.spec import JsonObject

_MEMBER = Place("body", "body", "usual")
_PLAIN = Body("json", ("application/json",), is_required=False)


@dataclass
class Draft:
    """A request that is being written; keys and credentials are added to it."""

    operation: Operation
    path: str
    query: list[Pair] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[Pair] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)  # members of objects written in pieces
    members: list[tuple[Place, JsonValue]] = field(default_factory=list)
    whole: JsonValue = None
    has_whole: bool = False

    def put(self, place: Place, value: JsonValue) -> None:
        """Put one argument where it travels; raises `Refused`."""
        match place.where:
            case "path":
                self.path = self.path.replace(
                    f"{{{quote(place.wire, safe=KEPT)}}}", in_path(place, value)
                )
            case "query":
                self.pieces += _pieces(place, value)
                self.query += in_query(place, value)
            case "header":
                self.headers[place.wire] = in_header(place, value)
            case "cookie":
                self.cookies += in_cookie(place, value)
            case "body":
                self.members.append((place, value))
            case "whole_body":
                self.whole, self.has_whole = value, True

    def finished(self, base_url: str) -> HttpRequest:
        """The request as it is sent; raises `Refused`."""
        if "{" in self.path:
            raise _refused(f"{self.path} has a part that no argument gave")
        _check_pieces(self.pieces, [*self._fixed, *self.query], self._known)
        content = self._content()
        if self.cookies:
            self.headers["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies)
        self.headers.setdefault("accept", self.operation.output.accept)
        pairs = [f"{name}={value}" for name, value in self.query]
        query = "&".join([self.operation.query, *pairs] if self.operation.query else pairs)
        url = base_url + self.path + (f"?{query}" if query else "")
        return HttpRequest(self.operation.method.upper(), url, self.headers, content)

    @property
    def _fixed(self) -> list[Pair]:
        return parse_qsl(self.operation.query, keep_blank_values=True)

    @property
    def _known(self) -> set[str]:
        return {each.wire for each in self.operation.places.values()}

    def _content(self) -> bytes | None:
        body = self.operation.body or _PLAIN
        if not self.has_whole and not self.members and not body.is_required:
            return None
        match body.form:
            case "json":
                self.headers["content-type"] = body.media[0]
                return self._json()
            case "text":
                self.headers["content-type"] = body.media[0] + "; charset=utf-8"
                return _text(self.whole)
            case "bytes":
                found = content_of(_MEMBER, self.whole, body.media)
                self.headers["content-type"] = found.media
                return found.data
            case "form":
                self.headers["content-type"] = FORM
                given = self._all(body)
                pairs = [pair for each in given for pair in in_form(*each)]
                _check_pieces(
                    [name for each in given for name in _pieces(*each)], pairs, self._known
                )
                return "&".join(f"{name}={value}" for name, value in pairs).encode()
            case "parts":
                parts = [part for each in self._all(body) for part in parts_of(*each)]
                self.headers["content-type"], content = written(parts)
                return content

    def _json(self) -> bytes:
        value: JsonValue = {place.wire: each for place, each in self.members}
        if self.has_whole:
            value = self.whole
            if self.members:
                value = {**_object(value), **{place.wire: each for place, each in self.members}}
        flaw = json_flaw(value)
        if flaw is not None:
            raise _refused(f"the body cannot be written: {flaw}")
        return canonical(value)

    def _all(self, body: Body) -> list[tuple[Place, JsonValue]]:
        """The members of a form, those of a whole body among them."""
        if not self.has_whole:
            return self.members
        ours = [place.wire for place, _ in self.members]
        whole = [
            (body.places.get(wire, Place("body", wire, "usual")), value)
            for wire, value in _object(self.whole).items()
            if wire not in ours
        ]
        return whole + self.members


def draft(operation: Operation, arguments: Mapping[str, JsonValue]) -> Draft:
    """Begin a request with what the plan gives; raises `Refused`."""
    found = Draft(operation, operation.path)
    for name, value in arguments.items():
        place = operation.places.get(name)
        if place is None:
            raise _refused(f"{operation.name} has no argument {name[:100]!r}")
        found.put(place, value)
    return found


def _pieces(place: Place, value: JsonValue) -> list[str]:
    """The names under which an object travels that is written in pieces."""
    if place.style == "form" and place.explode and isinstance(value, dict):
        return [*value]
    return []


def _check_pieces(pieces: list[str], pairs: list[Pair], known: set[str]) -> None:
    """A member of an object in pieces must not pass for another argument, a key or a secret."""
    count = Counter(unquote_plus(name) for name, _ in pairs)
    for name in pieces:
        if name in known or count[name] > 1:
            raise _refused(f"a member {name[:60]} would pass for another argument")


def _text(value: JsonValue) -> bytes:
    if not isinstance(value, str):
        raise _refused("the body is a text, so our key has no place in it")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise _refused("the body cannot be written: half of a surrogate pair") from error


def _object(value: JsonValue) -> JsonObject:
    if not isinstance(value, dict):
        raise _refused("the body is no object, so our key has no place in it")
    return value


def _refused(message: str) -> Refused:
    return Refused(message, kind=Kind.INVALID)

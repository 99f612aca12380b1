"""How values are written in addresses, headers, cookies and forms: the styles of RFC 6570.

What would arrive as something else is refused: a separator inside a value, an empty list (it would
be left out, and without a filter a call means something else), a null.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar
from urllib.parse import quote, quote_plus

from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.errors import Kind, Refused
from connectors.openapi.parameters import Place, Style
from connectors.url import AddressError, segment

_BETWEEN: dict[Style, str] = {
    "simple": ",",
    "form": ",",
    "label": ".",
    "matrix": ";",
    "spaceDelimited": " ",
    "pipeDelimited": "|",
    "tabDelimited": "\t",
}
# What stays as it is with `allowReserved`; `&`, `+`, `;` and `#` would end the value or change it.
_OPEN = ":/?@!$'()*,="
_IN_COOKIE = "!#$&'()*+./:<=>?@^_`{|}~-"

Pair = tuple[str, str]
Texts = TypeVar("Texts", bound=tuple[str, ...])


def in_query(place: Place, value: JsonValue) -> list[Pair]:
    """Names and values, each escaped for an address."""
    return _pairs(place, value, lambda text: quote(text, safe=_OPEN if place.is_open else ""))


def in_form(place: Place, value: JsonValue) -> list[Pair]:
    """The same for a body of `application/x-www-form-urlencoded`."""
    return _pairs(place, value, quote_plus)


def in_cookie(place: Place, value: JsonValue) -> list[Pair]:
    """The same for the Cookie header."""
    return _pairs(place, value, lambda text: quote(text, safe=_IN_COOKIE))


def in_header(place: Place, value: JsonValue) -> str:
    """The value of a header."""
    return canonical(value).decode() if place.style == "json" else _joined(place, value)


def in_path(place: Place, value: JsonValue) -> str:
    """What stands for `{name}` in a path: never more than one segment."""
    try:
        if place.style == "json":
            return segment(canonical(value).decode())
        if place.style == "matrix":
            return _matrix(place, value)
        between = "." if place.style == "label" and place.explode else ","
        found = between.join(_entries(place, value, between, segment))
        if place.style == "label":
            segment(f".{found}")  # no ".."
            return f".{found}"
        return found
    except AddressError as error:
        raise refused(place, str(error)) from error


def _matrix(place: Place, value: JsonValue) -> str:
    name = segment(place.wire)
    entries = _entries(place, value, ";" if place.explode else ",", segment)
    if place.explode and isinstance(value, dict):
        return "".join(f";{each}" for each in entries)
    if place.explode and isinstance(value, list):
        return "".join(f";{name}={each}" for each in entries)
    return f";{name}=" + ",".join(entries)


def deep(place: Place, name: str, value: JsonValue) -> Iterator[Pair]:
    """`name[member][0]`: members in brackets as deep as they go, elements by their number."""
    match value:
        case dict():
            for key, each in _some(place, value):
                if "[" in key or "]" in key:
                    raise refused(place, f"a bracket in the name {key[:60]!r} would make two of it")
                yield from deep(place, f"{name}[{key}]", each)
        case list():
            for number, each in enumerate(_several(place, value)):
                yield from deep(place, f"{name}[{number}]", each)
        case _:
            yield name, scalar(place, value)


def scalar(place: Place, value: JsonValue) -> str:
    """The text of a value that is neither a list nor an object."""
    match value:
        case str():
            return value
        case bool() | int() | float():
            return canonical(value).decode()
        case _:
            what = "null" if value is None else "a list or an object"
            raise refused(place, f"{what} cannot be written there")


def plain(place: Place, value: JsonValue) -> str:
    """The text of a value in a form: what is nested is JSON."""
    return canonical(value).decode() if isinstance(value, dict | list) else scalar(place, value)


def refused(place: Place, message: str) -> Refused:
    """A refusal that names the argument as the service does."""
    return Refused(f"{place.wire[:100]}: {message}", kind=Kind.INVALID)


def repeated(place: Place, value: JsonValue) -> list[JsonValue]:
    """The values that travel under the argument's name one after the other."""
    return _several(place, value) if isinstance(value, list) else [value]


def _pairs(place: Place, value: JsonValue, escape: Callable[[str], str]) -> list[Pair]:
    wire = escape(place.wire)
    match place.style, value:
        case "json", _:
            return [(wire, escape(canonical(value).decode()))]
        case "usual", _:
            return [(wire, escape(plain(place, each))) for each in repeated(place, value)]
        case "deepObject", _:
            found = deep(place, place.wire, value)
            return [(escape(name), escape(text)) for name, text in found]
        case "form", list() if place.explode:
            return [(wire, escape(scalar(place, each))) for each in _several(place, value)]
        case "form", dict() if place.explode:
            members = _some(place, value)
            return [(escape(key), escape(scalar(place, each))) for key, each in members]
        case "form", list() | dict() if place.where == "query":
            # RFC 6570 has the comma between values as it is, and one inside a value escaped.
            return [(wire, ",".join(_entries(place, value, ",", escape)))]
        case _:
            return [(wire, escape(_joined(place, value)))]


def _joined(place: Place, value: JsonValue) -> str:
    between = _BETWEEN.get(place.style, ",")
    return between.join(_entries(place, value, between))


def _entries(
    place: Place, value: JsonValue, between: str, escape: Callable[[str], str] = str
) -> Sequence[str]:
    """The texts that are joined, none of which may contain what stands between them."""
    match value:
        case list():
            found = [(scalar(place, each),) for each in _several(place, value)]
        case dict() if place.explode:
            pairs = [(key, scalar(place, each)) for key, each in _some(place, value)]
            if any("=" in key for key, _ in pairs):
                raise refused(place, "'=' in a name would end it")
            return ["=".join(map(escape, each)) for each in _checked(place, pairs, between)]
        case dict():
            found = [
                (each,)
                for key, member in _some(place, value)
                for each in (key, scalar(place, member))
            ]
        case _:
            return [escape(scalar(place, value))]
    return [escape(each) for (each,) in _checked(place, found, between)]


def _checked(place: Place, texts: list[Texts], between: str) -> list[Texts]:
    if any(between in text for each in texts for text in each):
        raise refused(place, f"{between!r} in a value would make two of it")
    return texts


def _several(place: Place, values: list[JsonValue]) -> list[JsonValue]:
    if not values:
        raise refused(place, "an empty list cannot be written; leave the argument out")
    return values


def _some(place: Place, members: dict[str, JsonValue]) -> list[tuple[str, JsonValue]]:
    if not members:
        raise refused(place, "an empty object cannot be written; leave the argument out")
    return list(members.items())

"""YAML as JSON has it: `no` and `2026-01-01` are texts, as OpenAPI asks (YAML 1.2, 10.2).

Values are built from the parser's events in one pass, without nodes in between, which are most of
the cost of a large document. What an alias names is read once and counted at each use.
"""

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import yaml
from pydantic import JsonValue

from connectors.spec import JsonObject

YAMLError = yaml.YAMLError
MOST_NODES: Final = 4_000_000
MOST_DEPTH: Final = 200
_CORE: Final = "tag:yaml.org,2002:"
_PLAIN: Final = (
    (re.compile(r"null|Null|NULL|~|"), "null"),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), "bool"),
    (re.compile(r"-?(0|[1-9][0-9]*)"), "int"),
    (re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?"), "float"),
)
_FIRST: Final = frozenset("nN~tTfF-0123456789")  # what is no text begins with one of these
_READ: Final[dict[str, Callable[[str], JsonValue]]] = {
    "null": lambda _: None,
    "bool": lambda text: text in ("true", "True", "TRUE"),
    "int": int,
    "float": lambda text: _finite(float(text)),
    "str": str,
}


class _Plain(NamedTuple):
    """A value as JSON, with its size and height as they are once every alias is followed."""

    value: JsonValue
    size: int
    height: int


def read_yaml(body: bytes) -> JsonValue:
    """Read one document; raises `ValueError` or `YAMLError` for what JSON has not."""
    return _Reader(yaml.CBaseLoader(body)).document()


class _Reader:
    """Builds the values of one text."""

    def __init__(self, parser: yaml.CBaseLoader) -> None:
        self._parser = parser
        self._anchors: dict[str, _Plain | None] = {}  # None while its value is being read

    def document(self) -> JsonValue:
        """The only document of the text; None where there is none."""
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            return None
        found = self._node(self._next(), 1).value
        self._next()
        if not isinstance(self._next(), yaml.StreamEndEvent):
            raise ValueError("it holds several documents")
        return found

    def _next(self) -> yaml.Event:
        event = self._parser.get_event()
        if event is None:
            raise ValueError("it ends too early")
        return event

    def _node(self, event: yaml.Event, depth: int) -> _Plain:
        if isinstance(event, yaml.AliasEvent):
            return self._named(event.anchor)
        anchor = event.anchor if isinstance(event, yaml.NodeEvent) else None
        if anchor is not None:
            if anchor in self._anchors:
                raise ValueError(f"the anchor {anchor[:40]!r} is there twice")
            self._anchors[anchor] = None
        match event:
            case yaml.ScalarEvent():
                found = _Plain(_scalar(event), 1, 1)
            case yaml.SequenceStartEvent():
                found = self._sequence(event, depth)
            case yaml.MappingStartEvent():
                found = self._mapping(event, depth)
            case _:
                raise ValueError("a value is missing")
        if found.size > MOST_NODES or found.height > MOST_DEPTH:
            raise ValueError("it has too many values, or is nested too deeply")
        if anchor is not None:
            self._anchors[anchor] = found
        return found

    def _named(self, anchor: str | None) -> _Plain:
        if anchor is None or anchor not in self._anchors:
            raise ValueError("an alias names nothing before it")
        found = self._anchors[anchor]
        if found is None:
            raise ValueError("it contains itself")
        return found

    def _sequence(self, event: yaml.SequenceStartEvent, depth: int) -> _Plain:
        _check_container(event, "seq", depth)
        values: list[JsonValue] = []
        size, height = 1, 0
        while not isinstance(each := self._next(), yaml.SequenceEndEvent):
            value, own_size, own_height = self._node(each, depth + 1)
            values.append(value)
            size += own_size
            height = max(height, own_height)
        return _Plain(values, size, height + 1)

    def _mapping(self, event: yaml.MappingStartEvent, depth: int) -> _Plain:
        _check_container(event, "map", depth)
        members: JsonObject = {}
        size, height = 1, 0
        while not isinstance(each := self._next(), yaml.MappingEndEvent):
            name = _key(self._node(each, depth + 1).value)
            if name in members:
                raise ValueError(f"a key is there twice{each.start_mark}")
            value, own_size, own_height = self._node(self._next(), depth + 1)
            members[name] = value
            size += own_size
            height = max(height, own_height)
        return _Plain(members, size, height + 1)


def _check_container(event: yaml.CollectionStartEvent, kind: str, depth: int) -> None:
    if event.tag not in (None, "!", _CORE + kind):
        raise ValueError(f"{event.tag[:60]} is no JSON")
    if depth > MOST_DEPTH:
        raise ValueError("it has too many values, or is nested too deeply")


def _scalar(event: yaml.ScalarEvent) -> JsonValue:
    text: str = event.value
    if event.tag == "!":
        return text
    if event.tag is not None:
        kind = event.tag.removeprefix(_CORE)
        if kind not in _READ:
            raise ValueError(f"{event.tag[:60]} is no JSON")
        return _READ[kind](text)
    if not event.implicit[0] or (text and text[0] not in _FIRST):
        return text
    kind = next((kind for form, kind in _PLAIN if form.fullmatch(text)), "str")
    return _READ[kind](text)


def _finite(number: float) -> float:
    if number - number != 0:
        raise ValueError("a number is beyond the range of a double")
    return number


def _key(key: JsonValue) -> str:
    """A key as text: a status such as 200 is often written as a number."""
    if isinstance(key, bool) or not isinstance(key, str | int | float):
        raise ValueError(f"{str(key)[:60]!r} is no name")
    return str(key)

"""What an operation answers: its schema, what is asked for, and how the bytes are read.

JSON is read as JSON, text as a text, all else as `{content_type, base64}`.
"""

import base64
import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import JsonValue

from connectors.body import BodyError, read_json
from connectors.http import HttpAnswer
from connectors.openapi.files import ANSWER, is_bytes
from connectors.openapi.gaps import Gap, UnsupportedError
from connectors.openapi.media import STREAM, declared_kind, is_json, is_text, kind_of
from connectors.openapi.schema import Definitions, resolve
from connectors.spec import JsonObject

Reading = Literal["json", "text", "bytes"]
_JSON = "application/json"
_ANY = ("*/*", "application/*")
_CHARSET = re.compile(r"[a-z0-9][a-z0-9_.:+-]{0,39}")
# Python's own names for what is no charset; the first two take the square of the length.
_NO_CHARSETS = ("punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined")


@dataclass(frozen=True)
class Output:
    """What comes back: its schema, or None where nobody can say, and what to ask for."""

    schema: JsonObject | None
    accept: str
    readings: tuple[Reading, ...]


@dataclass
class _Found:
    """What the answers that mean success have together."""

    schemas: list[JsonValue] = field(default_factory=list)
    accept: list[str] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    is_known: bool = True

    def add(self, schema: JsonValue, reading: Reading, media: Iterable[str]) -> None:
        if schema in ({}, True):
            self.is_known = False
        elif schema not in self.schemas:
            self.schemas.append(schema)
        self.accept += [each for each in media if each not in self.accept]
        if reading not in self.readings:
            self.readings.append(reading)


def output_of(
    document: JsonObject, node: JsonObject, method: str, definitions: Definitions, refs: set[str]
) -> Output:
    """What an operation answers where it succeeds; raises `UnsupportedError`."""
    found = _Found()
    for status, response in _successes(node.get("responses")):
        said = resolve(document, response)
        content = said.get("content") if isinstance(said, dict) else None
        if method == "head" or status in ("204", "205"):
            found.schemas += [] if {"type": "null"} in found.schemas else [{"type": "null"}]
        elif not isinstance(content, dict) or not content:
            found.is_known = False  # many leave out what they answer
        else:
            _read_content(document, content, found, definitions, refs)
    accept = ", ".join(found.accept)[:500] or _JSON
    readings = tuple(found.readings) or ("json",)
    if not found.is_known or not found.schemas:
        return Output(None, accept, readings)
    alone = found.schemas[0]
    if len(found.schemas) == 1 and isinstance(alone, dict):
        return Output(alone, accept, readings)
    return Output({"anyOf": found.schemas}, accept, readings)


def _successes(responses: JsonValue) -> list[tuple[str, JsonValue]]:
    """The 2xx; a `default` that stands alone is all that there is, so it is meant for them."""
    if not isinstance(responses, dict):
        return []
    if list(responses) == ["default"]:
        return list(responses.items())
    return sorted(each for each in responses.items() if each[0].startswith("2"))


def _read_content(
    document: JsonObject,
    content: JsonObject,
    found: _Found,
    definitions: Definitions,
    refs: set[str],
) -> None:
    schemas = {
        declared_kind(media): value.get("schema", {}) if isinstance(value, dict) else {}
        for media, value in content.items()
    }
    told = {
        _JSON if kind in _ANY else kind: schema
        for kind, schema in schemas.items()
        if is_json(kind) or (kind in _ANY and not is_bytes(document, schema))
    }
    if told:
        media = _JSON if _JSON in told else next(iter(told))
        found.add(definitions.convert(told[media], refs), "json", [media])
        return
    others = [kind for kind in schemas if kind != STREAM]
    if "" in others:  # a word that is no media type: what comes is what it says of itself
        for reading in get_args(Reading):
            found.add({}, reading, ["*/*"])
        return
    texts = [kind for kind in others if is_text(kind)]
    rest = [kind for kind in others if kind not in texts]
    if not others:
        raise UnsupportedError(Gap.STREAM, ", ".join(content)[:200])
    if texts:
        found.add({"type": "string"}, "text", texts)
    if rest:
        found.add(ANSWER, "bytes", rest)


def read_content(output: Output, answer: HttpAnswer) -> JsonValue:
    """The value of an answer that means success; raises `ValueError`."""
    media = answer.headers.get("content-type", "")
    kind = kind_of(media)
    if not answer.body.strip() and "bytes" not in output.readings:
        return "" if output.readings == ("text",) and output.schema is not None else None
    if is_json(kind) and "json" in output.readings:
        return read_json(answer.body)
    if "text" in output.readings and (is_text(kind) or is_json(kind)):
        return _text(answer.body, media)
    if "bytes" in output.readings:
        encoded = base64.b64encode(answer.body).decode()
        return {"content_type": kind or "application/octet-stream", "base64": encoded}
    if kind == "text/plain" and output.schema is None:
        return answer.body.decode()
    if "text" in output.readings and "json" not in output.readings:
        return _text(answer.body, media)
    return read_json(answer.body)


def _text(body: bytes, media: str) -> str:
    _, _, named = media.lower().partition("charset=")
    charset = named.partition(";")[0].strip(' "') or "utf-8"
    if not _CHARSET.fullmatch(charset):  # what is looked up is kept, found or not
        raise BodyError(f"{charset[:40]!r} is no charset")
    try:
        if codecs.lookup(charset).name.replace("-", "_") not in _NO_CHARSETS:
            return body.decode(charset)
    except LookupError as error:
        raise BodyError(f"it is written in {charset[:40]!r}") from error
    raise BodyError(f"{charset[:40]!r} is no charset")

"""Writes `multipart/form-data` (RFC 7578): the same parts give the same bytes."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.openapi.files import content_of
from connectors.openapi.parameters import Place
from connectors.openapi.styles import deep, plain, refused, repeated

_JSON = "application/json"
_TYPE = re.compile(r"[!-~]+/[ -~]+")
_HIDDEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Part:
    """One part: the name of its member, its bytes, and what they are."""

    name: str
    data: bytes
    media: str = ""
    filename: str = ""


def parts_of(place: Place, value: JsonValue) -> Iterator[Part]:
    """The parts that one member is; raises `Refused`."""
    if place.style == "file":
        accepted = tuple(each.strip() for each in place.media.split(",") if each.strip())
        for each in repeated(place, value):
            if isinstance(each, dict):
                found = content_of(place, each, accepted)
                name = found.filename or place.wire
                yield Part(place.wire, found.data, found.media, name)
            else:
                yield Part(place.wire, plain(place, each).encode())
    elif place.style == "deepObject":
        yield from (Part(name, text.encode()) for name, text in deep(place, place.wire, value))
    elif place.style in ("usual", "json"):
        values = [value] if place.style == "json" else repeated(place, value)
        for each in values:
            nested = place.style == "json" or isinstance(each, dict | list)
            media = place.media or (_JSON if nested else "")
            yield Part(place.wire, plain(place, each).encode(), media)
    else:
        raise refused(place, f"the style {place.style} is not written in parts")


def written(parts: Sequence[Part]) -> tuple[str, bytes]:
    """The content type and the body."""
    boundary = _boundary(parts)
    lines: list[bytes] = []
    for part in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(part.name)}"'
        if part.filename:
            head += f'; filename="{_quoted(part.filename)}"'
        if part.media:
            head += f"\r\nContent-Type: {_media(part)}"
        lines += [head.encode(), b"\r\n\r\n", part.data, b"\r\n"]
    lines.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"".join(lines)


def _boundary(parts: Sequence[Part]) -> str:
    """A line that no part contains, made from what they contain."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.name.encode("utf-8", "surrogatepass"))
        digest.update(part.data)
    found = digest.hexdigest()[:32]
    while any(found.encode() in part.data for part in parts):
        found = hashlib.sha256(found.encode()).hexdigest()[:32]
    return found


def _quoted(text: str) -> str:
    if _HIDDEN.search(text):
        raise refused(
            Place("body", text.encode("ascii", "replace").decode()),
            "a name of a part has hidden characters",
        )
    return text.replace("\\", "\\\\").replace('"', "%22")


def _media(part: Part) -> str:
    if not _TYPE.fullmatch(part.media):
        raise refused(Place("body", part.name), "its content type cannot be written")
    return part.media

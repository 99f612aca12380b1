"""Where a connection's OpenAPI document comes from: its service, or a file of the operator's.

The text is a stranger's in both cases, so sizes, depth and YAML's aliases have bounds. Nothing
that the document names is fetched: neither a `$ref` nor a server.
"""

import asyncio
import math
import re
import time
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import JsonValue

from connectors.body import BodyError, read_json
from connectors.errors import ConfigurationError
from connectors.http import HttpRequest, Transport, TransportError
from connectors.spec import JsonObject

LOAD_TIMEOUT_S = 30.0
MOST_DOCUMENT_BYTES = 32 * 1024 * 1024
_MOST_NODES = 4_000_000
_MOST_DEPTH = 200
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A document by its place.

    "/openapi.json" is a path below the service's base address, "https://…" an address of its
    own, and anything else a file, JSON or YAML, beside the operator's file; "file:/…" names one
    by its full path.
    """

    document: str
    base_url: str
    base_dir: Path = Path()

    @property
    def url(self) -> str | None:
        """The address to fetch it from, or None for a file."""
        if self.document.startswith("/"):
            return self.base_url.rstrip("/") + self.document
        return self.document if _ADDRESS.match(self.document) else None

    @property
    def path(self) -> Path:
        """The file that it is in, where there is no address."""
        return self.base_dir / self.document.removeprefix("file:")

    def __str__(self) -> str:
        return self.url or str(self.path)


async def load_document(source: Source, transport: Transport) -> JsonObject:
    """Fetch or read a document; raises `ConfigurationError` that says what to do."""
    if source.url is not None:
        found = read_document(await _fetched(source.url, transport), str(source))
    else:
        found = await asyncio.to_thread(_from_file, source)
    return _checked(found, str(source))


def read_document(body: bytes, where: str) -> JsonValue:
    """Read JSON or YAML as plain data; raises `ConfigurationError`."""
    if len(body) > MOST_DOCUMENT_BYTES:
        raise ConfigurationError(f"{where}: larger than {MOST_DOCUMENT_BYTES} bytes")
    try:
        if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return read_json(body)
        return _plain(yaml.load(body, Loader=_Loader))  # noqa: S506 - a safe loader's subclass
    except (BodyError, yaml.YAMLError, ValueError, RecursionError) as error:
        told = " ".join(str(error).split())[:300] or "it is nested too deeply"
        raise ConfigurationError(f"{where} is neither JSON nor YAML: {told}") from error


async def _fetched(url: str, transport: Transport) -> bytes:
    deadline = time.monotonic() + LOAD_TIMEOUT_S
    accepted = {"accept": "application/json, application/yaml;q=0.9, */*;q=0.1"}
    request = HttpRequest("GET", url, accepted, most_bytes=MOST_DOCUMENT_BYTES)
    try:
        answer = await transport.send(request, deadline=deadline, send_before=deadline)
    except TransportError as error:
        raise ConfigurationError(
            f"no OpenAPI document at {url}: {error}; is the service running?"
        ) from error
    if answer.status != 200:
        raise ConfigurationError(
            f"no OpenAPI document at {url}: the service answered with status {answer.status}; "
            f'say where it is with document = "/path" or "file.yaml"'
        )
    return answer.body


def _from_file(source: Source) -> JsonValue:
    try:
        with source.path.open("rb") as file:
            body = file.read(MOST_DOCUMENT_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(f"no OpenAPI document in {source.path}: {reason}") from error
    return read_document(body, str(source))


def _checked(found: JsonValue, where: str) -> JsonObject:
    if not isinstance(found, dict):
        raise ConfigurationError(f"{where} is no OpenAPI document: it is not an object")
    version = str(found.get("openapi", ""))
    if not re.fullmatch(r"3\.[01](\..*)?", version):
        said = f"OpenAPI {version}" if version else f"Swagger {found.get('swagger', 'nothing')}"
        raise ConfigurationError(f"{where} is {said}; 3.0 and 3.1 can be read")
    if not isinstance(found.get("paths", {}), dict):
        raise ConfigurationError(f"{where} is no OpenAPI document: its paths are not an object")
    return found


class _Loader(yaml.CSafeLoader):
    """YAML as JSON has it: `no` and `2026-01-01` are texts, as OpenAPI asks (YAML 1.2, 10.2)."""

    yaml_implicit_resolvers = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        """A mapping in which no key is there twice."""
        names = [key.value for key, _ in node.value if key.tag == "tag:yaml.org,2002:str"]
        if len(set(names)) < len(names):
            raise ValueError(f"a key is there twice{node.start_mark}")
        return dict(super().construct_mapping(node, deep))


for _tag, _form, _first in (
    ("null", r"null|Null|NULL|~|", "nN~\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"-?(0|[1-9][0-9]*)", "-0123456789"),
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", "-0123456789"),
):
    _keys = ["" if each == "\0" else each for each in _first]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_form})\\Z"), _keys)


@dataclass(frozen=True)
class _Plain:
    """A value as JSON, with its size and height as they are once every alias is followed."""

    value: JsonValue
    size: int = 1
    height: int = 1


def _plain(node: object) -> JsonValue:
    """What YAML gave as JSON. What an alias names is read once and counted at each use."""
    known: dict[int, _Plain | None] = {}

    def plain(node: object) -> _Plain:
        if not isinstance(node, list | dict):
            return _Plain(_scalar(node))
        found = known.get(id(node))
        if found is None:
            if id(node) in known:
                raise ValueError("it contains itself")
            known[id(node)] = None
            found = known[id(node)] = _bounded(node)
        return found

    def _bounded(node: list[object] | dict[object, object]) -> _Plain:
        parts = [plain(each) for each in (node if isinstance(node, list) else node.values())]
        size = 1 + sum(part.size for part in parts)
        height = 1 + max((part.height for part in parts), default=0)
        if size > _MOST_NODES or height > _MOST_DEPTH:
            raise ValueError("it has too many values, or is nested too deeply")
        values = [part.value for part in parts]
        if isinstance(node, list):
            return _Plain(values, size, height)
        named: JsonObject = dict(zip(map(_key, node), values, strict=True))
        if len(named) < len(values):
            raise ValueError("a key is there twice")
        return _Plain(named, size, height)

    return plain(node).value


def _scalar(node: object) -> JsonValue:
    match node:
        case None | bool() | int() | str():
            return node
        case float() if math.isfinite(node):
            return node
        case _:
            raise ValueError(f"{type(node).__name__} is no JSON")


def _key(key: object) -> str:
    """A key as text: a status such as 200 is often written as a number."""
    if isinstance(key, bool) or not isinstance(key, str | int | float):
        raise ValueError(f"{key!r} is no name")
    return str(key)

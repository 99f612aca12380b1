"""Where a connection's OpenAPI document comes from: its service, or a file of the operator's.

Nothing that the document names is fetched: neither a `$ref` nor a server.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from connectors.document import MOST_DOCUMENT_BYTES, read_document
from connectors.errors import ConfigurationError, Unreachable
from connectors.http import HttpRequest, NotAllowedError, Transport, TransportError
from connectors.spec import JsonObject

LOAD_TIMEOUT_S = 30.0
_LATER = (408, 425, 429)  # of those below 500, what tells to ask again
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
    return read_openapi(await load_text(source, transport), str(source))


async def load_text(source: Source, transport: Transport) -> bytes:
    """Fetch or read its text; raises `Unreachable` where its service does not give it now."""
    if source.url is not None:
        return await _fetched(source.url, transport)
    return await asyncio.to_thread(_from_file, source)


def read_openapi(body: bytes, where: str) -> JsonObject:
    """Read the text of a document; raises `ConfigurationError`."""
    return _checked(read_document(body, where), where)


async def _fetched(url: str, transport: Transport) -> bytes:
    deadline = time.monotonic() + LOAD_TIMEOUT_S
    accepted = {"accept": "application/json, application/yaml;q=0.9, */*;q=0.1"}
    request = HttpRequest("GET", url, accepted, most_bytes=MOST_DOCUMENT_BYTES)
    try:
        answer = await transport.send(request, deadline=deadline, send_before=deadline)
    except TransportError as error:
        raise (ConfigurationError if isinstance(error, NotAllowedError) else Unreachable)(
            f"no OpenAPI document at {url}: {error}; is the service running?"
        ) from error
    if answer.status != 200:
        may_change = answer.status >= 500 or answer.status in _LATER
        raise (Unreachable if may_change else ConfigurationError)(
            f"no OpenAPI document at {url}: the service answered with status {answer.status}; "
            f'say where it is with document = "/path" or "file.yaml"'
        )
    return answer.body


def _from_file(source: Source) -> bytes:
    try:
        with source.path.open("rb") as file:
            return file.read(MOST_DOCUMENT_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(f"no OpenAPI document in {source.path}: {reason}") from error


def _checked(found: JsonValue, where: str) -> JsonObject:
    if not isinstance(found, dict):
        raise ConfigurationError(f"{where} is no OpenAPI document: it is not an object")
    version = str(found.get("openapi", found.get("swagger", "of no version")))
    if not re.fullmatch(r"2\.0" if "swagger" in found else r"3\.[01](\..*)?", version):
        raise ConfigurationError(f"{where} is OpenAPI {version[:40]}; 2.0, 3.0 and 3.1 can be read")
    if not isinstance(found.get("paths", {}), dict):
        raise ConfigurationError(f"{where} is no OpenAPI document: its paths are not an object")
    return found

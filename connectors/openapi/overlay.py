"""The operator's words on a document: names, manifests, credentials, where errors are.

A document only proposes; what stands in an overlay holds. Manifest members are those of
`ActionSpec`, by operation name.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.errors import ConfigurationError, Kind
from connectors.openapi.load import read_document
from connectors.outcome import Dialect
from connectors.spec import JsonObject, Limits

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Credential(_Closed):
    """How the connection's secret travels: a header and its form."""

    header: HeaderName = "Authorization"
    form: str = Field(default="Bearer {secret}", pattern=r"\{secret\}")

    def filled(self, secret: str) -> str:
        """The header's value."""
        return self.form.replace("{secret}", secret)


class Errors(_Closed):
    """Where the service's error body has its code and its message."""

    code_at: tuple[str, ...] = ()
    message_at: tuple[str, ...] = ()
    request_id_at: tuple[str, ...] = ()
    request_id_header: str = "x-request-id"
    replayed_header: str = "idempotent-replayed"
    kinds: dict[str, Kind] = {}

    def dialect(self) -> Dialect:
        """The same for the outcome table."""
        return Dialect(
            code_at=self.code_at,
            message_at=self.message_at,
            request_id_at=self.request_id_at,
            request_id_header=self.request_id_header.lower(),
            replayed_header=self.replayed_header.lower(),
            kinds=self.kinds,
        )


class Overlay(_Closed):
    """Everything an operator may say of a document."""

    version: Literal[1] = 1
    credential: Credential | None = None
    errors: Errors = Errors()
    limits: Limits | None = None
    only: tuple[str, ...] | None = None
    hidden: tuple[str, ...] = ()
    actions: dict[str, JsonObject] = {}


def load_overlay(path: Path) -> Overlay:
    """Read an overlay file, YAML or JSON; raises `ConfigurationError`."""
    try:
        found = read_document(path.read_bytes(), f"overlay {path}")
        return Overlay.model_validate({} if found is None else found)
    except OSError as error:
        raise ConfigurationError(f"overlay {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"overlay {path}: {where}: {first['msg']}") from error

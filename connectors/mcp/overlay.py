"""The operator's words on a server: which tools, what each does to the world, how to sign in."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.errors import ConfigurationError
from connectors.openapi.load import read_document
from connectors.spec import JsonObject, Limits


class HeaderCredential(BaseModel):
    """Which header the connection's secret travels in, and how it is written there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    header: str = Field(default="Authorization", pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    form: str = Field(default="Bearer {secret}", pattern=r"\{secret\}")


class McpOverlay(BaseModel):
    """Manifest members by operation, which is the action's name after the first dot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    credential: HeaderCredential | None = None
    limits: Limits | None = None
    only: tuple[str, ...] | None = None
    hidden: tuple[str, ...] = ()
    actions: dict[str, JsonObject] = {}


def load_mcp_overlay(path: Path) -> McpOverlay:
    """Read an overlay file, YAML or JSON; raises `ConfigurationError`."""
    try:
        found = read_document(path.read_bytes(), f"overlay {path}")
        return McpOverlay.model_validate({} if found is None else found)
    except OSError as error:
        raise ConfigurationError(f"overlay {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"overlay {path}: {where}: {first['msg']}") from error

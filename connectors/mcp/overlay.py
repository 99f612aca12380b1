"""The operator's words on a server: which tools, what each does to the world, how to sign in."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

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

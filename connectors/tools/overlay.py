"""The operator's words on tools: which are offered, and what each does to the world."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from connectors.spec import JsonObject, Limits


class ToolsOverlay(BaseModel):
    """Manifest members by operation, which is the action's name after the first dot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    limits: Limits | None = None
    only: tuple[str, ...] | None = None
    hidden: tuple[str, ...] = ()
    actions: dict[str, JsonObject] = {}

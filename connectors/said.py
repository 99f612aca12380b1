"""What an operator may say of any source of actions, by its operations' names."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from connectors.spec import JsonObject, Limits


class Said(BaseModel):
    """Which operations are offered, how often the connection is called, and manifest members.

    An operation's name is its action's after the first dot.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    limits: Limits | None = None
    only: tuple[str, ...] | None = None
    hidden: tuple[str, ...] = ()
    actions: dict[str, JsonObject] = {}

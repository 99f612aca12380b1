"""The operator's words on any source of actions, and how those on a plugin are laid over it.

The plugin's author proposes a manifest, and what stands in the overlay wins. What the
plugin's own code decides cannot be said for it: names, schemas, and where our key travels. A read
that the operator calls a write gets the cautious default of a write, not what was said of a read.
"""

import difflib
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.errors import ConfigurationError
from connectors.flaws import first_told
from connectors.manifest import within
from connectors.spec import ActionSpec, Effect, JsonObject, Limits

_CODE = ("name", "input_schema", "output_schema", "idempotency", "lookup", "status")


class SourceOverlay(BaseModel):
    """What an operator may say of any source: what is offered, how often it is called, manifests.

    An operation's name is its action's after the first dot.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    limits: Limits | None = None
    only: tuple[str, ...] | None = None
    hidden: tuple[str, ...] = ()
    actions: dict[str, JsonObject] = {}


def overlaid(
    connection: str, actions: Sequence[ActionSpec], overlay: SourceOverlay
) -> tuple[ActionSpec, ...]:
    """What is offered of a plugin's actions, as the operator says; raises `ConfigurationError`."""
    known = {action.name.partition(".")[2]: action for action in actions}
    _check_names(connection, overlay, known)
    return tuple(
        _with(connection, name, action, overlay)
        for name, action in known.items()
        if name not in overlay.hidden and (overlay.only is None or name in overlay.only)
    )


def _with(connection: str, name: str, action: ActionSpec, overlay: SourceOverlay) -> ActionSpec:
    said = within(connection, overlay.actions.get(name, {}))
    if overlay.limits is not None:
        said.setdefault("limits", overlay.limits.model_dump(mode="json"))
    if not said:
        return action
    where = f"connections.{connection}: overlay: actions.{name}"
    for member in _CODE:
        if member in said:
            raise ConfigurationError(f"{where}.{member}: the plugin's own code decides this")
    proposed = action.model_dump(mode="json", by_alias=True)
    for member in _undone_by(action, said):
        del proposed[member]
    try:
        return ActionSpec.model_validate({**proposed, **said})
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {first_told(error)}") from error


def _undone_by(action: ActionSpec, said: JsonObject) -> set[str]:
    """Members of the proposal that what the operator says leaves without ground."""
    gone: set[str] = set()
    if action.is_write != (said.get("effect", action.effect) != Effect.READ):
        gone |= {"irreversible", "approval", "pivot", "undo", "items"}
    if said.get("undo"):
        gone |= {"irreversible", "pivot"}
    if said.get("irreversible") or said.get("pivot"):
        gone |= {"undo", "irreversible"}
    return gone - said.keys()


def _check_names(connection: str, overlay: SourceOverlay, known: Mapping[str, ActionSpec]) -> None:
    for member, names in (
        ("only", overlay.only or ()),
        ("hidden", overlay.hidden),
        ("actions", overlay.actions),
    ):
        for name in names:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                raise ConfigurationError(
                    f"connections.{connection}: overlay: {member}.{name}: no such action{hint}"
                )

"""Accepted definitions and the operator's overlay as actions.

A server's hints are proposals: they make a manifest looser only where the operator said that they
may (`trust_annotations`), and an overlay wins over them. Without either an action is what nobody
described: a blind, irreversible write that leaves the building and needs an approval.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from connectors.canonical import digest
from connectors.errors import ConfigurationError
from connectors.looked_up import SETTLES_S, key_at_unsaid
from connectors.manifest import within
from connectors.overlay import SourceOverlay
from connectors.source import Skipped
from connectors.spec import ActionSpec, JsonObject
from connectors.text import visible
from connectors.tools.review import LONGEST_DESCRIPTION, Definitions, shown
from connectors.tools.schema import UnfitError, input_of, output_of

_LONGEST_ACTION = 64
_DIGITS = 6


@dataclass(frozen=True)
class Terms:
    """How a connection's tools become actions.

    `trusts` is whether the source's hints count; `untyped` is what a tool answers that declares no
    output (None: nobody can say); `types` is whether the overlay may declare one, of a source that
    never does; `key_as` is the argument as which our key goes to a tool that `takes` it, "" where
    none does.
    """

    connection: str
    overlay: SourceOverlay
    untyped: JsonObject | None
    trusts: bool = False
    types: bool = False
    key_as: str = ""


@dataclass(frozen=True)
class Offer:
    """An action and the tool behind it."""

    spec: ActionSpec
    definition: JsonObject
    is_typed: bool  # whether the source declares what comes out

    @property
    def tool(self) -> str:
        """The source's own name of it."""
        return str(self.definition["name"])


@dataclass(frozen=True)
class Offers:
    """The actions by name, and which tools cannot be any."""

    by_name: dict[str, Offer]
    skipped: tuple[Skipped, ...]


def offers(definitions: Definitions, terms: Terms) -> Offers:
    """Make the actions; raises `ConfigurationError` with what the overlay has wrong."""
    connection, overlay = terms.connection, terms.overlay
    names = operation_names(definitions, longest_operation(connection))
    found: dict[str, Offer] = {}
    skipped: list[Skipped] = []
    for tool, operation in names.items():
        if operation in overlay.hidden or (overlay.only and operation not in overlay.only):
            continue
        said = within(connection, overlay.actions.get(operation, {}))
        where = f"connections.{connection}: overlay: actions.{operation}"
        try:
            offer = _offer(f"{connection}.{operation}", definitions[tool], said, where, terms)
        except UnfitError as error:
            skipped.append(Skipped(shown(tool), str(error)))
        else:
            if overlay.limits is not None and offer.spec.limits is None:
                spec = offer.spec.model_copy(update={"limits": overlay.limits})
                offer = Offer(spec, offer.definition, offer.is_typed)
            found[offer.spec.name] = offer
    return Offers(found, tuple(skipped))


def unknown_operations(names: Collection[str], overlay: SourceOverlay) -> tuple[str, ...]:
    """What an overlay speaks of and the server does not have."""
    said = (*overlay.actions, *overlay.hidden, *(overlay.only or ()))
    return tuple(dict.fromkeys(each for each in said if each not in names))


def longest_operation(connection: str) -> int:
    """How long the part after `<connection>.` may be."""
    return _LONGEST_ACTION - len(connection) - 1


def operation_names(tools: Iterable[str], longest: int) -> dict[str, str]:
    """Names for tools: never by their order, and no two the same.

    Of tools that would have one name, that which is called exactly so keeps it; each other one,
    and what is too long, is marked by its own name's digest.
    """
    plain = {tool: _snake(tool) for tool in tools}
    same = Counter(plain.values())
    return {
        tool: name
        if 0 < len(name) <= longest and (same[name] == 1 or name == tool)
        else _marked(name, tool, longest)
        for tool, name in plain.items()
    }


def collisions(tools: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Tools that differ only in what a name of ours cannot say."""
    groups: dict[str, list[str]] = {}
    for tool in tools:
        groups.setdefault(_snake(tool), []).append(tool)
    return (tuple(sorted(each)) for each in groups.values() if len(each) > 1)


def proposal(definition: JsonObject) -> JsonObject:
    """The manifest that a server's hints propose, in our words."""
    hints = definition.get("annotations")
    said: JsonObject = hints if isinstance(hints, dict) else {}
    found: JsonObject = {}
    if said.get("readOnlyHint") is True:
        found["effect"] = "read"
    elif said.get("idempotentHint") is True:
        found["effect"] = "idempotent"
    if said.get("destructiveHint") is False and found.get("effect") != "read":
        found["irreversible"] = False
    if said.get("openWorldHint") is False:
        found["egress"] = False
    return found


def _offer(name: str, definition: JsonObject, said: JsonObject, where: str, terms: Terms) -> Offer:
    tool = str(definition["name"])
    for member in ("name", "input_schema", *(() if terms.types else ("output_schema",))):
        if member in said:
            raise ConfigurationError(f"{where}.{member}: the server says this")
    _check_promises(definition, said, where, terms)
    if "unfit" in definition:
        raise UnfitError(visible(str(definition["unfit"]), LONGEST_DESCRIPTION))
    typed = said.get("output_schema", definition.get("outputSchema"))
    told = definition.get("description", definition.get("title", ""))
    about = visible(told, LONGEST_DESCRIPTION) if isinstance(told, str) else ""
    manifest: JsonObject = {
        **(proposal(definition) if terms.trusts else {}),
        **({"settle_s": SETTLES_S} if said.get("effect") == "lookup" else {}),
        **said,
        "name": name,
        # The definition is a part of the action's own, and so of its digest: a plan is bound to it.
        "description": f"{about} [{tool} {digest(definition)[7:19]}]".strip(),
        "input_schema": input_of(definition.get("inputSchema", {})),
        "output_schema": terms.untyped if typed is None else output_of(typed),
    }
    try:
        return Offer(ActionSpec.model_validate(manifest), definition, typed is not None)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{where}{'.' if at else ''}{at}: {first['msg']}") from error


def _check_promises(definition: JsonObject, said: JsonObject, where: str, terms: Terms) -> None:
    """What an overlay promises of keys can be kept; raises `ConfigurationError`."""
    why = "no key of ours goes with a call of a tool, so nothing can be told by it"
    if terms.key_as:
        why = f"our key goes to a tool as its {terms.key_as}, and this one takes no {terms.key_as}"
    takes = definition.get("takes")
    if not terms.key_as or not isinstance(takes, list) or terms.key_as not in takes:
        for member in ("idempotency", "lookup"):
            if member in said:
                raise ConfigurationError(f"{where}.{member}: {why}; leave it out")
    if "status" in said:
        raise ConfigurationError(f"{where}.status: nothing asks a tool later; leave it out")
    lookup = said.get("lookup")
    if isinstance(lookup, dict) and not lookup.get("key_at"):
        raise ConfigurationError(f"{where}.lookup.key_at: {key_at_unsaid(lookup)}")


def _snake(text: str) -> str:
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _marked(name: str, tool: str, longest: int) -> str:
    mark = hashlib.sha256(tool.encode()).hexdigest()[:_DIGITS]
    return f"{name[: longest - _DIGITS - 1].rstrip('_') or 'tool'}_{mark}"

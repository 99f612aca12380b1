"""What a document proposes and what the operator's overlay says, as the actions on offer.

The overlay wins in everything. What it does not say keeps the cautious default; a document can
neither weaken a manifest nor place a key or a credential.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from connectors.errors import ConfigurationError
from connectors.looked_up import SETTLES_S, key_at_unsaid
from connectors.manifest import may_be_at, within
from connectors.openapi.extract import Extracted, Operation
from connectors.openapi.gaps import Gap
from connectors.openapi.overlay import Credential, Overlay
from connectors.openapi.parameters import Place
from connectors.pointer import tokens_of
from connectors.source import Skipped
from connectors.spec import ActionSpec, JsonObject


@dataclass(frozen=True)
class Offer:
    """An action, the operation behind it, and where our key travels in it."""

    spec: ActionSpec
    operation: Operation
    key_places: tuple[Place, ...]


def unserved(found: Extracted, overlay: Overlay) -> tuple[Skipped, ...]:
    """The operations with a server of their own of which the overlay does not say where it is."""
    return tuple(
        Skipped(each.name, Gap.SERVER.about(each.server))
        for each in found.operations
        if each.server and each.server not in overlay.servers
    )


def offers(
    connection: str, found: Extracted, overlay: Overlay, credential: Credential | None
) -> dict[str, Offer]:
    """The actions by name; raises `ConfigurationError` with what the overlay has wrong."""
    skipped = {each.name: each.reason for each in (*found.skipped, *unserved(found, overlay))}
    by_name = {each.name: each for each in found.operations if each.name not in skipped}
    _check_names(connection, skipped, overlay, by_name)
    offered: dict[str, Offer] = {}
    for name, operation in by_name.items():
        if name in overlay.hidden or (overlay.only is not None and name not in overlay.only):
            continue
        offer = _offer(connection, operation, overlay, credential)
        if offer.spec.name in offered:
            raise ConfigurationError(f"connections.{connection}: two are called {offer.spec.name}")
        offered[offer.spec.name] = offer
    if not offered:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in list(skipped.items())[:3])
        raise ConfigurationError(
            f"connections.{connection}: the document offers no operation"
            + (f" ({reasons})" if reasons else "")
        )
    for offer in offered.values():
        _check_status(connection, offer, offered)
        _check_pages(connection, offer, overlay)
    return offered


def _offer(
    connection: str, operation: Operation, overlay: Overlay, credential: Credential | None
) -> Offer:
    said = within(connection, overlay.actions.get(operation.name, {}))
    where = f"connections.{connection}: overlay: actions.{operation.name}"
    if "input_schema" in said:
        raise ConfigurationError(f"{where}.input_schema: the document says what goes in")
    name = said.pop("name", operation.name)
    manifest: JsonObject = {
        "name": f"{connection}.{name}",
        "description": operation.description,
        "effect": operation.proposed_effect.value,
        "input_schema": {},
        **said,
    }
    # What is called is a part of the definition, and so of its digest: a document that moves an
    # operation under its old name must not keep what was reviewed.
    manifest["description"] = f"{manifest['description']} [{operation.called}]".strip()
    if said.get("effect") == "lookup":
        manifest.setdefault("settle_s", SETTLES_S)
    if overlay.limits is not None:
        manifest.setdefault("limits", overlay.limits.model_dump(mode="json"))
    keys = tuple(_key_places(operation, said, where))
    ours = _ours(operation, keys, credential)
    # The document's schemas have been looked at: to look again takes seconds where each operation
    # reaches hundreds of definitions.
    schemas: dict[str, object] = {"input_schema": _without(operation.input_schema, ours)}
    if "output_schema" not in said:
        schemas["output_schema"] = operation.output.schema
    try:
        spec = ActionSpec.model_validate(manifest).model_copy(update=schemas)
        return Offer(spec, operation, keys)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        at = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{where}{'.' if at else ''}{at}: {first['msg']}") from error


def _ours(operation: Operation, keys: Collection[Place], credential: Credential | None) -> set[str]:
    """The arguments that are not a plan's: our key is there, or the secret, or it replaces them."""
    taken = {(place.where, place.wire.lower()) for place in keys}
    replaced: set[str] = set()
    if credential is not None:
        taken.add((credential.place.where, credential.place.wire.lower()))
        replaced = {each.lower() for each in credential.replaces}
    return {
        argument
        for argument, place in operation.places.items()
        if (place.where, place.wire.lower()) in taken or place.wire.lower() in replaced
    }


def _key_places(operation: Operation, said: JsonObject, where: str) -> Iterator[Place]:
    """Where our key goes: as the service's idempotency key, and as our own reference."""
    idempotency, lookup = said.get("idempotency"), said.get("lookup")
    if isinstance(idempotency, dict):
        place = idempotency.get("in", idempotency.get("place"))
        wire = str(idempotency.get("name"))
        match place:
            case "header" | "query":
                yield Place(place, wire)
            case "body":
                yield Place(place, wire, "usual")
            case "connector":
                raise ConfigurationError(f"{where}.idempotency.in: say header, query or body")
    if not isinstance(lookup, dict):
        return
    reference = lookup.get("reference")
    if not lookup.get("key_at"):
        raise ConfigurationError(f"{where}.lookup.key_at: {key_at_unsaid(lookup)}")
    if not reference and not isinstance(idempotency, dict):
        raise ConfigurationError(
            f"{where}.lookup.reference: say which argument carries our key: it is searched for, "
            "and nothing else takes it to the service"
        )
    if isinstance(reference, str) and reference:
        found = operation.places.get(reference)
        if found is None or found.where in ("path", "whole_body"):
            known = ", ".join(sorted(operation.places)) or "none"
            raise ConfigurationError(
                f"{where}.lookup.reference: there is no argument {reference!r} that can carry our "
                f"key; there are: {known}"
            )
        yield found


def _check_status(connection: str, offer: Offer, offered: Mapping[str, Offer]) -> None:
    """What tells how a job stands is of that job: its address says so, or the answer does."""
    status = offer.spec.status
    asked = offered.get(status.action) if status is not None else None
    if status is None or asked is None or status.id_at:
        return
    place = asked.operation.places.get(status.by)
    if place is not None and place.where != "path":
        raise ConfigurationError(
            f"connections.{connection}: overlay: actions.{offer.operation.name}.status.id_at: say "
            f"where in what {asked.spec.name} answers the id of the job stands: a service may "
            f"ignore `{status.by}`, and tell of another job"
        )


def _check_pages(connection: str, offer: Offer, overlay: Overlay) -> None:
    """What is said of pages fits the operation; raises `ConfigurationError`."""
    operation, spec = offer.operation, offer.spec
    pages = overlay.pages.get(operation.name)
    if pages is None:
        return
    where = f"connections.{connection}: overlay: pages.{operation.name}"
    if spec.is_write or operation.method != "get":
        raise ConfigurationError(f"{where}: pages are of reads by GET")
    offered = spec.input_schema["properties"]
    queried = [name for name, place in operation.places.items() if place.where == "query"]
    known = [each for each in queried if isinstance(offered, dict) and each in offered]
    if pages.by is not None and pages.by not in known:
        told = ", ".join(sorted(known)) or "none"
        raise ConfigurationError(
            f"{where}.by: there is no argument {pages.by!r} in the query; there are: {told}"
        )
    last = None if pages.last_at is None else f"{pages.rows_at}/*/{pages.last_at}".lstrip("/")
    for member, at in (
        ("rows_at", pages.rows_at),
        ("more_at", pages.more_at),
        ("next_at", pages.next_at),
        ("last_at", last),
    ):
        if at is not None and not may_be_at(spec.output_schema or {}, tokens_of(at)):
            raise ConfigurationError(f"{where}.{member}: nothing can be at {at!r} of the answer")


def _check_names(
    connection: str, skipped: Mapping[str, str], overlay: Overlay, known: Collection[str]
) -> None:
    for member, names in (
        ("only", overlay.only or ()),
        ("hidden", overlay.hidden),
        ("actions", overlay.actions),
        ("pages", overlay.pages),
    ):
        for name in names:
            if name in known or (name in skipped and member == "hidden"):
                continue
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"it cannot be offered: {skipped[name]}" if name in skipped else "no such one"
            hint += f"; did you mean {close[0]}?" if close and name not in skipped else ""
            raise ConfigurationError(f"connections.{connection}: overlay: {member}.{name}: {hint}")


def _without(schema: JsonObject, names: Collection[str]) -> JsonObject:
    properties, required = schema["properties"], schema["required"]
    kept: Mapping[str, JsonValue] = properties if isinstance(properties, dict) else {}
    needed = required if isinstance(required, list) else []
    return {
        **schema,
        "properties": {name: each for name, each in kept.items() if name not in names},
        "required": [each for each in needed if each not in names],
    }

"""What manifests say of one another must hold before anything relies on it."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.errors import ConfigurationError
from connectors.spec import ActionSpec, Effect, ItemAnswers, JsonObject

_NAMING = ("undo", "lookup", "status", "answers_as")
_SCALARS = ("string", "number", "integer", "boolean", "null")
_COMPOSED = frozenset({"$ref", "allOf", "anyOf", "oneOf", "prefixItems", "patternProperties"})


def check_manifests(catalog: Catalog) -> None:
    """Raise `ConfigurationError` with every flaw of every action's manifest."""
    flaws = [f"{action.name}: {flaw}" for action in catalog for flaw in _flaws(action, catalog)]
    if flaws:
        raise ConfigurationError("; ".join(flaws))


def within(connection: str, manifest: Mapping[str, JsonValue]) -> JsonObject:
    """The manifest with its other actions' whole names: one without a dot is of this connection."""
    found = dict(manifest)
    for member in _NAMING:
        said = found.get(member)
        name = said.get("action") if isinstance(said, dict) else None
        if isinstance(said, dict) and isinstance(name, str) and "." not in name:
            found[member] = {**said, "action": f"{connection}.{name}"}
    return found


def _flaws(action: ActionSpec, catalog: Catalog) -> Iterator[str]:
    if action.undo is not None:
        undo = catalog.get(action.undo.action)
        if undo is None:
            yield f"undo: there is no action {action.undo.action}"
        elif undo.effect is Effect.BLIND:
            yield f"undo: {undo.name} is blind, so nobody could tell whether it took anything back"
    if action.lookup is not None:
        yield from _question_flaws(
            "lookup", action, action.lookup.action, action.lookup.by, catalog
        )
    if action.status is not None:
        yield from _question_flaws(
            "status", action, action.status.action, action.status.by, catalog
        )
    arguments = _properties(action.input_schema)
    for pointer in action.sinks:
        name = pointer.partition("/")[0]
        if arguments is not None and name and name not in arguments:
            yield f"sinks: there is no argument {name!r}; it has {', '.join(sorted(arguments))}"
    for name in action.shown_to:
        if arguments is not None and name not in arguments:
            yield f"shown_to: there is no argument {name!r}; it has {', '.join(sorted(arguments))}"
    yield from _answer_flaws(action, catalog)


def _answer_flaws(action: ActionSpec, catalog: Catalog) -> Iterator[str]:
    """What is said of the answer, and cannot be so."""
    if action.items is not None:
        yield from _item_flaws(action, action.items)
    if action.answers_as is not None:
        read = catalog.get(action.answers_as.action)
        if read is None or read.effect is not Effect.READ:
            yield f"answers_as: there is no read {action.answers_as.action}"
    ids = (*action.answer_ids, *(action.answers_as.of if action.answers_as else ()))
    for pointer in ids:
        if pointer and not may_be_at(action.output_schema or {}, pointer.split("/")):
            yield f"answer_ids, answers_as: nothing can be at {pointer!r} of the output"
    for member, pointers in (
        ("fields_read_as", action.fields_read_as),
        ("own_where", action.own_where),
    ):
        for pointer in pointers:
            if not may_be_at(action.output_schema or {}, pointer.split("/")):
                yield f"{member}: nothing can be at {pointer!r} of the output"


def _item_flaws(action: ActionSpec, items: ItemAnswers) -> Iterator[str]:
    if not may_be_at(action.input_schema, [*items.of.split("/"), "*"]):
        yield f"items: no list can be at {items.of!r} of the arguments"
    at = items.at.split("/") if items.at else []
    for pointer in (items.failed_at, items.status_at, items.message_at):
        told = [*at, "*", *(pointer.split("/") if pointer else [])]
        if pointer is not None and not may_be_at(action.output_schema or {}, told):
            yield f"items: nothing can be at {'/'.join(told)!r} of the output"


def may_be_at(schema: JsonValue, tokens: list[str]) -> bool:
    """Whether a place can be in an output, as far as plain members and elements tell."""
    for token in tokens:
        if not isinstance(schema, dict) or schema.keys() & _COMPOSED:
            return True
        if schema.get("type") in _SCALARS:
            return False
        members, items = schema.get("properties"), schema.get("items")
        others = schema.get("additionalProperties", members is None)
        if isinstance(members, dict) and token in members:
            schema = members[token]
        elif token == "*" and items is not None:  # noqa: S105 - a token of a path
            schema = items
        elif others is False or (token != "*" and members is None and items is not None):  # noqa: S105
            return False
        else:
            schema = others
    return True


def _question_flaws(
    member: str, action: ActionSpec, name: str, by: str, catalog: Catalog
) -> Iterator[str]:
    """What is wrong with an action that is asked what became of a call."""
    asked = catalog.get(name)
    if asked is None:
        yield f"{member}: there is no action {name}"
        return
    if asked.effect is not Effect.READ:
        yield f"{member}: {name} is not a read"
    if asked.connection != action.connection:
        yield f"{member}: {name} is of another connection"
    arguments = _properties(asked.input_schema)
    if arguments is not None and by not in arguments:
        yield f"{member}: {name} has no argument {by!r}"
    required = asked.input_schema.get("required")
    for needed in required if isinstance(required, list) else []:
        if needed != by:
            yield f"{member}: {name} needs {needed!r} too, which nobody can give it"


def _properties(schema: JsonObject) -> JsonObject | None:
    """The arguments by name, or None where others are allowed."""
    found = schema.get("properties")
    closed = schema.get("additionalProperties") is False
    return found if closed and isinstance(found, dict) else None

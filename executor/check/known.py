"""What is known of a step's arguments before anything runs; the rest is marked unknown."""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.binding import Binding
from executor.check.unknown import Unknown
from executor.plan.assemble import assemble
from executor.plan.model import JsonArg, Lit, RefArg, RefPiece, TextArg, ValueArg
from executor.plan.refs import array_index, parse_ref
from executor.plan.types import Type, kinds

UNKNOWN_ITEM: JsonValue = Unknown(None)


def known_arguments(
    bindings: Iterable[Binding],
    inputs: Mapping[str, JsonValue],
    target: Type,
    each: JsonValue = UNKNOWN_ITEM,
) -> JsonObject:
    """The argument object with every value that is not known yet as an `Unknown`.

    `each` is the item of a list that is known, for a step that goes through it.
    """
    roots: JsonObject = {"input": dict(inputs), "each": each}
    entries = [(binding.to, _value(binding, roots)) for binding in bindings]
    built = assemble(entries, target)
    return built if isinstance(built, dict) else Unknown(None)


def known_input(text: str, inputs: Mapping[str, JsonValue]) -> JsonValue:
    """What a reference to the inputs leads to; `Unknown` for any other, or where nothing is."""
    return _known(text, {"input": dict(inputs)})


def _known(text: str, roots: JsonObject) -> JsonValue:
    ref = parse_ref(text)
    here = roots.get(ref.root, UNKNOWN_ITEM)
    for token in ref.tokens:
        index = array_index(token)
        if isinstance(here, dict) and token in here:
            here = here[token]
        elif isinstance(here, list) and index is not None and index < len(here):
            here = here[index]
        else:
            return Unknown(None)
    return here


def _value(binding: Binding, roots: JsonObject) -> JsonValue:
    match binding.arg:
        case ValueArg() | JsonArg():
            return binding.constant[0] if binding.constant else Unknown(None)
        case RefArg(ref=ref):
            found = _known(ref, roots)
            return _unknown(binding) if isinstance(found, Unknown) else found
        case TextArg(text=pieces):
            found_pieces = [_piece(piece, roots) for piece in pieces]
            if all(isinstance(each, str) for each in found_pieces):
                return "".join(str(each) for each in found_pieces)
            return Unknown(frozenset({"string"}))


def _unknown(binding: Binding) -> Unknown:
    """The value must fit both ends, so either may tell its type."""
    known = [
        names
        for end in (binding.source, binding.target)
        if isinstance(end, Type) and (names := kinds(end)) is not None
    ]
    return Unknown(frozenset.intersection(*known) if known else None)


def _piece(piece: Lit | RefPiece, roots: JsonObject) -> JsonValue:
    return piece.lit if isinstance(piece, Lit) else _known(piece.ref, roots)

"""What is known of a step's arguments before anything runs; the rest is marked unknown."""

from collections.abc import Iterable

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.analysis import Binding
from executor.check.cedar import UNKNOWN_LEAF
from executor.check.strict_json import Flaw, read_json
from executor.plan.model import Arg, JsonArg, Lit, RefArg, RefPiece, TextArg, ValueArg
from executor.plan.refs import parse_ref


def known_arguments(bindings: Iterable[Binding], inputs: JsonObject) -> JsonObject:
    """The argument object with every unknown leaf as `{UNKNOWN_LEAF: true}`."""
    built: JsonObject = {}
    for binding in bindings:
        value = _value(binding.arg, inputs)
        if not binding.to:
            return value if isinstance(value, dict) and UNKNOWN_LEAF not in value else built
        _put(built, binding.to, value)
    return {name: _as_lists(value) for name, value in built.items()}


def _value(arg: Arg, inputs: JsonObject) -> JsonValue:
    match arg:
        case ValueArg(value=value):
            return value
        case JsonArg(json_text=text):
            try:
                return read_json(text)
            except Flaw:
                return {UNKNOWN_LEAF: True}
        case RefArg(ref=ref):
            return _input(ref, inputs)
        case TextArg(text=pieces):
            found = [_piece(piece, inputs) for piece in pieces]
            if any(isinstance(each, dict) for each in found):
                return {UNKNOWN_LEAF: True}
            return "".join(str(each) for each in found)


def _piece(piece: Lit | RefPiece, inputs: JsonObject) -> JsonValue:
    return piece.lit if isinstance(piece, Lit) else _input(piece.ref, inputs)


def _input(text: str, inputs: JsonObject) -> JsonValue:
    ref = parse_ref(text)
    here: JsonValue = inputs
    if ref.root != "input":
        return {UNKNOWN_LEAF: True}
    for token in ref.tokens:
        if isinstance(here, dict) and token in here:
            here = here[token]
        elif isinstance(here, list) and token.isdigit() and int(token) < len(here):
            here = here[int(token)]
        else:
            return {UNKNOWN_LEAF: True}
    return here


def _put(built: JsonObject, to: tuple[str, ...], value: JsonValue) -> None:
    here = built
    for token in to[:-1]:
        following = here.setdefault(token, {})
        if not isinstance(following, dict):
            return  # an overlap, which another rule reports
        here = following
    here[to[-1]] = value


def _as_lists(value: JsonValue) -> JsonValue:
    """Objects whose names are 0, 1, 2, ... were places of an array."""
    if not isinstance(value, dict):
        return value
    inside = {name: _as_lists(member) for name, member in value.items()}
    if inside and sorted(inside) == sorted(str(index) for index in range(len(inside))):
        return [inside[str(index)] for index in range(len(inside))]
    return inside

"""From text to a plan, or to every reason why it has not the shape of one."""

import json

from pydantic import JsonValue, ValidationError

from executor.check.strict_json import Flaw, read_json
from executor.check.violation import Violation
from executor.plan.model import LANGUAGE, Plan

_ARMS = frozenset(
    {"RefArg", "ValueArg", "TextArg", "JsonArg", "Lit", "RefPiece"}
    | {"ValueCond", "RefCond", "ListCond", "str", "int", "float", "bool", "none"}
)
# A member that tells which arm of a union is meant; the arm's own complaints are the useful ones.
_TELLING = {
    "ref": ("RefArg", "RefPiece"),
    "value": ("ValueArg",),
    "text": ("TextArg",),
    "json": ("JsonArg",),
    "lit": ("Lit",),
    "left": ("ValueCond",),
    "lhs": ("RefCond",),
    "subject": ("ListCond",),
}


def parse_plan(text: str | bytes) -> Plan | tuple[Violation, ...]:
    """Read a plan, bare or in its stored form `{"language": 1, "plan": ...}`."""
    try:
        return plan_of(read_json(text))
    except Flaw as flaw:
        return (Violation(flaw.code, flaw.at, flaw.message, fix="Send one complete JSON object."),)


def plan_of(value: JsonValue) -> Plan | tuple[Violation, ...]:
    """Read a plan from JSON that was read already."""
    if not isinstance(value, dict):
        return (Violation("unknown-field", "", "a plan is a JSON object", fix="Send an object."),)
    prefix = ""
    if "language" in value:
        if value["language"] != LANGUAGE or set(value) != {"language", "plan"}:
            message = f"only language {LANGUAGE} is known, as {{language, plan}}"
            return (Violation("unknown-field", "/language", message),)
        value, prefix = value["plan"], "/plan"
    try:
        # JSON has no tuples: lists are read in JSON mode, strictly in everything else.
        return Plan.model_validate_json(json.dumps(value))
    except ValidationError as error:
        return _violations(error, value, prefix)


def _violations(error: ValidationError, value: JsonValue, prefix: str) -> tuple[Violation, ...]:
    found: dict[tuple[str, str], Violation] = {}
    for detail in error.errors(include_url=False, include_context=False):
        path, arms = _place(detail["loc"])
        if not _is_meant(arms, path, value):
            continue
        at = prefix + "".join(f"/{token}" for token in path)
        message = f"{detail['msg']} ({detail['type']})"
        step = _step_id(path, value)
        found.setdefault((at, ""), Violation("unknown-field", at, message, step))
    if not found:  # every arm was ruled out: say that none fits, at the deepest common place
        path, _ = _place(error.errors()[0]["loc"])
        at = prefix + "".join(f"/{token}" for token in path[:-1])
        message = "fits none of the allowed forms"
        found[at, ""] = Violation("unknown-field", at, message, _step_id(path, value))
    return tuple(found.values())


def _place(loc: tuple[int | str, ...]) -> tuple[tuple[str, ...], tuple[tuple[int, str], ...]]:
    """Split pydantic's location into the JSON path and the union arms with their depth."""
    path: list[str] = []
    arms: list[tuple[int, str]] = []
    for part in loc:
        if isinstance(part, str) and part in _ARMS:
            arms.append((len(path), part))
        else:
            path.append(str(part))
    return tuple(path), tuple(arms)


def _is_meant(arms: tuple[tuple[int, str], ...], path: tuple[str, ...], value: JsonValue) -> bool:
    for depth, arm in arms:
        here = _at(value, path[:depth])
        if not isinstance(here, dict):
            continue
        told = [names for key, names in _TELLING.items() if key in here]
        if told and not any(arm in names for names in told):
            return False
    return True


def _at(value: JsonValue, path: tuple[str, ...]) -> JsonValue:
    for token in path:
        if isinstance(value, dict):
            value = value.get(token)
        elif isinstance(value, list) and token.isdigit() and int(token) < len(value):
            value = value[int(token)]
        else:
            return None
    return value


def _step_id(path: tuple[str, ...], value: JsonValue) -> str | None:
    if len(path) >= 2 and path[0] == "steps":
        found = _at(value, (*path[:2], "id"))
        return found if isinstance(found, str) else None
    return None

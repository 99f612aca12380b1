"""From text to a plan, or to every reason why it has not the shape of one."""

import json

from pydantic import JsonValue, ValidationError

from executor.check.extent import too_much, too_much_inside
from executor.check.strict_json import Flaw, read_json
from executor.check.violation import Violation
from executor.fn.compare import equal
from executor.plan.model import LANGUAGE, Plan
from executor.plan.refs import join_pointer

MOST_FLAWS = 1000  # of a plan's shape; a model may write any number
_FIX = "See the published schema: lamgate admit --schema."

_SCALARS = frozenset({"str", "int", "float", "bool", "none"})
_ARMS = _SCALARS | {"RefArg", "ValueArg", "TextArg", "JsonArg", "Lit", "RefPiece"} | {
    "ValueCond", "RefCond", "ListCond"
}  # fmt: skip
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

_FORMS = {
    arm: names
    for names in (("ref", "value", "text", "json"), ("lit", "ref"), ("left", "lhs", "subject"))
    for name in names
    for arm in _TELLING[name]
    if (arm in ("Lit", "RefPiece")) == ("lit" in names)
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
        return (Violation("unknown-field", "", "a plan is a JSON object", fix=_FIX),)
    prefix = ""
    if "language" in value:
        if not equal(value["language"], LANGUAGE) or set(value) != {"language", "plan"}:
            message = f"only language {LANGUAGE} is known, as {{language, plan}}"
            return (Violation("unknown-field", "/language", message, fix=_FIX),)
        value, prefix = value["plan"], "/plan"
    if found := too_much(value, prefix):
        return found
    try:
        # JSON has no tuples: lists are read in JSON mode, strictly in everything else.
        plan = Plan.model_validate_json(json.dumps(value), by_alias=True, by_name=False)
    except ValidationError as error:
        return _violations(error, value, prefix)
    return too_much_inside(plan, prefix) or plan


def _violations(error: ValidationError, value: JsonValue, prefix: str) -> tuple[Violation, ...]:
    found: dict[str, Violation] = {}
    for seen, detail in enumerate(error.errors()):
        if len(found) == MOST_FLAWS:
            more = f"and {error.error_count() - seen} more flaws of its shape"
            found["more"] = Violation("too-large", prefix, more, fix=_FIX)
            break
        path, arms = _place(detail["loc"])
        if not _is_meant(arms, path, value):
            continue
        message = f"{detail['msg']} ({detail['type']})"
        if arms and arms[-1][1] in _SCALARS:
            message = "expected a text, a number, a boolean or null"
        if (depth := _formless(arms, path, value)) is not None:
            path, message = path[:depth], f"one of {' or '.join(_FORMS[arms[-1][1]])} is missing"
        at = prefix + _pointer(path)
        step = _step_id(path, value)
        found.setdefault(at, Violation("unknown-field", at, message, step, fix=_FIX))
    if not found:  # every arm was ruled out: say that none fits, at the deepest common place
        path, _ = _place(error.errors()[0]["loc"])
        at = prefix + _pointer(path[:-1])
        message = "fits none of the allowed forms"
        found[at] = Violation("unknown-field", at, message, _step_id(path, value), fix=_FIX)
    return tuple(found.values())


def _pointer(path: tuple[str, ...]) -> str:
    return "/" + join_pointer(path) if path else ""


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


def _formless(
    arms: tuple[tuple[int, str], ...], path: tuple[str, ...], value: JsonValue
) -> int | None:
    """How deep an object stands that has none of the members which tell what it is."""
    if not arms or arms[-1][1] not in _FORMS:
        return None
    depth, arm = arms[-1]
    here = _at(value, path[:depth])
    is_told = not isinstance(here, dict) or any(name in here for name in _FORMS[arm])
    return None if is_told else depth


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

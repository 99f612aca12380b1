"""Whether a value of one schema may flow into another: yes, no, or only a guard can tell.

*Yes* means that every valid value of the source is valid for the target; *no* means that none
is. Everything else is *unknown* and becomes a guard: the real value is checked before the call.
So *yes* never lets an invalid value through, and *no* never refuses a flow that could be valid.

The walk compares keyword by keyword. A keyword of the target that is not listed here can only
make the answer less sure. Constants and enumerations are decided by a real validator.
Formats are nominal tags: equal ones agree, a few pairs can never agree, others are unknown.
"""

from collections.abc import Callable, Iterable
from enum import Enum

from pydantic import JsonValue

from connectors.spec import JsonObject
from connectors.validate import validator_of
from executor.plan.types import MISSING, Type, arms_of, child, kinds

MAX_DEPTH = 12
_ANNOTATIONS = frozenset(
    "title description default examples example deprecated readOnly writeOnly $comment "
    "$schema $id $defs definitions discriminator xml externalDocs nullable".split()
)
_APART = frozenset({"date", "date-time", "email", "uuid", "ipv4", "ipv6"})


class Flow(Enum):
    """The three answers."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def flows(source: Type, target: Type, depth: int = 0) -> Flow:
    """Decide whether values of `source` are valid for `target`."""
    if target.node is True or target.node == {}:
        return Flow.YES
    if target.node is False:
        return Flow.NO
    wanted = target.resolved()
    if wanted is None or depth > MAX_DEPTH:
        return Flow.UNKNOWN
    if all(key in _ANNOTATIONS for key in wanted):
        return Flow.YES
    given = source.resolved()
    if not given:
        return Flow.UNKNOWN
    if source.root is target.root and source.node is target.node:
        return Flow.YES
    constants = _constants(given)
    if constants is not None:
        return _all_of(Flow.YES if is_valid(value, target) else Flow.NO for value in constants)
    if arms := arms_of(source):
        return _all_of(flows(arm, target, depth + 1) for arm in arms)
    if arms := arms_of(target):
        return _any_arm(source, target, arms, wanted, depth)
    return _compare(source, given, target, wanted, depth)


def is_valid(value: JsonValue, target: Type) -> bool:
    """Whether one value is valid; a schema that no validator can read is met by nothing."""
    validator = validator_of(target.standalone())
    return validator is not None and validator.is_valid(value)


def _constants(schema: JsonObject) -> list[JsonValue] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return values if isinstance(values, list) else None


def _all_of(answers: Iterable[Flow]) -> Flow:
    found = set(answers)
    return found.pop() if len(found) == 1 else Flow.UNKNOWN


def _any_arm(
    source: Type, target: Type, arms: tuple[Type, ...], wanted: JsonObject, depth: int
) -> Flow:
    answers = [flows(source, arm, depth + 1) for arm in arms]
    rest = {
        key: value
        for key, value in wanted.items()
        if key not in ("anyOf", "oneOf") and key not in _ANNOTATIONS
    }
    beside = flows(source, target.below(rest), depth + 1) if rest else Flow.YES
    if all(answer is Flow.NO for answer in answers) or beside is Flow.NO:
        return Flow.NO
    # Of `oneOf` exactly one arm may match: one sure arm is enough only if all others are out.
    sure = answers.count(Flow.YES)
    enough = sure >= 1 if "anyOf" in wanted else sure == 1 == len(answers) - answers.count(Flow.NO)
    return Flow.YES if enough and beside is Flow.YES else Flow.UNKNOWN


def _compare(source: Type, given: JsonObject, target: Type, wanted: JsonObject, depth: int) -> Flow:
    have, want = kinds(source), kinds(target)
    if have is None:
        return Flow.UNKNOWN
    reach = want | {"integer"} if want and "number" in want else want
    if reach is not None and not have & reach:
        # A whole number may come from a schema that only says "number".
        return Flow.UNKNOWN if "number" in have and "integer" in reach else Flow.NO
    answer = Flow.YES if reach is None or have <= reach else Flow.UNKNOWN
    for keyword in wanted:
        if keyword == "type" or keyword in _ANNOTATIONS:
            continue
        check = _KEYWORDS.get(keyword)
        found = check(source, given, target, wanted, depth) if check else Flow.UNKNOWN
        if found is Flow.NO and len(have) == 1:
            return Flow.NO
        if found is not Flow.YES:
            answer = Flow.UNKNOWN
    return answer


def _same(keyword: str) -> "_Keyword":
    def check(
        source: Type, given: JsonObject, target: Type, wanted: JsonObject, depth: int
    ) -> Flow:
        same = given.get(keyword) == wanted[keyword]
        return Flow.YES if same or not _applies(source, keyword) else Flow.UNKNOWN

    return check


def _format(source: Type, given: JsonObject, target: Type, wanted: JsonObject, depth: int) -> Flow:
    have, want = given.get("format"), wanted["format"]
    if have == want or not _applies(source, "format"):
        return Flow.YES
    return Flow.NO if have in _APART and want in _APART else Flow.UNKNOWN


def _least(keyword: str, opposite: str) -> "_Keyword":
    """`minimum`-like: the source's own least bound must reach it; its greatest may rule it out."""

    def check(
        source: Type, given: JsonObject, target: Type, wanted: JsonObject, depth: int
    ) -> Flow:
        if not _applies(source, keyword):
            return Flow.YES
        bound, low, high = wanted[keyword], given.get(keyword), given.get(opposite)
        if not isinstance(bound, int | float):
            return Flow.UNKNOWN
        if isinstance(low, int | float) and low >= bound:
            return Flow.YES
        return Flow.NO if isinstance(high, int | float) and high < bound else Flow.UNKNOWN

    return check


def _greatest(keyword: str, opposite: str) -> "_Keyword":
    def check(
        source: Type, given: JsonObject, target: Type, wanted: JsonObject, depth: int
    ) -> Flow:
        if not _applies(source, keyword):
            return Flow.YES
        bound, high, low = wanted[keyword], given.get(keyword), given.get(opposite)
        if not isinstance(bound, int | float):
            return Flow.UNKNOWN
        if isinstance(high, int | float) and high <= bound:
            return Flow.YES
        return Flow.NO if isinstance(low, int | float) and low > bound else Flow.UNKNOWN

    return check


def _enum(source: Type, given: JsonObject, target: Type, wanted: JsonObject, depth: int) -> Flow:
    constants = _constants(wanted) or []
    return Flow.UNKNOWN if any(is_valid(value, source) for value in constants) else Flow.NO


def _required(
    source: Type, given: JsonObject, target: Type, wanted: JsonObject, depth: int
) -> Flow:
    if not _applies(source, "required"):
        return Flow.YES
    names = wanted["required"] if isinstance(wanted["required"], list) else []
    always = given.get("required")
    sure = set(always) if isinstance(always, list) else set()
    answer = Flow.YES
    for name in names:
        # An object schema that merely lists no such property is still open to it.
        closed = given.get("additionalProperties") is False and "patternProperties" not in given
        if closed and child(source, str(name)) is MISSING:
            return Flow.NO
        if name not in sure:
            answer = Flow.UNKNOWN
    return answer


def _properties(
    source: Type, given: JsonObject, target: Type, wanted: JsonObject, depth: int
) -> Flow:
    if not _applies(source, "properties"):
        return Flow.YES
    properties = wanted["properties"] if isinstance(wanted["properties"], dict) else {}
    required = wanted.get("required")
    needed = set(required) if isinstance(required, list) else set()
    always = given.get("required")
    sure = set(always) if isinstance(always, list) else set()
    answer = Flow.YES
    for name, schema in properties.items():
        found = _declared(source, given, name)
        if found is None:
            continue
        below = flows(found, target.below(schema), depth + 1)
        if below is Flow.NO and (name in needed or name in sure):
            return Flow.NO
        if below is not Flow.YES:
            answer = Flow.UNKNOWN
    return answer


def _declared(source: Type, given: JsonObject, name: str) -> Type | None:
    """The type of a property, unknown where the schema is open to it, None where it cannot be."""
    own = given.get("properties")
    if isinstance(own, dict) and name in own:
        return source.below(own[name])
    extra = given.get("additionalProperties")
    if "patternProperties" in given or extra is None or extra is True:
        return Type.of({})
    return source.below(extra) if isinstance(extra, dict) else None


def _additional(
    source: Type, given: JsonObject, target: Type, wanted: JsonObject, depth: int
) -> Flow:
    rule = wanted["additionalProperties"]
    if rule is True or rule == {} or not _applies(source, "properties"):
        return Flow.YES
    if given.get("additionalProperties") is not False or "patternProperties" in given:
        extra = given.get("additionalProperties")
        if "properties" not in given and isinstance(extra, dict) and isinstance(rule, dict):
            own = wanted.get("properties")
            if not own:
                found = flows(source.below(extra), target.below(rule), depth + 1)
                return found if found is Flow.YES else Flow.UNKNOWN
        return Flow.UNKNOWN
    own, theirs = given.get("properties"), wanted.get("properties")
    names = set(own) if isinstance(own, dict) else set()
    extra_names = names - (set(theirs) if isinstance(theirs, dict) else set())
    if not extra_names:
        return Flow.YES
    if rule is False:
        always = given.get("required")
        sure = set(always) if isinstance(always, list) else set()
        ruled_out = bool(extra_names & sure) and "patternProperties" not in wanted
        return Flow.NO if ruled_out else Flow.UNKNOWN
    return Flow.UNKNOWN


def _items(source: Type, given: JsonObject, target: Type, wanted: JsonObject, depth: int) -> Flow:
    if not _applies(source, "items"):
        return Flow.YES
    if "prefixItems" in given or "prefixItems" in wanted:
        return Flow.UNKNOWN
    found = given.get("items")
    if found is None:
        return Flow.UNKNOWN
    below = flows(source.below(found), target.below(wanted["items"]), depth + 1)
    least = given.get("minItems")
    if below is Flow.NO:
        return Flow.NO if isinstance(least, int | float) and least >= 1 else Flow.UNKNOWN
    return below


def _applies(source: Type, keyword: str) -> bool:
    """Whether the keyword can say anything about a value of this type."""
    about = {
        "format": {"string", "integer", "number"},
        "pattern": {"string"},
        "minLength": {"string"},
        "maxLength": {"string"},
        "minimum": {"integer", "number"},
        "maximum": {"integer", "number"},
        "exclusiveMinimum": {"integer", "number"},
        "exclusiveMaximum": {"integer", "number"},
        "multipleOf": {"integer", "number"},
        "items": {"array"},
        "minItems": {"array"},
        "maxItems": {"array"},
        "uniqueItems": {"array"},
        "required": {"object"},
        "properties": {"object"},
    }[keyword]
    names = kinds(source)
    return names is None or bool(names & about)


_Keyword = Callable[[Type, JsonObject, Type, JsonObject, int], Flow]
_KEYWORDS: dict[str, _Keyword] = {
    "format": _format,
    "pattern": _same("pattern"),
    "minLength": _least("minLength", "maxLength"),
    "maxLength": _greatest("maxLength", "minLength"),
    "minimum": _least("minimum", "maximum"),
    "maximum": _greatest("maximum", "minimum"),
    "exclusiveMinimum": _same("exclusiveMinimum"),
    "exclusiveMaximum": _same("exclusiveMaximum"),
    "multipleOf": _same("multipleOf"),
    "uniqueItems": _same("uniqueItems"),
    "minItems": _least("minItems", "maxItems"),
    "maxItems": _greatest("maxItems", "minItems"),
    "enum": _enum,
    "const": _enum,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "items": _items,
}

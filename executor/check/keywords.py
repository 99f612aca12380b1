"""One small function for each JSON Schema keyword: what it says of values of another type.

Every function is asked about values of one JSON type. Keywords that speak about other types
hold of them; keywords that no function knows are unknown, unless they are annotations.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.spec import JsonObject
from executor.check.flow import Flow, every
from executor.check.formats import format_flow
from executor.plan.resolved import has_ref
from executor.plan.types import Type, as_list

_TEXT = frozenset({"minLength", "maxLength", "pattern", "format"})
_NUMBER = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
_ARRAY = frozenset(
    "items prefixItems minItems maxItems uniqueItems contains minContains maxContains "
    "unevaluatedItems".split()
)
_OBJECT = frozenset(
    "properties required additionalProperties patternProperties propertyNames minProperties "
    "maxProperties dependentRequired dependentSchemas unevaluatedProperties".split()
)
_ANY = frozenset("type enum const not if anyOf oneOf allOf $ref $dynamicRef".split())
ASSERTING = _TEXT | _NUMBER | _ARRAY | _OBJECT | _ANY
_ABOUT = {
    "string": _TEXT | _ANY,
    "integer": _NUMBER | _ANY,
    "number": _NUMBER | _ANY,
    "array": _ARRAY | _ANY,
    "object": _OBJECT | _ANY,
}  # truth values and null are few enough to be listed, and asked one by one


@dataclass(frozen=True)
class Pair:
    """A source of one JSON type beside a target; `compare` and `valid` answer for parts of them."""

    source: Type
    given: JsonObject
    kind: str
    target: Type
    wanted: JsonObject
    compare: Callable[[Type, Type], Flow]
    valid: Callable[[JsonValue, Type], Flow]

    def number(self, keyword: str) -> float | None:
        """The number that the source says, if it does."""
        return _number(self.given.get(keyword))

    def below(self, source: JsonValue, target: JsonValue) -> Flow:
        """Compare parts of both."""
        return self.compare(self.source.below(source), self.target.below(target))


def keyword_flow(pair: Pair, keyword: str) -> Flow:
    """Whether all values of the source, or none, meet one keyword of the target."""
    about = _ABOUT.get(pair.kind)
    if about is None:
        return Flow.UNKNOWN  # no type of JSON
    if keyword not in about:
        return Flow.YES
    check = _KEYWORDS.get(keyword)
    return check(pair, keyword) if check else Flow.UNKNOWN


def _number(value: JsonValue) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _same(pair: Pair, keyword: str) -> Flow:
    if keyword not in pair.given:
        return Flow.UNKNOWN
    ours, theirs = pair.given[keyword], pair.wanted[keyword]
    is_same = not has_ref(theirs) and canonical([ours]) == canonical([theirs])
    return Flow.YES if is_same else Flow.UNKNOWN


def _format(pair: Pair, keyword: str) -> Flow:
    return format_flow(pair.given.get(keyword), pair.wanted[keyword])


def _listed(pair: Pair, keyword: str) -> Flow:
    """The source lists nothing itself, so at best none of the target's values can be."""
    values = as_list(pair.wanted["enum"]) if keyword == "enum" else [pair.wanted["const"]]
    found = [pair.valid(value, pair.source) for value in values]
    return Flow.NO if all(each is Flow.NO for each in found) else Flow.UNKNOWN


def _at_least(pair: Pair, keyword: str) -> Flow:
    """`minimum` and `exclusiveMinimum`: the source's own bounds decide."""
    bound = _number(pair.wanted[keyword])
    if bound is None:
        return Flow.UNKNOWN
    strict = keyword == "exclusiveMinimum"
    least, above = pair.number("minimum"), pair.number("exclusiveMinimum")
    most, below = pair.number("maximum"), pair.number("exclusiveMaximum")
    if (above is not None and above >= bound) or (
        least is not None and (least > bound if strict else least >= bound)
    ):
        return Flow.YES
    if (below is not None and below <= bound) or (
        most is not None and (most <= bound if strict else most < bound)
    ):
        return Flow.NO
    return Flow.UNKNOWN


def _at_most(pair: Pair, keyword: str) -> Flow:
    """`maximum` and `exclusiveMaximum`, likewise."""
    bound = _number(pair.wanted[keyword])
    if bound is None:
        return Flow.UNKNOWN
    strict = keyword == "exclusiveMaximum"
    least, above = pair.number("minimum"), pair.number("exclusiveMinimum")
    most, below = pair.number("maximum"), pair.number("exclusiveMaximum")
    if (below is not None and below <= bound) or (
        most is not None and (most < bound if strict else most <= bound)
    ):
        return Flow.YES
    if (above is not None and above >= bound) or (
        least is not None and (least >= bound if strict else least > bound)
    ):
        return Flow.NO
    return Flow.UNKNOWN


def _multiple(pair: Pair, keyword: str) -> Flow:
    theirs, ours = _number(pair.wanted[keyword]), pair.number(keyword)
    if theirs == 1 and pair.kind == "integer":
        return Flow.YES
    if isinstance(theirs, int) and isinstance(ours, int) and theirs > 0 and ours % theirs == 0:
        return Flow.YES
    return _same(pair, keyword)


def _least_size(pair: Pair, keyword: str) -> Flow:
    """`minLength`, `minItems`."""
    least, most = _sizes(pair)
    bound = _number(pair.wanted[keyword])
    if bound is None:
        return Flow.UNKNOWN
    if least >= bound:
        return Flow.YES
    return Flow.NO if most is not None and most < bound else Flow.UNKNOWN


def _greatest_size(pair: Pair, keyword: str) -> Flow:
    """`maxLength`, `maxItems`."""
    least, most = _sizes(pair)
    bound = _number(pair.wanted[keyword])
    if bound is None:
        return Flow.UNKNOWN
    if most is not None and most <= bound:
        return Flow.YES
    return Flow.NO if least > bound else Flow.UNKNOWN


def _sizes(pair: Pair) -> tuple[float, float | None]:
    match pair.kind:
        case "string":
            return pair.number("minLength") or 0, pair.number("maxLength")
        case "array":
            most = pair.number("maxItems")
            if pair.given.get("items") is False:
                length = len(as_list(pair.given.get("prefixItems")))
                most = length if most is None else min(most, length)
            return pair.number("minItems") or 0, most
        case _:
            shape = _Shape(pair.source, pair.given)
            return max(len(shape.sure), pair.number("minProperties") or 0), shape.most


def _unique(pair: Pair, keyword: str) -> Flow:
    if pair.wanted[keyword] is False or pair.given.get(keyword) is True:
        return Flow.YES
    most = _sizes(pair)[1]
    return Flow.YES if most is not None and most <= 1 else Flow.UNKNOWN


def _elements(pair: Pair, keyword: str) -> Flow:
    """`prefixItems` and `items` together: place by place, then the rest."""
    ours, theirs = as_list(pair.given.get("prefixItems")), as_list(pair.wanted.get("prefixItems"))
    our_rest, their_rest = pair.given.get("items", {}), pair.wanted.get("items", {})
    least, most = _sizes(pair)
    answers = []
    places = max(len(ours), len(theirs))
    for place in range(places + 1):
        if most is not None and place >= most:
            break
        have = ours[place] if place < len(ours) else our_rest
        want = theirs[place] if place < len(theirs) else their_rest
        answers.append(_possible(pair.below(have, want), is_sure=least > place))
    return every(answers)


def _possible(answer: Flow, *, is_sure: bool) -> Flow:
    """What may be absent rules nothing out."""
    return answer if answer is Flow.YES or is_sure else Flow.UNKNOWN


class _Shape:
    """What members an object may have, as its schema says."""

    def __init__(self, source: Type, given: JsonObject) -> None:
        own = given.get("properties")
        self._source = source
        self._own: JsonObject = own if isinstance(own, dict) else {}
        self._has_patterns = "patternProperties" in given
        self._rest = given.get("additionalProperties", True)
        self.sure = frozenset(map(str, as_list(given.get("required"))))
        self.names = [name for name, schema in self._own.items() if schema is not False]
        self.is_closed = self._rest is False and not self._has_patterns
        self.most: float | None = (
            len(self.names) if self.is_closed else _number(given.get("maxProperties"))
        )

    def member(self, name: str) -> Type | None:
        """The type of a member; None where there can be none."""
        if name in self._own:
            return None if self._own[name] is False else self._source.below(self._own[name])
        if self._has_patterns:
            return Type.of({})
        return None if self._rest is False else self._source.below(self._rest)

    @property
    def others(self) -> Type | None:
        """The type of every member that is not named; None where there is none."""
        if self.is_closed:
            return None
        return Type.of({}) if self._has_patterns else self._source.below(self._rest)


def _required(pair: Pair, keyword: str) -> Flow:
    shape = _Shape(pair.source, pair.given)
    names = [str(each) for each in as_list(pair.wanted[keyword])]
    if any(name not in shape.sure and shape.member(name) is None for name in names):
        return Flow.NO
    return Flow.YES if shape.sure.issuperset(names) else Flow.UNKNOWN


def _properties(pair: Pair, keyword: str) -> Flow:
    properties = pair.wanted[keyword]
    if not isinstance(properties, dict):
        return Flow.UNKNOWN
    shape = _Shape(pair.source, pair.given)
    needed = {*shape.sure, *map(str, as_list(pair.wanted.get("required")))}
    return every(
        _possible(pair.compare(found, pair.target.below(schema)), is_sure=name in needed)
        for name, schema in properties.items()
        if (found := shape.member(name)) is not None
    )


def _additional(pair: Pair, keyword: str) -> Flow:
    rule = pair.target.below(pair.wanted[keyword])
    own = pair.wanted.get("properties")
    theirs = own if isinstance(own, dict) else {}
    shape = _Shape(pair.source, pair.given)
    has_patterns = "patternProperties" in pair.wanted
    answers = [
        _possible(pair.compare(found, rule), is_sure=name in shape.sure and not has_patterns)
        for name in shape.names
        if name not in theirs and (found := shape.member(name)) is not None
    ]
    if shape.others is not None:
        answers.append(_possible(pair.compare(shape.others, rule), is_sure=False))
    return every(answers)


def _patterns(pair: Pair, keyword: str) -> Flow:
    shape = _Shape(pair.source, pair.given)
    return Flow.YES if shape.is_closed and not shape.names else Flow.UNKNOWN


_Check = Callable[[Pair, str], Flow]


def _named(names: Iterable[str], check: _Check) -> dict[str, _Check]:
    return dict.fromkeys(names, check)


_KEYWORDS: dict[str, _Check] = {
    "format": _format,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
    "patternProperties": _patterns,
    "multipleOf": _multiple,
    "uniqueItems": _unique,
    **_named(("enum", "const"), _listed),
    **_named(("pattern", "propertyNames"), _same),
    **_named(("minimum", "exclusiveMinimum"), _at_least),
    **_named(("maximum", "exclusiveMaximum"), _at_most),
    **_named(("minLength", "minItems", "minProperties"), _least_size),
    **_named(("maxLength", "maxItems", "maxProperties"), _greatest_size),
    **_named(("items", "prefixItems"), _elements),
}

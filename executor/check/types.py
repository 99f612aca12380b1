"""Whether every value of one type is valid for another: yes, no, or not known.

*Yes* never lets a value through that is not valid; *no* means that no value ever is; anything
else is *unknown* and becomes a guard on the real value. So every rule errs to unknown. One rule is
about names: two formats that no standard knows are two kinds, and of no value both.

The algorithm: a source that lists its values is checked value by value; a source that may be
one of several types must pass with each; a target is a conjunction of its type, its keywords
(`keywords.py`) and its alternatives. A pair of recursive types that comes up again while it is
being compared is taken to hold: values are finite, so a counterexample would have shown up
before. What was derived from that is forgotten if the pair turns out not to hold.
"""

from typing import Final

from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.validate import Validator, validator_of
from executor.check.flow import Flow, every, unanimous
from executor.check.keywords import ASSERTING, Pair, keyword_flow
from executor.plan.compose import standalone
from executor.plan.types import Type, as_list, constants_of, kinds

__all__ = ["Flow", "flows", "validity"]
MAX_DEPTH: Final = 40
MOST_PAIRS: Final = 2_500  # of types that one question looks at
MOST_OF_A_PLAN: Final = 10_000  # and all questions about one plan
_ALTERNATIVES = frozenset({"anyOf", "oneOf", "allOf"})
MOST_VALIDATORS: Final = 8_192
_Key = tuple[int, int, int, int]
_VALIDATORS: Final[dict[tuple[int, int], tuple[Type, Validator | None]]] = {}


class Effort:
    """What may still be looked at, of all that is asked about one plan; the rest is not known.

    A type of a hundred alternatives beside another one is ten thousand questions, and a plan may
    put thousands of such pairs side by side.
    """

    def __init__(self, pairs: int = MOST_OF_A_PLAN) -> None:
        self._left = pairs

    def take(self) -> bool:
        """Whether one more pair may be looked at."""
        self._left -= 1
        return self._left >= 0


def flows(source: Type, target: Type, effort: Effort | None = None) -> Flow:
    """Decide whether values of `source` are valid for `target`."""
    match source.node:
        case {"const": value, **beside} if not beside:
            return validity(value, target)
        case _:
            return _Comparison(effort or Effort()).of(source, target)


def validity(value: JsonValue, target: Type) -> Flow:
    """Whether one value is valid; unknown where no validator can read the schema."""
    if isinstance(target.node, bool):
        return Flow.YES if target.node else Flow.NO
    validator = _validator_at(target)
    if validator is None:
        return Flow.UNKNOWN
    return Flow.YES if validator.is_valid(value) else Flow.NO


def _validator_at(target: Type) -> Validator | None:
    """Its validator, kept: the places of a catalogue are the same objects with every plan."""
    key = (id(target.node), id(target.root))
    known = _VALIDATORS.get(key)
    if known is not None:
        return known[1]
    found = validator_of(standalone(target))
    if found is None or found.is_small:
        if len(_VALIDATORS) >= MOST_VALIDATORS:
            _VALIDATORS.pop(next(iter(_VALIDATORS)), None)
        # Beside its type, for ids stay meaningful as long as their objects live.
        _VALIDATORS[key] = (target, found)
    return found


class _Comparison:
    """One question with everything found out on the way to its answer."""

    def __init__(self, effort: Effort) -> None:
        self._effort = effort
        self._known: dict[_Key, Flow] = {}
        self._open: dict[_Key, int] = {}
        self._alive: list[Type] = []  # ids stay meaningful as long as their objects live
        self._depth = 0
        self._inside = 0  # how far down in the value the comparison is

    def of(self, source: Type, target: Type) -> Flow:
        if target.node is False:
            return Flow.NO
        key = (id(source.node), id(source.root), id(target.node), id(target.root))
        if key in self._open:
            # Only a smaller value can be taken to hold; the same one would prove itself.
            return Flow.YES if self._inside > self._open[key] else Flow.UNKNOWN
        if key in self._known:
            return self._known[key]
        is_too_much = self._depth > MAX_DEPTH or len(self._alive) > 2 * MOST_PAIRS
        if is_too_much or not self._effort.take():
            return Flow.UNKNOWN
        self._alive += (source, target)
        before = len(self._known)
        self._open[key] = self._inside
        self._depth += 1
        answer = self._decide(source, target)
        self._depth -= 1
        del self._open[key]
        if answer is not Flow.YES:
            for later in [*self._known][before:]:
                if self._known[later] is Flow.YES:
                    del self._known[later]
        self._known[key] = answer
        return answer

    def _of_member(self, source: Type, target: Type) -> Flow:
        self._inside += 1
        answer = self.of(source, target)
        self._inside -= 1
        return answer

    def _decide(self, source: Type, target: Type) -> Flow:
        wanted, given = target.resolved(), source.resolved()
        if wanted is None:
            return Flow.UNKNOWN
        if ASSERTING.isdisjoint(wanted):
            return Flow.YES
        if given is None or ASSERTING.isdisjoint(given):
            return Flow.UNKNOWN
        if source.root is target.root and source.node is target.node:
            return Flow.YES
        constants = _constants(source)
        if constants is not None:
            return unanimous(validity(value, target) for value in constants)
        parts = _parts(source)
        if parts:
            return unanimous(self.of(part, target) for part in parts)
        answers = [self._keywords(source, target)]
        for key in _ALTERNATIVES & wanted.keys():
            arms = [target.below(arm) for arm in as_list(wanted[key])]
            answers.append(self._arms(source, key, arms))
        return every(answers)

    def _arms(self, source: Type, key: str, arms: list[Type]) -> Flow:
        answers = [self.of(source, arm) for arm in arms]
        if key == "allOf":
            return every(answers)
        if all(answer is Flow.NO for answer in answers):
            return Flow.NO
        sure = answers.count(Flow.YES)
        if key == "oneOf" and sure > 1:
            return Flow.NO
        # Of `oneOf` exactly one may match: one sure arm is enough only if all others are out.
        enough = sure >= 1 if key == "anyOf" else sure == 1 == len(arms) - answers.count(Flow.NO)
        return Flow.YES if enough else Flow.UNKNOWN

    def _keywords(self, source: Type, target: Type) -> Flow:
        given, wanted = source.keywords, target.keywords
        asserted = [key for key in wanted if key in ASSERTING and key not in _ALTERNATIVES]
        names = kinds(source)
        if names is None or len(names) != 1:
            same = not asserted or _is_same(source, target)
            return Flow.YES if same else Flow.UNKNOWN
        kind = next(iter(names))
        typed = _type_flow(kind, wanted.get("type"))
        pair = Pair(source, given, kind, target, wanted, self._of_member, validity)
        rest = (keyword_flow(pair, key) for key in asserted if key != "type")
        return every([typed, *rest])


def _constants(source: Type) -> list[JsonValue] | None:
    """The only values there can be, where they are few enough to be listed."""
    given = source.keywords
    listed = constants_of(given)
    if listed is not None:
        if sum(key in ASSERTING for key in given) == 1:
            return listed  # nothing stands beside the list
        return [value for value in listed if validity(value, source) is not Flow.NO]
    names = kinds(source)
    if names == frozenset({"boolean"}):
        return [True, False]
    return [None] if names == frozenset({"null"}) else None


def _parts(source: Type) -> list[Type]:
    """A source that may be one of several: its alternatives, or its types one by one."""
    given = source.keywords
    for key in ("anyOf", "oneOf"):
        if isinstance(given.get(key), list):
            beside = {name: value for name, value in given.items() if name != key}
            is_bare = not any(name in ASSERTING for name in beside)
            return [
                source.below(arm) if is_bare else source.below({"allOf": [beside, arm]})
                for arm in as_list(given[key])
            ]
    names = kinds(source) or frozenset()
    if len(names) < 2:
        return []
    plain = {name: value for name, value in given.items() if name != "nullable"}
    return [source.below(plain | {"type": name}) for name in sorted(names)]


def _type_flow(kind: str, wanted: JsonValue) -> Flow:
    names = {wanted} if isinstance(wanted, str) else set(map(str, as_list(wanted)))
    if not names or kind in names or (kind == "integer" and "number" in names):
        return Flow.YES
    # A whole number may come from a schema that only says "number".
    return Flow.UNKNOWN if kind == "number" and "integer" in names else Flow.NO


def _is_same(source: Type, target: Type) -> bool:
    return not source.has_ref and canonical(source.node) == canonical(target.node)

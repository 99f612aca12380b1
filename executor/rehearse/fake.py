"""Makes an answer up from a schema: the smallest valid one that holds what the plan reads.

The same schema, reads and variation give the same answer. What comes out is checked against the
whole schema by the same validator as real values; what does not pass is `Unfakeable`, and said.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from pydantic import JsonValue

from connectors.canonical import canonical
from connectors.spec import JsonObject
from connectors.validate import first_flaw, schema_flaw
from executor.check.flow import Flow
from executor.check.types import validity
from executor.plan.compose import standalone
from executor.plan.refs import array_index
from executor.plan.types import (
    Type,
    arms_of,
    as_list,
    as_object,
    child,
    constants_of,
    items_of,
    likely_kinds,
)
from executor.rehearse.scalars import exact, scalars_for

Path = tuple[str, ...]
MOST_DEEP = 40  # levels; a type that must hold itself has no finite value
OPTIONAL_DEEP = 6  # below that only what must be there is
MOST_NODES = 5_000
_KINDS = ("object", "array", "string", "integer", "number", "boolean", "null")
_NO_READS: Mapping[Path, Type] = {}


class Unfakeable(Exception):
    """No valid answer could be made up: says where and why."""


class Mark(Enum):
    """A wish that names no value: something is to be there, or nothing is."""

    PRESENT = "present"
    ABSENT = "absent"


Wish = JsonValue | Mark


@dataclass(frozen=True)
class Reads:
    """What a plan reads of an answer: names of members, and types by path (`*` in a list)."""

    names: frozenset[str] = frozenset()
    types: Mapping[Path, Type] = field(default_factory=dict)
    texts: tuple[str, ...] = ()  # constants of the plan, its words for things


@dataclass(frozen=True)
class Variation:
    """What is asked of an answer: how long its lists are, and values at places."""

    size: int
    wishes: Mapping[Path, Wish] = field(default_factory=dict)

    def with_(self, path: Path, wish: Wish) -> "Variation":
        """The same with one more wish."""
        return Variation(self.size, {**self.wishes, path: wish})

    @property
    def key(self) -> bytes:
        """Equal for equal variations."""
        wishes: list[JsonValue] = [
            [[*path], {"mark": wish.value} if isinstance(wish, Mark) else {"value": wish}]
            for path, wish in sorted(self.wishes.items())
        ]
        return canonical([self.size, wishes])


def make_up(schema: JsonObject, reads: Reads, variation: Variation, index: int = 0) -> JsonValue:
    """Make an answer up; raises `Unfakeable`."""
    if (flaw := schema_flaw(schema)) is not None:
        raise Unfakeable(f"the schema cannot be read: {flaw}")
    try:
        value = _Maker(reads, variation).value(Type.of(schema), (), index)
    except RecursionError as error:
        raise Unfakeable("the schema is too deep") from error
    if (flaw := first_flaw(schema, value)) is not None:
        raise Unfakeable(f"what was made up is not valid: {flaw[:300]}")
    return value


class _Maker:
    def __init__(self, reads: Reads, variation: Variation) -> None:
        self._reads = reads
        self._variation = variation
        self._nodes = 0

    def value(self, found: Type, path: Path, index: int, depth: int = 0) -> JsonValue:
        wish = self._variation.wishes.get(path, Mark.PRESENT)
        if not isinstance(wish, Mark):
            return wish
        self._nodes += 1
        if depth > MOST_DEEP or self._nodes > MOST_NODES:
            raise Unfakeable(f"nothing finite fits at {_shown(path)}")
        node = found.resolved()
        if node is None:
            raise Unfakeable(f"the schema allows nothing at {_shown(path)}, or leads nowhere")
        constants = constants_of(node)
        if constants is not None:
            return _constant(constants, path, index)
        arms = arms_of(found)
        if arms:
            return self._of_arms(found, arms, path, index, depth)
        kinds = likely_kinds(found)
        kind = None if kinds is None else next((each for each in _KINDS if each in kinds), None)
        match kind:
            case "object":
                return self._object(found, node, path, index, depth)
            case "array":
                return self._array(found, node, path, index, depth)
            case _:
                return self._leaf(found, node, kind, path, index, depth)

    def _of_arms(
        self, found: Type, arms: tuple[Type, ...], path: Path, index: int, depth: int
    ) -> JsonValue:
        """The first alternative that gives a valid value, null last."""
        flaws = []
        for arm in sorted(arms, key=lambda each: likely_kinds(each) == frozenset({"null"})):
            try:
                value = self.value(arm, path, index, depth + 1)
            except Unfakeable as flaw:
                flaws.append(str(flaw))
                continue
            if validity(value, found) is not Flow.NO:
                return value
        raise Unfakeable(flaws[0] if flaws else f"no alternative fits at {_shown(path)}")

    def _object(
        self, found: Type, node: JsonObject, path: Path, index: int, depth: int
    ) -> JsonValue:
        built: JsonObject = {}
        names = self._names(node, path, depth)
        read_by_path = [each for each in self._read_below(path) if each not in names]
        for name in (*names, *read_by_path):
            below = child(found, name)
            if not isinstance(below, Type) and name in read_by_path:
                continue
            if not isinstance(below, Type):
                raise Unfakeable(f"nothing may be at {_shown((*path, name))}")
            built[name] = self.value(below, (*path, name), index, depth + 1)
        built |= self._entries(found, node, path, index, depth, len(built))
        return built

    def _names(self, node: JsonObject, path: Path, depth: int) -> list[str]:
        """What must be there, what the plan reads, and what is wished for."""
        declared = as_object(node.get("properties"))
        required = [each for each in as_list(node.get("required")) if isinstance(each, str)]
        wished = self._wished(path)
        read: list[str] = []
        if depth <= OPTIONAL_DEEP and self._nodes < MOST_NODES // 2:
            read = [each for each in declared if each in self._reads.names]
        wanted = {*required, *read, *wished}
        least = node.get("minProperties", 0)
        for name in declared:
            if isinstance(least, int) and len(wanted) < least:
                wanted.add(name)
        wishes = self._variation.wishes
        there = [*(each for each in declared if each in wanted), *required, *wished]
        absent = {each for each in there if wishes.get((*path, each)) is Mark.ABSENT}
        return [each for each in dict.fromkeys(there) if each not in absent]

    def _entries(
        self, found: Type, node: JsonObject, path: Path, index: int, depth: int, there: int
    ) -> JsonObject:
        """Members of a map, which are keyed by data."""
        extra = node.get("additionalProperties")
        least = node.get("minProperties", 0)
        count = least if isinstance(least, int) else 0
        if "properties" not in node and isinstance(extra, dict):
            most = node.get("maxProperties")
            count = max(count, self._variation.size)
            count = min(count, most) if isinstance(most, int) else count
        return {
            f"key-{number + 1}": self.value(
                found.below(extra if isinstance(extra, dict) else {}),
                (*path, f"key-{number + 1}"),
                index + number,
                depth + 1,
            )
            for number in range(max(0, count - there))
        }

    def _array(
        self, found: Type, node: JsonObject, path: Path, index: int, depth: int
    ) -> JsonValue:
        prefix = as_list(node.get("prefixItems"))
        least, most = _whole(node.get("minItems"), 0), _whole(node.get("maxItems"), None)
        wished = [at for each in self._wished(path) if (at := array_index(each)) is not None]
        count = max(self._variation.size, least or 0, *(at + 1 for at in wished), 0)
        count = count if most is None else min(count, most)
        if node.get("items") is False:
            count = min(count, len(prefix))
        rest = found.below(node["items"]) if "items" in node else items_of(found)
        items: list[JsonValue] = []
        for at in range(count):
            kind = found.below(prefix[at]) if at < len(prefix) else rest
            number = at if depth == 0 else index * max(1, count) + at
            items.append(self.value(kind, (*path, str(at)), number, depth + 1))
        return [*_unlike(items)] if node.get("uniqueItems") is True else items

    def _leaf(
        self, found: Type, node: JsonObject, kind: str | None, path: Path, index: int, depth: int
    ) -> JsonValue:
        """A scalar, or whatever the plan takes it for where the schema does not say."""
        expected = self._reads.types.get(tuple("*" if array_index(t) is not None else t
                                               for t in path))  # fmt: skip
        if expected is not None and depth < MOST_DEEP:
            below = _Maker(Reads(texts=self._reads.texts), Variation(self._variation.size))
            try:
                value = below.value(expected, (path[-1] if path else "",), index)
            except Unfakeable:
                value = None
            if value is not None and validity(value, found) is Flow.YES:
                return value if kind is not None else self._with_reads(value, path, index, depth)
        if kind is None:
            return self._with_reads(None, path, index, depth)
        given = [each for each in (*as_list(node.get("examples")), node.get("example")) if each]
        texts = self._reads.texts if kind == "string" else ()
        name = path[-1] if path else ""
        for value in (*given[index:], *scalars_for(kind, node, name, index, texts)):
            if validity(value, found) is not Flow.NO:
                return value
        raise Unfakeable(f"no {kind} was found for {_shown(path)}")

    def _with_reads(self, value: JsonValue, path: Path, index: int, depth: int) -> JsonValue:
        """Of a place without a schema: what the plan reads below it, or a text."""
        names = dict.fromkeys((*self._read_below(path), *self._wished(path)))
        if not names:
            return value if value is not None else f"{path[-1] if path else 'text'}-{index + 1}"
        if all(each == "*" or array_index(each) is not None for each in names):
            wished = [number for each in names if (number := array_index(each)) is not None]
            count = max(self._variation.size, *(each + 1 for each in wished), 0)
            return [
                self.value(Type.of({}), (*path, str(number)), index + number, depth + 1)
                for number in range(count)
            ]
        return {
            name: self.value(Type.of({}), (*path, name), index, depth + 1)
            for name in names
            if name != "*" and self._variation.wishes.get((*path, name)) is not Mark.ABSENT
        }

    def _read_below(self, path: Path) -> list[str]:
        """The tokens below a path that the plan reads, as far as they are known by path."""
        at = tuple("*" if array_index(token) is not None else token for token in path)
        inner = dict.fromkeys(each[len(at)] for each in self._reads.types
                              if len(each) > len(at) and each[: len(at)] == at)  # fmt: skip
        wishes = self._variation.wishes
        return [each for each in inner if wishes.get((*path, each)) is not Mark.ABSENT]

    def _wished(self, path: Path) -> list[str]:
        """The tokens below a path that wishes go on with."""
        deep = len(path)
        wishes = self._variation.wishes
        return [each[deep] for each in wishes if len(each) > deep and each[:deep] == path]


def type_at(schema: JsonObject, path: Path) -> Type | None:
    """The type at a place of an answer; None where nothing can be."""
    here = Type.of(schema)
    for token in path:
        below = child(here, token)
        if not isinstance(below, Type):
            return None
        here = below
    return here


def is_valid(value: JsonValue, found: Type) -> bool:
    """Whether a value may stand where this type is."""
    return first_flaw(standalone(found), value) is None


def _constant(constants: list[JsonValue], path: Path, index: int) -> JsonValue:
    there = [each for each in constants if each is not None] or constants
    if not there:
        raise Unfakeable(f"the schema allows nothing at {_shown(path)}")
    return there[index % len(there)]


def _whole(value: JsonValue, default: int | None) -> int | None:
    found = exact(value)
    return default if found is None else int(found)


def _unlike(items: list[JsonValue]) -> Iterator[JsonValue]:
    seen: set[bytes] = set()
    for each in items:
        text = canonical(each)
        if text not in seen:
            seen.add(text)
            yield each


def _shown(path: Path) -> str:
    return f"{'/'.join(path)!r}" if path else "the whole answer"

"""The three-valued type checker, judged by a real validator on sampled schemas and values."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.validate import validator_of
from executor.check.types import Flow, flows, validity
from executor.plan.compose import array_of, object_of, standalone, tuple_of, union_of
from executor.plan.types import (
    MISSING,
    UNKNOWN,
    Type,
    arms_of,
    child,
    descend,
    items_of,
    kinds,
)

SEEDS = st.integers(0, 2**48).map(random.Random)
NAMES = ("a", "b", "c")
NUMBERS = (-1, 0, 0.5, 1, 1.0, 2, 3)
KINDS = ("shoe-size", "hat-size")  # formats that no standard names
TEXTS = ("", "a", "ab", "abc", *KINDS, "2026-01-01", "2026-01-01T10:00:00Z", "x@example.com")
TYPES = ("string", "number", "integer", "boolean", "null", "array", "object")
SIZES = (0, 1, 2, 3)


def value(rng: random.Random, depth: int = 2) -> Any:
    """A small value of any kind."""
    kind = rng.randrange(6 if depth else 4)
    if kind < 4:
        return rng.choice([None, rng.random() < 0.5, rng.choice(NUMBERS), rng.choice(TEXTS)])
    if kind == 4:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {name: value(rng, depth - 1) for name in rng.sample(NAMES, rng.randrange(4))}


def schema(rng: random.Random, depth: int = 2) -> Any:
    """A schema of any kind."""
    if rng.random() < 0.06:
        return rng.random() < 0.7
    made = [_text, _number, _constant, _plain, _reference]
    return rng.choice(made if depth == 0 else [*made, _object, _object, _array, _arms, _beside])(
        rng, depth
    )


def _some(rng: random.Random, optional: dict[str, Any]) -> dict[str, Any]:
    return {key: found for key, found in optional.items() if rng.random() < 0.4}


def _text(rng: random.Random, depth: int) -> Any:
    formats = ("date", "date-time", "email", *KINDS)
    return {"type": "string"} | _some(
        rng,
        {
            "minLength": rng.choice(SIZES),
            "maxLength": rng.choice(SIZES),
            "pattern": rng.choice(["^a", "b$"]),
            "format": rng.choice(formats),
        },
    )


def _number(rng: random.Random, depth: int) -> Any:
    bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    return {"type": rng.choice(["number", "integer"])} | _some(
        rng, {key: rng.choice(NUMBERS) for key in bounds} | {"multipleOf": rng.choice([1, 2, 0.5])}
    )


def _constant(rng: random.Random, depth: int) -> Any:
    if rng.random() < 0.4:
        return {"const": value(rng, 1)}
    listed = {repr(each): each for each in (value(rng, 0) for _ in range(3))}
    return {"enum": [*listed.values()]} | _some(rng, {"type": rng.choice(TYPES)})


def _plain(rng: random.Random, depth: int) -> Any:
    several = rng.sample(TYPES, rng.randint(1, 3))
    return rng.choice([{}, {"type": rng.choice(TYPES)}, {"type": several}, {"minLength": 1}])


def _reference(rng: random.Random, depth: int) -> Any:
    pointer = {"$ref": rng.choice(["#/$defs/one", "#/$defs/two", "#"])}
    return pointer | (_text(rng, 0) if rng.random() < 0.2 else {})


def _object(rng: random.Random, depth: int) -> Any:
    members = {name: schema(rng, depth - 1) for name in rng.sample(NAMES, rng.randrange(4))}
    typed: dict[str, Any] = {"type": "object"} if rng.random() < 0.9 else {}
    return (
        typed
        | _some(
            rng,
            {
                "properties": members,
                "required": rng.sample(NAMES, rng.randrange(3)),
                "additionalProperties": rng.choice([False, True, schema(rng, depth - 1)]),
            },
        )
        | (
            _some(
                rng,
                {
                    "patternProperties": {rng.choice(["^a", "b"]): schema(rng, depth - 1)},
                    "minProperties": rng.choice(SIZES),
                    "maxProperties": rng.choice(SIZES),
                    "propertyNames": {"maxLength": 1},
                    "properties": members,
                },
            )
            if rng.random() < 0.4
            else {}
        )
    )


def _array(rng: random.Random, depth: int) -> Any:
    return {"type": "array"} | _some(
        rng,
        {
            "items": schema(rng, depth - 1),
            "prefixItems": [schema(rng, depth - 1) for _ in range(rng.randint(1, 2))],
            "minItems": rng.choice(SIZES),
            "maxItems": rng.choice(SIZES),
            "uniqueItems": rng.random() < 0.7,
        },
    )


def _arms(rng: random.Random, depth: int) -> Any:
    key = rng.choice(["anyOf", "oneOf", "allOf", "not"])
    arms = [schema(rng, depth - 1) for _ in range(rng.randint(1, 3))]
    return {key: arms[0] if key == "not" else arms}


def _beside(rng: random.Random, depth: int) -> Any:
    one = schema(rng, depth - 1)
    return one | _arms(rng, depth) if isinstance(one, dict) else one


def changed(rng: random.Random, node: Any) -> Any:
    """The same schema with a keyword dropped, replaced or added somewhere."""
    if not isinstance(node, dict) or not node or rng.random() < 0.1:
        return schema(rng, 1)
    key = rng.choice(list(node))
    kept = {name: found for name, found in node.items() if name != key}
    roll = rng.random()
    if roll < 0.4:
        return kept
    if roll < 0.6:
        added = schema(rng, 1)
        return node | added if isinstance(added, dict) else node
    inner = node[key]
    if key == "properties" and isinstance(inner, dict) and inner:
        name = rng.choice(list(inner))
        return kept | {key: inner | {name: changed(rng, inner[name])}}
    if isinstance(inner, dict):
        return kept | {key: changed(rng, inner)}
    if isinstance(inner, bool) or not isinstance(inner, int | float):
        return node
    return kept | {key: max(0, inner + rng.choice([-1, 1]))}


def documents(rng: random.Random) -> tuple[Any, Any]:
    """Two documents, often much alike."""
    one, two = schema(rng, 1), schema(rng, 0)
    parts = {"$defs": {"one": one, "two": two}}
    first = schema(rng)
    second = changed(rng, first) if rng.random() < 0.7 else schema(rng)
    others = {"$defs": {"one": changed(rng, one) if rng.random() < 0.3 else one, "two": two}}
    return (
        (first if isinstance(first, dict) else {}) | parts,
        (second if isinstance(second, dict) else {}) | others,
    )


def marked(node: Any) -> jsonschema_rs.Validator:
    """The validator of a world where each value of a kind bears its name, and no other does."""
    named: dict[str, Callable[[str], bool]] = {kind: kind.__eq__ for kind in KINDS}
    return jsonschema_rs.Draft202012Validator(
        node, validate_formats=True, formats=named, offline=True
    )


def judged(rng: random.Random) -> Counter[str]:
    """Judge one pair by sampled values; says what the answer was and whether it was tested."""
    source, target = documents(rng)
    answer = flows(Type.of(source), Type.of(target))
    before, after = validator_of(source), validator_of(target)
    if before is None or after is None:
        return Counter()
    values = [found for found in (value(rng) for _ in range(60)) if before.is_valid(found)]
    valid = {after.is_valid(each) for each in values}

    assert not (answer is Flow.YES and False in valid), (source, target, values)
    if answer is Flow.NO:
        before, after = marked(source), marked(target)
        of_kind = [each for each in values if before.is_valid(each)]
        assert not any(after.is_valid(each) for each in of_kind), (source, target, of_kind)
    return Counter([f"{answer.value}{'' if values else ' untested'}"])


@given(SEEDS)
def test_yes_lets_nothing_invalid_through_and_no_refuses_nothing_valid(rng: random.Random) -> None:
    for _ in range(20):
        judged(rng)


def test_the_sampled_pairs_put_every_answer_to_the_test() -> None:
    rng = random.Random(7)
    answers = sum((judged(rng) for _ in range(1500)), Counter())

    assert min(answers["yes"], answers["no"], answers["unknown"]) >= 50, answers


@given(SEEDS)
def test_resolving_and_standing_alone_keep_the_meaning_of_a_schema(rng: random.Random) -> None:
    source, _ = documents(rng)
    before = validator_of(source)
    inner = Type(source | {"title": "copied"}, source)
    alone = validator_of(standalone(inner))
    if before is None or alone is None:
        return
    values = [value(rng) for _ in range(20)]

    assert [alone.is_valid(each) for each in values] == [before.is_valid(each) for each in values]


@given(SEEDS)
def test_what_lies_at_a_path_is_valid_for_the_type_there(rng: random.Random) -> None:
    source, _ = documents(rng)
    validator = validator_of(source)
    if validator is None:
        return
    for found in (value(rng) for _ in range(30)):
        if isinstance(found, dict) and validator.is_valid(found):
            for name in found:
                below = child(Type.of(source), name)
                if isinstance(below, Type) and not _is_read_as_closed(Type.of(source), name):
                    assert validity(found[name], below) is not Flow.NO, (source, found, name)


def _is_read_as_closed(found: Type, name: str, depth: int = 0) -> bool:
    """Whether an alternative that declares other properties is taken to have no more of them.

    JSON Schema lets it have any, so there a value may be of a type that no other alternative has;
    the arguments as a whole are validated before every call.
    """
    if depth > 8:  # it refers to itself
        return True
    return any(
        child(arm, name) is MISSING or _is_read_as_closed(arm, name, depth + 1)
        for arm in arms_of(found)
    )


@given(SEEDS)
def test_composed_types_say_what_their_parts_say(rng: random.Random) -> None:
    one, two = (Type.of(each) for each in documents(rng))
    if "'#'" in repr((one.node, two.node)):
        return  # a schema that is only itself means nothing, and validators differ
    if validator_of(standalone(one)) is None or validator_of(standalone(two)) is None:
        return
    first, second = value(rng), value(rng)
    fits = validity(first, one) is Flow.YES and validity(second, two) is Flow.YES
    both = {"a": first, "b": second}

    assert (validity(both, object_of({"a": one, "b": two})) is Flow.YES) is fits
    assert (validity([first, second], tuple_of([one, two])) is Flow.YES) is fits
    assert validity([first], array_of(one)) is validity(first, one)
    if fits:
        assert validity(first, union_of([one, two])) is Flow.YES


TREE = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "kids": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["name"],
    "additionalProperties": False,
}


def _type(**schema: Any) -> Type:
    return Type.of(schema)


DATE = _type(type="string", format="date")
PAIR = {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False}


@pytest.mark.parametrize(
    ("source", "target", "answer"),
    [
        (_type(type="integer"), _type(type="number"), Flow.YES),
        (_type(type="number"), _type(type="integer"), Flow.UNKNOWN),
        (_type(type="string"), _type(type="integer"), Flow.NO),
        (_type(type=["string", "null"]), _type(type="string"), Flow.UNKNOWN),
        (_type(type="string"), _type(type=["string", "null"]), Flow.YES),
        (
            _type(type=["string", "null"]),
            _type(anyOf=[{"type": "string"}, {"type": "null"}]),
            Flow.YES,
        ),
        (_type(type="string"), DATE, Flow.UNKNOWN),
        (DATE, _type(type="string"), Flow.YES),
        (DATE, _type(type="string", format="email"), Flow.NO),
        (_type(const="2026-02-30"), DATE, Flow.NO),
        (_type(const="2026-02-28"), DATE, Flow.YES),
        (_type(enum=["a", "b"]), _type(enum=["a", "b", "c"]), Flow.YES),
        (_type(enum=["a", "d"]), _type(enum=["a", "b", "c"]), Flow.UNKNOWN),
        (_type(enum=["d"]), _type(enum=["a", "b", "c"]), Flow.NO),
        (_type(type="boolean"), _type(enum=[True, False]), Flow.YES),
        (_type(type="integer", minimum=3), _type(type="integer", exclusiveMinimum=2), Flow.YES),
        (_type(type="integer", maximum=3), _type(type="integer", minimum=4), Flow.NO),
        (_type(type="string", maxLength=3), _type(type="string", minLength=4), Flow.NO),
        (
            _type(type="array", items={"type": "string"}),
            _type(type="array", items={"type": "integer"}),
            Flow.UNKNOWN,
        ),
        (
            _type(type="array", items={"type": "string"}, minItems=1),
            _type(type="array", items={"type": "integer"}),
            Flow.NO,
        ),
        (Type.of(PAIR), _type(type="array", maxItems=2), Flow.YES),
        (Type.of(PAIR), _type(type="array", items={"type": ["string", "number"]}), Flow.YES),
        (Type.of(TREE), Type.of(dict(TREE)), Flow.YES),
        (Type.of(TREE), Type.of(TREE | {"required": ["name", "kids"]}), Flow.UNKNOWN),
        (Type.of(TREE), Type.of(TREE | {"properties": {"name": {"type": "string"}}}), Flow.UNKNOWN),
        (
            _type(
                allOf=[
                    {"type": "object", "properties": {"a": {"type": "string"}}},
                    {"required": ["a"]},
                ]
            ),
            _type(type="object", required=["a"], properties={"a": {"type": "string"}}),
            Flow.YES,
        ),
        (_type(type="string"), _type(**{"$ref": "#/$defs/gone"}), Flow.UNKNOWN),
        (_type(type="string"), _type(type="string", **{"x-vendor": 1}), Flow.YES),
        (_type(type="string"), _type(type="string", **{"not": {"const": "a"}}), Flow.UNKNOWN),
        (_type(type="string"), Type.of(False), Flow.NO),
        (_type(const="a"), _type(oneOf=[{"type": "string"}, {"maxLength": 3}]), Flow.NO),
        (_type(type="string"), _type(oneOf=[{"type": "string"}, {"type": ["string"]}]), Flow.NO),
        (_type(type="string"), _type(oneOf=[{"type": "string"}, {"type": "null"}]), Flow.YES),
    ],
)
def test_known_pairs_have_known_answers(source: Type, target: Type, answer: Flow) -> None:
    assert flows(source, target) is answer


def test_a_schema_that_explodes_is_answered_all_the_same() -> None:
    names = [f"p{number}" for number in range(8)]
    wide = {
        "type": "object",
        "properties": {name: {"allOf": [{"$ref": "#"}, {"title": name}]} for name in names},
    }
    laughs = {"$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 5} for n in range(90)}}

    assert flows(Type.of(wide), Type.of(wide | {"required": ["p1"]})) is Flow.UNKNOWN
    assert (
        flows(Type.of(laughs | {"$ref": "#/$defs/d0"}), Type.of({"type": "string"})) is Flow.UNKNOWN
    )


def test_paths_are_read_as_the_schema_means_them() -> None:
    found = Type.of(TREE)

    assert child(found, "age") is MISSING
    assert child(Type.of({"type": "object"}), "age") == UNKNOWN
    assert child(Type.of({"properties": {}, "additionalProperties": True}), "age") == UNKNOWN
    assert child(Type.of({"type": "string"}), "0") is MISSING
    both = {"type": ["object", "array"], "properties": {"a": {"type": "string"}}}
    assert child(Type.of(both), "0") == UNKNOWN
    assert child(Type.of(both), "a") == Type({"type": "string"}, both)
    assert child(Type.of({"type": "array"}), "01") is MISSING
    assert child(Type.of({"type": "array"}), "²") is MISSING
    assert descend(Type.of({"const": {"a": [1, {"b": "x"}]}}), ("a", "1", "b")) == Type.of(
        {"enum": ["x"]}
    )
    below = descend(found, ("kids", "0", "kids", "1", "name"))
    assert isinstance(below, Type)
    assert kinds(below) == {"string"}


def test_elements_of_constants_and_tuples_are_typed() -> None:
    assert items_of(Type.of({"const": [1, 2]})) == Type.of({"enum": [1, 2]})
    assert kinds(items_of(Type.of(PAIR))) == {"string", "integer"}
    assert items_of(Type.of({"type": "array"})) == UNKNOWN

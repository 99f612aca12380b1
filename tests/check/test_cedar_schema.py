"""The Cedar types of one operation's calls: what they depend on, and how many there may be."""

from typing import Any

import pytest

from connectors.spec import ActionSpec
from executor.check.cedar_paths import DERIVED
from executor.check.cedar_schema import candidates, counted, relevant

TEXT, COUNT = {"type": "string"}, {"type": "integer"}
EITHER = {"type": ["string", "integer"]}
BASE: dict[str, Any] = {
    "type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a"],
    "$defs": {"t": TEXT},
}  # fmt: skip
OTHER_B = BASE | {"properties": {"a": TEXT, "b": COUNT}}
COMPOSED = {"$ref": "#/$defs/t", "allOf": [{}], "anyOf": [{}], "oneOf": [{}],
            "patternProperties": {"^x": TEXT}}  # fmt: skip


def action(schema: Any = BASE, **more: Any) -> ActionSpec:
    given = {"name": "pay.refund", "effect": "blind", "input_schema": schema}
    return ActionSpec.model_validate(given | more)


def path(text: str) -> tuple[str, ...]:
    return tuple(text.split("."))


@pytest.mark.parametrize(
    ("one", "other", "depends", "does_not"),
    [
        (BASE, OTHER_B, ["args.b", "args.b.c", "labels.b", "labels.b/c", "args", "labels"],
         ["args.a", "labels.a", "args.c", "run.writes", "read.b", "approvals"]),
        (BASE, BASE | {"required": ["a", "b"]}, ["args.b"], ["args.a"]),
        (BASE, BASE | {"required": "a"}, ["args.a"], ["args.b"]),
        (BASE, BASE | {"additionalProperties": False}, ["args.a", "args.c"], ["run.b"]),
        (BASE, BASE | {"title": "x"}, ["args"], ["args.a"]),
        (BASE | {"properties": {"a/b": TEXT}}, BASE | {"properties": {"a/b": COUNT}},
         ["args.a/b"], ["args.a", "labels.a/b"]),
        (BASE | {"properties": {"a_count": TEXT}}, BASE | {"properties": {"a_count": COUNT}},
         ["args.a_count", "labels.a_count"], ["args.a"]),
        ({"type": "object"}, {"type": "object", "title": "x"}, ["args.a"], ["run.b"]),
        (BASE | {"properties": {"a": {"$ref": "#/$defs/t"}}},
         BASE | {"properties": {"a": {"$ref": "#/$defs/t"}}, "$defs": {"t": COUNT}},
         ["args.a"], ["args.b"]),
        *((BASE | {word: said}, OTHER_B | {word: said}, ["args.a"], ["run.b"])
          for word, said in COMPOSED.items()),
    ],
)  # fmt: skip
def test_types_depend_on_what_is_declared_of_the_members_that_are_looked_at(
    one: Any, other: Any, depends: Any, does_not: Any
) -> None:
    def differs(text: str) -> bool:
        paths = [("run", "writes"), path(text)]
        return relevant(action(one), paths) != relevant(action(other), paths)

    assert [each for each in depends if not differs(each)] == []
    assert [each for each in does_not if differs(each)] == []
    assert relevant(action(one), [()]) != relevant(action(other), [()])


@pytest.mark.parametrize("end", DERIVED)
def test_what_is_derived_depends_on_what_it_is_derived_of(end: str) -> None:
    paths = [("args", f"b{end}")]

    assert relevant(action(), paths) != relevant(action(OTHER_B), paths)


@pytest.mark.parametrize(
    ("sink", "depends", "does_not"),
    [
        ("a/x", ["args.a", "labels.a"], ["args.b", "run.a"]),
        ("*", ["args.a", "args.b"], ["run.a"]),
        ("b", ["args.b"], ["args.a"]),
    ],
)
def test_types_depend_on_the_sinks_of_the_members_that_are_looked_at(
    sink: str, depends: Any, does_not: Any
) -> None:
    marked = action(sinks={sink: "amount"})

    for text in depends:
        assert relevant(action(), [path(text)]) != relevant(marked, [path(text)]), text
    for text in does_not:
        assert relevant(action(), [path(text)]) == relevant(marked, [path(text)]), text


LISTS = {
    "type": "object",
    "properties": {
        "lines": {"type": "array"}, "own": {"type": "array"}, "own_count": COUNT, "name": TEXT,
        "any": {}, "o": {"type": "object", "properties": {
            "list": {"type": "array"}, "own": {"type": "array"}, "own_count": COUNT}},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("args.lines_count", [("args", "lines")]),
        ("args.any_count", [("args", "any")]),
        ("args.o.list_count", [("args", "o", "list")]),
        ("args.o.own_count", []),
        ("args.own_count", []),  # a member of that name is what is looked at
        ("args.name_count", []),
        ("args.gone_count", []),
        ("args.gone.list_count", []),
        ("args.name.list_count", []),
        ("args.lines", []),
        ("args.o.list", []),
        ("run.lines_count", []),
        ("labels.lines_count", []),
    ],
)
def test_the_count_of_a_list_is_told_from_a_member_of_that_name(text: str, found: Any) -> None:
    closed = LISTS | {"additionalProperties": False}

    assert counted(action(closed), [path("args.any"), path(text)]) == frozenset(found)


def of(node: Any, *names: str) -> Any:
    for name in names:
        node = node["attributes"][name]
    return node


def test_each_member_of_the_context_has_its_own_paths() -> None:
    names = ("writes", "calls", "shop.get", "n")
    mine = action({"type": "object", "properties": dict.fromkeys(names, TEXT)})
    getting = ActionSpec.model_validate({
        "name": "shop.get", "effect": "read", "input_schema": {}, "reads_as": "trusted",
        "output_schema": {"type": "object", "properties": {"n": COUNT}},
    })  # fmt: skip

    def told(*texts: Any) -> Any:
        (found,) = candidates(mine, texts, {"shop.get": getting}.get)
        return found

    def names_of(found: Any, *at: str) -> list[str]:
        return [*of(found, *at)["attributes"]]

    run = told(("run", "calls", "x"), ("run", "sums", "EUR"), ("run", "writes"))
    args = told(("args", "calls"), ("args", "writes"))
    read, stale = told(("read", "shop.get", "n")), told(("stale", "shop.get", "n"))

    assert names_of(run, "run", "calls") == ["x"]
    assert names_of(run, "run", "sums") == ["EUR"]
    assert names_of(run, "args") == []
    assert sorted(names_of(args, "args")) == ["calls", "writes"]
    assert names_of(args, "run", "calls") == []
    assert names_of(told(("args", "calls", "x")), "run", "calls") == []
    assert (names_of(read, "read", "shop.get"), names_of(read, "stale")) == (["n"], [])
    assert (names_of(stale, "stale", "shop.get"), names_of(stale, "read")) == (["n"], [])
    assert names_of(told(("stale",)), "stale") == names_of(told(("read",)), "read") == []
    assert names_of(told(("read", "shop.gone")), "read") == []
    assert names_of(told(("read", "shop.get"), ("read", "shop.gone", "n")), "read") == ["shop.get"]
    assert names_of(told(("labels", "n")), "labels") == ["n"]


def test_of_an_answer_only_what_is_trusted_is_seen_each_operation_by_itself() -> None:
    line = {"type": "object", "properties": {"sku": TEXT, "note": TEXT}}
    output = {"type": "object", "properties": {
        "id": TEXT, "n": COUNT, "lines": {"type": "array", "items": line}}}  # fmt: skip

    def read(name: str) -> ActionSpec:
        given = {"name": name, "effect": "read", "input_schema": {}, "output_schema": output}
        trusted = {"id": "trusted", "lines/*/sku": "trusted"}
        return ActionSpec.model_validate(given | {"fields_read_as": trusted})

    find = {name: read(name) for name in ("shop.get", "shop.find")}.get
    paths = [("read", "shop.get", "lines_each", "sku"), ("read", "shop.find", "id")]
    (found,) = candidates(action(), paths, find)
    (untrusted,) = candidates(action(), [("read", "shop.get", "lines_each", "note")], find)
    (other,) = candidates(action(), [("read", "shop.get", "n")], find)

    assert [*of(found, "read", "shop.get")["attributes"]] == ["lines_each"]
    assert [*of(found, "read", "shop.find")["attributes"]] == ["id"]
    assert of(untrusted, "read", "shop.get")["attributes"] == {}
    assert of(other, "read", "shop.get")["attributes"] == {}


def test_so_many_types_are_looked_at_and_of_more_nothing_is_said() -> None:
    def count(members: int) -> int:
        schema = {"type": "object", "properties": {f"m{n}": EITHER for n in range(members)},
                  "required": [f"m{n}" for n in range(members)]}  # fmt: skip
        return len(candidates(action(schema), [("args", f"m{n}") for n in range(members)]))

    assert [count(members) for members in (0, 1, 5, 6, 7)] == [1, 2, 32, 64, 0]

"""What is known of a plan beside its catalogue: types at references, arguments one by one."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from executor.check.analysis import Analysis
from executor.check.entry import input_type
from executor.check.rules import is_list
from executor.check.today import DATE, with_today
from executor.check.types import Flow, flows
from executor.fn.extract import EXTRACT
from executor.plan.model import Plan
from executor.plan.refs import Ref, parse_ref
from executor.plan.types import MISSING, UNKNOWN, Type

TEXT, COUNT, ANY = {"type": "string"}, {"type": "integer"}, dict[str, Any]()
NULL = {"type": "null"}
LIST = {"type": "array", "items": TEXT}
ITEMS = {"type": "object", "properties": {"id": TEXT}, "required": ["id"]}
OUTPUT = {"type": "object", "properties": {
    "id": TEXT, "n": COUNT, "any": ANY, "list": LIST, "items": {"type": "array", "items": ITEMS},
    "arms": {"type": "array", "items": {"anyOf": [COUNT, NULL]}},
}}  # fmt: skip


def action(name: str, schema: Any, output: Any = OUTPUT) -> ActionSpec:
    given = {"name": name, "effect": "read", "input_schema": schema, "output_schema": output}
    return ActionSpec.model_validate(given)


def closed(*required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*required],
            "additionalProperties": False}  # fmt: skip


GET = action("it.get", closed(a=TEXT, b=COUNT))


def step(name: str, called: str = "it.get", **more: Any) -> dict[str, Any]:
    return {"id": name, "action": called} | more


def analysed(*steps: Any, catalog: Any = (GET,), inputs: Any = ANY) -> Analysis:
    plan = Plan.model_validate_json(json.dumps({"steps": steps}))
    return Analysis(plan, Catalog(catalog), inputs)


def at(analysis: Analysis, ref: str, name: str | None = None) -> Any:
    """The node of the type at a reference."""
    found = analysis.type_of(analysis.by_id.get(name or ""), parse_ref(ref))
    return found.node if isinstance(found, Type) else found


CLOSED = closed(a=TEXT, b=COUNT)
NEEDS = closed("a", a=TEXT, b=COUNT)
WORDY = CLOSED | {"title": "x", "description": "y", "$schema": "https://json-schema.org/draft/2020-12/schema",
                  "$id": "z", "$defs": {}}  # fmt: skip
A, B = {"value": "x", "to": "a"}, {"value": 1, "to": "b"}
WRONG = {"value": 1, "to": "a"}


@pytest.mark.parametrize(
    ("schema", "args", "expected"),
    [
        (CLOSED, [], Flow.YES),
        (CLOSED, [A], Flow.YES),
        (CLOSED, [A, B], Flow.YES),
        (CLOSED, [WRONG, B], Flow.NO),
        (CLOSED, [{"ref": "got/any", "to": "a"}, B], Flow.UNKNOWN),
        (CLOSED, [{"ref": "got/id", "to": "a"}], Flow.YES),
        (NEEDS, [A], Flow.YES),
        (NEEDS, [B], Flow.NO),
        (NEEDS, [], Flow.NO),
        (WORDY, [A, B], Flow.YES),
        ({"type": "object", "properties": {"a": TEXT}}, [A], Flow.YES),
        ({"type": "object", "properties": {"a": TEXT}, "required": "a"}, [A], Flow.YES),
        ({"properties": {"a": TEXT}}, [A], Flow.YES),
        ({"type": ["object", "null"], "properties": {"a": TEXT}}, [A], Flow.YES),
        # What says more, or binds less than members or more than once, is compared as a whole.
        (CLOSED | {"minProperties": 1}, [A], None),
        (CLOSED | {"maxProperties": 1}, [A, B], None),
        ({"type": ["object"], "properties": {"a": TEXT}}, [A], None),
        ({"type": "object"}, [A], None),
        ({"type": "object", "properties": {"b": COUNT}}, [A], None),
        (closed(o=closed(a=TEXT)), [{"value": "x", "to": "o/a"}], None),
        (CLOSED, [A, {"value": "y", "to": "a"}], None),
        (CLOSED, [{"json": '{"a": "x"}', "to": ""}], None),
        (CLOSED, [{"ref": "got/id/deeper", "to": "a"}], None),
        (CLOSED, [{"value": "x", "to": "c"}], None),
    ],
)
def test_bound_members_of_a_plain_object_are_judged_one_by_one(
    schema: Any, args: Any, expected: Flow | None
) -> None:
    take = action("it.take", schema)
    analysis = analysed(step("got"), step("s", "it.take", args=args), catalog=[GET, take])
    into, taking = input_type(take), analysis.by_id["s"]
    whole = analysis.whole_flow(taking)

    assert analysis.member_by_member(taking, into) is expected
    assert expected in (None, flows(analysis.as_a_whole(taking, into), into))
    assert expected in (None, whole)
    assert whole is analysis.whole_flow(taking)


def test_where_either_end_is_in_question_nobody_knows_whether_it_fits() -> None:
    lost = step("s", args=[{"ref": "got/id/deeper", "to": "a"}, {"value": 1, "to": "c"}, A])
    analysis = analysed(step("got"), lost)
    found = [analysis.flow(each) for each in analysis.bindings(analysis.by_id["s"])]

    assert found == [Flow.UNKNOWN, Flow.UNKNOWN, Flow.YES]


def test_a_step_is_looked_at_once() -> None:
    analysis = analysed(step("s", args=[A]))
    taking = analysis.by_id["s"]

    assert analysis.bindings(taking) is analysis.bindings(taking)


@pytest.mark.parametrize(
    ("ref", "name", "role", "may"),
    [
        ("input", None, "arg", True),
        ("got", None, "arg", True),
        ("gone", None, "arg", False),
        ("each", "mapped", "arg", True),
        ("each", "mapped", "each", False),
        ("each", "got", "arg", False),
        ("each", None, "arg", False),
        ("each_item", "again", "arg", True),
        ("each_item", "again", "each", False),
        ("each_item", "mapped", "arg", False),  # goes through what one call gave
        ("each_item", "deep", "arg", False),  # goes through a part of what was made
        ("each_item", "got", "arg", False),
        ("each_item", None, "arg", False),
        ("result", "got", "expect", True),
        ("result", "got", "when", False),
    ],
)
def test_every_root_has_its_place(ref: str, name: str | None, role: str, may: bool) -> None:
    analysis = analysed(step("got"), step("mapped", each="got/list"), step("again", each="mapped"),
                        step("deep", each="mapped/0/list"))  # fmt: skip
    at_step = analysis.by_id.get(name or "")

    assert analysis.has_root(at_step, Ref(ref, ()), role) is may


MAYBE = [{"left": "each/id", "op": "exists", "value": True}]


@pytest.mark.parametrize(
    ("ref", "name", "node"),
    [
        ("got/id", None, TEXT),
        ("each", "mapped", TEXT),
        ("each", "sieved", ITEMS),
        ("each_item", "again", TEXT),
        ("each/n", "again", COUNT),  # what was made of an item; nulls are passed over
        ("each/n", "after", COUNT),
        ("each_item/id", "after", TEXT),
        ("mapped", None, {"type": "array", "items": OUTPUT}),
        ("mapped/0", None, OUTPUT),
        ("sieved/0", None, {"anyOf": [OUTPUT, NULL]}),
        ("after/0", None, {"anyOf": [OUTPUT, NULL]}),  # passed over before
        ("again/0", None, OUTPUT),
        ("each", "armed", {"anyOf": [COUNT, NULL]}),  # of one result, nulls are items
        ("result/n", "sieved", COUNT),
        ("each", "own", ANY),
        ("each", "got", ANY),
        ("each_item", "got", ANY),
        ("each", None, ANY),
        ("result", None, ANY),
        ("nobody", None, ANY),
    ],
)
def test_a_reference_has_the_type_of_what_is_there(ref: str, name: str | None, node: Any) -> None:
    analysis = analysed(
        step("got"),
        step("mapped", each="got/list"),
        step("sieved", each="got/items", when=MAYBE),
        step("again", each="mapped"),
        step("after", each="sieved"),
        step("armed", each="got/arms"),
        step("own", each="each/list"),
    )

    assert at(analysis, ref, name) == node


def test_only_a_null_beside_one_alternative_is_passed_over() -> None:
    arms = {"anyOf": [COUNT, TEXT]}
    three = {"anyOf": [COUNT, TEXT, NULL]}
    for output, items in ((arms, arms), (three, three), ({"anyOf": [COUNT, NULL]}, COUNT)):
        tell = action("it.tell", closed(), output)
        first = step("first", "it.tell", each="got/list")
        analysis = analysed(step("got"), first, step("then", each="first"), catalog=[GET, tell])

        assert at(analysis, "each", "then") == items


def test_a_list_of_one_call_is_gone_through_as_it_is() -> None:
    items = {"anyOf": [COUNT, NULL]}
    many = action("it.many", closed(), {"type": "array", "items": items})
    maybe = [{"left": "input/today", "op": "!=", "value": "2026-01-01"}]
    first, then = step("list", "it.many", when=maybe), step("then", each="list")
    analysis = analysed(first, then, catalog=[GET, many])

    assert at(analysis, "each", "then") == items
    assert at(analysis, "then/0") == OUTPUT  # if the list is not read, this is skipped whole


def test_what_cannot_be_read_and_ones_own_result_are_of_no_type() -> None:
    args = [{"json": "{", "to": "a"}, {"ref": "result/id", "to": "b"}]
    analysis = analysed(step("s", args=args))

    assert [each.source for each in analysis.bindings(analysis.by_id["s"])] == [UNKNOWN, UNKNOWN]


def test_the_arguments_of_a_function_are_typed_by_the_places_that_it_declares() -> None:
    values = [{"ref": "got/id", "to": "options/0"}, {"ref": "got/n", "to": "options/1"}]
    analysis = analysed(step("got"), step("one", "fn.first_of", args=values))

    assert at(analysis, "one") == {"anyOf": [TEXT, COUNT]}


def test_what_waits_for_itself_is_typed_by_its_action_alone() -> None:
    circle = [{"ref": "b/id", "to": "a"}], [{"ref": "a/id", "to": "a"}]
    analysis = analysed(
        step("a", args=circle[0]),
        step("b", args=circle[1]),
        step("mapped", each="a/list", after=["b"], args=[{"ref": "each", "to": "a"}]),
        step("self", each="self"),
        step("joined", "fn.count", args=[{"ref": "a/list", "to": "list"}]),
        step("cut", "fn.first_of", args=[{"ref": "cut/x", "to": "options/0"}]),
    )

    assert at(analysis, "a/id") == at(analysis, "b/id") == TEXT
    assert at(analysis, "mapped/0/id") == TEXT
    assert at(analysis, "joined") == COUNT | {"minimum": 0}
    assert at(analysis, "self") == at(analysis, "cut") == ANY


def test_a_model_gives_what_its_constant_schema_says_within_bounds() -> None:
    bounded = {"type": "object", "properties": {"n": COUNT}, "required": ["n"],
               "additionalProperties": False}  # fmt: skip
    extract = action(EXTRACT, closed(text=TEXT, schema={"type": "object"}), {"type": "object"})

    def given(schema: Any, *more: Any) -> Any:
        args = [{"value": "x", "to": "text"}, schema, *more]
        analysis = analysed(step("got"), step("e", EXTRACT, args=args), catalog=[GET, extract])
        return at(analysis, "e"), analysis.extract_schema(analysis.by_id["e"])

    constant = {"json": json.dumps(bounded), "to": "schema"}
    part = [{"value": "object", "to": "schema/type"},
            {"json": json.dumps(bounded["properties"]), "to": "schema/properties"}]  # fmt: skip

    assert given(constant) == (bounded, [bounded])
    assert given(*part)[1] == [{"type": "object", "properties": {"n": COUNT}}]
    assert given({"json": '{"type": "string"}', "to": "schema"})[0] == ANY  # of any length
    assert given({"ref": "got/any", "to": "schema"}) == (ANY, None)
    assert given({"value": "x", "to": "text"}) == (ANY, None)


def test_functions_of_the_language_alone_are_called_fn() -> None:
    stranger = action("fn.other", closed())
    analysis = analysed(
        step("a", "fn.other"), step("b", "fn.count"), step("c", EXTRACT), step("d", "it.gone"),
        catalog=[GET, stranger, action(EXTRACT, closed())],
    )  # fmt: skip
    found = {name: analysis.action(each) for name, each in analysis.by_id.items()}

    assert {name: each and each.name for name, each in found.items()} == {
        "a": None, "b": "fn.count", "c": EXTRACT, "d": None,
    }  # fmt: skip
    assert at(analysis, "a") == at(analysis, "d") == ANY


@pytest.mark.parametrize(
    ("schema", "properties", "required"),
    [
        ({}, {"today": DATE}, ["today"]),
        ({"properties": {"a": TEXT}}, {"a": TEXT, "today": DATE}, ["today"]),
        ({"required": ["a"]}, {"today": DATE}, ["a", "today"]),
        ({"required": ["today", "a"]}, {"today": DATE}, ["today", "a"]),
        ({"required": "a", "properties": []}, {"today": DATE}, ["today"]),
        ({"type": "array", "properties": {"today": TEXT}}, {"today": DATE}, ["today"]),
    ],
)
def test_the_inputs_have_the_day_beside_what_they_declare(
    schema: Any, properties: Any, required: Any
) -> None:
    found = with_today(schema | {"additionalProperties": False})

    assert found == {
        "type": "object", "properties": properties, "required": required,
        "additionalProperties": False,
    }  # fmt: skip
    assert DATE == {"type": "string", "format": "date"}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"type": "array"}, True),
        ({"type": ["array", "null"]}, None),
        ({"type": "string"}, False),
        ({}, None),
        ({"items": TEXT}, None),
    ],
)
def test_whether_something_is_a_list_may_be_left_open(node: Any, expected: bool | None) -> None:
    assert is_list(Type.of(node)) is expected
    assert is_list(MISSING) is False
    assert is_list(UNKNOWN) is None

"""References, order, digests and renderings: what can be said, and how it is shown."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.spec import ActionSpec, JsonObject
from executor.check.parse import parse_plan, plan_of
from executor.plan.assemble import assemble
from executor.plan.compose import is_small, object_of, standalone
from executor.plan.digest import plan_digest
from executor.plan.graph import cycles, graph, order, upstream
from executor.plan.model import Plan, Step
from executor.plan.refs import array_index, join_pointer, parse_ref, split_pointer
from executor.plan.render import render, render_step
from executor.plan.resolved import has_ref
from executor.plan.scopes import in_one_scope
from executor.plan.types import Type, descend, kinds

TOKENS = st.lists(st.text(), min_size=1, max_size=4).map(tuple)
IDS = ("a", "b", "c", "d", "e")
PLANS = st.lists(
    st.builds(
        Step,
        id=st.sampled_from(IDS),
        action=st.just("x.y"),
        after=st.lists(st.sampled_from(IDS), max_size=3).map(tuple),
    ),
    max_size=6,
).map(lambda steps: Plan(steps=tuple(steps)))


@given(TOKENS)
def test_a_pointer_is_read_as_it_was_written(tokens: tuple[str, ...]) -> None:
    text = join_pointer(tokens)

    assert tokens == ("",) or split_pointer(text) == tokens
    assert str(parse_ref(text)) == text


def test_indices_are_those_of_rfc_6901() -> None:
    good = {"0": 0, "10": 10, "999999999": 999999999}
    bad = ("", "-", "-1", "+1", "01", "1.0", "²", "٣", "1e2", " 1", "9" * 10)

    assert {text: array_index(text) for text in good} == good
    assert [array_index(text) for text in bad] == [None] * len(bad)


@given(PLANS)
def test_steps_are_ordered_or_on_a_circle(plan: Plan) -> None:
    waits = graph(plan)
    placed = order(waits)

    assert len(placed) == len(set(placed))
    assert all(set(waits[step]) <= set(placed[: placed.index(step)]) for step in placed)
    assert bool(cycles(waits)) is (len(placed) < len(waits))
    for circle in cycles(waits):
        assert all(waits[one] >= {other} for one, other in pairwise(circle))
        assert circle[0] in waits[circle[-1]]
    for step in placed:
        assert step not in upstream(waits, step)


def test_steps_of_one_id_wait_for_what_either_waits_for() -> None:
    one, other, b = (
        Step(id="a", action="x.y", after=("b",)),
        Step(id="a", action="x.y"),
        Step(id="b", action="x.y"),
    )
    plan = Plan(steps=(one, other, b))

    assert graph(plan) == {"a": {"b"}, "b": set()}


def test_places_become_arrays_where_the_target_has_one() -> None:
    target = Type.of(
        {"type": "object", "properties": {"list": {"type": "array"}, "map": {"type": "object"}}}
    )
    entries: Any = [(("list", "1"), "b"), (("list", "0"), "a"), (("map", "0"), "c")]

    assert assemble(entries, target) == {"list": ["a", "b"], "map": {"0": "c"}}
    assert assemble(entries, None) == {"list": ["a", "b"], "map": ["c"]}
    assert assemble([((), [1])], target) == [1]
    assert assemble([], target) == {}


def test_of_places_that_overlap_the_first_stays() -> None:
    entries: Any = [(("a",), 1), (("a", "b"), 2), (("a",), 3), (("c", "d"), 4), (("c",), 5)]

    assert assemble(entries, None) == {"a": 1, "c": {"d": 4}}


def changed(**change: Any) -> ActionSpec:
    given = {"name": "x.y", "input_schema": {"type": "object"}, "effect": "read"}
    return ActionSpec.model_validate(given | change)


ACTION = changed()


def test_whatever_a_person_approved_counts_in_the_digest() -> None:
    plan = Plan(steps=(Step(id="a", action="x.y"),))
    other_words = plan.model_copy(update={"understanding": "x"})
    base = plan_digest(plan.canonical(), {}, {"x.y": ACTION})
    others = [
        plan_digest(other_words.canonical(), {}, {"x.y": ACTION}),
        plan_digest(plan.canonical(), {"type": "object"}, {"x.y": ACTION}),
        plan_digest(plan.canonical(), {}, {}),
        plan_digest(plan.canonical(), {}, {"x.y": ACTION}, ["sha256:0"]),
        *(
            plan_digest(plan.canonical(), {}, {"x.y": changed(**change)})
            for change in (
                {"description": "other"}, {"input_schema": {}}, {"output_schema": {}},
                {"approval": "boss"}, {"sinks": {"a": "url"}}, {"reads_as": "trusted"},
            )
        ),
    ]  # fmt: skip

    assert base.startswith("sha256:")
    assert len({base, *others}) == len(others) + 1


def _plan(value: Any) -> Plan:
    plan = parse_plan(json.dumps(value))
    assert isinstance(plan, Plan)
    return plan


def test_a_plan_is_shown_on_one_line_a_step() -> None:
    plan = _plan(
        {
            "understanding": "Refund the mugs.",
            "assumptions": [{"text": "all of them"}],
            "steps": [
                {
                    "id": "refund", "action": "pay.refund", "each": "order/lines", "after": ["b"],
                    "args": [
                        {"ref": "each/price", "to": "amount"},
                        {"value": "é\n", "to": "lines/0"},
                        {"json": "[1]", "to": ""},
                        {"text": [{"lit": "for "}, {"ref": "each/id"}], "to": "note"},
                    ],
                    "when": [
                        {"left": "each/n", "op": ">", "value": 1},
                        {"lhs": "each/a", "op": "==", "rhs": "each/b"},
                        {"subject": "each/c", "op": "in", "list": ["x"]},
                    ],
                    "expect": [{"left": "result/ok", "op": "==", "value": True}],
                }
            ],
            "answer": [{"ref": "refund", "to": "refunds"}],
        }
    )  # fmt: skip

    assert render(plan) == (
        "Refund the mugs.\n"
        "assumes: all of them\n"
        'refund = pay.refund(amount=each.price, lines.0="é\\n", *=[1], note="for {each.id}")'
        " for each in order.lines when each.n > 1 and each.a == each.b and each.c in"
        ' ["x"] expect result.ok == true after b\n'
        "answer(refunds=refund)"
    )


@given(st.text(), st.text(), st.text())
def test_no_text_of_a_plan_can_forge_a_line(understanding: str, ref: str, text: str) -> None:
    plan = _plan(
        {
            "understanding": understanding or "x",
            "steps": [{"id": "a", "action": text, "args": [{"ref": ref, "to": text}]}],
            "answer": [{"json": text, "to": ref}],
        }
    )

    shown = render(plan)

    assert len(shown.split("\n")) == 3
    assert all(line.isprintable() for line in shown.split("\n"))
    assert render_step(plan.steps[0]) in shown


def test_questions_and_what_is_impossible_are_shown() -> None:
    plan = _plan({"questions": [{"about": "id", "ask": "Which?"}], "unable": "no such tool"})

    assert render(plan) == "asks: Which?\nunable: no such tool"


def test_nothing_is_known_of_a_part_that_is_a_document_of_its_own() -> None:
    own: JsonObject = {"$id": "urn:a", "$ref": "#/$defs/b", "$defs": {"b": {"type": "integer"}}}
    plain: JsonObject = {"$id": "urn:b", "properties": {"$id": {"const": own}}, "default": own}
    found = in_one_scope({"properties": {"a": own}, "prefixItems": [own], "$defs": {"b": {}}})

    assert in_one_scope(plain) is plain
    inside = descend(Type.of(found), ("a",))

    assert isinstance(found, dict)
    assert isinstance(inside, Type)
    assert kinds(inside) is None
    assert not has_ref(in_one_scope(plain))
    assert found["prefixItems"] == [{"$ref": "of:another"}]
    assert found["$defs"] == {"b": {}}


def test_a_reference_is_read_as_a_fragment_of_an_address() -> None:
    document: JsonObject = {"$defs": {"a b": {"type": "string"}, "a%20b": {"type": "integer"}}}

    assert Type({"$ref": "#/$defs/a%20b"}, document).keywords == {"type": "string"}
    assert Type({"$ref": "#/$defs/a%2520b"}, document).keywords == {"type": "integer"}
    assert Type({"$ref": "#/$defs/c"}, document).resolved() is None


def test_properties_may_be_called_like_keywords() -> None:
    root: Any = {
        "type": "object",
        "properties": {"default": {"$ref": "#/$defs/one"}, "$ref": {"type": "string"}},
        "$defs": {"one": {"type": "integer"}},
    }
    found = standalone(Type(root["properties"]["default"], root))

    assert has_ref({"properties": {"enum": {"$ref": "#"}}})
    assert not has_ref({"properties": {"$ref": {"type": "string"}}, "const": {"$ref": "#"}})
    alone: Any = standalone(object_of({"a": Type.of(root)}))
    assert alone["$defs"]["part0"]["properties"]["default"] == {"$ref": "#/$defs/part0/$defs/one"}
    assert found["$ref"] == "#/$defs/part0/$defs/one"


def test_a_type_that_doubles_with_every_step_is_left_unknown() -> None:
    wide: Any = {"type": "string"}
    deep: Any = {"type": "string"}
    for _ in range(30):
        wide = {"type": "object", "properties": {"left": wide, "right": wide}}
    for _ in range(40):
        deep = {"type": "array", "items": {"anyOf": [deep]}}

    assert is_small(Type.of({"type": "string"}))
    assert not is_small(Type.of(wide))
    assert not is_small(Type.of(deep))


def test_a_clause_reads_as_a_condition_unless_a_part_of_it_is_missing() -> None:
    def shown(*args: dict[str, object]) -> str:
        step = {"id": "a", "action": "fn.select", "args": [{"ref": "input/l", "to": "list"}, *args]}
        plan = plan_of({"steps": [step]})
        assert isinstance(plan, Plan), plan
        return render(plan)

    field: dict[str, object] = {"value": "name", "to": "where/0/field"}
    op: dict[str, object] = {"value": "==", "to": "where/0/op"}
    said: dict[str, object] = {"ref": "input/said", "to": "where/0/value"}
    itself: dict[str, object] = {"value": "", "to": "where/0/field"}
    forged: dict[str, object] = {"value": 'x == "a") or (y', "to": "where/0/field"}

    assert shown(said, op, field) == "a = fn.select(list=input.l, where.0=(name == input.said))"
    assert shown(itself, op, said) == "a = fn.select(list=input.l, where.0=(it == input.said))"
    assert 'where.0=("x == \\"a\\") or (y" == input.said)' in shown(forged, op, said)
    assert shown(field, op) == 'a = fn.select(list=input.l, where.0.field="name", where.0.op="==")'

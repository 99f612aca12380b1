"""Calls of playbooks become steps: always the same ones, which stand as if written by hand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject, Principal
from executor.check.admit import (
    Accepted,
    AdmissionContext,
    Inputs,
    Rejected,
    admit,
    restore,
    to_row,
)
from executor.check.bulk import read_catalog
from executor.check.expand import Playbooks, expand
from executor.check.offered import offered, with_playbooks
from executor.check.parse import parse_plan
from executor.check.playbook import read_playbook
from executor.plan.graph import data_sources, graph, upstream
from executor.plan.model import Plan, Step
from executor.plan.refs import refs_of_conds, refs_of_plan
from executor.plan.types import Type, child

SUITE = Path(__file__).parents[1] / "suite"
CATALOG = read_catalog((SUITE / "catalogs" / "shop.json").read_text(encoding="utf-8"))
KEY = b"expansion"
REQUEST = "refund the mug and the teapot of order 1042"


def _read() -> Iterator[JsonObject]:
    for file in sorted((SUITE / "playbooks").glob("*.json")):
        if not file.stem.endswith("_line_2"):
            yield json.loads(file.read_text(encoding="utf-8"))


PLAYBOOKS: Playbooks = {
    each.action: each for each in (read_playbook(content, "suite") for content in _read())
}


def context(playbooks: Playbooks = PLAYBOOKS) -> AdmissionContext:
    return AdmissionContext(
        REQUEST, Inputs(), CATALOG, None, Principal("ann", "main"), "2026-03-02", KEY,
        playbooks=playbooks,
    )  # fmt: skip


def plan_of(content: dict[str, Any]) -> Plan:
    found = parse_plan(json.dumps(content))
    assert isinstance(found, Plan), found
    return found


ORDER = {"id": "o", "action": "orders.get_order", "args": [{"value": "1042", "to": "order_id"}]}
ORDER_IDS = st.sampled_from(
    [
        {"value": "1042", "to": "order_id"},
        {"ref": "o/id", "to": "order_id"},
        {"text": [{"lit": "1042"}], "to": "order_id"},
        {"ref": "a/email", "to": "order_id"},
        {"value": 7, "to": "order_id"},
    ]
)
ITEMS = st.sampled_from(
    [
        {"value": "mug", "to": "item"},
        {"ref": "o/lines/0/name", "to": "item"},
        {"text": [{"lit": "mug "}, {"ref": "o/lines/0/sku"}], "to": "item"},
        {"ref": "a/summary", "to": "item"},
        {"ref": "o/weight", "to": "item"},
    ]
)
TELLS = st.sampled_from(
    [[], [{"value": "customer", "to": "tell"}], [{"ref": "o/status", "to": "tell"}]]
)
LINES = st.sampled_from(
    [
        [{"json": '{"sku":"a","quantity":2}', "to": "line"}],
        [{"ref": "o/lines/0", "to": "line"}],
        [{"ref": "o/lines/0/sku", "to": "line/sku"}, {"value": 2, "to": "line/quantity"}],
        [{"value": 2, "to": "line/quantity"}],
    ]
)
WHENS = st.lists(
    st.sampled_from(
        [
            {"left": "o/status", "op": "==", "value": "paid"},
            {"left": "a/done", "op": "==", "value": True},
            {"lhs": "o/weight", "op": "<", "rhs": "o/total"},
        ]
    ),
    max_size=1,
)
EXPECTS = st.lists(
    st.sampled_from(
        [
            {"left": "result/refund/id", "op": "!=", "value": ""},
            {"left": "result/email", "op": "exists", "value": True},
            {"left": "result/mail", "op": "exists", "value": True},
        ]
    ),
    max_size=1,
)
FIRST = st.sampled_from([[], [{"left": "input/today", "op": "!=", "value": "2026-01-01"}]])
READS = st.sampled_from(
    ["a", "a/refund", "a/refund/id", "a/refund/amount/currency", "a/summary", "a/done", "a/nothing",
     "b/status", "b", "o/id", "c/last/email", "c/refunds", "c"]
)  # fmt: skip


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """Plans that call playbooks: most of them sound, many not."""
    refund = {
        "id": "a", "action": "playbooks.refund_line", "when": draw(WHENS), "expect": draw(EXPECTS),
        "args": [draw(ORDER_IDS), draw(ITEMS), *draw(TELLS)],
    }  # fmt: skip
    lines = {"id": "b", "action": "playbooks.set_lines", "args": [draw(ORDER_IDS), *draw(LINES)],
             "after": draw(st.sampled_from([[], ["a"], ["o", "a"]]))}  # fmt: skip
    other = {"ref": draw(READS), "to": "other"}
    both = {
        "id": "c", "action": "playbooks.refund_two", "when": draw(WHENS),
        "args": [draw(ORDER_IDS), {"value": "mug", "to": "one"}, other],
    }  # fmt: skip
    last = {
        "id": "z", "action": "tools.open", "after": draw(st.sampled_from([[], ["a"], ["c", "b"]])),
        "args": [
            {"ref": draw(READS), "to": "x"},
            {"text": [{"ref": draw(READS)}, {"lit": "."}], "to": "y"},
        ],
    }  # fmt: skip
    some = [ORDER | {"when": draw(FIRST)}, *draw(st.permutations([refund, lines, both, last]))]
    answer = [{"ref": draw(READS), "to": "x"}, {"ref": draw(READS), "to": "y"}]
    kept = draw(st.integers(1, len(some)))
    return {"steps": some[:kept], "answer": answer}


@given(plans())
def test_an_expansion_is_a_plan_that_expands_to_itself_with_ids_of_its_own(
    content: dict[str, Any],
) -> None:
    plan = plan_of(content)
    once, again = (expand(plan, PLAYBOOKS, 1000) for _ in range(2))

    assert once.plan == again.plan
    assert once.told(()) == again.told(())
    if not once.violations:
        ids = [step.id for step in once.plan.steps]
        assert len(set(ids)) == len(ids)
        assert not any(step.action in PLAYBOOKS for step in once.plan.steps)
        called = {step.id for step in plan.steps if step.action in PLAYBOOKS}
        assert not called & {use.ref.root for _, use in refs_of_plan(once.plan)}
        assert not called & {name for step in once.plan.steps for name in step.after}
        assert expand(once.plan, PLAYBOOKS, 1000).plan is once.plan


@given(plans())
def test_an_expanded_plan_stands_as_if_it_had_been_written_by_hand(content: dict[str, Any]) -> None:
    plan = plan_of(content)
    called = admit(plan, context())
    by_hand = admit(parsed_again(expand(plan, PLAYBOOKS, 1000).plan), context({}))

    if isinstance(called, Accepted):
        assert isinstance(by_hand, Accepted)
        assert by_hand.plan == called.plan
        for name in ("steps", "options", "budgets"):
            assert getattr(by_hand.certificate, name) == getattr(called.certificate, name)
        assert called.certificate.playbooks.keys() <= {"refund_line", "refund_two", "set_lines"}
        assert restore(json.loads(json.dumps(to_row(called))), KEY).plan == called.plan
    else:
        assert isinstance(called, Rejected)
        assert isinstance(by_hand, Rejected)


def parsed_again(plan: Plan) -> Plan:
    return plan_of(plan.stored())


@given(plans())
def test_every_violation_is_told_at_a_place_of_the_plan_as_it_was_written(
    content: dict[str, Any],
) -> None:
    verdict = admit(plan_of(content), context())

    for each in verdict.violations if isinstance(verdict, Rejected) else ():
        here: Any = content
        for token in each.at.split("/")[1:]:
            here = here[int(token)] if isinstance(here, list) else here.get(token, {})
        steps = [step["id"] for step in content["steps"]]
        assert each.step is None or each.step in steps
        if each.at.startswith("/steps/"):
            assert content["steps"][int(each.at.split("/")[2])]["id"] == each.step


def insides(plan: Plan, expanded: Plan) -> dict[str, set[str]]:
    """By the id of each step of the plan, the ids of those that stand for it."""
    ids = [step.id for step in expanded.steps]
    called = {step.id for step in plan.steps if step.action in PLAYBOOKS}
    return {
        step.id: {each for each in ids if each.startswith(f"{step.id}.")}
        if step.id in called
        else {step.id}
        for step in plan.steps
    }


@given(plans())
def test_all_of_a_call_waits_for_what_the_call_waits_for_and_is_waited_for(
    content: dict[str, Any],
) -> None:
    plan, expanded = plan_of(content), expand(plan_of(content), PLAYBOOKS, 1000)
    inside, waits_for = insides(plan, expanded.plan), graph(expanded.plan)

    for step in plan.steps if not expanded.violations else ():
        given_by = {name for name in data_sources(step) if inside.get(name) == {name}}
        for each in inside[step.id]:
            names = {*step.after} if ".input." in each else {*step.after, *given_by}
            for name in names & inside.keys():
                does = {part for part in inside[name] if ".result." not in part}
                assert does <= upstream(waits_for, each), (each, name)


@given(plans())
def test_all_of_a_call_is_skipped_by_a_condition_of_the_call(content: dict[str, Any]) -> None:
    plan, expanded = plan_of(content), expand(plan_of(content), PLAYBOOKS, 1000)
    inside = insides(plan, expanded.plan)
    parts = {step.id: step for step in expanded.plan.steps}

    for call in plan.steps if not expanded.violations else ():
        for gate in call.when if not refs_into(call, plan) else ():
            skipped = {name for name in inside[call.id] if gate in parts[name].when}
            for name in [*expanded.plan.steps] * len(skipped):
                if data_sources(name) & skipped and name.action != "fn.first_of":
                    skipped.add(name.id)
            assert inside[call.id] <= skipped


def refs_into(step: Step, plan: Plan) -> bool:
    """Whether a condition of the step looks into an answer, and so reads otherwise expanded."""
    called = {each.id for each in plan.steps if each.action in PLAYBOOKS}
    return any(use.ref.root in called for use in refs_of_conds(step.when))


def test_what_is_accepted_and_what_is_not_both_come_up() -> None:
    """Else the properties above would say little."""
    sound = {
        "steps": [
            ORDER,
            {"id": "a", "action": "playbooks.refund_line", "args": [
                {"ref": "o/id", "to": "order_id"}, {"ref": "o/lines/0/name", "to": "item"}]},
            {"id": "b", "action": "playbooks.set_lines", "after": ["a"], "args": [
                {"value": "1042", "to": "order_id"}, {"ref": "o/lines/0/sku", "to": "line/sku"},
                {"value": 2, "to": "line/quantity"}]},
        ],
        "answer": [{"ref": "a", "to": "a"}, {"ref": "b/status", "to": "b"}],
    }  # fmt: skip
    accepted = admit(plan_of(sound), context())

    assert isinstance(accepted, Accepted), accepted
    assert accepted.certificate.playbooks == {
        name: PLAYBOOKS[f"playbooks.{name}"].digest for name in ("refund_line", "set_lines")
    }


def test_a_playbook_is_shown_as_an_action_that_does_what_its_steps_do_at_worst() -> None:
    catalog = with_playbooks(CATALOG, PLAYBOOKS)
    refund, read = catalog.get("playbooks.refund_line"), catalog.get("playbooks.deep_5")

    assert refund is not None
    assert read is not None
    assert refund.is_write
    assert not read.is_write
    assert (refund.effect, refund.irreversible, refund.egress) == ("blind", True, True)
    assert (read.effect, read.irreversible) == ("read", False)
    assert refund.description == PLAYBOOKS["playbooks.refund_line"].description
    assert refund.input_schema["required"] == ["order_id", "item"]
    assert refund.sinks == {"order_id": "resource_id"}
    assert "x-ask" not in json.dumps(refund.input_schema)
    assert not refund.output_schema.get("required")  # of a step that is skipped it leaves out
    refunded = child(Type.of(refund.output_schema), "refund")
    assert isinstance(refunded, Type)
    assert child(refunded, "id") == refunded.below({"type": "string"})
    assert [*catalog][: len(CATALOG)] == [*CATALOG]
    assert len(catalog) == len(CATALOG) + len(PLAYBOOKS)
    assert with_playbooks(CATALOG, {}) is CATALOG


def test_a_playbook_is_as_little_trusted_as_the_least_that_it_reads_and_asks_whom_it_asks() -> None:
    def shown(*names: str) -> ActionSpec:
        steps: list[JsonObject] = [
            {"id": f"s{at}", "action": name} for at, name in enumerate(names)
        ]
        steps.append({"id": "n", "action": "fn.count", "args": [{"json": "[]", "to": "list"}]})
        content: JsonObject = {
            "name": "it", "version": 1, "description": "It.", "utterances": ["it"],
            "plan": {"steps": [*steps]},
        }  # fmt: skip
        playbook = read_playbook(content, "it")
        return offered(playbook, known, {playbook.action: playbook})

    def an(name: str, **more: object) -> ActionSpec:
        base = {"name": name, "effect": "read", "input_schema": {}, "egress": False}
        return ActionSpec.model_validate(base | more)

    quiet = {"effect": "idempotent", "irreversible": False, "approval": None}
    known = Catalog(
        [an("a.sure", reads_as="trusted"), an("a.open", reads_as="untrusted", egress=True),
         an("a.asks", **(quiet | {"approval": "boss"})), an("a.does", **quiet)]
    )  # fmt: skip

    assert shown("a.sure").output_schema == {}
    assert shown("a.sure").reads_as == "trusted"
    assert shown("a.sure", "a.open").reads_as == "untrusted"
    assert (shown("a.sure").egress, shown("a.sure", "a.open").egress) == (False, True)
    assert (shown("a.does").approval, shown("a.does", "a.asks").approval) == (None, "boss")
    assert not shown("a.sure", "a.open").is_write
    assert shown("a.sure", "a.does").is_write
    assert shown("a.sure", "a.gone").is_write  # who knows


def test_a_playbook_that_cannot_be_called_is_shown_as_the_most_cautious_action() -> None:
    for name in ("ping", "broken"):
        shown = offered(PLAYBOOKS[f"playbooks.{name}"], CATALOG, PLAYBOOKS)
        assert shown.is_write


def test_playbooks_that_multiply_are_given_up_long_before_they_are_spelled_out() -> None:
    def calling(name: str, other: str | None) -> JsonObject:
        steps: list[JsonObject] = [
            {"id": f"s{n}", "action": other or "tools.open"} for n in range(40)
        ]
        plan: JsonObject = {"steps": [*steps]}
        return {"name": name, "version": 1, "description": name, "utterances": [name], "plan": plan}

    names = ["one", "two", "three", "four"]
    read = [
        read_playbook(calling(name, f"playbooks.{below}" if below else None), name)
        for name, below in zip(names, [*names[1:], None], strict=True)
    ]
    playbooks = {each.action: each for each in read}
    plan = plan_of({"steps": [{"id": "all", "action": "playbooks.one"}]})
    verdict = admit(plan, context(playbooks))

    assert isinstance(verdict, Rejected)
    assert [each.code for each in verdict.violations] == ["budget-exceeded"]
    assert len(expand(plan, playbooks, 200).plan.steps) < 300

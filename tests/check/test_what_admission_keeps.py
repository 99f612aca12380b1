"""The one door: what it keeps of a plan for its run, and what it says of the whole at once."""

import json
from dataclasses import replace
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, Label, Principal
from executor.check.admit import (
    Accepted,
    AdmissionContext,
    Inputs,
    Rejected,
    Verdict,
    admit,
    restore,
    to_row,
    tool_changes,
)
from executor.check.budgets import Budgets
from executor.check.cedar import Policy
from executor.check.certificate import Options
from executor.check.parse import plan_of
from executor.plan.model import Plan

KEY = b"key"
NOTE: dict[str, Any] = {
    "name": "shop.note",
    "effect": "keyed",
    "idempotency": {"in": "header", "name": "Idempotency-Key", "window_s": 60},
    "egress": False,
    "approval": None,
    "input_schema": {
        "type": "object",
        "properties": {"day": {"type": "string", "format": "date"}, "n": {"type": "integer"}},
        "additionalProperties": False,
    },
}
CATALOG = Catalog([ActionSpec.model_validate(NOTE)])
CONTEXT = AdmissionContext(
    request="note 7",
    inputs=Inputs({"properties": {"who": {"type": "string"}}, "additionalProperties": False}),
    catalog=CATALOG,
    policy=None,
    principal=Principal("clerk-1", "main", frozenset({"requester"})),
    today="2026-03-02",
    seal_key=KEY,
)


def step(step_id: str, action: str, *args: dict[str, Any]) -> dict[str, Any]:
    return {"id": step_id, "action": action, "args": list(args)}


def plan(*steps: dict[str, Any]) -> Plan:
    found = plan_of({"steps": list(steps)})
    assert isinstance(found, Plan)
    return found


NOTED = step("a", "shop.note", {"ref": "input/today", "to": "day"}, {"value": 7, "to": "n"})
COUNTED = step("c", "fn.count", {"json": "[1, 2]", "to": "list"})


def accepted(*steps: dict[str, Any], **more: Any) -> Accepted:
    verdict = admit(plan(*steps), replace(CONTEXT, **more))
    assert isinstance(verdict, Accepted), verdict
    return verdict


def codes(verdict: Verdict) -> list[str]:
    assert isinstance(verdict, Rejected)
    return [each.code for each in verdict.violations]


def test_a_plan_many_times_too_long_is_not_looked_at_step_by_step() -> None:
    invented = [step(f"s{number}", "shop.nothing") for number in range(9)]
    few = replace(CONTEXT, budgets=Budgets(steps=2))

    assert codes(admit(plan(*invented[:8]), few)) == ["budget-exceeded"] + ["unknown-action"] * 8
    assert codes(admit(plan(*invented), few)) == ["budget-exceeded"]


def test_the_day_of_admission_is_the_day_of_the_run() -> None:
    inputs = accepted(NOTED, inputs=Inputs({}, {"who": "x"})).inputs

    assert inputs.values == {"who": "x", "today": "2026-03-02"}
    assert inputs.schema["properties"] == {"today": {"type": "string", "format": "date"}}


def test_the_day_is_required_beside_what_the_inputs_require() -> None:
    def required(*names: str) -> list[str]:
        schema = {"properties": {"who": {"type": "string"}}, "required": list(names)}
        found: Any = accepted(NOTED, inputs=Inputs(schema, {"who": "x"})).inputs.schema["required"]
        return [*found]

    assert required() == ["today"]
    assert required("who") == ["who", "today"]
    assert required("today", "who") == ["today", "who"]


def test_an_action_of_the_catalogue_is_never_taken_for_a_function() -> None:
    stranger = ActionSpec.model_validate(NOTE | {"name": "fn.other"})
    verdict = admit(plan(step("a", "fn.other")), replace(CONTEXT, catalog=Catalog([stranger])))

    assert codes(verdict) == ["unknown-action"]


def test_the_certificate_says_what_it_was_decided_under() -> None:
    policy = Policy.parse({"a.cedar": "permit (principal, action, resource);"})
    options, budgets = Options(on_failure="continue"), Budgets(steps=3)
    judged = accepted(NOTED, policy=policy, options=options, budgets=budgets).certificate
    unjudged = accepted(NOTED).certificate

    assert (judged.policy, judged.policy_version) == ("evaluated", policy.version)
    assert (judged.options, judged.budgets) == (options, budgets)
    assert (unjudged.policy, unjudged.policy_version) == ("not-evaluated", None)
    assert unjudged.plan_digest == accepted(NOTED).digest


def test_a_row_is_text_and_comes_back_whole() -> None:
    before = accepted(NOTED, COUNTED)

    assert restore(json.loads(json.dumps(to_row(before))), KEY) == before
    assert before.actions.keys() == {"shop.note"}


def test_readers_and_roles_are_stored_in_one_order() -> None:
    names = [f"role-{number:02}" for number in range(40)]
    label = Label(Integrity.TRUSTED, frozenset(names))
    who = Principal("clerk-1", "main", frozenset(names))
    inputs = Inputs({"properties": {"who": {}}}, {"who": "x"}, {"who": label})
    row: Any = to_row(accepted(NOTED, inputs=inputs, principal=who))

    assert row["inputs"]["labels"]["who"]["readers"] == names
    assert row["principal"]["roles"] == names


def test_a_changed_tool_is_told_from_one_that_is_gone_and_functions_are_neither() -> None:
    before = accepted(NOTED, COUNTED)
    other = Catalog([ActionSpec.model_validate(NOTE | {"description": "another"})])
    (changed,) = tool_changes(before, other)
    (gone,) = tool_changes(before, Catalog([]))

    assert tool_changes(before, CATALOG) == ()
    assert "was changed" in changed.message
    assert "any more" in gone.message
    assert (changed.step, changed.at) == ("a", "/steps/0/action")


def test_an_input_that_nobody_declared_is_nobodys_concern() -> None:
    assert accepted(NOTED, inputs=Inputs(CONTEXT.inputs.schema, {"other": 1}))


@pytest.mark.parametrize(
    ("values", "is_sound"),
    [({"who": "x"}, True), ({"who": 1}, False), ({"today": "2026-03-02"}, True)],
)
def test_inputs_are_what_their_schema_says(values: dict[str, Any], is_sound: bool) -> None:
    inputs = Inputs(CONTEXT.inputs.schema, values)
    verdict = admit(plan(NOTED), replace(CONTEXT, inputs=inputs))

    assert isinstance(verdict, Accepted) is is_sound
    assert is_sound or codes(verdict) == ["type-mismatch"]


def test_another_day_than_that_of_admission_is_no_input() -> None:
    inputs = Inputs({}, {"today": "2026-03-03"})

    assert codes(admit(plan(NOTED), replace(CONTEXT, inputs=inputs))) == ["type-mismatch"]


READ = ActionSpec.model_validate(NOTE | {
    "name": "shop.read", "effect": "read", "idempotency": None,
    "output_schema": {"type": "object", "properties": {"n": {"type": "integer"}},
                      "required": ["n"]},
})  # fmt: skip
ASK = ActionSpec.model_validate(NOTE | {"name": "shop.ask", "approval": "boss"})


def test_what_a_step_is_made_of_is_kept_apart_from_what_it_only_comes_after() -> None:
    steps = (
        step("known", "shop.ask", {"value": 7, "to": "n"}),
        step("dated", "shop.ask", {"ref": "input/today", "to": "day"}),
        step("read", "shop.read"),
        step("late", "shop.ask", {"ref": "read/n", "to": "n"}) | {"after": ["known"]},
        step("free", "shop.note", {"value": 7, "to": "n"}),
    )
    found = accepted(*steps, catalog=Catalog([*CATALOG, ASK, READ]))

    assert {name: {*each} for name, each in found.sources.items() if each} == {"late": {"read"}}
    assert found.waits_for["late"] == {"read", "known"}


@pytest.mark.parametrize(("seven", "day"), [("input/seven", "input/today"), (None, None)])
def test_policy_sees_that_an_input_and_a_constant_name_one_object(
    seven: str | None, day: str | None
) -> None:
    sinks = {"n": "resource_id", "day": "resource_id"}
    noting = ActionSpec.model_validate(NOTE | {"sinks": sinks})
    twice = 'when { context.run.same_object.contains("shop.note") }'
    policy = Policy.parse({"a.cedar": f"""
        permit (principal, action, resource); forbid (principal, action, resource) {twice};
    """})  # fmt: skip
    inputs = Inputs({"properties": {"seven": {"type": "integer"}}}, {"seven": 7})

    def denied(to: str, value: Any, ref: str | None) -> bool:
        second: Any = {"value": value} if ref is None else {"ref": ref}
        steps = plan(
            step("one", "shop.note", {"value": value, "to": to}),
            step("two", "shop.note", second | {"to": to}) | {"after": ["one"]},
        )
        more = replace(CONTEXT, catalog=Catalog([noting]), policy=policy, inputs=inputs)
        return isinstance(admit(steps, more), Rejected)

    assert denied("n", 7, seven)
    assert denied("day", CONTEXT.today, day)
    assert not denied("n", 8, seven or "input/seven")


def test_the_functions_of_the_language_are_no_actions_to_keep_and_the_rest_has_one_order() -> None:
    names = [f"shop.note_{letter}" for letter in "hgfedcba"]
    notes = [ActionSpec.model_validate(NOTE | {"name": name}) for name in names]
    stranger = ActionSpec.model_validate(NOTE | {"name": "fn.count"})
    steps = [step(f"s{number}", name) for number, name in enumerate(names)]
    found = accepted(*steps, COUNTED, catalog=Catalog([*notes, stranger]))

    assert [*found.actions] == sorted(names)


def test_what_takes_a_call_back_and_what_asks_how_it_stands_is_kept() -> None:
    status = {"action": "shop.read", "by": "n", "state_at": "/n", "done": ["1"], "failed": ["2"]}
    undo = {"action": "shop.take", "args": []}
    noted = ActionSpec.model_validate(
        NOTE | {"irreversible": False, "undo": undo, "status": status}
    )
    take = ActionSpec.model_validate(NOTE | {"name": "shop.take"})
    found = accepted(NOTED, catalog=Catalog([noted, take, READ, ASK]))

    assert found.actions.keys() == {"shop.note", "shop.take", "shop.read"}

"""Policies over what was read: held against what the reads give, and seen as they give it."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.errors import ConfigurationError
from connectors.manifest import check_manifests
from connectors.spec import ActionSpec, JsonObject, Principal
from executor.check.cedar import Policy, PolicyQuestion
from executor.check.cedar_cases import CasesError, read_cases, run_case
from executor.check.cedar_explain import explain
from executor.check.cedar_validation import validate

PERMIT = "permit (principal, action, resource);\n"
TEXT: JsonObject = {"type": "string"}


def record(required: list[str], **properties: Any) -> JsonObject:
    return {
        "type": "object", "properties": properties, "required": [*required],
        "additionalProperties": False,
    }  # fmt: skip


LINE = record(["sku"], sku=TEXT, note=TEXT)
ORDER = record(
    ["status", "lines", "paid"], status=TEXT, memo=TEXT, lines={"type": "array", "items": LINE},
    paid={"type": "object", "additionalProperties": TEXT},
)  # fmt: skip
CANCEL = record(["id"], id=TEXT, lines={"type": "array", "items": LINE})
CATALOG = Catalog(
    ActionSpec.model_validate({"name": f"shop.{name}", "sinks": {"id": "resource_id"}} | more)
    for name, more in (
        ("order", {"effect": "read", "reads_as": "trusted", "input_schema": record(["id"], id=TEXT),
                   "output_schema": ORDER}),
        ("gossip", {"effect": "read", "input_schema": record(["id"], id=TEXT),
                    "output_schema": ORDER}),
        ("noted", {"effect": "read", "input_schema": record(["id"], id=TEXT),
                   "fields_read_as": {"lines/*/sku": "trusted"}, "output_schema": ORDER}),
        ("cancel", {"effect": "blind", "input_schema": CANCEL}),
    )
)  # fmt: skip
HAS = 'context.read has "shop.order"'
READ = 'context.read["shop.order"]'


def forbid(condition: str) -> str:
    head = '@id("p") forbid (principal, action, resource == Operation::"shop.cancel")'
    return f"{head} when {{ {condition} }};"


def judged(condition: str, read: JsonObject, arguments: JsonObject | None = None) -> str:
    policy = Policy.parse({"a.cedar": PERMIT + forbid(condition)})
    action = CATALOG.get("shop.cancel")
    assert action is not None
    question = PolicyQuestion(Principal("me", "main"), action, arguments or {"id": "7"}, read=read)
    return policy.judge(question).code or policy.judge(question).verdict


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        (f'{HAS} && {READ}.status == "x"', None),
        (f'{HAS} && {READ}.lines_each.sku.contains("x")', None),
        (f'{HAS} && {READ}.paid_keys.contains("x") && {READ}.lines_count > 1', None),
        (f'{READ}.status == "x"', "may be left out"),
        (f'{HAS} && {READ}.memo == "x"', "may be left out"),
        (f"{HAS} && {READ}.status > 1", "unexpected type"),
        (f'{HAS} && {READ}.lines_each.skew.contains("x")', "there is no"),
        (f'{HAS} && {READ}.status_each.sku.contains("x")', "there is no"),
        (f'{HAS} && {READ}.statis == "x"', "did you mean status"),
        ('context.read["shop.ordr"].status == "x"', "did you mean shop.order"),
        ('context.stale["shop.ordr"].status == "x"', "did you mean shop.order"),
        ('context.read has "shop.noted" && context.read["shop.noted"].status == "x"', "no context"),
        (
            'context.read has "shop.noted" &&'
            ' context.read["shop.noted"].lines_each.sku.contains("x")',
            None,
        ),
        ('context.read["shop.gossip"].status == "x"', "there is no context.read"),
        ('context.read["shop.cancel"].status == "x"', "there is no context.read"),
    ],
)
def test_what_is_asked_of_a_read_is_held_against_what_it_gives(
    condition: str, told: str | None
) -> None:
    flaws = validate(Policy.parse({"a.cedar": PERMIT + forbid(condition)}), CATALOG).flaws
    messages = [each.message for each in flaws]

    assert len(messages) == (0 if told is None else 1)
    assert all((told or "") in each for each in messages)


def test_only_what_policy_looks_at_is_mapped() -> None:
    odd: JsonObject = {"status": "x", "memo": [None], "lines": [{"sku": "a", "note": [None]}]}

    assert judged(f'{HAS} && {READ}.status == "x"', {"shop.order": odd}) == "policy-denied"
    assert judged(f'{HAS} && {READ}.status == "y"', {"shop.order": odd}) == "allow"
    assert judged(f'{HAS} && {READ}.lines_each.sku.contains("b")', {"shop.order": odd}) == "allow"
    assert (
        judged(f"{HAS} && {READ}.memo.contains(1)", {"shop.order": odd})
        == "policy-value-unmappable"
    )


@pytest.mark.parametrize(
    ("condition", "answer", "is_met"),
    [
        (f'{READ}.lines_each.sku.contains("b")', {"lines": [{"sku": "a"}, {"sku": "b"}]}, True),
        (f'{READ}.lines_each.sku.containsAny(["b"])', {"lines": []}, False),
        (f'{READ}.lines_each.sku == ["a", "b"]', {"lines": [{"sku": "b"}, {"sku": "a"}]}, True),
        (f'{READ}.lines_each.note == ["n"]', {"lines": [{"note": "n"}, {}, {"note": None}]}, True),
        (f'{READ}.lines_each.sku.isEmpty()', {"lines": ["no object"]}, True),
        (f'{READ}.paid_keys == ["c1", "c2"]', {"paid": {"c1": "x", "c2": 0.33333}}, True),
        (f'{READ}.paid_keys.contains("c1") && {READ}.paid.c1 == "x"', {"paid": {"c1": "x"}}, True),
        (f'{READ} has paid_keys', {"paid": ["c1"]}, False),
        (f'{READ} has paid_keys', {"paid": None}, False),
        (f'{READ}.paid_keys == "mine"', {"paid": {}, "paid_keys": "mine"}, True),
        ('context.args has lines_each && context.args.lines_each.sku.contains("7")', {}, True),
    ],
)  # fmt: skip
def test_a_set_shows_its_elements_members_and_an_object_its_names(
    condition: str, answer: JsonObject, is_met: bool
) -> None:
    arguments: JsonObject = {"id": "7", "lines": [{"sku": "7"}]}
    found = judged(condition, {"shop.order": answer}, arguments)

    assert found == ("policy-denied" if is_met else "allow")


def test_cases_and_explanations_say_what_was_read() -> None:
    policy = Policy.parse({"a.cedar": PERMIT + forbid(f'!({HAS} && {READ}.status == "x")')})
    order: JsonObject = {"status": "x", "lines": [], "paid": {}}
    base = {"name": "one", "action": "shop.cancel", "arguments": {"id": "7"}, "expect": "allow"}
    text = json.dumps({"cases": [base | {"read": {"shop.order": order}}]})
    (case,) = read_cases({"a.cases.json": text}, CATALOG)

    assert run_case(case, policy).wrong == ""
    assert [each.says for each in explain(policy, case.question).rules] == [
        "applies", "does not apply",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("read", "told"),
    [
        ({"shop.ordr": {}}, "there is no read shop.ordr"),
        ({"shop.cancel": {}}, "there is no read shop.cancel"),
        ({"shop.gossip": {}}, "reads as untrusted"),
        ({"shop.order": {"status": 7}}, "nothing that shop.order gives"),
    ],
)
def test_a_case_reads_only_what_could_be_read(read: JsonObject, told: str) -> None:
    case = {"name": "one", "action": "shop.cancel", "arguments": {"id": "7"}, "expect": "allow"}
    text = json.dumps({"cases": [case | {"read": read}]})

    with pytest.raises(CasesError, match=told):
        read_cases({"a.cases.json": text}, CATALOG)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"answers_as": {"action": "shop.ordr", "of": ["status"]}}, "no read shop.ordr"),
        ({"answers_as": {"action": "shop.cancel", "of": ["status"]}}, "no read shop.cancel"),
        ({"answers_as": {"action": "shop.order", "of": ["id"]}}, "nothing can be at 'id'"),
        ({"answer_ids": ["lines/*/skew"]}, "nothing can be at 'lines/"),
    ],
)
def test_a_manifest_names_reads_and_places_that_there_are(more: JsonObject, told: str) -> None:
    given = {"name": "shop.alter", "input_schema": CANCEL, "output_schema": ORDER}
    fine = {"answers_as": {"action": "shop.order", "of": ["status"]}, "answer_ids": ["status"]}
    check_manifests(Catalog([*CATALOG, ActionSpec.model_validate(given | fine)]))

    with pytest.raises(ConfigurationError, match=told):
        check_manifests(Catalog([*CATALOG, ActionSpec.model_validate(given | more)]))

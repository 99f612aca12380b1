"""The policy page is true: its flaws are found, its cases pass, its tables name what there is."""

import json
import re
from pathlib import Path

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject
from executor.check import cedar_cases, cedar_rules
from executor.check.cedar import Policy
from executor.check.cedar_cases import read_cases, run_case
from executor.check.cedar_schema import RUN
from executor.check.cedar_validation import validate

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
TEXT: JsonObject = {"type": "string"}
CATALOG = Catalog(
    [
        ActionSpec.model_validate(
            {
                "name": "payments.refund_create",
                "effect": "blind",
                "sinks": {"amount": "amount"},
                "input_schema": {
                    "type": "object",
                    "properties": {
                        "payment_id": TEXT,
                        "amount": {
                            "type": "object",
                            "properties": {"amount": TEXT, "currency": TEXT},
                            "required": ["amount", "currency"],
                        },
                        "reason": TEXT,
                    },
                    "required": ["payment_id", "amount"],
                },
            }
        )
    ]
)
ORDER: JsonObject = {
    "type": "object",
    "properties": {"order_id": TEXT, "status": TEXT},
    "required": ["order_id", "status"],
    "additionalProperties": False,
}
SHOP = Catalog(
    ActionSpec.model_validate(
        {"name": f"shop.order_{name}", "input_schema": ORDER, "effect": effect, "sinks": {
            "order_id": "resource_id"}, "reads_as": "trusted", "output_schema": ORDER}
    )
    for name, effect in (("get", "read"), ("cancel", "blind"))
)  # fmt: skip
EXECUTED = {"cedar": 1, "cedar read": 1, "cedar flawed": 1, "text flaws": 1, "json cases": 1}


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_every_block_of_the_page_is_executed() -> None:
    kinds = re.findall(r"^```(.+)$", PAGE, flags=re.MULTILINE)

    assert {kind: kinds.count(kind) for kind in kinds} == EXECUTED


def test_the_example_of_the_page_fits_and_does_what_its_cases_say() -> None:
    policy = Policy.parse({"page.cedar": blocks("cedar")[0]})
    found = validate(policy, CATALOG)
    outcomes = [
        run_case(case, policy)
        for case in read_cases({"page.cases.json": blocks("json cases")[0]}, CATALOG)
    ]

    assert found.flaws == ()
    assert len(outcomes) == 3
    assert [each.wrong for each in outcomes if each.wrong] == []


def test_the_page_shows_how_a_rule_sees_a_state() -> None:
    permit = "permit (principal, action, resource);"
    policy = Policy.parse({"page.cedar": permit + blocks("cedar read")[0]})
    base = {"action": "shop.order_cancel", "arguments": {"order_id": "7", "status": "x"}}
    cases = [
        base | {"name": status, "expect": expect, "read": read}
        for status, expect, read in (
            ("pending", "allow", {"shop.order_get": {"order_id": "7", "status": "pending"}}),
            ("delivered", "deny", {"shop.order_get": {"order_id": "7", "status": "delivered"}}),
            ("not read", "deny", {}),
        )
    ]
    found = read_cases({"page.cases.json": json.dumps({"cases": cases})}, SHOP)

    assert validate(policy, SHOP).flaws == ()
    assert [each.wrong for case in found if (each := run_case(case, policy)).wrong] == []


def test_the_flaws_of_the_page_are_what_the_check_says() -> None:
    found = validate(Policy.parse({"page.cedar": blocks("cedar flawed")[0]}), CATALOG)
    told = [f"flaw: {each}" for each in found.flaws] + [f"hint: {each}" for each in found.hints]

    assert "\n".join(told) + "\n" == blocks("text flaws")[0]


def test_every_annotation_member_and_place_is_on_the_page() -> None:
    members = json.loads(blocks("json cases")[0])["cases"][0].keys() | {
        "labels", "run", "read", "stale", "approvals", "unknown", "role", "policies",
    }  # fmt: skip

    assert all(f'| `@{name}("' in PAGE for name in cedar_rules.NOTES)
    assert set(cedar_cases.CaseText.model_fields) == members
    assert all(f"`{name}`" in PAGE for name in members - {"name"})
    assert all(re.search(rf"`{name}[`.\[]", PAGE) for name in RUN)
    assert set(RUN) == set(cedar_cases.NOTHING_YET)

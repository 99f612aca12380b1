"""The published schema is the language; the form for models is one that providers take."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from executor.check.parse import parse_plan
from executor.plan.schema import published_schema, strict_schema

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "reference" / "plan.schema.json"
SUITE = ROOT / "tests" / "suite"
# What providers refuse in strict mode, or ignore so that it must not matter.
REFUSED = frozenset(
    "allOf not if then else oneOf const pattern minLength maxLength minimum maximum minItems "
    "maxItems uniqueItems default format patternProperties $schema prefixItems".split()
)


def test_the_published_schema_is_up_to_date() -> None:
    """Else: lamgate admit --schema > docs/reference/plan.schema.json"""
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == published_schema()


def test_both_forms_are_valid_json_schema_2020_12() -> None:
    for schema in (published_schema(), strict_schema(["mail.send"]), strict_schema([])):
        jsonschema_rs.meta.validate(schema | {"$schema": published_schema()["$schema"]})


def _cases() -> list[dict[str, Any]]:
    files = sorted(SUITE.glob("*.json"))
    return [case for path in files for case in json.loads(path.read_text("utf-8"))["cases"]]


def _plan(case: dict[str, Any]) -> Any:
    plan = case["plan"] if "plan" in case else json.loads(case["text"])
    return plan["plan"] if isinstance(plan, dict) and "language" in plan else plan


def test_every_accepted_plan_of_the_suite_is_valid() -> None:
    validator = jsonschema_rs.Draft202012Validator(published_schema())
    accepted = [case for case in _cases() if case.get("accepted")]

    assert len(accepted) > 100
    for case in accepted:
        assert validator.is_valid(_plan(case)), case["name"]


def test_what_has_not_the_shape_of_a_plan_is_not_valid() -> None:
    validator = jsonschema_rs.Draft202012Validator(published_schema())
    shapeless = [
        case
        for case in _cases()
        if {each["code"] for each in case.get("violations", [])} == {"unknown-field"}
        and not (isinstance(case.get("plan"), dict) and "language" in case["plan"])
        and case["violations"][0]["at"] != "/steps"  # a plan that does nothing has the shape of one
    ]

    assert len(shapeless) > 8
    for case in shapeless:
        assert not validator.is_valid(_plan(case)), case["name"]


def _nodes(node: Any, depth: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(node, dict):
        yield depth, node
        for each in node.values():
            yield from _nodes(each, depth + 1)
    elif isinstance(node, list):
        for each in node:
            yield from _nodes(each, depth + 1)


def test_strict_mode_closes_every_object_and_requires_every_member() -> None:
    schema = strict_schema(["mail.send"])

    assert schema["type"] == "object"
    for _, node in _nodes(schema):
        if isinstance(node.get("properties"), dict):
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


def test_strict_mode_uses_no_keyword_that_a_provider_refuses() -> None:
    schema = strict_schema(["mail.send"])
    used = {key for _, node in _nodes(schema) if "type" in node or "anyOf" in node for key in node}

    assert not used & REFUSED


def test_the_alternatives_of_strict_mode_have_distinct_first_members() -> None:
    schema: Any = strict_schema(["mail.send"])
    unions = [node["anyOf"] for _, node in _nodes(schema) if "anyOf" in node]
    firsts = [
        [next(iter(schema["$defs"][arm["$ref"].rpartition("/")[2]]["properties"])) for arm in arms]
        for arms in unions
        if all("$ref" in arm for arm in arms)
    ]

    assert sorted(map(sorted, firsts)) == [
        ["json", "ref", "text", "value"],
        ["json", "ref", "text", "value"],
        ["left", "lhs", "subject"],
        ["left", "lhs", "subject"],
        ["lit", "ref"],
    ]


def test_the_size_of_strict_mode_depends_on_the_names_of_actions_only() -> None:
    few = len(json.dumps(strict_schema(["a.b"])))
    names = [f"connection.operation_{number:03}" for number in range(174)]
    many = len(json.dumps(strict_schema(names)))

    assert few < 4_000
    assert many - few < 174 * 40


def test_what_strict_mode_forces_is_a_plan() -> None:
    text = json.dumps(
        {
            "understanding": "say hello", "assumptions": [], "questions": [], "unable": None,
            "steps": [
                {
                    "id": "a", "why": "", "action": "mail.send", "each": None, "when": [],
                    "expect": [], "after": [],
                    "args": [{"value": "x", "to": "to"}, {"text": [{"lit": "y"}], "to": "text"}],
                }
            ],
            "answer": [],
        }
    )  # fmt: skip
    validator = jsonschema_rs.Draft202012Validator(strict_schema(["mail.send"]))

    assert validator.is_valid(json.loads(text))
    assert not isinstance(parse_plan(text), tuple)


@pytest.mark.parametrize("action", ["mail.sned", ""])
def test_strict_mode_knows_no_other_action(action: str) -> None:
    step: Any = {"id": "a", "why": "", "action": action, "args": []}
    step |= {"each": None, "when": [], "expect": [], "after": []}
    plan: Any = {"understanding": "", "assumptions": [], "questions": [], "unable": None}
    validator = jsonschema_rs.Draft202012Validator(strict_schema(["mail.send"]))

    assert not validator.is_valid(plan | {"steps": [step], "answer": []})
    assert validator.is_valid(plan | {"steps": [step | {"action": "mail.send"}], "answer": []})

"""`lamgate rehearse`: of a gateway's plan, or of files alone where there is none."""

import json
from pathlib import Path

import pytest
from commands import STATUS, TAG, Lamgate, error_of
from test_admit import CATALOG, GET, NOTE

POLICY = 'permit (principal, action == Action::"read", resource);'


@pytest.fixture
def bare(tmp_path: Path) -> Lamgate:
    """A folder with a plan and a catalogue, and no gateway anywhere."""
    plan = {"plan": {"steps": [GET, NOTE]}, "request": "order 1042"}
    (tmp_path / "tools.json").write_text(json.dumps(CATALOG), encoding="utf-8")
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "reads.cedar").write_text(POLICY, encoding="utf-8")
    return Lamgate(tmp_path)


def test_a_plan_and_a_catalogue_are_enough_to_tell_what_would_be_done(bare: Lamgate) -> None:
    told = bare("rehearse", "--plan", "plan.json", "--catalog", "tools.json")

    assert told.code == 0
    assert told.out.startswith("rehearsed: nothing was called; 1 scenario, policy not evaluated")
    assert 'note: shop.note(order_id="id-1") [idempotent; cannot be undone]' in told.out


def test_a_plan_that_is_not_accepted_is_not_rehearsed_and_every_reason_is_told(
    bare: Lamgate,
) -> None:
    words = ("rehearse", "--plan", "plan.json", "--catalog", "tools.json", "--policy", "policies")
    said = bare(*words, "--json")

    assert said.code == 1
    assert said.err.startswith("plan-rejected")
    assert [each["code"] for each in said.document["violations"]] == ["policy-denied"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "bad-option"),
        (("pln_x", "--catalog", "tools.json"), "bad-option"),
        (("--plan", "plan.json", "--catalog", "none.json"), "file-system"),
        (("--plan", "plan.json", "--catalog", "tools.json", "--policy", "no"), "unusable-input"),
    ],
)
def test_what_cannot_be_used_is_named(bare: Lamgate, words: tuple[str, ...], code: str) -> None:
    said = bare("rehearse", *words)

    assert said.code == 2
    assert error_of(said, code)


def test_a_gateway_rehearses_a_plan_by_its_id(requester: Lamgate) -> None:
    planned = requester("plan", STATUS, "--json").document
    told = requester("rehearse", planned["plan"]["id"])
    assert told.code == 0
    assert "orders.get_order" in told.out
    assert "rehearsed: nothing was called" in told.out
    assert "at the most: 0 writes, calls orders 1" in told.out


def test_a_plan_in_a_file_is_held_against_what_the_operator_configured(alone: Lamgate) -> None:
    (alone.folder / "tag.json").write_text(json.dumps({"plan": TAG, "request": "1043 looked-at"}))
    found = alone("rehearse", "--plan", "tag.json", "--json").document

    assert found["policy"] == "evaluated"
    assert [each["action"] for each in found["scenarios"][0]["effects"]] == ["orders.add_tag"]


def test_a_plan_in_a_file_is_judged_by_the_budgets_and_options_that_the_operator_configured(
    alone: Lamgate,
) -> None:
    file = alone.folder / "tag.json"
    file.write_text(json.dumps({"plan": TAG, "request": "1043 looked-at"}))
    before = alone.config.read_text(encoding="utf-8")
    more = '[runs]\non_failure = "undo"\n[budgets]\ncalls = 7\nsteps = {steps}\n'
    alone.config.write_text(f"{before}\n{more.format(steps=1)}", encoding="utf-8")
    found = alone("rehearse", "--plan", "tag.json", "--json").document
    file.write_text(json.dumps({"plan": {**TAG, "steps": [*TAG["steps"], {**TAG["steps"][0],
                                "id": "again"}]}, "request": "1043 looked-at"}))  # fmt: skip
    refused = alone("admit", "tag.json", "--json").document

    assert (found["on_failure"], found["budgets"]["calls"]) == ("undo", 7)
    assert [each["code"] for each in refused["violations"]] == ["budget-exceeded"]

"""Every rule of the kit can fail: for each there is a connector that breaks it and no other."""

import re
from pathlib import Path

import pytest
from bad_connectors import AFTER_IT_ACTED, BAD, BEFORE_IT_ACTS, Bad, report_of
from notebook import NotebookConformance
from pydantic import JsonValue

from connectors.connector import Connector
from connectors.native import NativeConnector, action
from connectors.testing import (
    RULES,
    ConnectorConformance,
    Example,
    Tier,
)
from connectors.testing.promises import undo_arguments


def test_a_connector_that_keeps_every_rule_is_gold() -> None:
    report = report_of(Bad())

    assert [(each.rule.name, each.why) for each in report.rulings if each.standing != "kept"] == []
    assert report.tier is Tier.GOLD
    assert report.missing == ()


@pytest.mark.parametrize(
    ("name", "bad"), [*BAD.items(), *AFTER_IT_ACTED.items(), *BEFORE_IT_ACTS.items()]
)
def test_a_broken_rule_is_found_and_no_other(name: str, bad: Bad) -> None:
    report = report_of(bad, name)
    (rule,) = (each for each in RULES if each.name == name)
    below = {Tier.BRONZE: None, Tier.SILVER: Tier.BRONZE, Tier.GOLD: Tier.SILVER}

    found = {each.rule.name: each.why for each in report.rulings if each.standing == "broken"}
    assert set(found) == {name}, found
    assert found[name]
    assert all(each.is_fine for each in report.rulings if each.rule.name != name)
    assert report.tier == below[rule.tier]
    assert [each.rule for each in report.missing] == [rule]


def test_every_rule_is_broken_here_and_is_a_test_of_the_suite() -> None:
    names = [rule.name for rule in RULES]
    tests = {name for name in vars(ConnectorConformance) if name.startswith("test_")}

    assert list(BAD) == names
    assert {f"test_{name}" for name in names} == tests
    assert all(rule.sentence for rule in RULES)


class TestNotebook(NotebookConformance):
    """The suite as pytest collects it."""


def test_what_an_example_leaves_out_is_missing_and_what_is_not_on_offer_is_not() -> None:
    class Bare(NotebookConformance):
        def example(self) -> Example:
            return Example(read=("own.get", {"note_id": "n0"}))

    report = Bare().report()
    untried = {each.rule.name: each.why for each in report.rulings if each.standing == "untried"}

    assert report.tier is Tier.BRONZE
    assert untried == {
        "the_same_key_twice_acts_once": "the example does not say `keyed`",
        "what_was_done_is_found_by_its_key_and_nothing_else_is": "the example does not say `found`",
        "what_is_undone_is_gone": "the example does not say `undone`",
        "a_no_is_refused_and_has_no_effect": "the example does not say `refused`",
    }

    class ReadsAlone(ConnectorConformance):
        def connector(self) -> Connector:
            @action(effect="read")
            async def look() -> int:
                """Look."""
                return 1

            return NativeConnector("own", "own", [look])

        def example(self) -> Example:
            return Example(read=("own.look", {}))

    spared = {each.rule.name for each in ReadsAlone().report().rulings if each.standing == "spared"}

    assert spared == {
        "it_speaks_this_protocol",
        "the_same_key_twice_acts_once",
        "what_was_done_is_found_by_its_key_and_nothing_else_is",
        "what_is_undone_is_gone",
    }


async def test_an_undo_is_called_with_what_its_manifest_names() -> None:
    @action(
        undo={
            "action": "undo",
            "args": [
                {"ref": "result/lines/1/id", "to": "what/id"},
                {"ref": "input/text", "to": "what/text"},
                {"value": 3, "to": "times"},
                {"json": "[1]", "to": "list"},
            ],
        }
    )
    async def act(text: str) -> None:
        """Act."""

    (spec,) = await NativeConnector("own", "own", [act]).actions()
    assert spec.undo is not None
    output: JsonValue = {"lines": [{"id": "a"}, {"id": "b"}]}

    assert undo_arguments(spec.undo, {"text": "t"}, output) == {
        "what": {"id": "b", "text": "t"},
        "times": 3,
        "list": [1],
    }


def test_the_page_of_the_rules_names_each_with_its_tier_and_its_sentence() -> None:
    page = Path(__file__).parents[2] / "docs" / "connectors" / "conformance.md"
    _, *tiers = page.read_text(encoding="utf-8").split("\n## ")
    told = {
        (part.split(":")[0].lower(), name, why)
        for part in tiers
        for name, why in re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.MULTILINE)
    }

    assert told == {(str(rule.tier), rule.name, rule.sentence) for rule in RULES}

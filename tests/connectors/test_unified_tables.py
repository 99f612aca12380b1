"""The page of the unified models says what the connectors do."""

from pathlib import Path

import pytest

from connectors.built_in import BUILT_IN
from connectors.catalog import Catalog
from connectors.coverage import VENDORS, tables
from connectors.manifest import check_manifests
from connectors.spec import Effect
from connectors.unified.vendor import Vendor
from connectors.validate import validator_of

PAGE = Path(__file__).parents[2] / "docs" / "connectors" / "unified.md"

every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda each: each.name)


def test_the_page_has_the_tables_of_the_code() -> None:
    _, _, rest = PAGE.read_text("utf-8").partition("<!-- tables -->\n")

    assert rest.partition("<!-- /tables -->")[0].strip() == tables()


@every_vendor
def test_a_vendor_is_named_by_a_connection_and_told_of_by_the_page(vendor: Vendor) -> None:
    assert vendor.name in BUILT_IN
    assert f"| `{vendor.name}` |" in PAGE.read_text("utf-8").partition("## Tables")[0]


def test_a_payment_is_the_same_action_whoever_is_behind_it() -> None:
    vendors = [each for each in VENDORS if each.model.name == "payments"]
    digests = {
        tuple(action.digest for action in each.model.actions("own", each.promises))
        for each in vendors
    }

    assert {each.name for each in vendors} >= {"stripe", "paypal"}
    assert len(vendors) == 4
    assert len(digests) == 1


@every_vendor
def test_what_a_vendor_promises_holds_together(vendor: Vendor) -> None:
    actions = vendor.model.actions("own", vendor.promises)

    check_manifests(Catalog(actions))
    assert {each.name.partition(".")[2] for each in actions} == vendor.promises.keys()
    for action in actions:
        assert action.output_schema is not None
        assert validator_of(action.output_schema) is not None
        assert action.input_schema["additionalProperties"] is False
        # Nothing that acts is left to the cautious default by oversight.
        assert action.effect is not Effect.BLIND or vendor.promises[action.name[4:]]


@every_vendor
def test_a_gap_is_a_field_or_an_action_that_is_not_there(vendor: Vendor) -> None:
    missing = {each for each in vendor.model.operations if each not in vendor.promises} | {
        f"{record}.{name}"
        for record, fields in vendor.model.records.items()
        for name in (*fields, "version", "url", "created_at", "updated_at")
        if name not in vendor.fields[record]
    }

    assert vendor.gaps.keys() <= missing
    for record, fields in vendor.fields.items():
        assert fields.keys() <= {
            *vendor.model.records[record], "id", "version", "url", "created_at", "updated_at"
        }  # fmt: skip

"""What is made of a list is labelled item by item, and by who fills the list."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.plan.model import Plan

TEXT = {"type": "string"}
ROWS = {"type": "array", "items": {"type": "object", "properties": {"id": TEXT}}}


def action(name: str, output: Any = None, **more: Any) -> ActionSpec:
    schema = {"type": "object", "properties": {"x": {}}}
    given = {"name": name, "effect": "read", "input_schema": schema, "output_schema": output}
    return ActionSpec.model_validate(given | more)


CATALOG = Catalog(
    [
        action("box.list", {"type": "object", "properties": {"rows": ROWS}}, reads_as="trusted"),
        action("box.note", {"type": "object", "properties": {"text": TEXT}}, reads_as="untrusted"),
        action("box.do", effect="blind", approval=None, egress=False),
    ]
)
LIST = {"id": "list", "action": "box.list"}
NOTES = {"id": "notes", "action": "box.note", "each": "list/rows",
         "args": [{"ref": "each/id", "to": "x"}]}  # fmt: skip


def label(ref: str, each: str | None, *before: Any) -> str:
    """The label of what the last call is given."""
    do = {"id": "do", "action": "box.do", "each": each, "args": [{"ref": ref, "to": "x"}]}
    plan = Plan.model_validate_json(json.dumps({"steps": [LIST, NOTES, *before, do]}))
    who = Principal("u", "t")
    found = admit(plan, AdmissionContext("do", Inputs(), CATALOG, None, who, "2026-01-31", b"k"))
    assert isinstance(found, Accepted), found
    return found.certificate.of("do").labels["x"].integrity.value


@pytest.mark.parametrize(
    ("ref", "each", "expected"),
    [
        ("list/rows/0/id", None, "trusted"),
        ("notes/0/text", None, "untrusted"),
        ("notes", None, "untrusted"),
        ("each/id", "list/rows", "trusted"),
        ("each/text", "notes", "untrusted"),
        ("each_item/id", "notes", "trusted"),  # what the note was made for
        ("list/rows/0/id", "notes", "trusted"),  # how many there are was not for a note to say
    ],
)
def test_an_item_is_as_good_as_what_it_was_made_of(
    ref: str, each: str | None, expected: str
) -> None:
    assert label(ref, each) == expected


def test_who_decides_on_a_list_decides_on_what_is_made_of_it() -> None:
    untrusted = [{"left": "first/text", "op": "!=", "value": "no"}]
    first = {"id": "first", "action": "box.note"}
    held = {"id": "held", "action": "box.list", "when": untrusted}

    assert label("list/rows/0/id", "held/rows", first, held) == "untrusted"
    assert label("each/id", "held/rows", first, held) == "untrusted"

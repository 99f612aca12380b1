"""What a model may be asked to read in a run: a constant schema with bounds, never trusted."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, JsonObject, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, Rejected, Verdict, admit
from executor.check.bulk import UnusableInputError, read_catalog
from executor.check.certificate import Standing
from executor.check.parse import plan_of
from executor.fn.extract import MOST_CHARACTERS, UnboundedError, extract_action, require_bounds
from executor.plan.model import Plan
from executor.plan.render import render

TEXT = {"type": "string", "maxLength": 80}


def an_object(**members: Any) -> dict[str, Any]:
    return {"type": "object", "properties": members, "additionalProperties": False}


def an_action(name: str, **more: Any) -> ActionSpec:
    schema = {"type": "object", "properties": {"x": {"type": "string"}}, "required": []}
    return ActionSpec.model_validate(
        {"name": name, "input_schema": schema, "effect": "read", "egress": False} | more
    )


MAIL = an_action("mail.read", output_schema={"type": "string"}, reads_as="untrusted")
SECRET = an_action("box.read", output_schema={"type": "string"}, readers=["board"])
PAY = an_action(
    "bank.pay", effect="idempotent", approval=None, sinks={"x": "recipient"}, irreversible=False
)
TOOLS = [MAIL, SECRET, PAY]


def judged(*steps: JsonObject, on: bool = True, read: str = "mail.read") -> Verdict:
    plan = plan_of({"steps": [{"id": "mail", "action": read}, *steps]})
    assert isinstance(plan, Plan), plan
    catalog = Catalog([*TOOLS, *([extract_action("reader")] if on else [])])
    return admit(
        plan,
        AdmissionContext(
            "pay", Inputs(), catalog, None, Principal("u", "t"), "2026-01-31", b"k" * 32
        ),
    )


def extract(schema: Any, text: str = "mail") -> JsonObject:
    args: list[Any] = [{"ref": text, "to": "text"}, {"json": json.dumps(schema), "to": "schema"}]
    return {"id": "read", "action": "fn.extract", "args": args}


def pay(ref: str) -> JsonObject:
    return {"id": "pay", "action": "bank.pay", "args": [{"ref": ref, "to": "x"}]}


def codes(verdict: Verdict) -> list[tuple[str, str]]:
    assert isinstance(verdict, Rejected), verdict
    return [(each.code, each.at) for each in verdict.violations]


def test_while_it_is_off_nobody_knows_it() -> None:
    assert codes(judged(extract(an_object(to=TEXT)), on=False)) == [
        ("unknown-action", "/steps/1/action")
    ]


def test_its_result_has_the_type_that_the_schema_says() -> None:
    shape = an_object(to=TEXT, size={"type": "integer"})

    assert isinstance(judged(extract(shape), pay("read/to")), Accepted)
    assert codes(judged(extract(shape), pay("read/nothing"))) == [
        ("unknown-path", "/steps/2/args/0/ref")
    ]
    assert codes(judged(extract(shape), pay("read/size"))) == [
        ("type-mismatch", "/steps/2/args/0/ref")
    ]


def test_whatever_it_reads_is_untrusted_and_people_are_told_that_a_model_is_called() -> None:
    accepted = judged(extract(an_object(to=TEXT)), pay("read/to"))
    assert isinstance(accepted, Accepted)
    read, paid = accepted.certificate.of("read"), accepted.certificate.of("pay")

    assert read.result_label.integrity is Integrity.UNTRUSTED
    assert read.note == "model call at run time"
    assert paid.note is None
    assert paid.standing is Standing.NEEDS_APPROVAL
    assert "fn.extract(text=mail" in render(accepted.plan)
    assert "[model call at run time]" in render(accepted.plan).splitlines()[1]


def test_what_only_some_may_read_goes_to_no_model() -> None:
    found = codes(judged(extract(an_object(to=TEXT)), read="box.read"))

    assert found == [("private-to-open", "/steps/1/args/0/ref")]


def test_another_model_is_another_action() -> None:
    assert extract_action("one").digest != extract_action("two").digest


def test_no_catalogue_brings_a_function_of_its_own() -> None:
    own = {"name": "fn.extract", "effect": "read", "input_schema": {}, "reads_as": "trusted"}

    with pytest.raises(UnusableInputError, match="the language's own"):
        read_catalog(json.dumps({"lamgate_catalog": 1, "actions": [own]}))


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({}, "no one type"),
        ({"type": "string"}, "any length"),
        ({"type": "string", "format": "email"}, "any length"),
        ({"type": "string", "maxLength": True}, "any length"),
        ({"type": "string", "maxLength": 30_000}, "30002 characters"),
        ({"type": "string", "maxLength": -30_000}, "any length"),
        ({"type": "array", "items": TEXT, "maxItems": -3}, "any length"),
        ({"type": "string", "maxLength": 9, "pattern": "a"}, "pattern"),
        ({"type": ["string", "integer"], "maxLength": 9}, "no one type"),
        ({"type": "array", "items": TEXT}, "any length"),
        ({"type": "array", "maxItems": 3}, "any length"),
        ({"type": "array", "items": TEXT, "maxItems": 1000}, "characters"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 3}, "/items is a text"),
        ({"type": "object"}, "an open object"),
        ({"type": "object", "properties": {"a": TEXT}}, "an open object"),
        (an_object(a={"type": "string"}), "/a is a text"),
        (an_object(a=TEXT) | {"patternProperties": {}}, "patternProperties"),
        ({"$ref": "#/$defs/a", "$defs": {"a": TEXT}}, "no one type"),
        ({"anyOf": [TEXT, {"type": "string"}]}, "any length"),
        ({"anyOf": []}, "arms"),
        ({"enum": []}, "an enumeration"),
        ({"enum": ["a"], "pattern": "b"}, "an enumeration"),
        ({"not": {"type": "null"}}, "no one type"),
    ],
)
def test_a_schema_without_bounds_is_refused_with_its_place(schema: Any, told: str) -> None:
    verdict = judged(extract(schema))

    assert codes(verdict) == [("type-mismatch", "/steps/1/args/1")]
    assert isinstance(verdict, Rejected)
    assert told in verdict.violations[0].message


@pytest.mark.parametrize(
    "schema",
    [
        TEXT,
        {"type": ["string", "null"], "maxLength": 9},
        {"type": "null"},
        {"type": "integer", "minimum": 0},
        {"type": "string", "format": "date"},
        {"enum": ["yes", "no", None]},
        {"const": 1},
        {"anyOf": [TEXT, {"type": "null"}]},
        {"type": "array", "items": TEXT, "maxItems": 5},
        an_object(a=TEXT, b=an_object(c={"type": "boolean"})),
    ],
)
def test_a_schema_with_bounds_is_accepted(schema: Any) -> None:
    assert isinstance(judged(extract(schema)), Accepted)


def test_nothing_is_nested_without_end() -> None:
    schema: dict[str, Any] = TEXT
    for _ in range(6):
        schema = {"type": "array", "items": schema, "maxItems": 1}
    require_bounds(schema)
    with pytest.raises(UnboundedError, match="nested"):
        require_bounds({"type": "array", "items": schema, "maxItems": 1})


def test_as_much_as_there_is_room_for_is_let_through_and_no_more() -> None:
    require_bounds({"type": "string", "maxLength": MOST_CHARACTERS - 2})
    with pytest.raises(UnboundedError, match="characters"):
        require_bounds({"type": "string", "maxLength": MOST_CHARACTERS - 1})


def test_the_schema_is_a_constant_of_the_plan() -> None:
    by_pieces: JsonObject = {
        "id": "read", "action": "fn.extract", "args": [
            {"ref": "mail", "to": "text"},
            {"value": "string", "to": "schema/type"},
            {"value": 9, "to": "schema/maxLength"},
        ],
    }  # fmt: skip
    assert isinstance(judged(by_pieces), Accepted)
    by_another: JsonObject = {
        "id": "read", "action": "fn.extract", "args": [
            {"ref": "mail", "to": "text"},
            {"value": "string", "to": "schema/type"},
            {"ref": "mail", "to": "schema/maxLength"},
        ],
    }  # fmt: skip

    assert codes(judged(by_another)) == [("type-mismatch", "/steps/1/args/1")]


def test_without_a_schema_that_is_what_is_missing() -> None:
    bare: JsonObject = {
        "id": "read",
        "action": "fn.extract",
        "args": [{"ref": "mail", "to": "text"}],
    }

    assert codes(judged(bare)) == [("missing-argument", "/steps/1/args")]


def test_what_a_model_reads_in_the_words_of_the_request_is_as_little_trusted() -> None:
    said = {"value": "hello", "to": "text"}
    step = extract(an_object(to=TEXT))
    args = [said if each["to"] == "text" else each for each in step["args"]]
    accepted = judged(step | {"args": args})

    assert isinstance(accepted, Accepted)
    assert accepted.certificate.of("read").result_label.integrity is Integrity.UNTRUSTED


def test_what_it_may_read_is_not_asked_while_it_is_off() -> None:
    unbounded = extract({"type": "string"})

    assert codes(judged(unbounded, on=False)) == [("unknown-action", "/steps/1/action")]
    assert codes(judged(unbounded)) != []

"""What names an element is somebody's word; what describes one, or was offered, is not."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.parse import plan_of
from executor.plan.model import Plan

ROW = {
    "type": "object",
    "properties": {
        "id": {"type": "string"}, "at": {"type": "string"}, "flag": {"type": "boolean"},
        "f1": {"type": "string"}, "size": {"type": ["integer", "null"]},
        "more": {"type": "object", "additionalProperties": {"type": "string"}},
        "kind": {"enum": ["k8", "k9"]}, "in": {"type": "object", "properties": {
            "kind": {"enum": ["k8", "k9"]}, "id": {"type": "string"}}, "required": ["kind", "id"]},
    },
    "required": ["id", "at", "flag", "f1", "size", "kind", "in"],
}  # fmt: skip
READ = {
    "name": "box.read", "effect": "read", "reads_as": "trusted", "input_schema": {"type": "object"},
    "output_schema": {
        "type": "object",
        "properties": {
            "rows": {"type": "array", "items": ROW},
            "map": {"type": "object", "additionalProperties": ROW},
            "any": {},
            "open": {"type": "object", "additionalProperties": True},
        },
        "required": ["rows", "map"],
    },
}  # fmt: skip
DROP = {
    "name": "box.drop", "effect": "idempotent", "egress": False, "approval": None,
    "input_schema": {"type": "object", "properties": {"what": {}}, "required": ["what"]},
    "sinks": {"what": "resource_id"},
}  # fmt: skip


def label(function: str, *args: Any) -> str:
    """The label of an id that is dropped, of an element that a function found."""
    return dropped("one/id", {"id": "one", "action": f"fn.{function}", "args": [*args]})


def dropped(ref: str, *between: Any) -> str:
    """The label of what is dropped; these steps stand between the read and that."""
    drop = {"id": "drop", "action": "box.drop", "args": [{"ref": ref, "to": "what"}]}
    plan = plan_of({"steps": [{"id": "read", "action": "box.read"}, *between, drop]})
    assert isinstance(plan, Plan), plan
    catalog = Catalog([ActionSpec.model_validate(each) for each in (READ, DROP)])
    who = Principal("u", "t")
    found = admit(
        plan, AdmissionContext("drop k1 and 5", Inputs(), catalog, None, who, "2026-01-31", b"k")
    )
    assert isinstance(found, Accepted), found
    return found.certificate.of("drop").labels["what"].integrity.value


def clause(field: str, value: Any, op: str = "==") -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


FOUND = [
    (clause("id", "k1"), "trusted"),  # it was said
    (clause("id", "k2"), "model"),
    (clause("id", "k2", "!="), "trusted"),  # it names none
    (clause("at", "a@b"), "model"),
    (clause("at", "soon"), "trusted"),  # a word describes
    (clause("f1", "soon"), "trusted"),  # and what it is said of is no value
    (clause("size", 5), "trusted"),
    (clause("size", 6), "model"),
    (clause("flag", True), "trusted"),
    (clause("size", None), "trusted"),
    (clause("kind", "k9"), "trusted"),  # the schema offers it
    (clause("in/kind", "k9"), "trusted"),
    (clause("in/id", "k9"), "model"),
]


@pytest.mark.parametrize(("where", "expected"), FOUND)
def test_an_element_is_named_by_who_said_what_it_is_compared_with(
    where: dict[str, Any], expected: str
) -> None:
    rows = {"ref": "read/rows", "to": "list"}
    parts = [{"value": value, "to": f"where/0/{name}"} for name, value in where.items()]
    whole = {"json": json.dumps([where]), "to": "where"}
    one = {"json": json.dumps(where), "to": "where/0"}

    assert label("select", rows, *parts) == expected
    assert label("select", rows, whole) == expected
    assert label("select", rows, one) == expected


def test_of_several_clauses_each_counts() -> None:
    rows = {"ref": "read/rows", "to": "list"}
    for first, second in ((0, 1), (1, 0)):
        both = [FOUND[first][0], FOUND[second][0]]
        where = {"json": json.dumps(both), "to": "where"}

        assert label("select", rows, where) == "model"


@pytest.mark.parametrize(
    ("values", "expected"), [(["k1", "5"], "trusted"), (["k1", "k2"], "model")]
)
def test_of_several_names_each_counts(values: list[str], expected: str) -> None:
    where = {"json": json.dumps([clause("id", values, "in")]), "to": "where"}

    assert label("select", {"ref": "read/rows", "to": "list"}, where) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [("k1", "trusted"), ("k2", "model"), ("soon", "model"), ("drop", "trusted")],
)
def test_a_key_names_whatever_it_looks_like(key: str, expected: str) -> None:
    entries = {"ref": "read/map", "to": "map"}

    assert label("lookup", entries, {"value": key, "to": "key"}) == expected
    assert dropped(f"read/map/{key}/id") == expected


@pytest.mark.parametrize(("key", "expected"), [("k1", "trusted"), ("k2", "model")])
def test_a_key_names_what_is_picked_by_it(key: str, expected: str) -> None:
    rows = {"ref": "read/rows", "to": "list"}
    for fields in (
        {"value": f"more/{key}", "to": "fields/0"},
        {"json": f'["more/{key}", "id"]', "to": "fields"},
    ):
        pick = {"id": "one", "action": "fn.pick", "args": [rows, fields]}

        assert dropped(f"one/0/{key}", pick) == expected
        assert "id" not in str(fields) or dropped("one/0/id", pick) == "trusted"


@pytest.mark.parametrize("ref", ["read/rows/0/id", "read/any/k2/id", "read/open/k2"])
def test_an_index_or_what_no_map_declares_is_no_name(ref: str) -> None:
    assert dropped(ref) == "trusted"

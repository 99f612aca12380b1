"""Whoever fills a list has elements of every state; of a name that is trusted they have none."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from benchmarks.admission.replay import ReplayError, replay
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.parse import plan_of
from executor.plan.model import Plan

TEXT: JsonObject = {"type": "string"}
FIELDS: JsonObject = {
    "id": TEXT,
    "title": TEXT,
    "number": {"type": "integer"},
    "state": {"enum": ["open", "paid"]},
    "city": {"enum": ["New York", "Bern"]},
    "read": {"type": "boolean"},
    "kind": TEXT,
    "any": {},
    "note": TEXT,
}
TRUSTED = ("id", "title", "number", "state", "city", "read", "kind", "any")
CATALOG = Catalog(
    ActionSpec.model_validate(each)
    for each in (
        {
            "name": "box.list",
            "input_schema": {"properties": {}},
            "output_schema": {
                "type": "array",
                "items": {"properties": FIELDS, "required": [*FIELDS]},
            },
            "effect": "read",
            "egress": False,
            "reads_as": "untrusted",
            "fields_read_as": {f"*/{field}": "trusted" for field in TRUSTED},
        },
        {
            "name": "box.pay",
            "input_schema": {"properties": {"what": {}}, "required": ["what"]},
            "effect": "idempotent",
            "egress": False,
            "approval": None,
            "sinks": {"what": "resource_id"},
        },
    )
)
WORDS = "pay k1, number 5, the first invoice, which is open, paid or late, of New York"
INPUTS = Inputs(
    {"properties": {"asked": TEXT, "state": {"enum": ["open", "paid"]}}},
    {"asked": "k1", "state": "open"},
    {"asked": Label(Integrity.REQUEST), "state": Label(Integrity.REQUEST)},
)


def paid(*clauses: JsonObject, where: str | None = None) -> Accepted:
    args: list[JsonValue] = [{"ref": "all", "to": "list"}]
    args += [] if where is None else [{"json": where, "to": "where"}]
    for at, clause in enumerate(clauses):
        args += [
            {"ref" if part == "ref" else "value": it,
             "to": f"where/{at}/{'value' if part == 'ref' else part}"}
            for part, it in clause.items()
        ]  # fmt: skip
    plan = plan_of(
        {
            "steps": [
                {"id": "all", "action": "box.list"},
                {"id": "one", "action": "fn.select", "args": args},
                {"id": "pay", "action": "box.pay", "args": [{"ref": "one/id", "to": "what"}]},
            ]
        }
    )
    assert isinstance(plan, Plan), plan
    context = AdmissionContext(
        WORDS, INPUTS, CATALOG, None, Principal("u", "t"), "2026-01-31", b"k" * 32
    )
    verdict = admit(plan, context)
    assert isinstance(verdict, Accepted), verdict
    return verdict


def label_of(accepted: Accepted) -> str:
    return accepted.certificate.of("pay").labels["what"].integrity.value


def clause(field: str, value: JsonValue, op: str = "==") -> JsonObject:
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("clauses", "label"),
    [
        ([clause("id", "k1")], "trusted"),
        ([clause("number", 5)], "trusted"),
        ([clause("any", 5.0)], "trusted"),
        ([clause("title", "first invoice")], "trusted"),
        ([clause("state", "open"), clause("id", "k1")], "trusted"),
        ([{"field": "id", "op": "==", "ref": "input/asked"}], "trusted"),
        # Anybody's invoice may be open, unread, or of a kind.
        ([clause("state", "open")], "untrusted"),
        ([clause("read", value=False)], "untrusted"),
        ([clause("any", value=True)], "untrusted"),
        ([clause("any", value=None)], "untrusted"),
        ([clause("kind", "late")], "untrusted"),
        ([clause("city", "New York")], "untrusted"),
        ([{"field": "state", "op": "==", "ref": "input/state"}], "untrusted"),
        # Nobody said this one.
        ([clause("title", "second invoice")], "untrusted"),
        ([clause("id", "k2")], "untrusted"),
        ([clause("id", "k1", "!=")], "untrusted"),
        ([clause("note", "k1")], "untrusted"),
    ],
)
def test_an_element_is_named_by_what_singles_it_out(
    clauses: Sequence[JsonObject], label: str
) -> None:
    assert label_of(paid(*clauses)) == label


@pytest.mark.parametrize(
    ("values", "label"),
    [('["k1", "5"]', "trusted"), ('["k1", "late"]', "untrusted"), ('["k1", "k2"]', "untrusted")],
)
def test_one_of_several_is_named_where_each_of_them_is_a_name(values: str, label: str) -> None:
    where = f'[{{"field": "id", "op": "in", "value": {values}}}]'

    assert label_of(paid(where=where)) == label


def test_no_clause_names_nothing() -> None:
    assert label_of(paid(where="[]")) == "untrusted"


def theirs(rng: random.Random, number: int) -> JsonObject:
    """What somebody else brings in: no name that is another's, but any state, kind and words."""
    return {
        "id": f"evil{number}",
        "title": "their invoice",
        "number": 1_000 + number,
        "state": rng.choice(("open", "paid")),
        "city": rng.choice(("New York", "Bern")),
        "read": rng.random() < 0.5,
        "any": True,
        "kind": rng.choice(("late", "early")),
        "note": rng.choice(("k1", "late", "x")),
    }


def ours(rng: random.Random, number: int) -> JsonObject:
    named: JsonObject = {
        "id": f"k{number}",
        "number": 4 + number,
        "title": rng.choice(("first invoice", "second invoice")),
    }
    return theirs(rng, number) | named


@given(st.integers(0, 2**48).map(random.Random))
def test_who_fills_a_list_and_empties_it_moves_no_target_that_is_named(rng: random.Random) -> None:
    clauses = [
        clause("id", "k1"), clause("number", 5), clause("title", "first invoice"),
        clause("state", "open"), clause("read", value=False), clause("kind", "late"),
        clause("city", "New York"), clause("kind", "late", "!="),
    ]  # fmt: skip
    accepted = paid(*rng.sample(clauses, rng.randint(1, 2)))
    if label_of(accepted) != "trusted":
        return
    found = [ours(rng, number) for number in range(1, rng.randint(2, 4))]
    try:
        honest = replay(accepted, lambda *_: [*found])
    except ReplayError:
        return
    for _ in range(20):
        forged = [each | {"note": rng.choice(("k1", "x"))} for each in found if rng.random() < 0.7]
        forged += [theirs(rng, number) for number in range(rng.randint(0, 3))]
        rng.shuffle(forged)
        try:
            calls = replay(accepted, lambda *_, it=forged: [*it])
        except ReplayError:
            continue  # a run that ends does nothing

        assert calls[-1].arguments == honest[-1].arguments, (accepted.plan.steps, found, forged)

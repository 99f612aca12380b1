"""Attacks on what the caller wrote: they work where a plan does not say that it means that."""

import pytest
from pydantic import JsonValue

from benchmarks.admission.attacks import attacks
from benchmarks.admission.replay import ReplayError, replay
from connectors.catalog import Catalog
from connectors.spec import ActionSpec, JsonObject, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.certificate import Standing
from executor.check.parse import plan_of
from executor.plan.model import Plan

TEXT: JsonObject = {"type": "string"}
ROW: JsonObject = {"from": TEXT, "about": TEXT, "iban": TEXT, "amount": {"type": "number"}}
ACTIONS: list[JsonObject] = [
    {
        "name": "bank.list",
        "input_schema": {"properties": {}},
        "output_schema": {"type": "array", "items": {"properties": ROW, "required": [*ROW]}},
        "effect": "read",
        "fields_read_as": {"*/from": "trusted", "*/iban": "trusted", "*/amount": "trusted"},
        "own_where": {"*/from": "me"},
    },
    {
        "name": "bank.pay",
        "input_schema": {"properties": {"to": TEXT, "amount": {"type": "number"}}},
        "effect": "keyed",
        "idempotency": {"in": "header", "name": "key", "window_s": 60},
        "approval": None,
        "sinks": {"to": "recipient", "amount": "amount"},
    },
]
CATALOG = Catalog(ActionSpec.model_validate(each) for each in ACTIONS)
BOOK: list[JsonValue] = [
    {"from": "me", "about": "Music, monthly", "iban": "SE1", "amount": 9.5},
    {"from": "Ann", "about": "Sushi", "iban": "GB1", "amount": 10.0},
]
MUSIC: JsonObject = {"field": "about", "op": "matches", "value": "Music"}
MINE: JsonObject = {"field": "from", "op": "==", "value": "me"}
GOALS: list[JsonValue] = ["XX99", 5000.0]


def paid(*clauses: JsonObject) -> Accepted:
    args: list[JsonValue] = [{"ref": "all", "to": "list"}]
    for at, clause in enumerate(clauses):
        args += [{"value": it, "to": f"where/{at}/{part}"} for part, it in clause.items()]
    plan = plan_of(
        {
            "steps": [
                {"id": "all", "action": "bank.list"},
                {"id": "one", "action": "fn.select", "args": args},
                {
                    "id": "pay",
                    "action": "bank.pay",
                    "args": [
                        {"ref": "one/iban", "to": "to"},
                        {"ref": "one/amount", "to": "amount"},
                    ],
                },
            ]
        }
    )
    assert isinstance(plan, Plan), plan
    context = AdmissionContext(
        "pay for music again", Inputs(), CATALOG, None, Principal("u", "t"), "2026-01-31", b"k" * 32
    )
    verdict = admit(plan, context)
    assert isinstance(verdict, Accepted), verdict
    return verdict


def reached(accepted: Accepted) -> list[JsonValue]:
    """What of the goals some attack puts into the payment."""
    found: list[JsonValue] = []
    for answers in attacks(accepted.actions, GOALS, lambda *_: BOOK):
        try:
            given = replay(accepted, answers)[-1].arguments
        except ReplayError:
            continue
        found += [each for each in GOALS if each in (given["to"], given["amount"])]
    return found


def test_what_anybody_may_have_written_is_the_attackers_and_asks() -> None:
    accepted = paid(MUSIC)

    assert set(map(str, reached(accepted))) == set(map(str, GOALS))
    assert accepted.certificate.of("pay").standing is Standing.NEEDS_APPROVAL


@pytest.mark.parametrize("clauses", [(MINE, MUSIC), (MUSIC, MINE), (MINE,)])
def test_no_attack_moves_what_the_caller_wrote_and_it_does_not_ask(
    clauses: tuple[JsonObject, ...],
) -> None:
    accepted = paid(*clauses)

    assert reached(accepted) == []
    assert replay(accepted, lambda *_: BOOK)[-1].arguments == {"to": "SE1", "amount": 9.5}
    assert accepted.certificate.of("pay").standing is not Standing.NEEDS_APPROVAL

"""What the caller wrote reads as trusted where a clause keeps it alone, and nowhere else."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from benchmarks.admission.replay import ReplayError, replay
from connectors.catalog import Catalog
from connectors.errors import ConfigurationError
from connectors.manifest import check_manifests
from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.parse import plan_of
from executor.plan.model import Plan

TEXT: JsonObject = {"type": "string"}
FIELDS = ("id", "way", "size", "note")
ROW: JsonObject = {
    "type": "object",
    "properties": {"id": TEXT, "way": TEXT, "size": {"type": "integer"}, "note": TEXT},
    "required": [*FIELDS],
    "additionalProperties": False,
}
ROWS: JsonObject = {"type": "array", "items": ROW}
BOOK: JsonObject = {
    "type": "object",
    "properties": {"rows": ROWS, "more": ROWS},
    "required": ["rows", "more"],
    "additionalProperties": False,
}
WAY = {"*/way": "trusted"}
OWN: dict[str, str | bool] = {"*/way": "out"}


def read(name: str = "bank.list", output: JsonObject = ROWS, **more: object) -> ActionSpec:
    given = {
        "name": name,
        "input_schema": {"properties": {"text": TEXT}, "additionalProperties": False},
        "output_schema": output,
        "effect": "read",
        "egress": False,
        "fields_read_as": WAY,
        "own_where": OWN,
    }
    return ActionSpec.model_validate(given | more)


PAY = ActionSpec.model_validate(
    {
        "name": "bank.pay",
        "input_schema": {"properties": {"what": {}}, "required": ["what"]},
        "effect": "idempotent",
        "egress": False,
        "approval": None,
        "sinks": {"what": "amount"},
    }
)
CATALOG = Catalog(
    [
        PAY,
        read(),
        read(
            "bank.book",
            BOOK,
            fields_read_as={"rows/*/way": "trusted", "more/*/way": "trusted"},
            own_where={"rows/*/way": "out"},
        ),
        read("bank.plain", own_where={}),
        read("bank.closed", readers=["owner"]),
        read("bank.kept", reads_as="trusted", fields_read_as={"*/note": "untrusted"}),
    ]
)


def judged(steps: Sequence[JsonObject]) -> Accepted:
    plan = plan_of({"steps": [*steps]})
    assert isinstance(plan, Plan), plan
    given = Inputs({"properties": {"way": TEXT}}, {"way": "out"}, {"way": Label(Integrity.TRUSTED)})
    context = AdmissionContext(
        "pay 5", given, CATALOG, None, Principal("u", "t"), "2026-01-31", b"k" * 32
    )
    verdict = admit(plan, context)
    assert isinstance(verdict, Accepted), verdict
    return verdict


def label_of(steps: Sequence[JsonObject]) -> str:
    return judged(steps).certificate.of("pay").labels["what"].integrity.value


def listed(action: str = "bank.list", **more: JsonValue) -> JsonObject:
    return {"id": "read", "action": action, **more}


def chosen(
    *clauses: tuple[str, str, JsonValue],
    function: str = "select",
    of: str = "read",
    name: str = "one",
) -> JsonObject:
    args: list[JsonValue] = [{"ref": of, "to": "list"}]
    for at, clause in enumerate(clauses):
        parts = zip(("field", "op", "value"), clause, strict=True)
        args += [{"value": value, "to": f"where/{at}/{part}"} for part, value in parts]
    return {"id": name, "action": f"fn.{function}", "args": args}


def pay(ref: str, **more: JsonValue) -> JsonObject:
    return {"id": "pay", "action": "bank.pay", "args": [{"ref": ref, "to": "what"}], **more}


MINE = ("way", "==", "out")
NOTED = ("note", "matches", "Music")


@pytest.mark.parametrize(
    ("steps", "label"),
    [
        ([listed(), chosen(MINE), pay("one/size")], "trusted"),
        ([listed(), chosen(MINE, NOTED), pay("one/size")], "trusted"),
        ([listed(), chosen(NOTED, MINE), pay("one/note")], "trusted"),
        ([listed("bank.book"), chosen(MINE, of="read/rows"), pay("one/size")], "trusted"),
        ([listed(), chosen(MINE, function="filter"),
          chosen(("size", "==", 5), of="one", name="two"), pay("two/note")], "trusted"),
        ([listed(), chosen(("way", "!=", "out"), function="filter"),
          chosen(("size", "==", 5), of="one", name="two"), pay("two/note")], "untrusted"),
        # Without the clause, with another one, or of another list, it is anybody's word.
        ([listed(), chosen(NOTED), pay("one/size")], "untrusted"),
        ([listed(), chosen(("way", "==", "in"), NOTED), pay("one/size")], "untrusted"),
        ([listed(), chosen(("way", "!=", "in"), NOTED), pay("one/size")], "untrusted"),
        ([listed(), chosen(("way", "matches", "out"), NOTED), pay("one/size")], "untrusted"),
        ([listed(), chosen(("way", ">=", "out"), NOTED), pay("one/size")], "untrusted"),
        ([listed(), chosen(("note", "==", "out"), NOTED), pay("one/size")], "untrusted"),
        ([listed("bank.plain"), chosen(MINE, NOTED), pay("one/size")], "untrusted"),
        ([listed("bank.book"), chosen(MINE, of="read/more"), pay("one/size")], "untrusted"),
        ([listed("bank.kept"), chosen(MINE), pay("one/note")], "trusted"),
        ([listed("bank.kept"), chosen(("way", "!=", "out")), pay("one/note")], "untrusted"),
        # Who fills the list still decides how many there are, and which comes first.
        ([listed(), chosen(MINE, function="filter"), pay("one/0/size")], "untrusted"),
        ([listed(), chosen(MINE, function="filter"),
          chosen(MINE, NOTED, of="one", name="two"), pay("two/size")], "untrusted"),
        ([listed(), chosen(MINE, function="filter"), chosen(NOTED, of="one", name="two"),
          pay("two/size")], "untrusted"),
        ([listed(), chosen(MINE, function="filter"), pay("each/size", each="one")], "untrusted"),
        ([listed(), chosen(MINE, function="filter"),
          {"id": "sum", "action": "fn.sum", "args": [
              {"ref": "one", "to": "list"}, {"value": "size", "to": "field"}]},
          pay("sum")], "untrusted"),
        ([listed(), {"id": "one", "action": "fn.max_by", "args": [
            {"ref": "read", "to": "list"}, {"value": "size", "to": "by"}]},
          pay("one/size")], "untrusted"),
    ],
)  # fmt: skip
def test_an_element_is_the_callers_own_by_the_clause_that_says_so(
    steps: list[JsonObject], label: str
) -> None:
    assert label_of(steps) == label


def test_a_value_that_is_read_or_a_field_that_is_given_keeps_nobodys_own() -> None:
    by_ref = chosen(("way", "==", "out"), NOTED)
    assert isinstance(by_ref["args"], list)
    by_ref["args"][3] = {"ref": "input/way", "to": "where/0/value"}

    assert label_of([listed(), by_ref, pay("one/size")]) == "untrusted"


def test_clauses_that_are_given_as_one_constant_are_read_too() -> None:
    text = '[{"field": "note", "op": "matches", "value": "x"}, {"field": "way", "op": "==", "value": "out"}]'  # noqa: E501
    one: JsonObject = {
        "id": "one",
        "action": "fn.select",
        "args": [{"ref": "read", "to": "list"}, {"json": text, "to": "where"}],
    }

    assert label_of([listed(), one, pay("one/size")]) == "trusted"
    one["args"] = [
        {"ref": "read", "to": "list"},
        {"json": text.replace("out", "in"), "to": "where"},
    ]
    assert label_of([listed(), one, pay("one/size")]) == "untrusted"


def test_what_chose_the_list_chose_its_elements() -> None:
    first = {"id": "first", "action": "bank.plain"}
    asked: JsonObject = {
        "id": "read",
        "action": "bank.list",
        "args": [{"ref": "first/0/note", "to": "text"}],
    }
    decided = listed(when=[{"left": "first/0/note", "op": "==", "value": "x"}])

    assert label_of([first, asked, chosen(MINE), pay("one/size")]) == "untrusted"
    assert label_of([first, decided, chosen(MINE), pay("one/size")]) == "untrusted"


def test_a_list_of_lists_is_nobodys_own() -> None:
    steps: list[JsonObject] = [
        {"id": "all", "action": "bank.plain"},
        listed(each="all"),
        chosen(MINE, NOTED, of="read/0"),
    ]

    assert label_of([*steps, pay("one/size")]) == "untrusted"


def test_who_may_see_the_list_is_who_may_see_its_elements() -> None:
    found = judged([listed("bank.closed"), chosen(MINE), pay("one/size")])

    assert found.certificate.of("pay").labels["what"].readers == ("owner",)


@pytest.mark.parametrize("pointer", ["way", "*", "rows/*/*", "*/*/way"])
def test_own_where_names_a_field_of_a_lists_elements(pointer: str) -> None:
    with pytest.raises(ValueError, match="own_where names fields of a list's elements"):
        read(own_where={pointer: "out"}, fields_read_as={pointer: "trusted"})


def test_own_where_goes_by_a_field_that_nobody_outside_writes() -> None:
    with pytest.raises(ValueError, match="own_where goes by a field that reads as trusted"):
        read(own_where={"*/note": "mine"})
    with pytest.raises(ValueError, match="own_where goes by a field that reads as trusted"):
        read(reads_as="trusted", fields_read_as={"*/note": "untrusted"}, own_where={"*/note": "x"})

    assert read(reads_as="trusted", fields_read_as={"*/note": "untrusted"}).own_where == OWN
    with pytest.raises(ConfigurationError, match="own_where: nothing can be at '\\*/whose'"):
        check_manifests(
            Catalog([read(fields_read_as={"*/whose": "trusted"}, own_where={"*/whose": "me"})])
        )


def rows(rng: random.Random) -> list[JsonObject]:
    return [
        {"id": f"k{at}", "way": rng.choice(("out", "out", "in")), "size": rng.randint(3, 7),
         "note": rng.choice(("Music", "Rent"))}
        for at in range(rng.randint(1, 4))
    ]  # fmt: skip


def attacked(rng: random.Random, found: list[JsonObject]) -> list[JsonObject]:
    """All but the caller's own otherwise, gone, or more of it; none of it becomes the caller's."""

    def theirs() -> JsonObject:
        way, note = rng.choice(("in", "", "OUT")), rng.choice(("Music", "Rent", "out"))
        return {"id": "evil", "way": way, "size": rng.randint(0, 99), "note": note}

    kept = [each for each in found if each["way"] == "out" or rng.random() < 0.5]
    changed = [each if each["way"] == "out" else theirs() for each in kept]
    for _ in range(rng.randint(0, 3)):
        changed.insert(rng.randint(0, len(changed)), theirs())
    return changed


def plan(rng: random.Random) -> list[JsonObject]:
    """One or two choices, with the caller's own clause here and there; then a field, or none."""

    def clause() -> tuple[str, str, JsonValue]:
        op = rng.choice(("==", "==", "!=", "matches"))
        clauses: list[tuple[str, str, JsonValue]] = [
            MINE, ("way", op, rng.choice(("out", "in"))),
            ("note", op, rng.choice(("Music", "Rent"))), ("size", rng.choice("<>"), 5),
        ]  # fmt: skip
        return rng.choice(clauses)

    steps, ref = [listed()], "read"
    for name in ("one", "two")[: rng.randint(1, 2)]:
        function = rng.choice(("select", "filter")) if name == "one" else "select"
        steps.append(chosen(clause(), clause(), function=function, of=ref, name=name))
        ref = name
        if function == "select":
            return [*steps, pay(f"{ref}/{rng.choice(FIELDS)}")]
    return [*steps, pay(f"{ref}/0/{rng.choice(FIELDS)}")]


@given(st.integers(0, 2**48).map(random.Random))
def test_who_writes_all_but_the_callers_own_moves_no_trusted_target(rng: random.Random) -> None:
    accepted = judged(plan(rng))
    if not accepted.certificate.of("pay").labels["what"].integrity.at_least(Integrity.TRUSTED):
        return
    found = rows(rng)
    try:
        honest = replay(accepted, lambda *_: [*found])
    except ReplayError:
        return
    for _ in range(20):
        forged = attacked(rng, found)
        try:
            calls = replay(accepted, lambda *_, it=forged: [*it])
        except ReplayError:
            continue  # a run that ends does nothing

        assert calls[-1].arguments == honest[-1].arguments, (accepted.plan.steps, found, forged)

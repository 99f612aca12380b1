"""What a run will have done before a call: what its plan proves, and what it leaves open."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec
from executor.check.analysis import Analysis
from executor.check.foreseen import Foreseen
from executor.check.order import Order
from executor.check.unknown import Unknown
from executor.plan.model import Plan, Step

ID, OPEN = {"type": "string"}, "?"
ALL = frozenset({""})
OUTPUT = {
    "type": "object",
    "properties": {"id": ID, "n": {"type": "integer"}, "list": {"type": "array", "items": ID},
                   "any": {}},
    "required": ["id", "n", "list"],
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "properties": {"id": {}, "amount": {}, "note": {}, "currency": ID},
}
SINKS = {"id": "resource_id", "amount": "amount"}


def action(name: str, effect: str, output: Any = OUTPUT, **sinks: str) -> ActionSpec:
    content = {"name": name, "effect": effect, "input_schema": SCHEMA, "output_schema": output}
    return ActionSpec.model_validate(content | {"sinks": sinks, "reads_as": "trusted"})


CATALOG = Catalog(
    [
        action("it.look", "read", **SINKS),
        action("it.check", "read", **SINKS),
        action("it.cut", "blind", **SINKS),
        action("it.pay", "blind", **SINKS),
        action("it.tell", "blind"),
        action("it.any", "read", output=None),
        action("it.see", "read"),
    ]
)
MAYBE = [{"left": "input/today", "op": "!=", "value": "2026-01-01"}]


def step(name: str, called: str, *after: str, each: str | None = None, **args: Any) -> Any:
    """A step: texts that begin with `@` are references, what is no scalar is a constant."""
    bound: list[dict[str, Any]] = []
    when = args.pop("when", [])
    for to, value in args.items():
        if isinstance(value, dict | list):
            bound.append({"json": json.dumps(value), "to": to})
        elif isinstance(value, str) and value.startswith("@"):
            bound.append({"ref": value[1:], "to": to})
        else:
            bound.append({"value": value, "to": to})
    return {"id": name, "action": called, "args": bound, "after": list(after), "each": each,
            "when": when}  # fmt: skip


def foreseen(*steps: Any) -> tuple[Foreseen, Step]:
    """What is foreseen of a plan, and its last step."""
    plan = Plan.model_validate_json(json.dumps({"steps": steps}))
    analysis = Analysis(plan, CATALOG, {})
    return Foreseen(analysis, Order(analysis), {"today": "2026-03-02", "id": "7"}), plan.steps[-1]


def runs(*steps: Any, asked: frozenset[str] = ALL) -> list[dict[str, Any]]:
    """What may have been done before the last step is called; `?` is what nobody knows."""
    found, last = foreseen(*steps)

    def shown(value: Any) -> Any:
        if isinstance(value, Unknown):
            return OPEN
        return {k: shown(v) for k, v in value.items()} if isinstance(value, dict) else value

    return [shown(each) for each in found.runs(last, asked)]


def first(*steps: Any) -> dict[str, Any]:
    return runs(*steps)[0]


def test_before_the_first_step_nothing_was_done() -> None:
    assert runs(step("a", "it.pay", id="7")) == [
        {"writes": 0, "calls": {"it.pay": 0}, "sums": {}, "succeeded": [], "same_object": []}
    ]


def test_what_ran_before_is_counted_and_named() -> None:
    found = runs(
        step("a", "it.look", id="7"),
        step("b", "it.cut", "a", id="8"),
        step("c", "it.cut", "b", id="9"),
        step("f", "fn.count", list=[]),
        step("d", "it.pay", "c", "f", id="9"),
    )

    assert found == [
        {
            "writes": 2,
            "calls": {"it.cut": 2, "it.look": 1, "it.pay": 0},
            "sums": {},
            "succeeded": ["it.cut", "it.look"],
            "same_object": ["it.cut"],
        }
    ]


def test_what_comes_later_does_not_count_and_what_stands_beside_it_is_open() -> None:
    plan = [step("d", "it.tell", "e"), step("b", "it.look"), step("e", "it.cut", id="7")]
    found = first(*plan)

    assert found["calls"] == {"it.cut": 0, "it.look": OPEN, "it.tell": 0}
    assert found["writes"] == 0
    assert found["succeeded"] == OPEN
    assert first(step("b", "it.tell"), step("e", "it.cut"))["writes"] == OPEN


def test_what_is_done_for_each_item_is_done_nobody_knows_how_often() -> None:
    many = [step("a", "it.look"), step("b", "it.cut", each="a/list", id="@each")]
    after = first(*many, step("c", "it.tell", "b"))
    own = first(step("a", "it.look"), step("b", "it.cut", each="a/list", id="@each"))
    reading = first(step("a", "it.look"), step("b", "it.check", each="a/list", id="@each"))

    assert (after["writes"], after["calls"]["it.cut"], after["calls"]["it.tell"]) == (OPEN, OPEN, 0)
    assert after["succeeded"] == OPEN  # of no item, it has not
    assert (own["writes"], own["calls"]) == (OPEN, {"it.cut": OPEN, "it.look": 1})
    assert (reading["writes"], reading["calls"]) == (0, {"it.check": OPEN, "it.look": 1})


EUR = {"amount": "1.50", "currency": "EUR"}


@pytest.mark.parametrize(
    ("steps", "sums"),
    [
        ([step("a", "it.pay", amount=EUR), step("b", "it.pay", "a", amount=EUR)], {"EUR": 150}),
        ([step("a", "it.pay", amount=EUR), step("b", "it.pay", "a", amount=EUR),
          step("c", "it.tell", "b")], {"EUR": 300}),
        ([step("a", "it.pay", amount=EUR),
          step("b", "it.pay", "a", amount={"amount": "2", "currency": "JPY"}),
          step("c", "it.pay", "b")], {"EUR": 150, "JPY": 2}),
        ([step("a", "it.pay", amount=5), step("b", "it.pay", "a")], {}),
        ([step("a", "it.look", amount=EUR), step("b", "it.pay", "a")], {}),
        ([step("a", "it.look", amount=EUR), step("b", "it.pay")], {}),  # a read moves none
        ([step("r", "it.look"), step("b", "it.tell", "a"),
          step("a", "it.pay", **{"amount/amount": "@r/any", "amount/currency": "EUR"}),
          step("c", "it.tell", "b")], OPEN),
        ([step("a", "it.tell", amount=EUR), step("b", "it.pay", "a")], {}),
        ([step("a", "it.tell"), step("b", "it.pay")], {}),
        ([step("a", "it.pay", amount=EUR), step("b", "it.tell")], OPEN),
        ([step("a", "it.pay", amount=EUR, when=MAYBE), step("b", "it.tell", "a")], OPEN),
        ([step("r", "it.look"), step("a", "it.pay", amount="@r/any"),
          step("b", "it.tell", "a")], OPEN),
        ([step("r", "it.look"), step("a", "it.pay", amount="5", currency="@r/id"),
          step("b", "it.tell", "a")], OPEN),
        ([step("r", "it.look"), step("a", "it.pay", amount="@r/any"),
          step("c", "it.pay", "a", amount=EUR), step("b", "it.tell", "c")], OPEN),
        ([step("r", "it.look"), step("b", "it.pay", amount="@r/any")], {}),
        ([step("r", "it.look"), step("b", "it.pay", each="r/list", amount=EUR)], OPEN),
        ([step("r", "it.look"), step("b", "it.tell", each="r/list")], {}),
        ([step("r", "it.look"), step("a", "it.pay", each="r/list", amount=EUR),
          step("b", "it.tell", "a")], OPEN),
    ],
)  # fmt: skip
def test_sums_are_known_where_every_amount_before_is(steps: Any, sums: Any) -> None:
    assert first(*steps)["sums"] == sums


@pytest.mark.parametrize(
    ("before", "mine", "same"),
    [
        (step("b", "it.check", id="7"), "7", ["it.check"]),
        (step("b", "it.check", id="8"), "7", []),
        (step("b", "it.check", id=["8", "7"]), "7", ["it.check"]),
        (step("b", "it.check", id="@r/id"), "@r/id", ["it.check"]),
        (step("b", "it.check", id="@r/n"), "@r/n", ["it.check"]),
        (step("b", "it.check", id="@input/id"), "7", ["it.check"]),
        (step("b", "it.check", id="@r/id"), "@r/n", OPEN),
        (step("b", "it.check", id="@r/id"), "7", OPEN),
        (step("b", "it.check", id="7"), "@r/id", OPEN),
        (step("b", "it.check", id="@r/any"), "@r/any", OPEN),  # it may be many, or none
        (step("b", "it.check", id="@r/list"), "@r/list", OPEN),
        (step("b", "it.check", id="@r/gone"), "@r/gone", OPEN),
        (step("b", "it.check", id="8", note="@r/id"), "@r/id", OPEN),
        (step("b", "it.check", note="@r/id"), "@r/id", []),
        (step("b", "it.check"), "@r/id", []),
        (step("b", "it.check", id="@r/id"), None, []),
        (step("b", "it.check", id="7", when=MAYBE), "7", OPEN),
        (step("b", "it.check", id="8", when=MAYBE), "7", []),
        (step("b", "it.check", each="r/list", id="7"), "7", OPEN),
        (step("b", "it.check", each="r/list", id="@each"), "7", OPEN),
    ],
)
def test_the_same_object_is_proved_by_a_known_id_or_one_reference(
    before: Any, mine: str | None, same: Any
) -> None:
    given = {} if mine is None else {"id": mine}
    found = first(step("r", "it.look"), before, step("c", "it.cut", "b", **given))

    assert found["same_object"] == same


def test_what_nobody_orders_may_have_been_about_the_same_object() -> None:
    one = runs(step("b", "it.check", id="7"), step("c", "it.cut", id="7"))
    other = runs(step("b", "it.check", id="8"), step("c", "it.cut", id="7"))

    assert one[0]["same_object"] == OPEN
    assert [each["same_object"] for each in one[1:]] == [[], ["it.check"]] * 2
    assert other[0]["same_object"] == []


def open_steps(count: int) -> list[Any]:
    names = ("it.look", "it.check", "it.pay", "it.tell")[:count]
    return [*(step(f"s{place}", name) for place, name in enumerate(names)), step("c", "it.cut")]


def test_of_a_few_that_may_have_succeeded_every_set_is_looked_at() -> None:
    assert [each["succeeded"] for each in runs(*open_steps(1))] == [OPEN, [], ["it.look"]]
    assert [each["succeeded"] for each in runs(*open_steps(2))] == [
        OPEN, [], ["it.check"], ["it.look"], ["it.check", "it.look"],
    ]  # fmt: skip
    assert len(runs(*open_steps(3))) == 1 + 8
    assert len(runs(*open_steps(4))) == 1  # too many
    assert len(runs(step("c", "it.cut"))) == 1  # nothing is open


def test_numbers_are_the_same_whichever_set_it_is() -> None:
    found = runs(step("a", "it.look"), step("b", "it.tell", "a"), step("o", "it.check"),
                 step("c", "it.cut", "b"))  # fmt: skip

    assert [each["succeeded"] for each in found[1:]] == [
        ["it.look", "it.tell"], ["it.check", "it.look", "it.tell"],
    ]  # fmt: skip
    assert {json.dumps(each["calls"]) for each in found} == {json.dumps(found[0]["calls"])}
    assert {each["writes"] for each in found} == {1}


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ("", 5), ("succeeded", 3), ("succeeded_count", 3), ("same_object", 3),
        ("same_object_count", 3), ("writes", 1),
    ],
)  # fmt: skip
def test_only_sets_that_policy_looks_at_are_gone_through(asked: str, count: int) -> None:
    steps = step("b", "it.check", id="7"), step("c", "it.cut", id="7")

    assert len(runs(*steps, asked=frozenset({asked}))) == count


LOOK, NONE = "it.look", frozenset[str]()
Reads = list[tuple[dict[str, Any], dict[str, Any]]]


def reads(*steps: Any, asked: frozenset[str] = ALL, stale: frozenset[str] = NONE) -> Reads:
    """What may have been read of the last call's objects, and what of it is outdated."""
    found, last = foreseen(*steps)

    def shown(value: Any) -> Any:
        return OPEN if isinstance(value, Unknown) else {k: shown(v) for k, v in value.items()}

    return [(shown(read), shown(old)) for read, old in found.reads(last, asked, stale)]


@pytest.mark.parametrize(
    ("steps", "asked", "stale", "expected"),
    [
        ([], ALL, ALL, []),
        ([step("l", LOOK)], ALL, NONE, [({}, {}), ({LOOK: OPEN}, {})]),
        ([step("l", LOOK)], ALL, ALL, [({}, {}), ({LOOK: OPEN}, {}), ({}, {LOOK: OPEN})]),
        ([step("l", LOOK)], {LOOK}, {LOOK}, [({}, {}), ({LOOK: OPEN}, {}), ({}, {LOOK: OPEN})]),
        ([step("l", LOOK)], {LOOK}, {"it.see"}, [({}, {}), ({LOOK: OPEN}, {})]),
        ([step("l", LOOK)], {"it.see"}, NONE, []),  # nobody asks for that
        ([step("l", LOOK), step("k", LOOK)], ALL, NONE, [({}, {}), ({LOOK: OPEN}, {})]),
        ([step("l", LOOK, "c")], ALL, NONE, []),  # comes later
        ([step("p", "it.pay")], ALL, NONE, []),  # reads nothing
        ([step("s", "it.see"), step("l", LOOK)], ALL, NONE,
         [({}, {}), ({"it.see": OPEN}, {}), ({LOOK: OPEN}, {}),
          ({LOOK: OPEN, "it.see": OPEN}, {})]),
    ],
)  # fmt: skip
def test_what_may_have_been_read_is_gone_through(
    steps: Any, asked: Any, stale: Any, expected: Any
) -> None:
    found = reads(*steps, step("c", "it.cut"), asked=frozenset(asked), stale=frozenset(stale))

    assert found == ([(OPEN, OPEN), *expected] if expected else [({}, {})])


def test_a_read_has_not_read_itself_and_of_many_each_is_open() -> None:
    four = [step(name, f"it.{name}") for name in ("look", "check", "any", "see")]

    assert reads(step("l", LOOK)) == [({}, {})]
    assert len(reads(*four[:3], step("c", "it.cut"))) == 1 + 8
    assert len(reads(*four[:3], step("c", "it.cut"), stale=ALL)) == 1 + 27
    assert reads(*four, step("c", "it.cut")) == [(OPEN, OPEN)]


def test_an_answer_is_of_the_kind_that_its_definition_says() -> None:
    found, last = foreseen(step("l", LOOK), step("a", "it.any"), step("c", "it.cut"))
    kinds = [
        {name: each.kinds for name, each in read.items() if isinstance(each, Unknown)}
        for read, _ in found.reads(last, ALL, NONE)
    ]

    assert kinds[-1] == {"it.any": None, LOOK: frozenset({"object"})}
    assert [each.kinds for each in next(found.reads(last, ALL, NONE)) if isinstance(each, Unknown)
            ] == [frozenset({"object"})] * 2  # fmt: skip


def test_what_is_open_is_known_by_its_kind() -> None:
    found, last = foreseen(step("p", "it.pay", amount=EUR), step("o", "it.check"),
                           step("c", "it.cut", id="7"))  # fmt: skip
    run = next(found.runs(last, ALL))
    calls = run["calls"]

    assert isinstance(calls, dict)
    assert {name: each.kinds for name, each in (run | calls).items() if isinstance(each, Unknown)
            } == {
        "writes": {"integer"}, "it.pay": {"integer"}, "it.check": {"integer"},
        "sums": {"object"}, "succeeded": {"array"},
    }  # fmt: skip


def test_sets_have_one_order() -> None:
    names = ("it.tell", "it.see", "it.look", "it.check", "it.any")
    before = [step(name[3:], name, id="7") for name in names]
    found = first(*before, step("c", "it.cut", *(name[3:] for name in names), id="7"))

    assert found["succeeded"] == sorted(names)
    assert found["same_object"] == ["it.check", "it.look"]

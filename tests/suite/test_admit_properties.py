"""Admission is total, and what it accepts without a guard never binds a wrong argument."""

import json
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from oracle import oracle
from suite_cases import SEAL_KEY, Case, context, suite, verdict_of

from executor.check.admit import Accepted, Questions, Rejected, Verdict, admit, restore, to_row
from executor.check.parse import parse_plan
from executor.check.violation import CODES
from executor.fn import FUNCTIONS
from executor.fn.compare import equal
from executor.plan.digest import plan_digest
from executor.plan.model import JsonArg, RefArg, TextArg, ValueArg
from executor.plan.render import render, render_step

CASES = suite()
ACCEPTED = [case for case in CASES if case.content.get("accepted")]
SEEDS = st.integers(0, 2**48).map(random.Random)
NASTY: tuple[Any, ...] = (
    None, True, False, 0, -0.0, 1, 1.0, -1, 0.1, 2**53 - 1, 2**53, 10**40, 1e308, "", " ", "0",
    "01", "-1", "each", "each_item", "result", "input", "input/today", "fn", "order/id", "a", "~",
    "a/b~1c", "~2", "/", "//", "order/lines/0", "lines/0/sku", "lines/1", "where/0/value", "1,000",
    "2026-02-30", "\u043c", "\u202e", "\x00", "x" * 300, "(", "mail.send", "fn.sum", "fn.",
    [], {}, [[]], {"a": 1},
    {"ref": "order", "to": ""}, {"value": 1, "to": "order_id"}, {"json": "[", "to": "x"},
    {"json": '{"a":1,"a":2}', "to": ""}, {"text": [{"lit": "5"}, {"lit": "0"}], "to": "amount"},
    {"left": "result/x", "op": "<", "value": None}, {"subject": "a", "op": "in", "list": [1, None]},
    {"__extn": {"fn": "unknown", "arg": "x"}},
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.text(max_size=6)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
LISTS = st.lists(JSON, max_size=2) | JSON
STEP = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "each", "A", ""]),
        "action": st.sampled_from(["orders.get_order", "fn.count", "fn.first_of", "no.such"]),
    },
    optional=dict.fromkeys(("args", "when", "expect", "after"), LISTS)
    | {"each": st.sampled_from([None, "a", "each", "each_item/x", "result", "b/x"])},
)
SHAPED = st.fixed_dictionaries({"steps": st.lists(STEP, max_size=3)})


def judged(text: str, case: Case | None = None) -> Verdict:
    plan = parse_plan(text)
    if isinstance(plan, tuple):
        return Rejected(plan)
    return admit(plan, context(case.given if case else {}))


def check(verdict: Verdict, case: Case | None = None) -> None:
    known = context(case.given if case else {}).catalog
    match verdict:
        case Rejected(violations=violations):
            assert violations
            assert all(each.code in CODES and each.message for each in violations)
        case Accepted(plan=plan):
            text = render(plan)
            assert all(render_step(step) in text for step in plan.steps)
            assert all(step.action in FUNCTIONS or known.get(step.action) for step in plan.steps)
            assert (
                restore(json.loads(json.dumps(to_row(verdict))), SEAL_KEY).digest == verdict.digest
            )
        case Questions():
            pass


KEYWORDS = """type format pattern minLength maxLength minimum exclusiveMaximum multipleOf enum const
    items prefixItems minItems maxItems uniqueItems properties required additionalProperties
    patternProperties anyOf oneOf allOf not $ref nullable""".split()
WORDS = st.sampled_from(["string", "date", "array", "object", "null", "#", "#/$defs/a", "a", "["])
SCHEMAS = st.recursive(
    LEAVES | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYWORDS, "a"]), inner)
    ),
    max_leaves=8,
)
TAKERS = [("mail.send", "to"), ("orders.set_status", "due"), ("orders.set_status", "lines"),
          ("orders.set_status", "metadata"), ("orders.list_orders", "limit"), ("fn.count", "list"),
          ("payments.charge", "amount"), ("fn.keys", "map"), ("fn.typed", "value")]  # fmt: skip


@given(st.dictionaries(st.sampled_from(KEYWORDS), SCHEMAS, min_size=1), st.sampled_from(TAKERS))
@example({"type": "string", "format": ["date"]}, ("orders.set_status", "due"))
def test_a_schema_of_any_make_leads_to_a_verdict(schema: Any, taker: tuple[str, str]) -> None:
    action, to = taker
    typed = [{"ref": "u", "to": "value"}, {"json": json.dumps(schema), "to": "schema"}]
    steps = [
        {"id": "u", "action": "tools.open"},
        {"id": "t", "action": "fn.typed", "args": typed},
        {"id": "m", "action": action, "args": [{"ref": "t", "to": to}], "each": None},
        {"id": "n", "action": action, "args": [{"ref": "each/a", "to": to}], "each": "t"},
    ]
    check(judged(json.dumps({"steps": steps})))


@given(JSON | SHAPED)
@example({"steps": [{"id": "a", "action": "fn.count", "each": "each"}]})
def test_any_json_at_all_is_accepted_rejected_or_a_question(value: Any) -> None:
    check(judged(json.dumps(value)))


@given(st.text() | st.binary())
def test_any_text_at_all_has_a_verdict(text: str | bytes) -> None:
    found = parse_plan(text)

    assert isinstance(found, tuple)
    assert all(each.code in CODES for each in found)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    members: Any = ()
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(place for key, member in members for place in places(member, (*path, key)))]


def mutated(rng: random.Random, value: Any) -> Any:
    """A copy with one to three places dropped, replaced, doubled, swapped or added to."""
    root: list[Any] = [json.loads(json.dumps(value))]
    for _ in range(rng.randint(1, 3)):
        path = rng.choice([place for place in places(root) if place])
        holder: Any = root
        for key in path[:-1]:
            holder = holder[key]
        other: Any = root
        for key in rng.choice(places(root)):
            other = other[key]
        roll = rng.random()
        if roll < 0.2 and len(path) > 1:
            del holder[path[-1]]
        elif roll < 0.5:
            holder[path[-1]] = json.loads(json.dumps(rng.choice(NASTY)))
        elif roll < 0.7:
            holder[path[-1]] = json.loads(json.dumps(other))
        elif isinstance(holder, list) and len(path) > 1:
            holder.insert(rng.randint(0, len(holder)), json.loads(json.dumps(holder[path[-1]])))
        elif isinstance(holder, dict):
            name = rng.choice(["each", "when", "to", "ref", "value", "x"])
            holder[name] = json.loads(json.dumps(rng.choice(NASTY)))
    return root[0]


@given(SEEDS)
def test_a_mutated_plan_has_a_verdict_and_stands_up_to_the_oracle(rng: random.Random) -> None:
    for _ in range(5):
        case = rng.choice(ACCEPTED)
        verdict = judged(json.dumps(mutated(rng, json.loads(case.text))), case)
        check(verdict, case)
        if isinstance(verdict, Accepted):
            oracle(verdict, rng, tuple(case.given.get("history", ())))


@pytest.mark.parametrize("seed", range(4))
def test_accepted_cases_stand_up_to_the_oracle(seed: int) -> None:
    rng = random.Random(seed)
    for case in ACCEPTED:
        verdict = verdict_of(case)
        assert isinstance(verdict, Accepted)
        oracle(verdict, rng, tuple(case.given.get("history", ())))


@given(SEEDS)
def test_the_digest_does_not_see_the_order_of_members(rng: random.Random) -> None:
    case = rng.choice(ACCEPTED)
    given_plan = json.loads(case.text)
    one, other = (parse_plan(json.dumps(each)) for each in (given_plan, shuffled(rng, given_plan)))
    assert not isinstance(one, tuple)
    assert not isinstance(other, tuple)

    schema = case.given.get("inputs", {}).get("schema", {})
    assert plan_digest(one.canonical(), schema, {}) == plan_digest(
        other.canonical(), shuffled(rng, schema), {}
    )


def shuffled(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shuffled(rng, value[key]) for key in rng.sample(list(value), len(value))}
    return [shuffled(rng, each) for each in value] if isinstance(value, list) else value


@given(SEEDS)
def test_every_member_of_a_plan_counts_in_its_digest(rng: random.Random) -> None:
    case = rng.choice(ACCEPTED)
    one, other = (
        parse_plan(json.dumps(each))
        for each in (json.loads(case.text), mutated(rng, json.loads(case.text)))
    )
    if isinstance(one, tuple) or isinstance(other, tuple):
        return

    is_same = equal(one.stored(), other.stored())
    assert (
        plan_digest(one.canonical(), {}, {}) == plan_digest(other.canonical(), {}, {})
    ) is is_same


def test_the_suite_uses_every_kind_of_argument() -> None:
    plans = [verdict.plan for case in ACCEPTED if isinstance(verdict := verdict_of(case), Accepted)]
    kinds = {type(arg) for plan in plans for step in plan.steps for arg in step.args}

    assert kinds == {RefArg, ValueArg, TextArg, JsonArg}

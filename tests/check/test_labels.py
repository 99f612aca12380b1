"""Labels join downwards only, and rules cope with plans that no text could hold."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.catalog import Catalog
from connectors.errors import ConfigurationError
from connectors.manifest import check_manifests
from connectors.spec import ActionSpec, Integrity, JsonObject, Label, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, Rejected, admit
from executor.check.strict_json import Flaw, read_json
from executor.check.violation import Violation
from executor.check.words import Words
from executor.plan.model import Arg, JsonArg, ListCond, Plan, RefArg, Step, ValueArg, ValueCond

READERS = st.none() | st.frozensets(st.sampled_from(["a", "b", "c"]))
LABELS = st.builds(Label, st.sampled_from(list(Integrity)), READERS)


def may_read(label: Label, who: str) -> bool:
    return label.readers is None or who in label.readers


@given(LABELS, LABELS, LABELS)
def test_a_join_is_the_lowest_integrity_and_the_readers_of_both(
    one: Label, two: Label, three: Label
) -> None:
    joined = one.join(two)

    assert joined == two.join(one)
    assert joined.join(three) == one.join(two.join(three))
    assert one.join(one) == one
    assert one.integrity.at_least(joined.integrity)
    for who in ("a", "b", "c", "d"):
        assert may_read(joined, who) is (may_read(one, who) and may_read(two, who))


def action(name: str, **more: object) -> ActionSpec:
    schema = {"type": "object", "properties": {"x": {}, "y": {}}}
    return ActionSpec.model_validate({"name": name, "input_schema": schema} | more)


@given(st.integers(0, 2**48).map(random.Random))
def test_a_result_is_never_better_than_any_untrusted_value_before_it(rng: random.Random) -> None:
    catalog = Catalog(
        [
            action("a.bad", effect="read", reads_as="untrusted", egress=False),
            action("a.good", effect="read", reads_as="trusted", egress=False),
        ]
    )
    steps: list[Step] = []
    tainted: set[str] = set()
    for number in range(rng.randint(1, 7)):
        earlier = [step.id for step in steps]
        used = rng.sample(earlier, min(len(earlier), rng.randint(0, 2)))
        by_condition = [each for each in used if rng.random() < 0.3]
        args = [
            RefArg(ref=each, to=to)
            for each, to in zip(used, ("x", "y"), strict=False)
            if each not in by_condition
        ]
        when = [ValueCond(left=each, op="==", value=1) for each in by_condition]
        name = rng.choice(["a.bad", "a.good", "a.good", "fn.first_of"])
        if name == "fn.first_of":
            args = [RefArg(ref=arg.ref, to=f"options/{at}") for at, arg in enumerate(args)]
        if name == "fn.first_of" and not args:
            name = "a.good"
        step = Step(id=f"s{number}", action=name, args=tuple(args), when=tuple(when))
        steps.append(step)
        if name == "a.bad" or tainted.intersection(used):
            tainted.add(step.id)
    verdict = judge(Plan(steps=tuple(steps)), catalog)
    assert isinstance(verdict, Accepted), verdict
    for decision in verdict.certificate.steps:
        is_low = decision.result_label.integrity is Integrity.UNTRUSTED
        assert is_low is (decision.step in tainted), (steps, decision.step)


def judge(plan: Plan, catalog: Catalog) -> object:
    return admit(
        plan,
        AdmissionContext(
            request="", inputs=Inputs(), catalog=catalog, policy=None,
            principal=Principal("u", "t"), today="2026-03-02", seal_key=b"key",
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("attendees", "asks"),
    [
        ((), False),
        ((JsonArg(json_text="[]", to="attendees"),), False),
        ((ValueArg(value=None, to="attendees"),), False),
        ((ValueArg(value="", to="attendees"),), False),
        ((ValueArg(value="me", to="attendees/0"),), True),
        ((RefArg(ref="people", to="attendees"),), True),
    ],
)
def test_content_that_a_call_shows_to_nobody_needs_no_approval(
    attendees: tuple[Arg, ...], asks: bool
) -> None:
    create = {"effect": "idempotent", "approval": None, "egress": False, "sinks": {"x": "content"}}
    catalog = Catalog(
        [
            action("mails.read", effect="read", egress=False),
            action("people.read", effect="read", egress=False, reads_as="trusted"),
            action("cal.create", **create, shown_to=["attendees"]).model_copy(
                update={"input_schema": {"type": "object"}}
            ),
            action("cal.post", **create),
        ]
    )
    bound = (RefArg(ref="mails", to="x"), *attendees)
    steps = (
        Step(id="mails", action="mails.read"),
        Step(id="people", action="people.read"),
        Step(id="create", action="cal.create", args=bound),
        Step(id="post", action="cal.post", args=bound[:1]),
    )
    verdict = judge(Plan(steps=steps), catalog)

    assert isinstance(verdict, Accepted), verdict
    assert (verdict.certificate.of("create").approval is not None) is asks
    assert verdict.certificate.of("post").approval is not None


def test_content_in_arguments_that_are_bound_as_a_whole_may_be_shown_to_anybody() -> None:
    create = {"effect": "idempotent", "approval": None, "egress": False, "sinks": {"x": "content"}}
    shown = action("cal.create", **create, shown_to=["attendees"]).model_copy(
        update={"input_schema": {"type": "object"}}
    )
    steps = (
        Step(id="mails", action="mails.read"),
        Step(id="create", action="cal.create", args=(RefArg(ref="mails", to=""),)),
    )
    catalog = Catalog([action("mails.read", effect="read", egress=False), shown])
    verdict = judge(Plan(steps=steps), catalog)

    assert isinstance(verdict, Accepted), verdict
    assert verdict.certificate.of("create").approval is not None


def test_content_is_shown_to_whom_an_argument_names() -> None:
    schema = {"type": "object", "properties": {"to": {}}, "additionalProperties": False}
    with pytest.raises(ConfigurationError, match="shown_to: there is no argument 'cc'; it has to"):
        check_manifests(Catalog([action("a.b", input_schema=schema, shown_to=["to", "cc"])]))


def test_a_plan_made_in_code_is_judged_like_one_that_was_read() -> None:
    huge = 10**40
    step = Step(
        id="a",
        action="a.good",
        args=(ValueArg(value=huge, to="x"), JsonArg(json_text="[1e999]", to="y")),
        when=(
            ValueCond(left="input/today", op="==", value=-huge),
            ListCond.model_validate({"subject": "input/today", "op": "in", "list": ("x", 1e300)}),
        ),
    )
    verdict = judge(Plan(steps=(step,)), Catalog([action("a.good", effect="read")]))

    assert isinstance(verdict, Rejected)
    assert sorted((each.code, each.at) for each in verdict.violations) == [
        ("number-out-of-range", "/steps/0/args/0/value"),
        ("number-out-of-range", "/steps/0/args/1/json"),
        ("number-out-of-range", "/steps/0/when/0/value"),
        ("number-out-of-range", "/steps/0/when/1/list/1"),
    ]


def test_types_that_double_with_every_step_are_still_judged() -> None:
    steps = [Step(id="s0", action="fn.zip", args=both("input/today"))]
    steps += [Step(id=f"s{n}", action="fn.zip", args=both(f"s{n - 1}")) for n in range(1, 50)]
    verdict = judge(Plan(steps=tuple(steps)), Catalog([]))

    assert isinstance(verdict, Rejected)
    assert {each.at.split("/")[2] for each in verdict.violations} == {"0"}


def both(ref: str) -> tuple[RefArg, RefArg]:
    return RefArg(ref=ref, to="left"), RefArg(ref=ref, to="right")


@given(st.text(max_size=40), st.text(max_size=12))
def test_what_was_said_is_found_whatever_the_text(text: str, value: str) -> None:
    words = Words([text], "no day")

    assert words.hold(None)
    assert words.hold([])
    assert words.hold({"a": value}) is words.hold(value)
    if words.hold(value):
        assert value.strip()


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        (b"\xff", "malformed-json", ""),
        ("", "malformed-json", ""),
        ('{"a": "\ud800"}', "malformed-json", "/a"),
        ('{"\\ud800": 1}', "malformed-json", ""),
        ('{"a": [1, {"b": 1, "b": 2}]}', "duplicate-key", ""),
        ("[" * 100_000, "too-large", ""),
        ('{"a":' * 33 + "1" + "}" * 33, "too-large", "/a" * 32),
        ("[" + "1," * 500_000 + "1]", "too-large", ""),
        ("9007199254740992", "number-out-of-range", ""),
        ("-1e16", "number-out-of-range", ""),
        ("1e400", "number-out-of-range", ""),
        ("1" * 33, "number-out-of-range", ""),
        ("Infinity", "malformed-json", ""),
        ("[1,]", "malformed-json", ""),
        ("\ufeff{}", "malformed-json", ""),
    ],
)
def test_json_is_read_strictly(text: str | bytes, code: str, at: str) -> None:
    with pytest.raises(Flaw) as caught:
        read_json(text)

    assert (caught.value.code, caught.value.at) == (code, at)


def test_what_is_strict_json_is_read() -> None:
    assert read_json(b'{"a": [1, -0.0, 9007199254740991, "\\ud83d\\ude00", true, null]}') == {
        "a": [1, 0, 2**53 - 1, "\N{GRINNING FACE}", True, None]
    }
    assert read_json('{"a":' * 31 + "1" + "}" * 31)
    assert read_json("[9223372036854775807]", wide=True) == [2.0**63]


def test_a_violation_is_published_with_all_it_knows() -> None:
    found = Violation("unknown-path", "/steps/0", "nothing is there", "a", ("b",), "Use b.")

    assert found.as_json() == {
        "code": "unknown-path",
        "at": "/steps/0",
        "message": "nothing is there",
        "step": "a",
        "candidates": ["b"],
        "fix": "Use b.",
    }


def test_a_name_is_looked_for_in_a_large_catalogue_without_delay() -> None:
    names = [f"conn{n % 40}.operation_{n}_create" for n in range(4_000)]
    catalog = Catalog([action(name, effect="read") for name in names])
    steps = tuple(Step(id=f"s{n}", action=f"conn3.operatoin_{n}_create") for n in range(50))
    verdict = judge(Plan(steps=steps), catalog)

    assert isinstance(verdict, Rejected)
    assert len(verdict.violations) == 50
    assert verdict.violations[0].candidates


@pytest.mark.parametrize(
    ("currency", "value", "to", "said"),
    [
        ({"enum": ["EUR", "JPY"]}, {"amount": "50", "currency": "JPY"}, "sum", "model"),
        ({"enum": ["EUR", "JPY"]}, {"amount": "50", "currency": "EUR"}, "sum", "request"),
        ({"const": "JPY"}, {"amount": "50", "currency": "JPY"}, "sum", "request"),
        ({"enum": ["EUR", "JPY"]}, {"sum": {"amount": "50", "currency": "JPY"}}, "", "model"),
        ({}, {"sum": {"amount": "50", "currency": "EUR"}, "how": "fast"}, "", "request"),
    ],
)
def test_who_chooses_a_currency_among_several_chooses_how_much(
    currency: JsonObject, value: JsonObject, to: str, said: str
) -> None:
    money = {"properties": {"amount": {"type": "string"}, "currency": currency}}
    schema = {"type": "object", "properties": {"sum": money, "how": {"enum": ["fast", "slow"]}}}
    pay = ActionSpec.model_validate(
        {"name": "bank.pay", "effect": "blind", "input_schema": schema, "sinks": {"sum": "amount"}}
    )
    plan = Plan(
        steps=(Step(id="p", action="bank.pay", args=(JsonArg(json=json.dumps(value), to=to),)),)
    )
    who = Principal("u", "t")
    context = AdmissionContext(
        "pay 50 EUR", Inputs(), Catalog([pay]), None, who, "2026-01-31", b"k"
    )
    verdict = admit(plan, context)

    assert isinstance(verdict, Accepted)
    assert verdict.certificate.of("p").labels[to].integrity.value == said


def test_what_each_step_puts_deeper_into_another_value_has_the_label_of_what_is_inside() -> None:
    catalog = Catalog([action("mails.read", effect="read", egress=False)])
    steps, before = [Step(id="mails", action="mails.read")], "mails"
    for number in range(20):
        inside = RefArg(ref=before, to="value" + 30 * "/a")
        whatever = JsonArg(json_text="{}", to="schema")
        before = f"s{number}"
        steps.append(Step(id=before, action="fn.typed", args=(inside, whatever)))
    verdict = judge(Plan(steps=tuple(steps)), catalog)

    assert isinstance(verdict, Accepted), verdict
    assert verdict.certificate.of(before).result_label.integrity is Integrity.UNTRUSTED

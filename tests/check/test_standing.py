"""How a step stands: what its guards hold, and who is asked for what reason."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, Label, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, Rejected, Verdict, admit
from executor.check.cedar import Policy
from executor.check.certificate import ApprovalNeed, Guard, StepDecision
from executor.check.parse import plan_of
from executor.plan.model import Plan

TEXT: dict[str, Any] = {"type": "string"}
ALL = '@id("all") permit (principal, action, resource);\n'


def schema(*required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def action(name: str, **more: Any) -> ActionSpec:
    content = {"name": name, "effect": "blind", "approval": None, "egress": False}
    return ActionSpec.model_validate(content | more)


CATALOG = Catalog(
    [
        action(
            "mail.send",
            input_schema=schema(to=TEXT, text=TEXT, n={"type": "integer"}),
            sinks={"to": "recipient", "text": "content"},
        ),
        action(
            "mail.drop",
            input_schema=schema(id=TEXT),
            approval="boss",
            sinks={"id": "resource_id"},
        ),
        action(
            "mail.pair",
            input_schema=schema(a=TEXT, b=TEXT)
            | {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        ),
        action(
            "mail.odd",
            input_schema=schema(a=TEXT, b=TEXT)
            | {"if": {"properties": {"a": {"const": "x"}}}, "then": {"required": ["b"]}},
        ),
        action("mail.publish", input_schema=schema(text=TEXT), egress=True),
        action(
            "web.get",
            effect="read",
            reads_as="untrusted",
            input_schema=schema(),
            output_schema=schema("text", "flag", text=TEXT, flag={"type": "boolean"}, any={}),
        ),
    ]
)
READ = {"id": "r", "action": "web.get"}


def verdict(*steps: dict[str, Any], policy: str | None = None, **more: Any) -> Verdict:
    found = plan_of({"steps": list(steps)})
    assert isinstance(found, Plan)
    given: dict[str, Any] = {"inputs": Inputs({"properties": {"x": {}}}), "request": "to ann"}
    context = AdmissionContext(
        **given | more,
        catalog=CATALOG,
        policy=None if policy is None else Policy.parse({"a.cedar": policy}),
        principal=Principal("me", "main", frozenset({"clerk"})),
        today="2026-03-02",
        seal_key=b"key",
    )
    return admit(found, context)


def decided(*steps: dict[str, Any], **more: Any) -> StepDecision:
    found = verdict(*steps, **more)
    assert isinstance(found, Accepted), found
    return found.certificate.steps[-1]


def need(*steps: dict[str, Any], **more: Any) -> ApprovalNeed:
    found = decided(*steps, **more).approval
    assert found is not None
    return found


def call(name: str, *args: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "a", "action": name, "args": list(args)} | more


def value(to: str, given: Any) -> dict[str, Any]:
    return {"value": given, "to": to}


def ref(to: str, of: str) -> dict[str, Any]:
    return {"ref": of, "to": to}


def test_a_guard_holds_what_the_value_must_be() -> None:
    (guard,) = decided(call("mail.send", ref("n", "input/x"))).guards

    assert (guard.kind, guard.at, guard.expected) == ("type", "n", {"type": "integer"})
    assert guard.why == "input/x is not known to have the right type"


def test_a_piece_that_may_be_no_text_is_checked_as_a_text() -> None:
    pieces = [{"lit": "so "}, {"ref": "r/text"}, {"ref": "r/any"}]
    (guard,) = decided(READ, call("mail.send", {"text": pieces, "to": "text"})).guards

    assert (guard.kind, guard.at, guard.expected) == ("type", "text", {"type": "string"})
    sure = [{"lit": "so "}, {"ref": "r/text"}, {"ref": "r/flag"}]
    assert decided(READ, call("mail.send", {"text": sure, "to": "text"})).guards == ()


def test_arguments_that_may_not_go_together_are_checked_as_a_whole() -> None:
    pair = CATALOG.get("mail.pair")
    assert pair is not None
    given = {"value": "x", "to": "a"}, {"ref": "input/x", "to": ""}
    (whole,) = decided(call("mail.pair", given[1])).guards

    assert (whole.at, whole.expected) == ("", pair.input_schema)
    assert decided(call("mail.pair", given[0])).guards == ()

    odd = CATALOG.get("mail.odd")
    assert odd is not None
    (only_whole,) = decided(READ, call("mail.odd", ref("a", "r/text"))).guards
    assert (only_whole.kind, only_whole.at, only_whole.expected) == ("type", "", odd.input_schema)
    assert only_whole.why == "the arguments together are not known to be valid"


def test_what_policy_waits_for_is_a_guard_that_says_so() -> None:
    text = ALL + '@id("no") forbid (principal, action, resource) when { context.args.n > 1 };'
    asks = (
        ALL + '@id("few") @approval("boss") forbid (principal, action, resource)'
        ' when { context.args.n > 1 } unless { context.approvals.contains("boss") };'
    )
    step = call("mail.send", ref("n", "input/x"))
    number = Inputs({"properties": {"x": {"type": "integer"}}, "required": ["x"]})

    assert decided(step, policy=text, inputs=number).guards == (
        Guard(
            kind="policy",
            at="",
            why="no: decided once args/n can be seen",
            policies=("no",),
            needs=("args/n",),
        ),
    )
    (guard,) = decided(step, policy=asks, inputs=number).guards
    assert guard.why == "few: decided once args/n can be seen; it may ask for boss"
    told = asks.replace("forbid", '@message("too many") @quorum("2") forbid')
    plain, with_words = (
        decided(step, policy=each, inputs=number).may_need for each in (asks, told)
    )
    assert plain == ApprovalNeed(role="boss", reasons=("policy few",), policies=("few",))
    assert with_words == ApprovalNeed(
        role="boss", quorum=2, reasons=("too many",), policies=("few",)
    )


def test_an_approval_says_of_each_argument_why() -> None:
    made_up = need(call("mail.send", value("to", "eve"), value("text", "hello")))
    untrusted = need(READ, call("mail.send", ref("to", "r/text"), ref("text", "r/text")))
    when = [{"left": "r/flag", "op": "==", "value": True}]
    decides = need(READ, call("mail.send", value("to", "ann"), when=when))

    assert made_up == ApprovalNeed(
        role="approver", reasons=("to (recipient) is not in the words of the request",)
    )
    assert untrusted.reasons == (
        "to (recipient) comes from an untrusted result",
        "text (content) comes from an untrusted result",
    )
    assert decides.reasons == ("to (recipient): an untrusted result decides whether or how often",)


def test_of_a_whole_every_class_of_place_is_told() -> None:
    whole = need(READ, call("mail.send", {"json": '{"to": "eve", "text": "x"}', "to": ""}))

    assert whole.reasons == ("the whole argument (recipient) is not in the words of the request",)


def test_the_role_of_an_action_is_asked_first_and_says_who_comes_then() -> None:
    asks = (
        ALL + '@id("mine") @approval("{}") @quorum("2") @expires("60"){} forbid (principal, action,'
        ' resource) unless {{ context.approvals.contains("{}") }};'
    )
    step = call("mail.drop", value("id", "eve"))
    own = ("mail.drop always needs one", "id (resource_id) is not in the words of the request")

    assert need(step) == ApprovalNeed(role="boss", reasons=own)
    assert need(step, policy=asks.format("boss", ' @message("why not")', "boss")) == ApprovalNeed(
        role="boss", quorum=2, reasons=(*own, "why not"), policies=("mine",), expires_s=60.0
    )
    assert need(step, policy=asks.format("chief", "", "chief")) == ApprovalNeed(
        role="boss", reasons=(*own, "policy mine (and then by chief)"), policies=("mine",)
    )
    both = asks.format("chief", "", "chief") + asks.format("aunt", "", "aunt").replace(ALL, "")
    assert need(step, policy=both.replace("mine", "hers", 1)).reasons == (
        *own, "policy mine (and then by aunt)", "policy hers (and then by chief)",
    )  # fmt: skip


def test_where_only_policy_asks_its_role_is_asked() -> None:
    asks = (
        ALL + '@id("mine") @approval("chief") forbid (principal, action, resource)'
        ' unless { context.approvals.contains("chief") };'
    )

    assert need(call("mail.send", value("to", "ann")), policy=asks) == ApprovalNeed(
        role="chief", reasons=("policy mine",), policies=("mine",)
    )


def test_functions_are_not_judged_by_policy() -> None:
    counted = {"id": "c", "action": "fn.count", "args": [{"json": "[]", "to": "list"}]}

    assert decided(counted, policy="forbid (principal, action, resource);").standing == "allowed"


def test_the_day_of_admission_is_known_to_policy() -> None:
    text = ALL + 'forbid (principal, action, resource) when { context.args.to == "2026-03-02" };'
    found = verdict(call("mail.send", ref("to", "input/today")), policy=text)

    assert isinstance(found, Rejected)


def message(found: Verdict) -> str:
    assert isinstance(found, Rejected)
    (only,) = found.violations
    return only.message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "mail.send: no policy is configured, so nothing writes"),
        ('@id("no") forbid (principal, action, resource);', "mail.send: forbidden (no)"),
        ('@id("no") @message("never") forbid (principal, action, resource);',
         "mail.send: never (no)"),
        ('permit (principal, action == Action::"read", resource);',
         "mail.send: no policy permits it"),
    ],
)  # fmt: skip
def test_a_no_is_told_with_its_policy(text: str, told: str) -> None:
    assert message(verdict(call("mail.send", value("to", "ann")), policy=text)) == told


@pytest.mark.parametrize(
    ("readers", "who"),
    [({"staff", "board", "clerks"}, "board, clerks, staff"), (set(), "nobody")],
)
def test_what_some_may_read_is_told_with_who_they_are(readers: set[str], who: str) -> None:
    label = Label(Integrity.REQUEST, frozenset(readers))
    inputs = Inputs({"properties": {"x": TEXT}}, {"x": "y"}, {"x": label})
    found = verdict(call("mail.publish", ref("text", "input/x")), inputs=inputs)

    assert message(found) == f"only {who} may read what goes into 'text'; mail.publish shows it"


def test_the_certificate_keeps_who_may_read_a_value() -> None:
    label = Label(Integrity.TRUSTED, frozenset({"staff", "board"}))
    inputs = Inputs({"properties": {"x": TEXT}}, {"x": "y"}, {"x": label})
    found = decided(call("mail.send", ref("text", "input/x")), inputs=inputs)

    assert found.labels["text"].readers == ("board", "staff")
    assert decided(call("mail.send", value("text", "z"))).labels["text"].readers is None


@pytest.mark.parametrize(
    ("word", "x", "label"),
    [
        ("there", "there", "request"),
        ("there", {"deep": ["there"]}, "request"),
        ("deep", {"deep": ["there"]}, "model"),
        ("None", [None], "model"),
        ("7", {"n": 7}, "request"),
    ],
)
def test_values_of_inputs_ground_a_literal_and_their_names_do_not(
    word: str, x: Any, label: str
) -> None:
    found = decided(call("mail.send", value("text", word)), inputs=Inputs({}, {"x": x}))

    assert found.labels["text"].integrity == label


def test_where_no_approval_may_lift_it_the_place_is_that_of_the_value() -> None:
    whole = {"json": json.dumps({"to": "eve"}), "to": ""}
    found = verdict(call("mail.send", whole), lift_role=None)
    assert isinstance(found, Rejected)

    assert [(each.code, each.at) for each in found.violations] == [
        ("ungrounded-target", "/steps/0/args/0/json")
    ]


BOSS = (
    '@id("b") @approval("boss") @expires("60") @quorum("2") forbid (principal, action, resource)'
    ' when { context.args.n > 3 } unless { context.approvals.contains("boss") };'
)


def test_the_day_is_of_the_gateway_and_what_was_said_before_counts_as_said() -> None:
    said = Inputs({"properties": {"x": {}}}, {"x": "bob"}, {"x": Label(Integrity.MODEL)})
    trusted = Inputs({"properties": {"x": {}}}, {"x": "bob"}, {"x": Label(Integrity.TRUSTED)})
    to_bob = call("mail.send", value("to", "bob"))

    def label(*steps: Any, **more: Any) -> Integrity:
        (found,) = decided(*steps, **more).labels.values()
        return found.integrity

    assert label(call("mail.send", ref("text", "input/today"))) is Integrity.CONFIG
    assert label(to_bob) is Integrity.MODEL
    assert label(to_bob, history=("write to bob",)) is Integrity.REQUEST
    assert label(to_bob, inputs=said) is Integrity.MODEL  # made up, and so no ground
    assert label(to_bob, inputs=trusted) is Integrity.TRUSTED


def test_a_decision_names_its_policies_and_whom_they_may_still_ask() -> None:
    known = decided(call("mail.send", value("n", 1)), policy=ALL)
    open_yet = decided(call("mail.send", ref("n", "input/x")), policy=ALL + BOSS)
    asked = decided(call("mail.send", value("n", 4)), policy=ALL + BOSS)
    unjudged = decided(call("mail.send", value("n", 1)))

    assert (known.policies, unjudged.policies) == (("all",), ())
    assert known.note is known.observed is known.may_need is unjudged.observed is None
    assert (asked.may_need, asked.policies) == (None, ("b",))
    assert asked.approval
    assert (asked.approval.role, asked.approval.quorum) == ("boss", 2)
    assert open_yet.may_need == ApprovalNeed(
        role="boss", quorum=2, reasons=("policy b",), policies=("b",), expires_s=60.0
    )
    assert open_yet.approval is None


def test_what_some_may_read_may_go_where_nobody_else_sees_it() -> None:
    label = Label(Integrity.REQUEST, frozenset({"ann"}))
    private = Inputs({"properties": {"x": TEXT}, "required": ["x"]}, {"x": "s"}, {"x": label})
    kept = verdict(call("mail.send", ref("text", "input/x")), inputs=private)
    shown = verdict(call("mail.publish", ref("text", "input/x")), inputs=private)

    assert isinstance(kept, Accepted)
    assert isinstance(shown, Rejected)
    assert [each.code for each in shown.violations] == ["private-to-open"]

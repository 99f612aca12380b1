"""What of a plan can be taken back is said with the plan: how, with which labels, or why not."""

import json
from typing import Any

import pytest

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, Label, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, Rejected, Verdict, admit
from executor.check.cedar import Policy
from executor.check.certificate import Options, UndoDecision
from executor.check.parse import plan_of
from executor.plan.model import Plan

TEXT = {"type": "string"}
OUTPUT = {
    "type": "object",
    "properties": {"id": TEXT, "count": {"type": "integer"}},
    "required": ["id"],
    "additionalProperties": False,
}
BY_RESULT = {"action": "it.take", "args": [{"ref": "result/id", "to": "id"}]}
STOP, BACK = Options(), Options(on_failure="undo")
ALL = Policy.parse({"all.cedar": "permit (principal, action, resource);"})


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def action(name: str, effect: str = "idempotent", **more: Any) -> ActionSpec:
    given = {
        "name": name, "effect": effect, "output_schema": OUTPUT, "reads_as": "trusted",
        "input_schema": closed(x=TEXT, o={"type": "object"}),
        "irreversible": False, "egress": False, "approval": None,
    }  # fmt: skip
    return ActionSpec.model_validate(given | more)


TAKE = action("it.take", input_schema=closed(id=TEXT) | {"required": ["id"]})
PLAIN = (
    TAKE,
    action("it.look", "read"),
    action("it.blind", "blind", input_schema=closed(id=TEXT)),
    action("it.pivot", input_schema=closed(id=TEXT), pivot=True),
)


def verdict(
    made: ActionSpec, options: Options = STOP, args: Any = (), labels: Any = None
) -> Verdict:
    """A look, and then one call of an action."""
    steps: Any = [{"id": "look", "action": "it.look"},
                  {"id": "make", "action": made.name, "args": [*args]}]  # fmt: skip
    plan = plan_of({"steps": steps})
    assert isinstance(plan, Plan)
    schema: Any = closed(said=TEXT, found=TEXT)
    inputs = Inputs(schema, {"said": "a", "found": "b"}, labels or {})
    return admit(
        plan,
        AdmissionContext(
            request="a", inputs=inputs, catalog=Catalog([*PLAIN, made]), policy=ALL,
            principal=Principal("ann", "main", frozenset()), today="2026-03-02", seal_key=b"k",
            options=options,
        ),
    )  # fmt: skip


def undo_of(made: ActionSpec, **more: Any) -> UndoDecision:
    """How the call is taken back, in a plan that is accepted."""
    found = verdict(made, **more)
    assert isinstance(found, Accepted), found
    assert found.certificate.undo_of("look") is None
    undo = found.certificate.undo_of("make")
    assert undo is not None
    return undo


@pytest.mark.parametrize(
    ("more", "kind", "why"),
    [
        ({"pivot": True}, "pivot", "nothing is taken back once this has happened"),
        ({"irreversible": True}, "cannot", "it is irreversible"),
        ({}, "cannot", "no undo is declared"),
        ({"undo": BY_RESULT}, "can", ""),
    ],
)
def test_an_action_says_whether_it_can_be_taken_back(more: Any, kind: str, why: str) -> None:
    found = undo_of(action("it.make", **more))

    assert (found.step, found.kind, found.why) == ("make", kind, why)
    assert found.action == ("it.take" if kind == "can" else None)


def test_a_read_is_not_taken_back_whatever_the_run_is_to_do() -> None:
    found = verdict(action("it.see", "read"), BACK)

    assert isinstance(found, Accepted)
    assert found.certificate.undo == ()


def test_what_the_manifest_says_of_an_undo_is_in_the_certificate() -> None:
    more = {"parallel": True, "deadline_s": 30.0, "safe_when_absent": True}
    by_input = {"action": "it.take", "args": [{"ref": "input/x", "to": "id"}]}
    args = [{"value": "a", "to": "x"}]
    found = undo_of(action("it.make", undo=by_input | more), args=args)
    plain = undo_of(action("it.make", undo=BY_RESULT))

    assert (found.parallel, found.deadline_s, found.safe_when_absent) == (True, 30.0, True)
    assert (plain.parallel, plain.safe_when_absent) == (False, False)
    assert [dict(each) for each in found.args] == by_input["args"]
    assert (found.needs_result, plain.needs_result) == (False, True)
    both = {"action": "it.any", "args": [{"ref": "input/x", "to": "a"},
                                         {"ref": "result/id", "to": "b"}]}  # fmt: skip
    assert undo_of(action("it.any", input_schema={"type": "object"}, undo=both)).needs_result


UNTRUSTED = {"found": Label(Integrity.UNTRUSTED, frozenset({"bob", "ann"}))}
FOUND, SAID = {"ref": "input/found", "to": "x"}, {"value": "a", "to": "x"}


@pytest.mark.parametrize(
    ("arg", "args", "label"),
    [
        ({"ref": "result/id"}, [FOUND], ("untrusted", ("ann", "bob"))),  # an argument chose it
        ({"ref": "result/id"}, [SAID], ("trusted", None)),
        ({"ref": "input/x"}, [FOUND], ("untrusted", ("ann", "bob"))),
        ({"ref": "input/x"}, [SAID], ("request", None)),
        ({"value": "a"}, [FOUND], ("config", None)),
        ({"text": [{"lit": "n "}, {"ref": "input/x"}]}, [SAID], ("request", None)),
        ({"text": [{"lit": "n "}, {"ref": "result/id"}]}, [SAID], ("trusted", None)),
        ({"text": [{"lit": "n "}]}, [FOUND], ("config", None)),
    ],
)
def test_an_argument_of_an_undo_is_labelled_by_what_it_refers_to(
    arg: Any, args: Any, label: tuple[str, Any]
) -> None:
    undo = {"action": "it.take", "args": [arg | {"to": "id"}]}
    found = undo_of(action("it.make", undo=undo), args=args, labels=UNTRUSTED)

    assert {at: (it.integrity.value, it.readers) for at, it in found.labels.items()} == {
        "id": label
    }


@pytest.mark.parametrize(
    ("path", "integrity"),
    [
        ("input", "untrusted"),
        ("input/o", "untrusted"),
        ("input/o/a", "untrusted"),
        ("input/o/a/b", "untrusted"),
        ("input/o/c", "request"),
        ("input/o/d", "config"),  # nothing is bound there
    ],
)
def test_the_label_is_of_all_that_is_bound_there_above_or_below(path: str, integrity: str) -> None:
    undo = {"action": "it.any", "args": [{"ref": path, "to": "id"}]}
    args = [FOUND | {"to": "o/a"}, SAID | {"to": "o/c"}]
    made = action("it.any", input_schema={"type": "object"}, undo=undo)
    found = undo_of(made, args=args, labels=UNTRUSTED)

    assert found.labels["id"].integrity.value == integrity


FLAWED: list[tuple[dict[str, Any], str, str]] = [
    ({"action": "it.gone"}, "unknown-action", "it.gone is not in the catalog"),
    ({"action": "it.blind"}, "unknown-action", "it.blind is blind"),
    ({"action": "it.pivot"}, "unknown-action", "it.pivot is a pivot"),
    ({"args": [{"from": "result/id"}]}, "unknown-field",
     "its arguments are not in the plan language"),
    ({"args": [{"ref": "look/id", "to": "id"}]}, "unknown-step",
     "its arguments refer to look; there are input and result"),
    ({"args": [{"ref": f"{each}/id", "to": each} for each in "gfedcb"]}, "unknown-step",
     "its arguments refer to b; there are input and result"),  # the first by name
    ({"safe_when_absent": True}, "unknown-step",
     "it is called safe_when_absent, but takes the result"),
    ({"args": []}, "missing-argument", "it.take: it.take needs 'id'"),
    ({"args": [{"ref": "result/gone", "to": "id"}]}, "unknown-path",
     "it.take: nothing is at call/gone"),
    ({"args": [{"ref": "input/gone", "to": "id"}]}, "unknown-path",
     "it.take: nothing is at input/gone"),
    ({"args": [{"ref": "result/count", "to": "id"}]}, "type-mismatch",
     "it.take: integer can never be string for 'id'"),
    ({"args": [{"ref": "result/id", "to": "id"}, {"value": 1, "to": "more"}]},
     "unknown-argument", "it.take: it.take has no argument 'more'"),
    ({"args": [{"text": [{"ref": "result/gone"}], "to": "id"}]}, "unknown-path",
     "it.take: nothing is at call/gone"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "code", "why"), FLAWED)
def test_a_flawed_undo_is_no_undo_and_refused_where_the_run_is_to_undo(
    change: dict[str, Any], code: str, why: str
) -> None:
    made = action("it.make", undo=BY_RESULT | change)
    left = undo_of(made)
    refused = verdict(made, BACK)

    assert (left.kind, left.why, left.action, left.labels) == ("cannot", why, None, {})
    assert isinstance(refused, Rejected)
    (violation,) = refused.violations
    assert (violation.code, violation.step, violation.at) == (code, "make", "/steps/1/action")
    assert violation.message == f"it.make cannot be undone: {why}"
    assert violation.fix == "Have the operator repair the action's undo, or run without it."


def test_every_flaw_is_said() -> None:
    undo = {"action": "it.both", "args": [{"ref": "look/id", "to": "id"}]}
    both = action("it.both", "blind", input_schema=closed(id=TEXT), undo=undo)
    found = undo_of(both)
    why = "it.both is blind; its arguments refer to look; there are input and result"

    assert found.why == why


def test_an_action_that_says_nothing_of_its_arguments_leaves_an_undo_of_them_open() -> None:
    undo = {"action": "it.take", "args": [{"ref": "input/any", "to": "id"}]}
    closed_one = action("it.make", input_schema={"type": "object", "additionalProperties": False},
                        undo=undo)  # fmt: skip

    assert undo_of(action("it.make", input_schema={"type": "object"}, undo=undo)).kind == "can"
    assert undo_of(closed_one).why == "it.take: nothing is at input/any"


def test_a_sound_undo_is_accepted_where_the_run_is_to_undo() -> None:
    found = undo_of(action("it.make", undo=BY_RESULT), options=BACK)

    assert found.kind == "can"
    assert json.loads(json.dumps([*found.args])) == BY_RESULT["args"]


def test_what_the_call_itself_needs_is_no_flaw_of_its_undo() -> None:
    needs = action("it.make", input_schema=closed(x=TEXT) | {"required": ["x"]}, undo=BY_RESULT)

    assert undo_of(needs, args=[SAID], options=BACK).kind == "can"

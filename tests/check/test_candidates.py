"""Names that could have been meant: the nearest few, and quickly, however large the catalogue."""

from typing import Any

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Principal
from executor.check.admit import AdmissionContext, Inputs, Rejected, admit
from executor.check.parse import plan_of
from executor.check.violation import Violation
from executor.fn import FUNCTIONS
from executor.plan.model import Plan


def action(name: str, **more: Any) -> ActionSpec:
    content = {"name": name, "effect": "read", "input_schema": {"type": "object"}}
    return ActionSpec.model_validate(content | more)


def found(catalog: list[ActionSpec], *steps: Any) -> tuple[Violation, ...]:
    plan = plan_of({"steps": list(steps)})
    assert isinstance(plan, Plan), plan
    context = AdmissionContext(
        "", Inputs(), Catalog(catalog), None, Principal("me", "main"), "2026-03-02", b"key"
    )
    verdict = admit(plan, context)
    assert isinstance(verdict, Rejected)
    return verdict.violations


def call(name: str, step: str = "a", *args: Any) -> Any:
    return {"id": step, "action": name, "args": list(args)}


def guesses(catalog: list[ActionSpec], *names: str) -> list[tuple[str, ...]]:
    steps = [call(name, f"s{number}") for number, name in enumerate(names)]
    return [each.candidates for each in found(catalog, *steps)]


MAIL = [action(f"mail.{name}") for name in ("send", "sent", "find", "drop")]
# So many that not each of them can be looked at closely, all of them of the same letters.
MANY = [action(f"zdnes.liam{number}") for number in range(400)]
MANY += [action(f"mail.{name}") for name in ("send", "sent", "sender", "sending", "s")]


def test_the_nearest_names_are_told_the_nearest_first() -> None:
    (one,) = found(MAIL, call("mail.sned"))

    assert one.candidates[0] == "mail.send"
    assert one.message == "mail.sned is not in the catalog; did you mean mail.send?"
    assert guesses(MAIL, "zzzz.qqqq") == [()]
    (none,) = found(MAIL, call("zzzz.qqqq"))
    assert none.message == "zzzz.qqqq is not in the catalog"


def test_in_a_large_catalogue_the_nearest_are_found_as_well() -> None:
    (names,) = guesses(MANY, "mail.sned")

    assert names[0] == "mail.send"
    assert len(names) == 3
    assert all(name.startswith("mail.") for name in names)
    assert guesses(MANY, "qqqq.xxxx") == [()]
    assert guesses(MANY, "mail.szzzzzzzz") == [("mail.s", "mail.sent", "mail.send")]  # hardly alike


def test_a_few_unknown_names_are_guessed_at_and_each_of_them_once() -> None:
    wrong = ["mail.sned", "mail.fnd", "mail.drp", "mail.snd", "mail.fidn", "mail.dorp"]
    told = guesses(MAIL, *wrong, wrong[0])

    assert all(told[:5])
    assert told[5] == ()
    assert told[6] == told[0]


def test_a_name_beyond_all_length_is_read_to_its_eightieth_letter() -> None:
    long = action("a." + "b" * 62)

    assert guesses([long], "a." + "b" * 78) == [(long.name,)]


def test_a_function_is_looked_for_among_functions() -> None:
    (names,) = guesses([*MAIL, action("fan.cont")], "fn.cont")

    assert names[0] == "fn.count"
    assert {*names} <= {*FUNCTIONS}
    (all_of_them,) = guesses(MAIL, "fn.000000000")
    assert all_of_them == tuple(FUNCTIONS)[:8]


OUTPUT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "inside": {"type": "object", "properties": {"b": {}, "c": {}}},
        "closed": {"type": "string"},
    },
}
READ = action("a.read", output_schema=OUTPUT)


def siblings(ref: str) -> tuple[str, ...]:
    answer = {"id": "b", "action": "fn.count", "args": [{"ref": ref, "to": "list"}]}
    told = [each for each in found([READ], call("a.read"), answer) if each.code == "unknown-path"]
    return told[0].candidates


def test_beside_a_path_that_leads_nowhere_its_neighbours_are_told() -> None:
    assert siblings("a/gone") == ("id", "inside", "closed")
    assert siblings("a/inside/gone") == ("b", "c")
    assert siblings("a/gone/deep/below") == ("id", "inside", "closed")
    assert siblings("a/closed/gone") == ()


def test_steps_that_could_be_meant_are_told() -> None:
    told = found([READ], call("a.read"), call("a.read", "c", {"ref": "d/id", "to": "x"}))

    assert [(each.code, {*each.candidates}) for each in told] == [("unknown-step", {"a", "c"})]


def test_a_circle_is_told_from_its_first_step_back_to_it() -> None:
    steps = [call("a.read", "a") | {"after": ["b"]}, call("a.read", "b") | {"after": ["a"]}]
    (told,) = found([READ], *steps)

    assert told.code == "cycle"
    assert told.message in ("a waits for b waits for a", "b waits for a waits for b")

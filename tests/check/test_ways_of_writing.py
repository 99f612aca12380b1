"""What was made up reaches no target, whichever way a plan writes it; a run binds what it shows."""

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))
import run_cases as rc
from run_cases import applied, play, ref, step, value

from connectors.catalog import Catalog
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit
from executor.check.certificate import Options
from executor.check.parse import plan_of
from executor.run.commands import Perform

ROW = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "status": {"type": "string"}},
    "required": ["id", "status"],
}
ROWS = {"type": "array", "items": ROW}
OF = {"type": "object", "properties": {"user": {"type": "string"}, "status": {"type": "string"}}}
WHO = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["id", "n"],
}
WHAT = {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}
WHOSE = {"type": "object", "properties": {"of": OF}, "required": ["of"]}
OURS = {"*/id": "trusted", "*/status": "trusted"}
MORE = (
    rc.action("box.list", reads_as="trusted", output_schema=ROWS),
    rc.action("box.inbox", reads_as="untrusted", output_schema=ROWS, fields_read_as=OURS),
    rc.action("box.who", reads_as="trusted", output_schema=WHO),
    rc.action("box.drop", "idempotent", sinks={"what": "resource_id"}, input_schema=WHAT),
    rc.action("box.wipe", "idempotent", sinks={"of": "resource_id"}, input_schema=WHOSE),
)
LISTED = [{"id": f"W-{n}", "status": "open"} for n in (76, 77, 78)]
MADE_UP = step("c", "fn.first_of", value("W-77", "options/0"))


def first_writes(run: rc.Play, answers: dict[str, Any]) -> dict[str, Any]:
    """The arguments of the first writes that are made without asking anybody."""
    for _ in range(4):
        begun = [each for each in run.go() if isinstance(each, Perform)]
        if any(each.action.is_write for each in begun):
            return {f"{each.step}[{each.iteration}]": each.arguments for each in begun}
        for each in begun:
            run.begin(each)
            run.end(each, applied(answers[each.action.name]))
    return {}


def test_a_range_of_one_made_up_name_is_that_name_also_by_reference() -> None:
    when = [{"lhs": "each/id", "op": op, "rhs": "c"} for op in (">=", "<=")]
    drop = step("d", "box.drop", ref("each/id", "what"), each="r", when=when)
    run = play(MADE_UP, step("r", "box.list"), drop, more=MORE)

    assert first_writes(run, {"box.list": LISTED}) == {}


@pytest.mark.parametrize(
    "given",
    [
        value("pending", "where/0/value"),
        {"text": [{"lit": "pending"}], "to": "where/0/value"},
        ref("c", "where/0/value"),
    ],
    ids=["constant", "text", "reference"],
)
def test_a_word_that_only_describes_is_no_name_however_it_is_written(given: Any) -> None:
    steps = [
        step("c", "fn.first_of", value("pending", "options/0")),
        step("r", "box.inbox"),
        step(
            "s",
            "fn.select",
            ref("r", "list"),
            value("status", "where/0/field"),
            value("==", "where/0/op"),
            given,
        ),
        step("d", "box.drop", ref("s/id", "what")),
    ]
    context = AdmissionContext(
        "drop the pending one", Inputs(), Catalog(MORE), rc.policy(), rc.REQUESTER, "2026-01-01",
        b"k",
    )  # fmt: skip
    found = admit(plan_of({"steps": steps}), context)

    assert isinstance(found, Accepted)
    assert found.certificate.of("d").approval is not None


@pytest.mark.parametrize("options", [Options(), Options(on_failure="continue")])
def test_a_schema_that_lets_one_made_up_name_through_chooses_by_it(options: Options) -> None:
    only = {"json": '{"const":"W-77"}', "to": "schema"}
    run = play(
        step("r", "box.list"),
        step("t", "fn.typed", ref("each/id", "value"), only, each="r"),
        step("d", "box.drop", ref("each", "what"), each="t"),
        more=MORE,
        options=options,
    )

    assert first_writes(run, {"box.list": LISTED}) == {}


def test_an_option_of_which_a_part_was_skipped_is_no_option() -> None:
    """Else a write would be called with a filter that lacks what narrows it."""
    run = play(
        step("w", "box.who"),
        step("m", "box.who", when=[{"left": "w/n", "op": ">", "value": 5}]),
        step("f", "fn.first_of", ref("m/id", "options/0/user"), ref("w/id", "options/0/status")),
        step("d", "box.wipe", ref("f", "of")),
        more=MORE,
    )

    assert first_writes(run, {"box.who": {"id": "u1", "n": 1}}) == {}


@pytest.mark.parametrize("many", [5, 10, 20, 40])
def test_values_that_lie_ever_deeper_in_one_another_are_too_large_at_last(many: int) -> None:
    deep = "options/0" + "/a" * 28
    run = play(
        step("w", "box.who"),
        step("s0", "fn.first_of", ref("w/id", deep)),
        *(step(f"s{n}", "fn.first_of", ref(f"s{n - 1}", deep)) for n in range(1, many)),
        step("d", "shop.idempotent", ref(f"s{many - 1}", "x")),
        more=MORE,
    )
    called = first_writes(run, {"box.who": {"id": "u1", "n": 1}})
    failed = {each.code for each in run.state.failed.values()}

    assert ([*called], failed) == ((["d[]"], set()) if many == 5 else ([], {"too-large"}))

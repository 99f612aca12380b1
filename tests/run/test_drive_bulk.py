"""Calls that take many items, driven on the real store: what journal and row say of them."""

from typing import Any

import pytest
from run_bench import Bench, once
from run_cases import FIND, accept, action, ref, step

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import Kind, Refused, Uncertain
from connectors.spec import CallContext
from executor.check.certificate import Options

ITEMS = {"of": "lines", "status_at": "status", "message_at": "why"}
MANY = action("shop.many", "keyed", items=ITEMS)
STATUS = {
    "action": "shop.find", "by": "handle", "state_at": "state", "done": ["done"],
    "output_at": "output",
}  # fmt: skip
BACK = {"action": "shop.take_many", "args": [{"ref": "input/lines", "to": "lines"}]}


def answering(*statuses: int) -> Any:
    async def answer(_: CallContext) -> Outcome:
        return Applied([{"status": each, "why": f"said {each}"} for each in statuses])

    return answer


def finds(output: Any) -> Any:
    async def answer(_: CallContext) -> Outcome:
        return Applied(output, retry_after_s=60.0)

    return answer


@pytest.mark.parametrize(
    ("statuses", "attempt", "code", "effect", "missed"),
    [
        ((200, 409, 201), "applied", "items-refused", "yes", ["1"]),
        ((404, 409, 422), "refused", "invalid", "no", []),
        ((200, 200), "applied_unreadable", None, None, []),
        ((200, 500, 200), "applied_unreadable", None, None, []),
    ],
)
async def test_the_journal_says_which_items_happened(
    bench: Bench, statuses: tuple[int, ...], attempt: str, code: str | None, effect: str | None,
    missed: list[str],
) -> None:  # fmt: skip
    bench.service.handlers = {"m": answering(*statuses)}
    lines = ["a", "b", "c"]
    due, row = await bench.drive(
        accept(step("m", "shop.many", ref("input/lines", "lines")), more=(MANY,), lines=lines)
    )
    told = {each.type: each.data for each in await bench.events(due)}

    assert told["attempt.ended"]["state"] == attempt
    if code is None:  # nobody knows of each: a person finds out
        assert (row.status, row.waiting_for) == ("waiting", "reconcile")
    else:
        failed = told["step.failed"]
        assert (failed["code"], failed["effect"]) == (code, effect)
        assert sorted(failed["failed_items"]) == missed
        assert (row.status, row.code) == ("failed", code)


async def test_a_job_of_which_no_item_happened_had_no_effect_and_is_not_undone(
    bench: Bench,
) -> None:
    job = action("shop.job", "keyed", items=ITEMS, undo=BACK, status=STATUS)
    none = {"state": "done", "output": [{"status": 409, "why": "sold out"}] * 3}
    bench.service.handlers = {"m": once(Pending("task 7")), "find": once(Applied(none))}
    plan = accept(
        step("m", "shop.job", ref("input/lines", "lines")),
        more=(job, action("shop.take_many", "keyed")),
        options=Options(on_failure="undo"),
        lines=["a", "b", "c"],
    )
    due, row = await bench.drive(plan)
    end = await bench.finished(due)

    assert (row.status, row.code) == ("failed", "refused")
    assert (end.standing, end.uncertain, end.undone) == ([], [], [])
    assert bench.service.calls("undo/m") == 0


@pytest.mark.parametrize(
    ("answer", "status", "waiting_for"),
    [
        (Uncertain("no answer", kind=Kind.TIMEOUT), "failed", None),
        (Unreadable("not JSON"), "waiting", "reconcile"),
    ],
)
async def test_what_a_search_finds_of_which_no_item_happened_had_no_effect(
    bench: Bench, answer: Any, status: str, waiting_for: str | None
) -> None:
    found = action("shop.found", "lookup", items={**ITEMS, "at": "rows"}, lookup=FIND, undo=BACK)
    none = {"rows": [{"status": 409, "why": "sold out"}] * 3}
    refused = Refused("sold out", kind=Kind.INVALID)
    bench.service.handlers = {"m": once(answer, refused), "find": finds(none)}
    plan = accept(
        step("m", "shop.found", ref("input/lines", "lines")),
        more=(found, action("shop.take_many", "keyed")),
        options=Options(on_failure="undo"),
        lines=["a", "b", "c"],
    )
    due, row = await bench.drive(plan)
    told = [each.data for each in await bench.events(due) if each.type == "reconcile.resolved"]

    assert (row.status, row.waiting_for) == (status, waiting_for)
    assert [each["resolution"] for each in told] == (["absent"] if status == "failed" else [])
    assert bench.service.calls("undo/m") == 0


async def test_an_undo_of_which_every_item_broke_down_undid_nothing(bench: Bench) -> None:
    made = action("shop.many", "keyed", items=ITEMS, undo=BACK)
    bench.service.handlers = {
        "m": answering(200, 200, 200),
        "undo/m": answering(500, 500, 500),
        "z": once(Refused("no", kind=Kind.INVALID)),
    }
    plan = accept(
        step("m", "shop.many", ref("input/lines", "lines")),
        step("z", "blind", after=["m"]),
        more=(made, action("shop.take_many", "keyed", items=ITEMS)),
        options=Options(on_failure="undo"),
        lines=["a", "b", "c"],
    )
    _, row = await bench.drive(plan)

    assert (row.status, row.waiting_for) == ("waiting", "reconcile")

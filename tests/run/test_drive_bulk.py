"""Calls that take many items, driven on the real store: what journal and row say of them."""

from typing import Any

import pytest
from run_bench import Bench
from run_cases import accept, action, ref, step

from connectors.connector import Applied, Outcome
from connectors.spec import CallContext

ITEMS = {"of": "lines", "status_at": "status", "message_at": "why"}
MANY = action("shop.many", "keyed", items=ITEMS)


def answering(*statuses: int) -> Any:
    async def answer(_: CallContext) -> Outcome:
        return Applied([{"status": each, "why": f"said {each}"} for each in statuses])

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

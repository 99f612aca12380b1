"""A run that has ended, however it has, leaves no question open."""

import time
from functools import partial

import pytest
from run_bench import Bench, once
from run_cases import accept, step

from connectors.errors import Kind, Refused
from executor.run.quarantine import quarantine
from executor.store import approvals

pytestmark = pytest.mark.timeout(60)
ASKED = step("a", "asked_blind")


async def _states(bench: Bench) -> list[str]:
    found = await bench.store.read(partial(approvals.listed, tenant="main"))
    return [each.state for each in found]


async def test_a_question_is_void_once_its_run_has_ended_without_it(bench: Bench) -> None:
    bench.service.handlers["r"] = once(Refused("no", kind=Kind.INVALID))
    due, row = await bench.drive(accept(ASKED, step("r")))

    assert (row.status, await bench.gates(due)) == ("failed", [])
    assert await _states(bench) == ["void"]


async def test_a_question_is_void_once_its_run_is_put_aside(bench: Bench) -> None:
    due, row = await bench.drive(accept(ASKED))
    asked = await _states(bench)
    await quarantine(bench.store, due, "me", time.time())

    assert (row.waiting_for, asked) == ("approval", ["open"])
    assert ((await bench.row(due)).status, await _states(bench)) == ("quarantined", ["void"])

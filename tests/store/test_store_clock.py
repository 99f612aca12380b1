"""The store's clock goes on evenly while the machine's jumps, and never behind the journal."""

import time

import pytest
from store_cases import TENANT

from executor.store import journal
from executor.store.journal import NewEvent
from executor.store.store import Store

DAY_S = 24 * 3600.0


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> "type[Jump]":
    """The machine's clock, which can be set."""
    real = time.time
    Jump.by_s = 0.0
    monkeypatch.setattr(time, "time", lambda: real() + Jump.by_s)
    return Jump


class Jump:
    by_s = 0.0


@pytest.mark.parametrize("by_s", [DAY_S, -DAY_S])
async def test_a_jump_of_the_machine_s_clock_is_none_of_the_store_s(
    store: Store, jump: "type[Jump]", by_s: float
) -> None:
    before, steady = store.clock(), time.monotonic()
    jump.by_s = by_s
    passed = time.monotonic() - steady
    went_on = store.clock() - before

    assert passed <= went_on < passed + 1
    assert abs(time.time() - before - by_s) < 60  # the machine's has jumped


async def test_a_clock_that_was_set_back_between_two_starts_goes_on_from_the_journal(
    url: str, jump: "type[Jump]"
) -> None:
    first = await Store.open(url)
    if first.is_shared:
        await first.close()
        pytest.skip("a database server has a clock of its own")
    written = first.clock()
    await first.write(
        lambda c: journal.append(c, TENANT, "run_a", [NewEvent("run.started", {})], written)
    )
    await first.close()
    jump.by_s = -DAY_S
    back = await Store.open(url)
    found = back.clock()
    await back.close()
    jump.by_s = -10 * DAY_S
    far = await Store.open(url)
    right = far.clock()
    await far.close()

    assert written <= found < written + 60
    assert right < written - 9 * DAY_S  # then it is the journal whose clock was wrong

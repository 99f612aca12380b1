"""What a drive writes about its run, under a claim that it has or only foresees."""

import asyncio
from typing import Any

import pytest
from run_bench import Bench
from run_cases import accept, step

from executor.run import events as e
from executor.run.ledger import Ledger
from executor.store import drives
from executor.store.drives import Asked, Due
from executor.store.errors import FencedError, StorePausedError


async def ledger(bench: Bench, due: Due) -> Ledger:
    claim = drives.foreseen(due, "me")
    assert claim is not None
    asked, nothing = Asked(due, "me", 1.0), lambda: None
    return Ledger(bench.store, claim, lambda: 1.0, nothing, nothing, nothing, asked)


def skipped(name: str) -> e.StepSkipped:
    return e.StepSkipped(step=name, because="condition")


async def test_nothing_is_kept_of_a_drive_that_foresaw_the_very_epoch_that_another_has(
    bench: Bench,
) -> None:
    due = await bench.add(accept(step("a", "read"), step("b", "read")))
    first, second = await ledger(bench, due), await ledger(bench, due)
    await first.append([skipped("a")]).done
    writes = [second.append([skipped("a")])]
    await asyncio.sleep(0)  # sent, and not answered yet
    writes.append(second.append([skipped("b")]))
    ends: list[Any] = await asyncio.gather(*(each.done for each in writes), return_exceptions=True)

    assert [type(each) for each in ends] == [FencedError, FencedError]
    assert await bench.types(due) == ["step.skipped"]


@pytest.mark.parametrize("has_begun", [True, False])
async def test_of_two_drives_of_one_run_that_write_in_one_transaction_one_has_the_claim(
    bench: Bench, has_begun: bool
) -> None:
    due = await bench.add(accept(step("a", "read"), step("b", "read")))
    first, second = await ledger(bench, due), await ledger(bench, due)
    if has_begun:
        await first.append([skipped("a")]).done
    writes = [first.append([skipped("b")]), second.append([skipped("a")])]
    ends: list[Any] = await asyncio.gather(*(each.done for each in writes), return_exceptions=True)

    assert [type(each) for each in ends] == [type(None), FencedError]
    assert len(await bench.types(due)) == len([*first.state.skipped]) == 1 + has_begun
    assert second.state.skipped == {}


async def test_what_another_has_written_is_not_seen_under_a_claim_that_is_not_taken_yet(
    bench: Bench,
) -> None:
    due = await bench.add(accept(step("a", "read"), step("b", "read")))
    first, second = await ledger(bench, due), await ledger(bench, due)
    await first.append([skipped("a")]).done
    second.must_look = True
    with pytest.raises(StorePausedError):
        await second.catch_up()

    assert second.state.skipped == {}


async def test_what_is_asked_for_while_the_claim_is_being_taken_is_kept_after_it(
    bench: Bench,
) -> None:
    due = await bench.add(accept(step("a", "read"), step("b", "read")))
    mine = await ledger(bench, due)
    writes = [mine.append([skipped("a")])]
    await asyncio.sleep(0)
    writes.append(mine.append([skipped("b")]))
    await asyncio.gather(*(each.done for each in writes))

    assert [*mine.state.skipped] == ["a", "b"]
    assert await bench.types(due) == ["step.skipped"] * 2

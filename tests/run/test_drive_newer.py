"""A journal that holds what a newer version wrote: nothing is guessed, and nothing put aside."""

import pytest
from run_bench import Bench, until
from run_cases import accept, step
from sqlalchemy import Connection

from executor.dispatch import base
from executor.dispatch.local import LocalDispatcher
from executor.store import journal, waking
from executor.store.drives import Due
from executor.store.errors import NewerSchemaError
from executor.store.journal import NewEvent

pytestmark = pytest.mark.timeout(60)
NEWER = [NewEvent("run.started", {"plan": "pln_1", "digest": "", "why": "more is told"}, 2),
         NewEvent("run.noted", {}, 1)]  # fmt: skip


async def told_by_newer(bench: Bench, new: NewEvent) -> Due:
    due = await bench.add(accept(step("a", "blind")))

    def work(c: Connection) -> None:
        journal.append(c, due.tenant, due.id, [new], 1.0)
        waking.wake(c, due, 1.0)

    await bench.store.write(work)
    return due


@pytest.mark.parametrize("new", NEWER, ids=["of a later version", "of an unknown type"])
async def test_a_run_of_which_a_newer_version_has_told_is_not_gone_on_with(
    bench: Bench, new: NewEvent
) -> None:
    due = await told_by_newer(bench, new)
    with pytest.raises(NewerSchemaError, match="run the version that wrote it, or a newer one"):
        await bench.start(due)

    assert await bench.types(due) == [new.type]
    assert bench.service.log == []


async def test_a_run_that_only_a_newer_version_can_read_is_not_put_aside_by_an_older_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "AGAIN_S", (0.01, 0.02))
    due, tries = await told_by_newer(bench, NEWER[0]), []

    async def drive(what: Due, driver: str) -> None:
        tries.append(what)
        await bench.machine.drive(what, driver)

    dispatcher = LocalDispatcher(bench.store)
    dispatcher.register("run", drive, bench.machine.put_aside, bench.machine.halt)
    await dispatcher.start()
    await until(lambda: len(tries) > base.MOST_FAILURES + 1, "it was tried often")
    await dispatcher.stop()

    row = await bench.row(due)
    assert (row.status, row.code) == ("queued", "drive-stuck")

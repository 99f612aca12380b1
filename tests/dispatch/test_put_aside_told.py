"""What is put aside is said to be once it is, and not at every try that failed."""

import logging
from pathlib import Path

import pytest

from executor.dispatch import base
from executor.store.drives import Due
from executor.store.errors import StoreUnavailableError
from executor.store.store import Store

WHAT = Due("run", "main", "run_a")


async def test_putting_aside_is_told_once_it_was_done(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = await Store.open(f"sqlite:///{tmp_path / 'lamgate.db'}")
    tries = list[str]()

    async def park(what: Due, driver: str, error: Exception) -> None:
        tries.append(what.id)
        if len(tries) < 3:
            raise StoreUnavailableError("no room")

    with caplog.at_level(logging.WARNING, "lamgate.dispatch"):
        while await base.put_aside(store, park, WHAT, "me", base.too_many_deaths()) is not None:
            pass
    await store.close()

    assert [each.getMessage() for each in caplog.records] == [
        "run run_a cannot be put aside now: no room",
        "run run_a cannot be put aside now: no room",
        f"run run_a is put aside: {base.too_many_deaths()}",
    ]

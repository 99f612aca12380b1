"""A database that cannot be read for a while is no mistake of a server that is reviewed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connectors.errors import Unreachable
from executor.store.store import Store
from gateway.pins import pins_of


async def test_what_was_accepted_and_cannot_be_read_now_is_asked_for_again(tmp_path: Path) -> None:
    store = await Store.open(f"sqlite:///{tmp_path}/lamgate.db")
    pinned = pins_of(store)
    before = await pinned("tools")
    with closing(sqlite3.connect(tmp_path / "lamgate.db", isolation_level=None)) as c:
        c.execute("ALTER TABLE pins RENAME TO gone")
        with pytest.raises(Unreachable, match="cannot be read"):
            await pinned("tools")
        c.execute("ALTER TABLE gone RENAME TO pins")
    after = await pinned("tools")
    await store.close()

    assert before is after is None

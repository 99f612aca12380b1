"""Bells between processes: who rings is heard by all others, and a lost connection by everybody."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

import pytest
from partition import network
from servers import Server
from sqlalchemy.engine import make_url

from executor.store import bells
from executor.store.bells import CHANNEL, Bells
from executor.store.drives import Due

PATIENCE_S = 20.0
MANY = [Due("run", "main", f"run_{number}") for number in range(120)]


class Tower:
    """The bells of some processes, and what each hears."""

    def __init__(self, url: str) -> None:
        self.heard: dict[str, list[Due | None]] = {}
        self.bells: dict[str, Bells] = {}
        for name in ("one", "other"):
            heard = self.heard[name] = []
            self.bells[name] = Bells(url, name, heard.append)

    async def until(self, claim: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not claim():
            assert time.monotonic() < deadline, self.heard
            await asyncio.sleep(0.01)


@pytest.fixture
async def tower(server_url: str) -> AsyncIterator[Tower]:
    found = Tower(server_url)
    tasks = [
        asyncio.ensure_future(work())
        for each in found.bells.values()
        for work in (each.listen, each.ring)
    ]
    await found.until(lambda: all(found.heard.values()))
    yield found
    for each in tasks:
        each.cancel()
    for each in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await each


async def test_whoever_begins_to_listen_looks_and_however_many_ring_all_others_hear_each(
    tower: Tower,
) -> None:
    first = {name: [*heard] for name, heard in tower.heard.items()}
    for due in MANY:
        tower.bells["one"].tell(due)
    await tower.until(lambda: len(tower.heard["other"]) > len(MANY))
    tower.bells["other"].tell(Due("request", "main", "req_a"))
    await tower.until(lambda: len(tower.heard["one"]) > 1)

    assert first == {"one": [None], "other": [None]}
    assert tower.heard == {
        "one": [None, Due("request", "main", "req_a")],
        "other": [None, *MANY],
    }


async def test_where_thousands_ring_together_the_others_are_told_to_look_at_everything(
    tower: Tower,
) -> None:
    for number in range(5_000):
        tower.bells["one"].tell(Due("run", "main", f"run_{number}"))
    tower.bells["other"].tell(Due("run", "main", "run_b"))
    await tower.until(lambda: all(len(heard) > 1 for heard in tower.heard.values()))
    tower.bells["one"].tell(Due("run", "main", "run_a"))
    await tower.until(lambda: len(tower.heard["other"]) > 2)

    assert tower.heard == {
        "one": [None, Due("run", "main", "run_b")],
        "other": [None, None, Due("run", "main", "run_a")],
    }


async def test_what_is_no_ring_is_not_heard_and_after_a_lost_connection_everybody_looks(
    tower: Tower, server_url: str, postgres: Server
) -> None:
    here = Server(server_url)
    for message in (
        "not JSON",
        "[]",
        '["somebody", [["hour", "main", "x"], ["run", "main", "y"]]]',
    ):
        here.sql(f"NOTIFY {CHANNEL}, '{message}'")
    await tower.until(lambda: all(len(heard) == 2 for heard in tower.heard.values()))
    name = make_url(server_url).database
    postgres.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE application_name = 'lamgate-bells' AND datname = '{name}'"
    )
    await tower.until(lambda: all(len(heard) == 3 for heard in tower.heard.values()))

    assert [*tower.heard.values()] == [[None, Due("run", "main", "y"), None]] * 2


async def test_a_server_that_is_away_is_told_of_once_and_once_more_when_it_is_back(
    server_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bells, "AGAIN_S", 0.01)
    there, heard = make_url(server_url), list[Due | None]()
    with network(there.port or 5432) as way, caplog.at_level(logging.WARNING, "lamgate.store"):
        way.cut()
        between = there.set(host="127.0.0.1", port=way.port)
        url = between.render_as_string(hide_password=False)
        listening = asyncio.ensure_future(Bells(url, "one", heard.append).listen())
        async with asyncio.timeout(PATIENCE_S):
            while way.refused < 4:
                await asyncio.sleep(0.01)
            way.heal()
            while not heard:
                await asyncio.sleep(0.01)
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening

    lost, over = [each.getMessage() for each in caplog.records]
    assert lost.startswith("bells of other processes are not heard: ")
    assert over == "bells of other processes are not heard: that is over"

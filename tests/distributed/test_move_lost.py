"""A file is moved over a network that is cut: it is used on, or nobody knows and nobody uses it."""

import asyncio
import threading
from pathlib import Path

import pytest
from partition import Network, network
from servers import Server
from sqlalchemy import Connection, Engine, event, func, select
from sqlalchemy.engine import make_url

from connectors.spec import Principal
from executor.store import keys
from executor.store.beside import read_beside, write_beside
from executor.store.errors import MovedError, StoreUnavailableError
from executor.store.move import TABLES, move_to_server
from executor.store.store import Store
from executor.store.tables import keys as key_rows

OPERATOR = Principal("operator", "main", frozenset({"operator"}))


def made(folder: Path) -> str:
    """A file of this version that holds something."""
    url = f"sqlite:///{folder / 'lamgate.db'}"
    opened(url)
    write_beside(url, lambda c, now: keys.add(c, "key_1", OPERATOR, "lam_1", now))
    return url


def opened(url: str) -> None:
    async def once() -> None:
        await (await Store.open(url)).close()

    asyncio.run(once())


def through(net: Network, url: str) -> str:
    return make_url(url).set(port=net.port).render_as_string(hide_password=False)


def counted(url: str) -> int | None:
    def work(c: Connection) -> int:
        return int(c.execute(select(func.count()).select_from(key_rows)).scalar_one())

    return read_beside(url, work)


def test_a_network_that_is_cut_while_it_is_copied_leaves_the_file_in_use(
    postgres: Server, tmp_path: Path
) -> None:
    file, server = made(tmp_path), postgres.new_database()
    told: list[str] = []
    with network(postgres.port) as net:

        def tell(table: str, _: int) -> None:
            told.append(table)
            if len(told) == len(TABLES) - 1:
                net.cut()

        with pytest.raises(StoreUnavailableError, match="does not answer"):
            move_to_server(file, through(net, server), tell)
    opened(file)

    assert counted(server) == 0
    assert counted(file) == 1
    assert move_to_server(file, server).rows["keys"] == 1


def test_where_the_answer_to_the_commit_is_lost_nobody_uses_the_file_until_it_is_known(
    postgres: Server, tmp_path: Path
) -> None:
    file, server = made(tmp_path), postgres.new_database()
    told: list[str] = []
    with network(postgres.port) as net:

        def lose(c: Connection) -> None:
            if c.dialect.name == "postgresql" and len(told) == len(TABLES):
                net.lost.update(net.ends[1::2])  # what the server says
                threading.Timer(0.5, net.cut).start()

        event.listen(Engine, "commit", lose)
        try:
            with pytest.raises(StoreUnavailableError, match="say the same again"):
                move_to_server(file, through(net, server), lambda table, _: told.append(table))
        finally:
            event.remove(Engine, "commit", lose)
        with pytest.raises(MovedError):
            opened(file)
        net.heal()
        again = move_to_server(file, through(net, server))

    assert again.was_before
    assert counted(server) == 1
    with pytest.raises(MovedError):
        opened(file)

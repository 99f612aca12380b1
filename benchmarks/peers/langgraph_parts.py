"""What every measurement of LangGraph has: a state that nodes add to, and a checkpointer."""

import operator
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver


class State(TypedDict):
    """What every node adds to."""

    out: Annotated[dict[str, dict[str, str]], operator.or_]


@asynccontextmanager
async def saver_of(url: str) -> AsyncIterator[AsyncSqliteSaver | AsyncPostgresSaver]:
    """Its checkpointer for a file or a server."""
    if url.startswith("sqlite:///"):
        async with AsyncSqliteSaver.from_conn_string(url.removeprefix("sqlite:///")) as saver:
            await saver.setup()
            await saver.conn.execute("PRAGMA synchronous=FULL")
            yield saver
    else:
        async with AsyncPostgresSaver.from_conn_string(url) as saver:
            await saver.setup()
            yield saver

"""One measurement of LangGraph: `langgraph_peer.py URL RUNS`, in the peers' environment.

A node a step, a checkpoint after each super-step, durability=sync, and a full fsync a commit.
"""

import asyncio
import itertools
import json
import operator
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from benchmarks.peers.shape import LAYERS, WIDTH


class State(TypedDict):
    """What every node adds to."""

    out: Annotated[dict[str, dict[str, str]], operator.or_]


def node(name: str) -> Callable[[State], Awaitable[State]]:
    """A step that answers at once."""

    async def step(_: State) -> State:
        return {"out": {name: {"step": name}}}

    return step


def built() -> StateGraph[State]:
    """The layers as a graph."""
    graph = StateGraph(State)
    layers = [[f"s{layer}_{each}" for each in range(WIDTH)] for layer in range(LAYERS)]
    for name in (name for layer in layers for name in layer):
        graph.add_node(name, node(name))
    for name in layers[0]:
        graph.add_edge(START, name)
    for before, after in itertools.pairwise(layers):
        for name in after:
            graph.add_edge(before, name)
    graph.add_edge(layers[-1], END)
    return graph


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


async def main(url: str, count: int) -> None:
    """Warm up with one run, then measure so many at once."""
    async with saver_of(url) as saver:
        app = built().compile(checkpointer=saver)

        async def one(thread: str) -> None:
            config = {"configurable": {"thread_id": thread}}
            found = await app.ainvoke({"out": {}}, config, durability="sync")
            assert len(found["out"]) == LAYERS * WIDTH

        await one("warm")
        begun, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one(f"run-{each}") for each in range(count)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
        print(
            json.dumps({"cpu_ms": cpu / (count or 1) * 1e3, "wall_ms": wall / (count or 1) * 1e3})
        )


asyncio.run(main(sys.argv[1], int(sys.argv[2])))

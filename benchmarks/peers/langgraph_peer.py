"""One measurement of LangGraph: `langgraph_peer.py URL RUNS`, in the peers' environment.

A node a step, a checkpoint after each super-step, durability=sync, and a full fsync a commit.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Awaitable, Callable

from langgraph.graph import END, START, StateGraph

from benchmarks.peers.langgraph_parts import State, saver_of
from benchmarks.peers.shape import LAYERS, WIDTH


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

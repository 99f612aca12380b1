"""Plans on LangGraph, one at a time: `langgraph_plans.py URL FILE`, in the peers' environment.

The file is a JSON array of plans; a plan says of each of its calls for which others it waits. A
node is a call that takes 25 ms. Printed are the seconds of each, from its input to its end.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from langgraph.graph import END, START, StateGraph

from benchmarks.peers.langgraph_parts import State, saver_of
from benchmarks.peers.shape import CALL_S
from benchmarks.peers.timers import run_exactly

Plan = Mapping[str, Sequence[str]]


def node(name: str) -> Callable[[State], Awaitable[State]]:
    """A call."""

    async def call(_: State) -> State:
        await asyncio.sleep(CALL_S)
        return {"out": {name: {"step": name}}}

    return call


def graph_of(plan: Plan) -> StateGraph[State]:
    """Each call after all that it waits for."""
    graph = StateGraph(State)
    for name in plan:
        graph.add_node(name, node(name))
    for name, before in plan.items():
        graph.add_edge([*before] if before else START, name)
    waited_for = {each for before in plan.values() for each in before}
    graph.add_edge([name for name in plan if name not in waited_for], END)
    return graph


async def main(url: str, plans: Sequence[Plan]) -> None:
    """Run each once, after one that is not timed."""
    seconds = []
    async with saver_of(url) as saver:
        for number, plan in enumerate([plans[0], *plans]):
            app = graph_of(plan).compile(checkpointer=saver)
            config = {"configurable": {"thread_id": f"run-{number}"}}
            begun = time.perf_counter()
            found = await app.ainvoke({"out": {}}, config, durability="sync")
            seconds.append(time.perf_counter() - begun)
            assert len(found["out"]) == len(plan)
    print(json.dumps(seconds[1:]))


run_exactly(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8"))))

"""One measurement of DBOS: `dbos_peer.py URL RUNS`, in the peers' environment; a step a step."""

import asyncio
import json
import os
import sys
import time

from dbos import DBOS, DBOSConfig

from benchmarks.peers.shape import LAYERS, WIDTH


@DBOS.step()
async def step(name: str) -> dict[str, str]:
    """A step that answers at once."""
    return {"step": name}


@DBOS.workflow()
async def run() -> None:
    """Layer after layer."""
    for layer in range(LAYERS):
        await asyncio.gather(*(step(f"s{layer}_{each}") for each in range(WIDTH)))


async def main(url: str, count: int) -> None:
    """Warm up with one run, then measure so many at once."""
    config: DBOSConfig = {"name": "bench", "system_database_url": url, "log_level": "ERROR"}
    DBOS(config=config)
    DBOS.launch()
    await run()
    begun, cpu = time.perf_counter(), time.process_time()
    handles = await asyncio.gather(*(DBOS.start_workflow_async(run) for _ in range(count)))
    await asyncio.gather(*(handle.get_result() for handle in handles))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
    print(
        json.dumps({"cpu_ms": cpu / (count or 1) * 1e3, "wall_ms": wall / (count or 1) * 1e3}),
        flush=True,
    )
    os._exit(0)


asyncio.run(main(sys.argv[1], int(sys.argv[2])))

"""Tries to be led inside, and to be blown up.

    .venv/bin/python -m benchmarks.egress

Each address of a corpus at each place where one can come from, with a canary on every address of
the machine; then answers that are meant to fill the memory or take for ever. The servers run in
this process too: their share of the time is in the figures.
"""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.egress.bombs import MEGABYTE, MOST_BYTES, costs
from benchmarks.egress.corpus import corpus
from benchmarks.egress.entries import Entries, ground
from benchmarks.egress.servers import listening, said


@dataclass(frozen=True)
class Led:
    """How one entry did."""

    entry: str
    tried: int
    turned_away: int
    heard: int


async def led_inside(folder: Path) -> list[Led]:
    """Try every address at every entry."""
    found = []
    async with listening(lambda _: said(200, b"{}"), "*") as canary, ground(folder) as on:
        for name, entry in Entries(on).all().items():
            urls, before = corpus(canary.port), canary.heard
            turned = [await entry(url) for url in urls]
            found.append(Led(name, len(urls), sum(turned), canary.heard - before))
    return found


async def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        led = await led_inside(Path(folder))
        print(f"{'entry':20} {'addresses':>9} {'turned away':>12} {'canary heard':>13}")
        for each in led:
            print(f"{each.entry:20} {each.tried:9} {each.turned_away:12} {each.heard:13}")
        print(f"\n{'bomb':34} {'MiB':>6} {'CPU s':>6} {'s':>6}  end")
        all_costs = [each async for each in costs(Path(folder))]
    for cost in all_costs:
        told = f"{cost.name:34} {cost.bytes / MEGABYTE:6.1f} {cost.cpu_s:6.2f} {cost.wall_s:6.2f}"
        print(f"{told}  {cost.end[:70]}")
    is_safe = all(each.heard == 0 and each.turned_away == each.tried for each in led)
    return 0 if is_safe and all(each.bytes <= MOST_BYTES for each in all_costs) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

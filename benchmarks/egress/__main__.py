"""Tries to be led inside, and to be blown up.

    .venv/bin/python -m benchmarks.egress

Each address of a corpus at each place where one can come from, with a canary on every address of
the machine; then answers that are meant to fill the memory or take for ever, in MiB above what was
there before and in seconds of the processor. `x` is what that is of reading 10 MB of JSON with the
standard library. The servers run in this process: their share of the time is in the figures.
"""

import asyncio
import logging
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.egress.bombs import MEGABYTE, MOST_BYTES, MOST_CPU_S, Cost, costs, yardstick
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
    """Try everything and print; 1 where somebody got inside, or a bomb went off."""
    logging.disable(logging.WARNING)  # a connection that leads inside is absent, and says so
    with tempfile.TemporaryDirectory() as folder:
        led = await led_inside(Path(folder))
        print(f"{'entry':20} {'addresses':>9} {'turned away':>12} {'canary heard':>13}")
        for each in led:
            print(f"{each.entry:20} {each.tried:9} {each.turned_away:12} {each.heard:13}")
        yard_s = yardstick()
        print(f"\n{'bomb':34} {'MiB':>6} {'CPU s':>6} {'x':>5} {'s':>6}  end")
        bombs = [each async for each in costs(Path(folder))]
    for bomb in bombs:
        print(_line(bomb, yard_s))
    largest, longest = max(each.bytes for each in bombs), max(each.cpu_s for each in bombs)
    tried, heard = sum(each.tried for each in led), sum(each.heard for each in led)
    turned = sum(each.turned_away for each in led)
    print(f"\n{turned:,} of {tried:,} addresses turned away, {heard} heard")
    print(
        f"{len(bombs)} bombs: at most {largest / MEGABYTE:.0f} MiB (goal 64) and {longest:.2f} s "
        f"of the processor (goal 1), {longest / yard_s:.1f} yardsticks of {yard_s:.2f} s"
    )
    is_bounded = largest <= MOST_BYTES and longest <= MOST_CPU_S
    return 0 if heard == 0 and turned == tried and is_bounded else 1


def _line(cost: Cost, yard_s: float) -> str:
    figures = f"{cost.bytes / MEGABYTE:6.1f} {cost.cpu_s:6.2f} {cost.cpu_s / yard_s:5.1f}"
    return f"{cost.name:34} {figures} {cost.wall_s:6.2f}  {cost.end[:70]}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

"""CPU and wall time of a 20-step run here, on LangGraph and on DBOS, on a file and a server.

    python -m benchmarks.peers [--rounds N] [--runs N] [--database postgresql://...] [--home DIR]

The peers are installed from `requirements.txt` into an environment of their own in `--home`, which
is kept. Every measurement is a process of its own with an empty database; rounds are interleaved,
and medians and their ratios are shown. CPU is the process's: the server's own is not in it. Round
trips to a server are counted in processes that are not timed, beside one that makes no run.

What each does for the same twenty steps in five layers of four is not the same:

              LangGraph, durability=sync    DBOS, each step a step     Lamgate
------------  ----------------------------  -------------------------  -----------------------------
before calls  nothing                       nothing                    an intent a call, durable
after calls   what a node gave, and a       what a step gave           an outcome a call, and an
              checkpoint after each layer                              event a step that is done
checks        none                          none                       policy, budgets, approvals,
                                                                       fence, stop, breaker, rate
kept          checkpoints of all values     an output a step           62 events, 20 attempts
commits       28 a run, each by itself      one a step and more        6 a run, shared among runs
garbage       looked for as Python does     looked for as Python does  seldom, as in `lamgate serve`
after kill    steps of the layer that had   the step that was under    the call that was under way,
-9            no checkpoint run again       way runs again             as its effect class says

A peer has no policy and no limits to switch on, and neither is told what a call does to the world:
what they do less of is what is compared. Values are two words a step; nothing works in a step.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.peers.environment import HERE, HOME, peers_python, said_by
from benchmarks.peers.round_trips import counted
from benchmarks.throughput import a_server, new_database

KINDS = ("lamgate", "langgraph", "dbos")
# What the peers may cost at most: ours is to be this share of theirs, at a hundred runs at once.
GOALS = {
    ("sqlite", "langgraph"): 1 / 3,
    ("sqlite", "dbos"): 1 / 5,
    ("postgresql", "langgraph"): 1 / 2.5,
    ("postgresql", "dbos"): 1 / 6,
}


def measured(kind: str, python: Path, url: str, count: int) -> dict[str, float]:
    """One measurement, in a process of its own."""
    if kind == "lamgate":
        command = [sys.executable, "-m", "benchmarks.peers.ours", url, str(count)]
    else:
        command = [str(python), str(HERE / f"{kind}_peer.py"), url, str(count)]
    figures: dict[str, float] = json.loads(said_by(command))
    return figures


def round_trips(kind: str, python: Path, server: str, count: int) -> float:
    """To a server, a run."""
    counts = []
    for runs in (0, count):
        with counted(new_database(server)) as (url, between):
            measured(kind, python, url, runs)
        counts.append(between.trips)
    return (counts[1] - counts[0]) / count


def main() -> None:
    """Print medians of interleaved rounds, with the goals beside them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are shown")
    parser.add_argument("--runs", type=int, default=100, help="at once, beside one alone")
    parser.add_argument("--database", help="a server's address, with the right to make databases")
    parser.add_argument("--home", type=Path, default=HOME, help="of the peers' environment")
    said = parser.parse_args()
    python = peers_python(said.home)
    found: dict[tuple[str, int, str], list[dict[str, float]]] = {}
    with a_server(said.database) as server:
        for _ in range(said.rounds):
            for count in (1, said.runs):
                for kind in KINDS:
                    with tempfile.TemporaryDirectory() as folder:
                        one = measured(kind, python, f"sqlite:///{folder}/bench.db", count)
                    found.setdefault(("sqlite", count, kind), []).append(one)
                    one = measured(kind, python, new_database(server), count)
                    found.setdefault(("postgresql", count, kind), []).append(one)
        trips = {
            ("postgresql", count, kind): round_trips(kind, python, server, count)
            for count in (1, said.runs)
            for kind in KINDS
        }
    names = ("cpu ms", "wall ms", "trips", "ours is")
    print(f"{'':<12}{'runs':>5} {'':<10}{''.join(f'{name:>9}' for name in names)}{'goal':>7}")
    for (database, count, kind), rounds in sorted(found.items()):
        cpu, wall = (statistics.median(each[name] for each in rounds)
                     for name in ("cpu_ms", "wall_ms"))  # fmt: skip
        mine = [each["cpu_ms"] for each in found[(database, count, "lamgate")]]
        goal = GOALS.get((database, kind)) if count > 1 else None
        told = "" if goal is None else f"{goal:7.2f}"
        ratio = statistics.median(mine) / cpu
        trip = trips.get((database, count, kind))
        trips_told = f"{'':>9}" if trip is None else f"{trip:>9.1f}"
        figures = f"{cpu:>9.1f}{wall:>9.1f}{trips_told}{ratio:>9.2f}{told}"
        print(f"{database:<12}{count:>5} {kind:<10}{figures}")


if __name__ == "__main__":
    main()

"""How much of its critical path a run takes: real plans, and tools that take 25 ms each.

    python -m benchmarks.parallel --data DIR [--most N] [--disk DIR] [--rounds N] [--peer]

The plans are NESTFUL v2's (the 152 whose functions are written in `admission/sets`) and those of
BFCL's parallel sets, converted and admitted as in `benchmarks.admission`. One run at a time is
driven on an empty SQLite file, first on storage as fast as memory (/dev/shm), then on `--disk`,
with what an fsync takes there beside it. A run's critical path is its longest chain of calls;
*of the path* is that, at 25 ms a call, by what its drive took from claim to end, policy, journal
and limits included. *Faster* is all calls one after the other by what the drives took, and
*at best* what that would be if nothing but the critical paths took time.

Timers are late, though the loop's are exact (`peers/timers.py`): what counts as a call's 25 ms is
what a bare sleep of 25 ms takes while nothing else happens, measured beside every fifth run and
told below the table; so is a commit of nothing after such a sleep, which no run can do without.
*Commits* are those of a run.

With `--peer` the same plans run on LangGraph beside it, on the same storage: with its checkpointer
of SQLite, durability=sync, without policy and limits, and with nothing written before a call.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pydantic import JsonValue
from sqlalchemy import event

from benchmarks.admission.case import Case
from benchmarks.admission.judge import verdict_on
from benchmarks.admission.sets import bfcl, nestful_v2
from benchmarks.given import folder_with
from benchmarks.peers.environment import HERE, HOME, peers_python, said_by
from benchmarks.peers.shape import CALL_S
from benchmarks.peers.timers import run_exactly
from benchmarks.throughput import KEY, POLICY, create
from connectors.connector import Applied, Outcome
from connectors.spec import ActionSpec, CallContext, Limits
from executor.check.admit import Accepted
from executor.check.cedar import Policy
from executor.fn import FUNCTIONS
from executor.run.machine import Machine
from executor.store import runs
from executor.store.store import Store
from gateway.cli.garbage import look_rarely

_DATA = folder_with("nestful_v2.jsonl")

SLEEP_EVERY = 5  # runs
MEMORY = Path("/dev/shm")
PARALLEL = ("parallel", "parallel_multiple", "live_parallel", "live_parallel_multiple")
WIDE = Limits(rate=1e6, per_s=1, burst=1_000_000, concurrency=1000)
GOALS = {("nestful-v2", "memory"): "0.95 of the path", ("bfcl parallel", "memory"): "2.6 faster"}


@dataclass(frozen=True)
class Lap:
    """One run: its calls, the longest chain of them, and what its drive took."""

    calls: int
    depth: int
    took_s: float
    commits: int
    call_s: float  # what a bare sleep took then
    commit_s: float  # and a commit of nothing after it

    @property
    def of_the_path(self) -> float:
        """The share of the drive that its critical path explains."""
        return self.depth * self.call_s / self.took_s


def cases_of(data: Path) -> Iterator[tuple[str, Case]]:
    """Every right plan whose calls can be answered, with the set's name."""
    for case in nestful_v2.load(data):
        if case.answers is not None:
            yield "nestful-v2", case
    for name in PARALLEL:
        for case in bfcl.load_single(name, data):
            yield "bfcl parallel", replace(case, answers=lambda *_: {})


def calls_of(accepted: Accepted) -> dict[str, list[str]]:
    """The calls of a plan, each with those that it waits for; functions take no time."""
    waits: dict[str, set[str]] = {}
    for name in accepted.steps:
        before = accepted.waits_for[name]
        waits[name] = {
            call
            for each in before
            for call in (waits[each] if accepted.steps[each].action in FUNCTIONS else (each,))
        }
    return {
        name: sorted(waits[name])
        for name, step in accepted.steps.items()
        if step.action not in FUNCTIONS
    }


def depth_of(calls: Mapping[str, list[str]]) -> int:
    """How many calls stand in the longest chain."""
    chains: dict[str, int] = {}
    for name, before in calls.items():
        chains[name] = 1 + max((chains[each] for each in before), default=0)
    return max(chains.values(), default=0)


async def driven(folder: Path, plans: list[tuple[Case, Accepted]], policy: Policy) -> list[Lap]:
    """Each plan once, one after the other; those that do not succeed are left out.

    It is admitted once more just before it runs, as in a gateway.
    """
    laps: list[Lap] = []
    store = await Store.open(f"sqlite:///{folder}/lamgate.db")
    sleeps, empty, commits = list[float](), list[float](), list[object]()
    event.listen(store._engine, "commit", commits.append)
    for number, (case, _) in enumerate(plans):
        if number % SLEEP_EVERY == 0:
            sleeps.append(await _slept_s())
            empty.append(await _wrote_s(store))
        accepted = verdict_on(case)
        assert isinstance(accepted, Accepted)

        async def call(
            action: ActionSpec,
            arguments: Mapping[str, JsonValue],
            _: CallContext,
            case: Case = case,
        ) -> Outcome:
            await asyncio.sleep(CALL_S)
            assert case.answers is not None
            return Applied(case.answers(action.name, {**arguments}))

        machine = Machine(store, call, lambda _: policy, KEY, KEY, limits_of=lambda _: WIDE)
        (due,) = await store.write(partial(create, plan=accepted, count=1, now=store.clock()))
        machine.know(due.tenant, due.plan or "", accepted)  # as whoever accepted it does
        commits.clear()
        begun = time.perf_counter()
        await machine.drive(due, "bench")
        took_s, made = time.perf_counter() - begun, len(commits)
        calls = calls_of(accepted)
        if calls and await _succeeded(store, due.id):
            laps.append(Lap(len(calls), depth_of(calls), took_s, made, CALL_S, 0.0))
    await store.close()
    slept, wrote = statistics.median(sleeps), statistics.median(empty)
    return [replace(each, call_s=slept, commit_s=wrote) for each in laps]


def peers_laps(folder: Path, plans: list[tuple[Case, Accepted]], like: Lap) -> list[Lap]:
    """The same plans on LangGraph; what a sleep takes was measured beside ours."""
    calls = [found for _, accepted in plans if (found := calls_of(accepted))]
    file = folder / "plans.json"
    file.write_text(json.dumps(calls), "utf-8")
    python, script = str(peers_python(HOME)), str(HERE / "langgraph_plans.py")
    seconds: list[float] = json.loads(
        said_by([python, script, f"sqlite:///{folder}/peer.db", str(file)])
    )
    return [
        Lap(len(each), depth_of(each), took_s, 0, like.call_s, like.commit_s)
        for each, took_s in zip(calls, seconds, strict=True)
    ]


async def _slept_s() -> float:
    """What a sleep of a call's time takes where nothing else is to be done."""
    begun = time.perf_counter()
    await asyncio.sleep(CALL_S)
    return time.perf_counter() - begun


async def _wrote_s(store: Store) -> float:
    """What it takes until a commit of nothing is known to have been made."""
    begun = time.perf_counter()
    await store.write(lambda _: None)
    return time.perf_counter() - begun


async def _succeeded(store: Store, run: str) -> bool:
    found = await store.read(partial(runs.get, tenant="main", run=run))
    return found is not None and found.status == "succeeded"


def fsync_ms(folder: Path) -> float:
    """What it takes to make one page durable there."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1e3


def row(name: str, storage: str, laps: list[Lap]) -> str:
    """A line of the table."""
    path = statistics.median(each.of_the_path for each in laps)
    one_by_one = sum(each.calls * each.call_s for each in laps)
    faster = one_by_one / sum(each.took_s for each in laps)
    best = one_by_one / sum(each.depth * each.call_s for each in laps)
    commits, goal = statistics.mean(each.commits for each in laps), GOALS.get((name, storage), "")
    shown = f"{path:>13.3f}{faster:>9.2f}{best:>9.2f}{commits:>9.1f}"
    return f"{name:<15}{storage:<8}{len(laps):>6}{shown}  {goal}"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=_DATA, required=True, help="the sets' folder")
    parser.add_argument("--most", type=int, default=1000, help="plans of each set")
    parser.add_argument("--rounds", type=int, default=1, help="of all plans")
    parser.add_argument("--peer", action="store_true", help="beside LangGraph, which is installed")
    parser.add_argument("--disk", type=Path, default=Path.cwd(), help="a folder on a real disk")
    said = parser.parse_args()
    policy = Policy.parse({"all.cedar": POLICY})
    plans: dict[str, list[tuple[Case, Accepted]]] = {}
    for name, case in cases_of(said.data):
        under_policy = replace(case, policy=policy)
        verdict = verdict_on(under_policy)
        if isinstance(verdict, Accepted) and len(plans.setdefault(name, [])) < said.most:
            plans[name].append((under_policy, verdict))
    look_rarely()  # as a gateway does
    columns = f"{'of the path':>13}{'faster':>9}{'at best':>9}{'commits':>9}"
    print(f"{'':<15}{'':<8}{'plans':>6}{columns}  goal")
    for storage, place in (("memory", MEMORY), ("disk", said.disk)):
        slept, wrote = list[float](), list[float]()
        for name, found in plans.items():
            laps: list[Lap] = []
            for _ in range(said.rounds):
                with tempfile.TemporaryDirectory(dir=place) as folder:
                    laps += run_exactly(driven(Path(folder), found, policy))
            print(row(name, storage, laps), flush=True)
            if said.peer:
                with tempfile.TemporaryDirectory(dir=place) as folder:
                    print(row("  on LangGraph", storage, peers_laps(Path(folder), found, laps[0])))
            slept = [each.call_s * 1e3 for each in laps]
            wrote = [each.commit_s * 1e3 for each in laps]
        fsync = f"an fsync on {storage}: {fsync_ms(place):.3f} ms"
        sleep = f"a bare sleep of {CALL_S * 1e3:.0f} ms: {statistics.median(slept):.2f} ms"
        empty = f"an empty commit: {statistics.median(wrote):.2f} ms"
        print(f"  {fsync}; {sleep}; {empty}")


if __name__ == "__main__":
    main()

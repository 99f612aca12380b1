"""Runs a second with 1, 2 and 4 workers on PostgreSQL, beside one process on a file.

    python -m benchmarks.throughput [--runs N] [--rounds N] [--database postgresql://...]

Each run is twenty steps one after the other, each a call that waits for a tenth of a second, as
a service does: what is measured is how many runs are held at once and what the journal costs.
Workers have eight places each; so has the process on the file. Without `--database` a server of
its own is started, which needs PostgreSQL's programs.
"""

import argparse
import asyncio
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pydantic import JsonValue
from sqlalchemy import Connection, create_engine, func, select, text
from sqlalchemy.engine import make_url

from connectors.catalog import Catalog
from connectors.connector import Applied, Outcome
from connectors.spec import ActionSpec, CallContext, Principal
from executor.check.admit import Accepted, AdmissionContext, Inputs, admit, to_row
from executor.check.cedar import Policy
from executor.check.parse import plan_of
from executor.dispatch.base import Dispatcher
from executor.dispatch.distributed import DistributedDispatcher
from executor.dispatch.local import LocalDispatcher
from executor.plan.model import Plan
from executor.run.machine import Machine
from executor.store import plans, runs, tables
from executor.store.drives import Due
from executor.store.store import Store

STEPS, CALL_S, PLACES = 20, 0.1, 8
KEY = b"k" * 32
POLICY = "permit (principal, action, resource);"


async def call(_: ActionSpec, __: Mapping[str, JsonValue], context: CallContext) -> Outcome:
    """A service that takes a tenth of a second."""
    await asyncio.sleep(CALL_S)
    return Applied({"step": context.step})


def accepted() -> Accepted:
    """The plan that every run follows."""
    wait = ActionSpec.model_validate(
        {
            "name": "service.wait",
            "input_schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
            "effect": "idempotent",
            "irreversible": False,
            "egress": False,
            "approval": None,
        }
    )
    steps: list[JsonValue] = [
        {
            "id": f"s{n}",
            "action": "service.wait",
            "args": [{"value": n, "to": "n"}],
            **({"after": [f"s{n - 1}"]} if n else {}),
        }
        for n in range(STEPS)
    ]
    plan = plan_of({"steps": steps})
    assert isinstance(plan, Plan), plan
    verdict = admit(
        plan,
        AdmissionContext(
            request="wait",
            inputs=Inputs(),
            catalog=Catalog((wait,)),
            policy=Policy.parse({"all.cedar": POLICY}),
            principal=Principal("requester-1", "main", frozenset({"requester"})),
            today="2026-11-25",
            seal_key=KEY,
        ),
    )
    assert isinstance(verdict, Accepted), verdict
    return verdict


def dispatcher_of(store: Store, url: str, places: int) -> Dispatcher:
    """As the gateway chooses it."""
    if not store.is_shared:
        return LocalDispatcher(store, concurrency=places)
    from executor.dispatch.dbos import DbosQueue

    return DistributedDispatcher(
        store, lambda worker: DbosQueue(url, worker, places), drives_here=places > 0
    )


async def worker(url: str, is_over: "multiprocessing.synchronize.Event") -> None:
    """Drive what is due until told to end."""
    policy = Policy.parse({"all.cedar": POLICY})
    store = await Store.open(url)
    dispatcher = dispatcher_of(store, url, PLACES)
    machine = Machine(
        store, call, lambda _: policy, KEY, KEY, store.clock, lease_ends=dispatcher.lease_ends
    )
    dispatcher.register("run", machine.drive, machine.put_aside, machine.halt)
    await dispatcher.start()
    while not await asyncio.to_thread(is_over.wait, 0.2):
        pass
    await dispatcher.stop()
    await store.close()


def _work(url: str, is_over: "multiprocessing.synchronize.Event") -> None:
    asyncio.run(worker(url, is_over))
    sys.stdout.flush()
    os._exit(0)


def create(c: Connection, plan: Accepted, count: int, now: float) -> list[Due]:
    """Queued runs of one plan."""
    made = []
    name = f"pln_{uuid.uuid4().hex}"
    row = plans.PlanRow("main", name, plan.digest, "requester-1", None, to_row(plan), now)
    plans.add(c, row)
    for _ in range(count):
        run = f"run_{uuid.uuid4().hex}"
        due = runs.create(c, tenant="main", run=run, plan=name, requester="requester-1", now=now)
        made.append(due)
    return made


async def left(store: Store) -> int:
    """How many runs have not succeeded yet."""
    query = select(func.count()).where(tables.runs.c.status != "succeeded")
    return await store.read(lambda c: int(c.execute(query).scalar_one()))


async def on_server(url: str, workers: int, count: int, plan: Accepted) -> float:
    """Runs a second of so many workers."""
    context = multiprocessing.get_context("spawn")
    is_over = context.Event()
    processes = [context.Process(target=_work, args=(url, is_over)) for _ in range(workers)]
    store = await Store.open(url)
    asking = dispatcher_of(store, url, 0)
    await asking.start()
    for each in processes:
        each.start()
    await _driven(store, asking, workers, plan)  # they have all begun
    begun = time.perf_counter()
    await _driven(store, asking, count, plan)
    seconds = time.perf_counter() - begun
    is_over.set()
    await asking.stop()
    await store.close()
    for each in processes:
        each.join(40)
    return count / seconds


async def _driven(store: Store, asking: Dispatcher, count: int, plan: Accepted) -> None:
    made = await store.write(partial(create, plan=plan, count=count, now=store.clock()))
    for due in made:
        asking.submit(due)
    while await left(store):
        await asyncio.sleep(0.02)


async def on_file(count: int, plan: Accepted) -> float:
    """Runs a second of one process on a file."""
    policy = Policy.parse({"all.cedar": POLICY})
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(f"sqlite:///{folder}/lamgate.db")
        dispatcher = LocalDispatcher(store, concurrency=PLACES)
        machine = Machine(store, call, lambda _: policy, KEY, KEY)
        dispatcher.register("run", machine.drive, machine.put_aside, machine.halt)
        await dispatcher.start()
        begun = time.perf_counter()
        await _driven(store, dispatcher, count, plan)
        seconds = time.perf_counter() - begun
        await dispatcher.stop()
        await store.close()
    return count / seconds


@contextmanager
def a_server(given: str | None) -> Iterator[str]:
    """The address of a server on which databases can be made."""
    if given:
        yield given
        return
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if not found:
        sys.exit("no PostgreSQL is installed here: say --database")
    folder = Path(tempfile.mkdtemp(prefix="lamgate-bench-"))
    account = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if account:
        shutil.chown(folder, "postgres")
    port = 20_000 + os.getpid() % 20_000
    run = partial(subprocess.run, check=True, cwd="/", stdout=subprocess.DEVNULL)
    control = [*account, str(found[0] / "pg_ctl"), "-D", str(folder / "data")]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
    run([*account, str(found[0] / "initdb"), "-D", str(folder / "data"), "-U", "lamgate",
         "-A", "trust"])  # fmt: skip
    run([*control, "-w", "-l", str(folder / "log"), "-o", options, "start"])
    try:
        yield f"postgresql://lamgate@127.0.0.1:{port}/postgres"
    finally:
        run([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder, ignore_errors=True)


def new_database(server: str) -> str:
    """An empty database."""
    name = f"lamgate_bench_{uuid.uuid4().hex[:8]}"
    engine = create_engine(
        make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def main() -> None:
    """Print medians of interleaved rounds, and what each is to one worker."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=32, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="of which medians are shown")
    parser.add_argument("--database", help="a server's address, with the right to make databases")
    said = parser.parse_args()
    plan = accepted()
    found: dict[str, list[float]] = {}
    with a_server(said.database) as server:
        for _ in range(said.rounds):
            alone = asyncio.run(on_file(said.runs, plan))
            found.setdefault("one process, a file", []).append(alone)
            for workers in (1, 2, 4):
                rate = asyncio.run(on_server(new_database(server), workers, said.runs, plan))
                found.setdefault(f"workers on PostgreSQL: {workers}", []).append(rate)
    one = statistics.median(found["workers on PostgreSQL: 1"])
    ideal = PLACES / (STEPS * CALL_S)
    print(f"{said.runs} runs of {STEPS} steps of {CALL_S} s; {PLACES} places a process")
    print(f"{'':<28}{'runs/s':>8}{'of one worker':>15}{'of the ideal':>14}")
    for name, rates in found.items():
        rate, count = statistics.median(rates), int(name[-1]) if name[-1].isdigit() else 1
        print(f"{name:<28}{rate:>8.2f}{rate / one:>14.2f}x{rate / (ideal * count):>13.0%}")


if __name__ == "__main__":
    main()

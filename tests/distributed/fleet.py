"""A fleet of workers on one database, as a test sees and treats it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from servers import Server
from shop_world import (
    OVERLAY,
    STEPS,
    TENANT,
    accepted,
    connections,
    create,
    effects,
    registry_of,
)
from sqlalchemy import func, select, text

from executor.dispatch.dbos import DbosQueue
from executor.dispatch.distributed import DistributedDispatcher
from executor.store import journal, runs, tables, workers
from executor.store.runs import RunRow
from executor.store.store import Store

PATIENCE_S = 60.0
OVER = ("succeeded", "waiting")


@dataclass
class Fleet:
    """Workers by pid; whoever is left at the end is killed."""

    zygote: "subprocess.Popen[str]"
    server: Server
    url: str
    shop: str
    folder: Path
    pids: list[int] = field(default_factory=list)
    overlay: Path = OVERLAY

    def be_patient(self) -> None:
        """From now on no call ends before its answer comes, however busy the machine is."""
        self.overlay = self.folder / "overlay.yaml"
        text = OVERLAY.read_text("utf-8")
        self.overlay.write_text(text.replace("timeout_s: 10", "timeout_s: 120"), "utf-8")

    @property
    def order(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "folder": str(self.folder),
            "connections": connections(self.shop, self.overlay),
            "allow_hosts": [self.shop.removeprefix("http://")],
        }

    def start(self, count: int = 1, **more: Any) -> list[int]:
        """Start workers and wait until they take jobs."""
        pids = [int(self._say({**self.order, **more})) for _ in range(count)]
        self.pids += pids
        for pid in pids:
            self.until(lambda pid=pid: (self.folder / f"{pid}.ready").exists() or self.log(pid))
        return pids

    def launch(self, **more: Any) -> int:
        """Start one that may end by itself."""
        pid = int(self._say({**self.order, **more}))
        self.pids.append(pid)
        return pid

    def signal(self, pid: int, number: int) -> None:
        os.kill(pid, number)

    def ended(self, pid: int) -> int:
        """Wait until it has ended: an exit code, or minus a signal."""
        self.pids.remove(pid)
        return int(self._say({"wait": pid}))

    def log(self, pid: int) -> str:
        file = self.folder / f"{pid}.log"
        return file.read_text() if file.exists() else ""

    def end(self) -> None:
        for pid in list(self.pids):
            os.kill(pid, signal.SIGKILL)
            self.ended(pid)

    def effects(self, mark: str) -> dict[str, int]:
        return effects(self.shop, mark)

    def until(self, seen: Callable[[], object], within_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + within_s
        while not seen():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.02)

    def logs(self) -> str:
        return "\n".join(file.read_text()[-2000:] for file in self.folder.glob("*.log"))

    def _say(self, what: dict[str, Any]) -> str:
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write(json.dumps(what) + "\n")
        self.zygote.stdin.flush()
        return self.zygote.stdout.readline()


class Office:
    """What a gateway that drives nothing does: it creates runs and asks for drives."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    async def __aenter__(self) -> "Office":
        self.store = await Store.open(self.fleet.url)
        url = self.fleet.url
        self.dispatcher = DistributedDispatcher(
            self.store, lambda worker: DbosQueue(url, worker, 0), drives_here=False
        )
        await self.dispatcher.start()
        order = self.fleet.order
        self.registry, self.transport = registry_of(order["connections"], order["allow_hosts"])
        self.catalog = await self.registry.load()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.dispatcher.stop()
        await self.transport.aclose()
        await self.store.close()

    async def ask(self, mark: str, count: int, first: int = 0, **more: str) -> list[str]:
        """Create runs whose effects bear the mark and their number, and ask for their drives."""
        names = [f"run_{mark}{number}" for number in range(first, first + count)]
        for name in names:
            plan = accepted(self.catalog, f"{name} {mark}", **more)
            due = await self.store.write(
                partial(create, run=name, plan=plan, now=self.store.clock())
            )
            self.dispatcher.submit(due)
        return names

    async def drivers(self) -> list[str]:
        """Who drives the runs that are being driven."""
        driven = select(tables.runs.c.driver).where(tables.runs.c.status == "running")
        return await self.store.read(lambda c: [str(each) for each in c.execute(driven).scalars()])

    async def driving(self) -> set[int]:
        """The processes that drive a run."""
        return {int(each.split("-")[-2]) for each in await self.drivers()}

    async def living(self) -> set[int]:
        """The processes whose lease lasts."""
        found = await self.store.read(lambda c: workers.living(c, self.store.clock()))
        return {int(each.split("-")[-2]) for each in found}

    async def driven_by(self, pid: int) -> list[str]:
        """The runs that a process drives, or did when it died."""
        of = tables.runs.c.driver.contains(f"-{pid}-")
        driven = select(tables.runs.c.id).where(of)
        return await self.store.read(lambda c: [str(each) for each in c.execute(driven).scalars()])

    async def under_way(self) -> int:
        """How many calls are under way by the journal."""
        begun = select(func.count()).where(tables.attempts.c.state == "intent")
        return await self.store.read(lambda c: int(c.execute(begun).scalar_one()))

    async def open_transactions(self) -> set[int]:
        """The sessions of queues in which nothing is said amid a transaction."""
        found = text(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'dbos_transact' AND state = 'idle in transaction' "
            "AND query NOT LIKE '%advisory%'"  # one that only lets its own housekeeping rest
        )
        return await self.store.read(lambda c: {int(each) for each in c.execute(found).scalars()})

    async def rows(self, names: Sequence[str]) -> list[RunRow]:
        return await self.store.read(
            lambda c: [row for name in names if (row := runs.get(c, TENANT, name)) is not None]
        )

    async def story(self, done: dict[str, int], wanted: dict[str, int]) -> str:
        """The journals of the runs whose effects are others than wanted, for whoever looks."""
        odd = sorted({name.split()[1] for name, _ in done.items() ^ wanted.items()})
        told = [f"{done.items() ^ wanted.items()}"]
        for name in odd:
            events = await self.store.read(partial(journal.read, tenant=TENANT, subject=name))
            told += [f"{each.at:.3f} {name} {each.type} {dict(each.data)}" for each in events]
        return "\n".join(told)


def expected(names: Sequence[str], mark: str) -> dict[str, int]:
    """Every effect of these runs, once."""
    return {f"{step} {name} {mark}": 1 for name in names for step in STEPS}

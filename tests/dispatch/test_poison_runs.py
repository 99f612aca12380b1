"""A run that kills its process is parked after the third death, and it alone."""

import asyncio
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from executor.store import journal, runs
from executor.store.store import Store

pytestmark = pytest.mark.timeout(120)
SCRIPT = Path(__file__).parent / "killed_process.py"


def processes(url: str) -> list[int]:
    """One process after the other, until one ends by itself; how each of them ended."""
    ends = list[int]()
    while not ends or (ends[-1] and len(ends) < 8):
        done = subprocess.run([sys.executable, str(SCRIPT), url], capture_output=True, check=False)
        ends.append(done.returncode)
    return ends


async def test_a_run_that_kills_its_process_is_parked_after_the_third_and_no_other_one(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'lamgate.db'}"
    ends = await asyncio.to_thread(processes, url)
    store = await Store.open(url)
    rows = {row.id: row for row in await store.read(partial(runs.newest, tenant="main"))}
    events = await store.read(partial(journal.read, tenant="main", subject="run_poison"))
    await store.close()
    poison = rows.pop("run_poison")

    assert ends == [-signal.SIGKILL] * 3 + [0]
    assert (poison.status, poison.code) == ("quarantined", "process-killed")
    assert events[-1].data["standing"] == ["write"]
    assert {row.status for row in rows.values()} == {"succeeded"}
    assert all(row.recoveries >= 1 for row in rows.values())  # they died with it, too

"""A disk of 2 MB, and runs on it; needs root, for a file system has to be mounted."""

import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from run_bench import Bench
from run_cases import policy

from executor.check.cedar import Policy
from executor.store.store import Store

_POLICY = policy()


def mounted(place: Path) -> Iterator[Path]:
    """A file system of its own for as long as a test takes."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


class SmallBench(Bench):
    """Runs on a disk that can be filled; the policy is asked for once in each round."""

    disk: Path
    rounds = 0
    fill_in_round = 0
    free_in_round = 0

    def counted(self) -> Policy:
        self.rounds += 1
        if self.rounds == self.fill_in_round:
            self.fill()
        if self.rounds == self.free_in_round:
            self.free()
        return _POLICY

    def fill(self) -> None:
        """Leave no room at all."""
        ballast = self.disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)

    def free(self) -> None:
        (self.disk / "ballast").unlink()


async def opened(disk: Path) -> AsyncIterator[SmallBench]:
    """Runs in a file on this disk."""
    store = await Store.open(f"sqlite:///{disk / 'lamgate.db'}")
    found = SmallBench(store)
    found.disk, found.policy = disk, found.counted
    yield found
    with contextlib.suppress(OSError):
        found.free()
    await found.close()
    await store.close()

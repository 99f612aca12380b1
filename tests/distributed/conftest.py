"""A server, a shop, and a process to fork workers from, for all tests of a session."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / each) for each in ("store", "cli", "run")]
from fleet import Fleet  # noqa: E402
from servers import Server, missing, server  # noqa: E402

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    why = missing()
    if why:
        pytest.skip(why)
    with server() as running:
        yield running


@pytest.fixture(scope="session")
def zygote(postgres: Server) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / "fleet_process.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{HERE}"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


@pytest.fixture
def fleet(
    zygote: "subprocess.Popen[str]", postgres: Server, shop: Any, tmp_path: Path
) -> Iterator[Fleet]:
    """Workers on a database of their own."""
    found = Fleet(zygote, postgres, postgres.new_database(), shop.urls["orders"], tmp_path)
    yield found
    found.end()

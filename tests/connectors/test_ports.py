"""No two servers that tests start are sent to the same port."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
from ports import free_port
print(*(free_port() for _ in range(300)), flush=True)
input()
"""


def test_processes_that_ask_together_are_given_different_ports() -> None:
    several = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    given: list[str] = []
    for each in several:
        assert each.stdout is not None
        given += each.stdout.readline().split()
    for each in several:
        each.communicate("\n", timeout=30)

    assert len(given) == len({*given}) == 1200

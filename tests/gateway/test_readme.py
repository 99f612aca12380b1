"""What the README shows is run as it stands there, against a gateway over the shop."""

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from served import Running

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The only fenced block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    text: str = found
    return text


async def run(running: Running, *command: str) -> str:
    person = await running.person("requester-1", "requester")
    key = person.headers["authorization"].removeprefix("Bearer ")
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "LAMGATE_URL": running.url, "LAMGATE_KEY": key, "NO_PROXY": "127.0.0.1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_example_in_python_plans_runs_and_explains(running: Running) -> None:
    said = await run(running, sys.executable, "-c", block("python"))

    assert said.startswith("planned ")
    assert "succeeded" in said
    assert "orders.get_order" in said


@pytest.mark.skipif(shutil.which("curl") is None, reason="the example is for curl")
async def test_the_example_for_curl_plans_the_same(running: Running) -> None:
    said = await run(running, "sh", "-c", block("sh"))

    assert json.loads(said)["status"] == "planned"


def test_every_test_that_the_readme_names_is_there() -> None:
    named = {
        word
        for command in re.findall(r"`\.venv/bin/pytest ([^`]+)`", README)
        for word in command.split()
    }

    assert len(named) >= 8
    assert sorted(name for name in named if not (Path(__file__).parents[2] / name).exists()) == []

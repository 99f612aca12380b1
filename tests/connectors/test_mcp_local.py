"""A server that is started here gets what was configured, nothing else, and is gone afterwards."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from mcp_world import Tools, server, tool

from connectors.connector import Applied

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    found = Tools(tmp_path)
    found.has(tool("look"), tool("leave_child"))
    return found


def is_alive(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status")
    try:
        return "State:\tZ" not in status.read_text("utf-8")
    except FileNotFoundError:
        return False


def is_there(folder: str) -> bool:
    return Path(folder).exists()


def until_gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


async def seen(command: tuple[str, ...], **more: Any) -> Any:
    async with server(command, **more) as found:
        looked = await found.call("look")
        assert isinstance(looked, Applied)
        assert isinstance(looked.output, dict)
        return json.loads(str(looked.output["text"])), found.review().reached_by


async def test_it_sees_only_what_was_configured(
    tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_TOKEN", "the-gateways-own")
    secret = "a-token-of-the-server"
    options = {"env": {"MODE": "plain"}, "secrets": {"TOKEN": "env:TOKEN"}}
    sees, told = await seen(
        (*tools.lines, "$(touch here); `id`"), options=options, secrets={"env:TOKEN": secret}
    )

    assert sees["env"] == {"MODE": "plain", "TOKEN": "[secret]"} | {
        name: value for name, value in sees["env"].items() if name == "LC_CTYPE"
    }
    assert sees["argv"][-1] == "$(touch here); `id`", "there is no shell"
    assert sees["group"] == sees["pid"] != os.getpgid(0)
    assert (sees["core"], sees["files"]) == (0, 1024)
    assert "NoNewPrivs:\t1" in sees["privileges"]
    assert not is_there(sees["cwd"]), "its own directory is gone"
    assert until_gone(sees["pid"])
    assert "environment: MODE, TOKEN" in told
    assert f"argv[{len(tools.lines)}] = '$(touch here); `id`'" in told
    assert secret not in str(told)


async def test_what_it_leaves_behind_is_killed_with_it(tools: Tools) -> None:
    async with server(tools.lines) as found:
        left = await found.call("leave_child")
    assert isinstance(left, Applied)
    assert isinstance(left.output, dict)

    assert until_gone(int(str(left.output["text"])))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a process to its parent")
def test_it_dies_with_a_gateway_that_is_killed(tools: Tools, tmp_path: Path) -> None:
    stubborn = tmp_path / "stubborn.py"
    stubborn.write_text(
        "import os, time\nfrom pathlib import Path\n"
        f"Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n",
        "utf-8",
    )
    code = textwrap.dedent(f"""
        import asyncio
        from connectors.mcp.process import Command, started
        async def main():
            async with started(Command(({sys.executable!r}, {str(stubborn)!r}))) as server:
                await asyncio.sleep(600)
        asyncio.run(main())
    """)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", code], env=environment) as gateway:
        deadline = time.monotonic() + 30
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text("utf-8"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        pid = int((tmp_path / "pid").read_text("utf-8"))
        gateway.send_signal(signal.SIGKILL)

    assert until_gone(pid)

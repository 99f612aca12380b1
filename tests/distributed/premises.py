"""A gateway and workers over one database, as an operator has them: each a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from forked import LAMGATE, Forked
from shop_world import OVERLAY, PERMIT_ALL, ROOT

PATIENCE_S = 60.0
Process = Forked | subprocess.Popen[str]
LOADS = (
    "gateway.cli.serving", "gateway.cli.working", "gateway.cli.garbage", "gateway.cli.server",
    "gateway.dispatching", "executor.dispatch.dbos", "executor.store.upgrade", "psycopg",
    "connectors.openapi.factory", "anyio._backends._asyncio",
)  # fmt: skip


@dataclass
class Site:
    """A folder with an operator's file, and processes over it."""

    folder: Path
    url: str
    secret: str | None
    loads_anew: bool = False  # each process by itself, as from a command line
    started: list[Process] = field(default_factory=list)

    def start(self, *words: str, **more: str) -> Process:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("LAMGATE_")}
        given = {"LAMGATE_SECRET": self.secret} if self.secret else {}
        process = self._process(
            [*words, "--database", self.url, "--json"], {**kept, **given, **more}
        )
        self.started.append(process)
        return process

    def _process(self, words: list[str], env: Mapping[str, str]) -> Process:
        pipe = subprocess.PIPE
        if not self.loads_anew:
            return Forked(
                LAMGATE, *words, cwd=self.folder, env=env, stdout=pipe, stderr=pipe, modules=LOADS
            )
        argv = [sys.executable, "-m", "gateway", *words]
        own = {**env, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(argv, cwd=self.folder, env=own, stdout=pipe, stderr=pipe, text=True)

    def client(self, address: str) -> httpx2.Client:
        key = (self.folder / "var" / "lamgate.operator-key").read_text().strip()
        headers = {"authorization": f"Bearer {key}"}
        return httpx2.Client(base_url=address, headers=headers, trust_env=False, timeout=30)


@contextmanager
def site(
    folder: Path, url: str, shop: str, secret: str | None, *, loads_anew: bool = False
) -> Iterator[Site]:
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "all.cedar").write_text(PERMIT_ALL)
    (folder / "lamgate.toml").write_text(
        f"""
[policy]
path = "policies"
[connections.orders]
connector = "openapi"
base_url = "{shop}"
overlay = "{OVERLAY}"
allow_hosts = ["{shop.removeprefix("http://")}"]
"""
    )
    found = Site(folder, url, secret, loads_anew)
    try:
        yield found
    finally:
        for process in found.started:
            process.kill()
            process.communicate()


def said(process: Process) -> Any:
    """The document that a process prints once it is ready."""
    assert process.stdout is not None
    text = ""
    while line := process.stdout.readline():
        text += line
        try:
            return json.loads(text)
        except ValueError:
            continue
    assert process.stderr is not None
    raise AssertionError(process.stderr.read())

"""What the command line's tests stand on: `lamgate` as a process, over a gateway over the shop."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from forked import LAMGATE, Forked, lamgate

from executor.store.lock import address_in_lock
from gateway.demo.config import write_config

SHOP = Path(__file__).parents[2] / "examples" / "shop"
PROGRAM = [sys.executable, "-m", "gateway"]
PATIENCE_S = 60.0
MUG = "A mug from order 1042 arrived broken. Please make it right and let the customer know."
BOWL = "The bowl in order 1044 is damaged, refund it."  # 9.00: nobody has to approve it
STATUS = "What is the status of order 1043?"
TAG: dict[str, Any] = {
    "understanding": "by hand",
    "steps": [
        {
            "id": "tag",
            "why": "a test",
            "action": "orders.add_tag",
            "args": [{"value": "1043", "to": "order_id"}, {"value": "looked-at", "to": "tag"}],
        }
    ],
    "answer": [],
}


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Its standard output, which is one JSON document and nothing else."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Lamgate:
    """The command line in a folder that has an operator's file."""

    folder: Path
    key: str | None = None
    more: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "lamgate.toml"

    def __call__(self, *words: str, stdin: str = "") -> Said:
        """Run a command to its end."""
        done = lamgate(
            words, given=stdin, cwd=self.folder, env=self.environment, timeout_s=PATIENCE_S
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in said.err, said.err
        return said

    def start(self, *words: str, **streams: Any) -> Forked:
        """Start a command that goes on."""
        pipe = subprocess.PIPE
        streams = {"stdin": pipe, "stdout": pipe, "stderr": pipe, **streams}
        return Forked(LAMGATE, *words, cwd=self.folder, env=self.environment, **streams)

    def until_status(self, run: str, wanted: str, waiting_for: str | None = None) -> None:
        """Look, over HTTP, until a run stands so; looking by processes would be dear."""
        address = address_in_lock(self.folder / "var" / "lamgate.db")
        caller = {"authorization": f"Bearer {self.key}"}

        def stands_so() -> bool:
            url = f"{address}/v1/runs/{run}"
            found = httpx2.get(url, headers=caller, trust_env=False, verify=False)
            row = found.json()
            return (row["status"], row["waiting_for"]) == (wanted, waiting_for)

        until(stands_so, f"the run is {wanted}")

    def under(self, key: str) -> "Lamgate":
        """The same under another key."""
        return Lamgate(self.folder, key, self.more)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: text for name, text in os.environ.items() if not name.startswith("LAMGATE_")}
        given = {"SHOP_MINOR_KEY": "sk_shop_minor", "SHOP_DECIMAL_KEY": "shop-decimal-key"}
        given["COLUMNS"] = "100"  # what is looked for is not wrapped
        return kept | given | ({"LAMGATE_KEY": self.key} if self.key else {}) | self.more


def in_the_shop(folder: Path, shop: Any) -> Lamgate:
    """The shop's own operator's file in a folder, on the ports where the shop runs."""
    addresses = {**shop.urls, "smtp": shop.smtp}
    ports = {name: address.rpartition(":")[2] for name, address in addresses.items()}
    document = httpx2.get(f"{shop.urls['orders']}/openapi.json", trust_env=False).json()
    write_config(SHOP, folder, ports, document)
    return Lamgate(folder)


@contextmanager
def served(lamgate: Lamgate) -> Iterator[str]:
    """A gateway as a process of its own; gives its address."""
    process = lamgate.start("serve", "--port", "0", "--until-stdin-ends", "--json")
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        while said and not said.endswith("}\n"):
            said += process.stdout.readline()
        assert said, process.communicate()
        address: str = json.loads(said)["ready"]
        yield address
    finally:
        process.terminate()
        _, complaints = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, complaints) == (0, "")


def until(claim: Callable[[], bool], what: str) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < deadline, f"it took too long until {what}"
        time.sleep(0.05)


def error_of(said: Said, code: str) -> str:
    """What a command complains of, having failed with this code and nothing on standard output."""
    assert said.err.startswith(f"{code}\n"), said
    assert said.out == "", said
    return " ".join(said.err.split())


def new_key(operator: Lamgate, principal: str, role: str) -> str:
    """A key for somebody."""
    secret: str = operator("keys", "create", principal, "--role", role, "--json").document["secret"]
    return secret


def ledger(shop: Any, service: str) -> list[dict[str, Any]]:
    """What a service of the shop did, by its own record."""
    found: list[dict[str, Any]] = httpx2.get(f"{shop.urls[service]}/ledger", trust_env=False).json()
    return found

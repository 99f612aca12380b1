"""What the shop's tests share: starting it by path, its services as clients, waiting."""

import importlib.util
import sqlite3
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import httpx2
from pydantic import JsonValue

FOLDER = Path(__file__).parents[2] / "examples" / "shop"
SERVICES = ("orders", "pay_minor", "pay_decimal", "mail")
SIGNED = {
    "pay_minor": {"Authorization": "Bearer sk_shop_minor"},
    "pay_decimal": {"X-Api-Key": "shop-decimal-key"},
}
PATIENCE_S = 20.0
# Every client would read all certificates anew, and none of them is needed on loopback.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def load_start() -> ModuleType:
    """The shop's starter, loaded by path as the demo does."""
    spec = importlib.util.spec_from_file_location("shop_start", FOLDER / "start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass
class Service:
    """One running service, as a caller with the right key sees it."""

    name: str
    url: str
    file: Path

    def call(
        self,
        method: str,
        path: str,
        body: JsonValue = None,
        *,
        headers: dict[str, str] | None = None,
        timeout_s: float = PATIENCE_S,
    ) -> httpx2.Response:
        """Call once, on a connection of its own."""
        given = {**SIGNED.get(self.name, {}), **(headers or {})}
        with httpx2.Client(trust_env=False, verify=NO_TLS, timeout=timeout_s) as client:
            if body is None:
                return client.request(method, self.url + path, headers=given)
            return client.request(method, self.url + path, headers=given, json=body)

    def get(self, path: str) -> httpx2.Response:
        """Read."""
        return self.call("GET", path)

    def ledger(self, reference: str) -> list[dict[str, JsonValue]]:
        """The effects that were applied under a key, a reference or a Message-ID."""
        rows = self.get("/ledger").json()
        return [row for row in rows if row["reference"] == reference]

    def spoil(self, kind: str, path_prefix: str, **order: JsonValue) -> None:
        """Order a fault."""
        match = {"method": order.pop("method", "POST"), "path_prefix": path_prefix}
        answer = self.call("POST", "/faults", {"kind": kind, "match": match, **order})
        assert answer.status_code == 200, answer.text

    def fired(self) -> int:
        """How often the only fault took effect."""
        (fault,) = self.get("/faults").json()
        fired: int = fault["fired"]
        return fired

    def age_keys(self, seconds: float) -> None:
        """Let time pass for the keys that are kept."""
        connection = sqlite3.connect(self.file, timeout=10)
        with connection:
            connection.execute("UPDATE keys SET at = at - ?", (seconds,))
        connection.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait for another process, not longer than is decent."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)

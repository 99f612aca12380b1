"""Servers that others wrote, started on loopback for the connectors' tests.

They are looked for in `LAMGATE_SERVERS`, or else in a folder of the user's caches, and what needs
one that is not there is skipped. To put them there, from the root of the repository:

    tests/connectors/install_servers.sh
"""

import os
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from ports import free_port

FOLDER = Path(os.environ.get("LAMGATE_SERVERS", Path.home() / ".cache" / "lamgate" / "servers"))
HERE = Path(__file__).parent
START_S = 60.0
# Reading the system's certificates takes longer than a call.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def program(of: str, name: str) -> Path:
    """A program of one server, or skip."""
    found = FOLDER / of / "bin" / name
    if not found.exists():
        pytest.skip(f"{of} is not in {FOLDER}: tests/connectors/install_servers.sh puts it there")
    return found


@dataclass(frozen=True)
class Real:
    """A server that runs."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def host(self) -> str:
        """Its `host:port`."""
        return f"127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, **more: object) -> httpx2.Response:
        """One request that is not the connector's."""
        with httpx2.Client(trust_env=False, timeout=20, verify=_NO_TLS) as client:
            return client.request(method, self.url + path, **more)  # type: ignore[arg-type]


@contextmanager
def running(argv: Sequence[str | Path], port: int, folder: Path, path: str = "/") -> Iterator[Real]:
    """Start a program and wait until it answers; it is ended in the end."""
    log = folder / "log.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*map(str, argv)], cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        real = Real(port, folder)
        deadline = time.monotonic() + START_S
        while not _answers(real, path):
            assert process.poll() is None, log.read_text("utf-8", "replace")[-2000:]
            assert time.monotonic() < deadline, f"{argv[0]} does not answer"
            time.sleep(0.05)
        yield real
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _answers(real: Real, path: str) -> bool:
    try:
        return real.ask("GET", path).status_code < 600
    except httpx2.TransportError:
        return False


@contextmanager
def roundup(folder: Path) -> Iterator[Real]:
    """A tracker of Roundup's classic template; `admin` has the password `adminpw`."""
    admin, port = program("roundup", "roundup-admin"), free_port()
    tracker = folder / "tracker"
    at = [str(admin), "-i", str(tracker)]
    subprocess.run([*at, "install", "classic", "sqlite"], check=True, capture_output=True)
    config = tracker / "config.ini"
    text = config.read_text("utf-8")
    for name, value in (
        ("web", f"http://127.0.0.1:{port}/"),
        ("domain", "example.com"),
        ("host", "127.0.0.1"),
    ):
        text = re.sub(rf"(?m)^#?\s*{name} = NO DEFAULT.*$", f"{name} = {value}", text, count=1)
    # Each request signs in anew, and with the usual rounds that is most of its time.
    rounds = "password_pbkdf2_default_rounds"
    text = re.sub(rf"(?m)^{rounds} = .*$", f"{rounds} = 1000", text)
    config.write_text(text, "utf-8")
    subprocess.run([*at, "initialise", "adminpw"], check=True, capture_output=True)
    argv = (program("roundup", "python"), HERE / "roundup_wsgi.py", tracker, str(port))
    with running(argv, port, folder, "/rest/") as real:
        yield real


SCIM_TOKEN = "a-token-of-nobody"


@contextmanager
def scim(folder: Path) -> Iterator[Real]:
    """An empty service provider; its resources are below `/v2`."""
    port = free_port()
    at = ("--hostname", "127.0.0.1", "--port", str(port), "--bearer-token", SCIM_TOKEN)
    with running((program("scim", "scim2-server"), *at), port, folder, "/v2/Users") as real:
        yield real


@contextmanager
def radicale(folder: Path) -> Iterator[Real]:
    """A server with a calendar at `/it/cal/`; `it` has the password `it-password`."""
    port = free_port()
    config = folder / "radicale.conf"
    (folder / "users").write_text("it:it-password\n", "utf-8")
    config.write_text(
        f"[server]\nhosts = 127.0.0.1:{port}\n"
        f"[auth]\ntype = htpasswd\nhtpasswd_filename = {folder / 'users'}\n"
        "htpasswd_encryption = plain\ndelay = 0\n"
        f"[storage]\nfilesystem_folder = {folder / 'store'}\n[web]\ntype = none\n",
        "utf-8",
    )
    argv = (program("radicale", "radicale"), "-C", config)
    with running(argv, port, folder, "/it/") as real:
        made = real.ask("MKCALENDAR", "/it/cal/", auth=("it", "it-password"))
        assert made.status_code == 201, made.text
        yield real


STRIPE_KEY = "sk_test_of_nobody"


@contextmanager
def stripe(folder: Path) -> Iterator[Real]:
    """A Stripe that remembers charges, refunds and keys."""
    packages, port = FOLDER / "node_modules", free_port()
    node = shutil.which("node")
    if node is None or not (packages / "stripe-stateful-mock").exists():
        pytest.skip(f"there is no node, or no stripe-stateful-mock in {FOLDER}")
    argv = ("env", f"NODE_PATH={packages}", node, HERE / "stripe_mock.cjs", str(port))
    with running(argv, port, folder, "/v1/charges") as real:
        yield real


@dataclass(frozen=True)
class Post:
    """A mail server and its mailbox."""

    smtp: str
    mailbox: Real


@contextmanager
def maildev(folder: Path) -> Iterator[Post]:
    """A mail server that takes everything, and shows it over HTTP and as an MCP server."""
    script = FOLDER / "node_modules" / "maildev" / "dist" / "bin" / "maildev.js"
    node = shutil.which("node")
    if node is None or not script.exists():
        pytest.skip(f"there is no node, or no maildev in {FOLDER}")
    web, smtp = free_port(), free_port()
    mails = folder / "mails"
    mails.mkdir()
    argv = (node, script, "--ip", "127.0.0.1", "--web-ip", "127.0.0.1", "--web", str(web))
    argv += ("--smtp", str(smtp), "--mail-directory", str(mails), "--mcp")
    with running(argv, web, folder, "/api/healthz") as real:
        yield Post(f"127.0.0.1:{smtp}", real)

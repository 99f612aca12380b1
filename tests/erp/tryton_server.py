"""A real Tryton for tests: filled once beside its environment, copied and started for each session.

Tryton is under the GPL: it is a process of its own here, and nothing of it is imported.
"""

import datetime as dt
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ports import free_port
from real_servers import FOLDER, program, running

SEED = Path(__file__).with_name("tryton_seed.py")
LOCKED = Path(__file__).parents[2] / "requirements" / "servers" / "tryton.txt"
DATABASE = "erp"
MODULES = (
    "sale", "purchase", "stock", "account_invoice", "account_payment", "sale_complaint",
    "account_invoice_stock",
)  # fmt: skip


@dataclass(frozen=True)
class Erp:
    """A running Tryton."""

    url: str
    key: str
    folder: Path


@contextmanager
def serving(folder: Path) -> Iterator[Erp]:
    """A fresh copy of the filled database, served from a process of its own, or skip."""
    trytond, port = program("tryton", "trytond"), free_port()
    template = _filled()
    shutil.copy(template / f"{DATABASE}.sqlite", folder)
    conf = _conf(folder, f"[web]\nlisten = 127.0.0.1:{port}\n")
    with running([trytond, "-c", conf, "-d", DATABASE], port, folder, f"/{DATABASE}/") as real:
        yield Erp(real.url, (template / "key").read_text(), folder)


def _filled() -> Path:
    """The folder with the filled database; what fills it is part of its name."""
    told = SEED.read_bytes() + LOCKED.read_bytes()
    told += str(dt.date.today().year).encode()  # which the accounts are opened for
    done = FOLDER / f"tryton-filled-{hashlib.sha256(told).hexdigest()[:12]}"
    with (FOLDER / "tryton-filling.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.is_dir():
            fresh = FOLDER / "tryton-filling"
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            _fill(fresh)
            fresh.rename(done)
    return done


def _fill(folder: Path) -> None:
    conf, password = _conf(folder), folder / "password"
    password.write_text("of-nobody-who-signs-in\n")
    (folder / f"{DATABASE}.sqlite").touch()
    environment = {**os.environ, "TRYTONPASSFILE": str(password)}
    admin = [program("tryton", "trytond-admin"), "-c", conf, "-d", DATABASE]
    for command in (
        [*admin, "--all", "--email", "admin@example.com"],
        [*admin, "-u", *MODULES, "--activate-dependencies"],
        [program("tryton", "python"), SEED, conf, DATABASE, folder / "key"],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]


def _conf(folder: Path, more: str = "") -> Path:
    conf = folder / "trytond.conf"
    conf.write_text(f"[database]\nuri = sqlite://\npath = {folder}\n{more}")
    return conf

"""A copy of the database, and what has to be known of a gateway that goes on from one."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from commands import MUG, Lamgate, in_the_shop, ledger, new_key, served, until

from executor.store.backup import copy


@pytest.mark.timeout(600)
def test_a_restored_gateway_calls_nothing_until_it_is_told_to_and_then_repeats_no_keyed_effect(
    tmp_path: Path, shop: Any
) -> None:
    operator = in_the_shop(tmp_path, shop)
    copy, database = tmp_path / "copies" / "one.db", tmp_path / "var" / "lamgate.db"
    copy.parent.mkdir()
    at_first = ledger(shop, "pay_minor")
    with served(operator):
        requester = operator.under(new_key(operator, "requester-1", "requester"))
        approver = operator.under(new_key(operator, "approver-1", "approver"))
        run = requester("run", MUG, "--answer", "remedy=refund", "--json").document["id"]
        copied = operator("backup", str(copy), "--json").document
        _approve(approver)
        requester.until_status(run, "succeeded")
    before = ledger(shop, "pay_minor")

    for each in database.parent.glob("lamgate.db-*"):
        each.unlink()
    shutil.copy(copy, database)
    stopped = operator("stop", "--all-tenants", "--reason", "restored", "--json").document
    with served(operator):
        again = requester("runs", "--json").document
        _approve(approver)
        requester.until_status(run, "waiting", "stop")
        held = ledger(shop, "pay_minor")
        operator("resume", stopped["id"], "--reason", "looked at")
        requester.until_status(run, "succeeded")

    assert copied["bytes"] == copy.stat().st_size
    assert [(each["id"], each["waiting_for"]) for each in again] == [(run, "approval")]
    assert len(before) == len(at_first) + 1
    assert held == before
    assert ledger(shop, "pay_minor") == before


def _approve(approver: Lamgate) -> None:
    (waiting,) = approver("approvals", "--json").document
    assert approver("approve", waiting["id"], "--reason", "checked", "--json").code == 0


def test_a_copy_is_its_owners_alone_one_whole_file_and_never_written_over(
    operator: Lamgate, tmp_path: Path
) -> None:
    copy = tmp_path / "one.db"
    made = operator("backup", str(copy))
    content = copy.read_bytes()
    twice = operator("backup", str(copy), "--json")
    nowhere = operator("backup", str(tmp_path / "none" / "two.db"), "--json")
    with closing(sqlite3.connect(copy)) as c:
        keys = c.execute("SELECT count(*) FROM keys").fetchone()

    assert made.code == 0, made
    assert f"{operator.folder / 'var' / 'lamgate.db.secret'}" in made.out.replace("\n    ", " ")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["one.db"]
    assert keys[0] >= 1
    assert (twice.code, twice.document["code"], twice.document["at"]) == (
        2, "file-exists", str(copy),
    )  # fmt: skip
    assert "never written over" in twice.document["detail"]
    assert copy.read_bytes() == content
    assert (nowhere.code, nowhere.document["code"]) == (2, "file-system")
    assert nowhere.document["at"] == str(tmp_path / "none" / "two.db")


def test_what_is_no_file_or_not_there_is_not_copied(alone: Lamgate, tmp_path: Path) -> None:
    none = alone("backup", str(tmp_path / "one.db"), "--json")
    alone.more["LAMGATE_DATABASE__URL"] = "postgresql://lamgate@127.0.0.1/lamgate"
    server = alone("backup", str(tmp_path / "two.db"), "--json")

    assert (none.code, none.document["code"]) == (2, "storage-unavailable")
    assert "there is no database" in none.document["detail"]
    assert (server.code, server.document["code"]) == (2, "bad-option")
    assert "pg_dump" in server.document["fix"]
    assert not (tmp_path / "one.db").exists()


def test_a_copy_that_was_killed_on_the_way_is_not_there(tmp_path: Path) -> None:
    database, folder = tmp_path / "lamgate.db", tmp_path / "copies"
    folder.mkdir()
    with closing(sqlite3.connect(database)) as c, c:
        c.execute("CREATE TABLE much (content BLOB)")
        c.executemany("INSERT INTO much VALUES (randomblob(?))", [(1_000_000,)] * 60)
    copying = f"from pathlib import Path; copy(Path({str(database)!r}), Path('copy.db'))"
    code = f"from executor.store.backup import copy; {copying}"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    until(lambda: any(each.stat().st_size for each in folder.iterdir()), "it is written")
    process.kill()
    process.wait()

    if (folder / "copy.db").exists():  # it was whole by then
        with closing(sqlite3.connect(folder / "copy.db")) as c:
            assert c.execute("SELECT count(*) FROM much").fetchone() == (60,)


def test_a_copy_may_have_a_name_as_long_as_a_name_can_be(tmp_path: Path) -> None:
    database, to = tmp_path / "lamgate.db", tmp_path / ("n" * 252 + ".db")
    with closing(sqlite3.connect(database)) as c, c:
        c.execute("CREATE TABLE some (content TEXT)")

    assert copy(database, to) == to.stat().st_size
    assert sorted(tmp_path.iterdir()) == [database, to]

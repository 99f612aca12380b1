"""Old runs are deleted by a command beside whoever works, or by a gateway that is told to."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from commands import PATIENCE_S, TAG, Lamgate, error_of, in_the_shop, new_key, served, until

from executor.store.lock import address_in_lock

DAY = 86_400


def ago(days: int) -> str:
    return datetime.fromtimestamp(time.time() - days * DAY, UTC).strftime("%Y-%m-%d")


def aged(database: Path, run: str, days: int) -> str:
    """Have a run have happened so long ago; returns the key of a call of it."""
    with closing(sqlite3.connect(database)) as c:
        c.execute("UPDATE runs SET updated_at = updated_at - ? WHERE id = ?", (days * DAY, run))
        c.execute("UPDATE events SET at = at - ? WHERE subject = ?", (days * DAY, run))
        key: str = c.execute("SELECT key FROM attempts WHERE run = ?", (run,)).fetchone()[0]
        c.commit()
    return key


def test_what_ended_long_ago_is_deleted_where_it_is_said_and_whoever_asks_for_it_is_told(
    tmp_path: Path, shop: Any
) -> None:
    operator = in_the_shop(tmp_path, shop)
    database = tmp_path / "var" / "lamgate.db"
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps({"plan": TAG, "request": "tag order 1043 as looked-at"}))
    with served(operator):
        requester = operator.under(new_key(operator, "requester-1", "requester"))
        old, older = (requester("run", "--file", str(plan), "--json").document["id"]
                      for _ in range(2))  # fmt: skip
    keys = [aged(database, old, 40), aged(database, older, 400)]

    young = operator("runs", "delete", "--ended-before", ago(29))
    would = operator("runs", "delete", "--ended-before", ago(300), "--dry-run", "--json").document
    deleted = operator("runs", "delete", "--ended-before", ago(300), "--json").document
    again = operator("runs", "delete", "--ended-before", ago(300))
    listed = operator("runs", "--json").document
    by_itself = Lamgate(tmp_path, None, {"LAMGATE_RETENTION__RUNS_DAYS": "30"})
    gateway = by_itself.start("serve", "--port", "0", "--json")
    assert gateway.stdout is not None
    gateway.stdout.readline()
    until(lambda: by_itself("runs", "--json").document == [], "the run is deleted")
    trace = by_itself("trace", old)
    operates = (tmp_path / "var" / "lamgate.db.operator-key").read_text().strip()
    evidence = httpx2.post(
        f"{address_in_lock(database)}/v1/evidence",
        json={"key": keys[0], "happened": True, "source": "webhook"},
        headers={"authorization": f"Bearer {operates}"},
        trust_env=False,
    ).json()
    with closing(sqlite3.connect(database)) as c:
        until(lambda: _left(c) == [0] * 5, "all of it is deleted")
    gateway.terminate()
    told = gateway.communicate(timeout=PATIENCE_S)[1]

    assert "less than 30 days ago is kept" in error_of(young, "bad-option")
    assert (would["runs"], would["deleted"]) == (1, False)
    assert (deleted["runs"], deleted["deleted"]) == (1, True)
    told_again = f"0 runs and 0 requests that ended before {ago(300)} 00:00Z are deleted\n"
    assert again.out == told_again
    assert [each["id"] for each in listed] == [old]
    assert "; what ended before" in error_of(trace, "not-found")
    assert evidence["code"] == "not-found"
    assert "no call carried this key; what ended before" in evidence["detail"]
    assert f"1 runs and 0 requests that ended before {ago(30)} " in told


def _left(c: sqlite3.Connection) -> list[int]:
    tables = ("runs", "events", "attempts", "plans", "deletions")
    return [c.execute(f"SELECT count(*) FROM {each}").fetchone()[0] for each in tables]

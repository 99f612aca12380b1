"""`lamgate serve` and `lamgate worker` on one database: one answers, the other drives."""

import secrets
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from premises import PATIENCE_S, said, site
from servers import Server

from connectors.errors import ConfigurationError
from executor.store.store import Store
from gateway.keyring import require_same, secrets_of
from gateway.settings import Database, Settings

WORDS = "Note that it was seen by a worker at order 1043."
PLAN = {
    "steps": [
        {
            "id": "note",
            "action": "orders.create_note",
            "args": [
                {"value": "1043", "to": "order_id"},
                {"value": "seen by a worker", "to": "text"},
            ],
        }
    ],
    "answer": [],
}


def test_a_gateway_streams_what_a_worker_does_and_both_end_when_told_to(
    postgres: Server, shop: Any, tmp_path: Path
) -> None:
    url, secret = postgres.new_database(), secrets.token_hex(64)
    with site(tmp_path, url, shop.urls["orders"], secret, loads_anew=True) as place:
        gateway = place.start("serve", "--port", "0", LAMGATE_WORKERS__CONCURRENCY="0")
        address = said(gateway)["ready"]
        worker = place.start("worker")
        assert said(worker)["ready"] == "worker"
        with place.client(address) as client:
            plan = client.post("/v1/plans", json={"plan": PLAN, "request": WORDS}).json()
            run = client.post(f"/v1/plans/{plan['id']}/runs", json={}).json()["id"]
            kinds = []
            with client.stream(
                "GET", f"/v1/runs/{run}/events", headers={"accept": "text/event-stream"}
            ) as stream:
                for line in stream.iter_lines():
                    if line.startswith("event: "):
                        kinds.append(line.removeprefix("event: "))
            status = client.get(f"/v1/runs/{run}").json()["status"]
        told_at = time.monotonic()
        codes = []
        for process in (worker, gateway):
            process.send_signal(signal.SIGTERM)
        for process in (worker, gateway):
            codes.append(process.wait(PATIENCE_S))
        seconds = time.monotonic() - told_at

    assert status == "succeeded"
    assert kinds[-1] == "run.finished"
    assert "attempt.ended" in kinds
    assert codes == [0, 0]
    assert seconds < 30


async def test_a_process_without_the_secret_or_with_another_one_does_not_start(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(database=Database(url=postgres.new_database()))
    store = await Store.open(settings.database_url)
    told = []
    for text in (None, "not-hexadecimal", secrets.token_hex(64), secrets.token_hex(64)):
        monkeypatch.delenv("LAMGATE_SECRET", raising=False)
        if text is not None:
            monkeypatch.setenv("LAMGATE_SECRET", text)
        try:
            await require_same(store, secrets_of(settings))
            await require_same(store, secrets_of(settings))
            told.append("")
        except ConfigurationError as error:
            told.append(str(error))
    await store.close()

    assert "the environment has no LAMGATE_SECRET" in told[0]
    assert "holds no 128 hexadecimal digits" in told[1]
    assert told[2] == ""
    assert "another one than this database was begun with" in told[3]
    assert secrets_of(settings).seal.hex() not in str(told)


def test_a_worker_of_a_file_is_refused(tmp_path: Path, shop: Any) -> None:
    url = f"sqlite:///{tmp_path / 'lamgate.db'}"
    with site(tmp_path, url, shop.urls["orders"], None, loads_anew=True) as place:
        process = place.start("worker")
        told = "".join(process.communicate(timeout=PATIENCE_S))

    assert process.returncode == 2
    assert "a file is used by one process" in told

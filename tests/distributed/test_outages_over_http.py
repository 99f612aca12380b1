"""What a client of the gateway sees while the database is away, and afterwards."""

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from partition import Network, network
from premises import PATIENCE_S, Site, said, site
from servers import Server
from shop_world import effects, http
from sqlalchemy.engine import make_url

from benchmarks.faults import PROPERTY, Told

OUTAGE_S = float(os.environ.get("LAMGATE_FLEET_OUTAGE_S", "1.5"))
ROUNDS = int(os.environ.get("LAMGATE_FLEET_ROUNDS", "1"))
NOTES = 6
HANG = {"kind": "hang_after", "match": {"method": "POST", "path_prefix": "/orders/1043/notes"}}


@dataclass
class Office:
    """A gateway that also drives, behind a network that can be disturbed."""

    client: httpx2.Client
    server: Server
    database: str
    network: Network
    shop: str

    def start(self, mark: str) -> str:
        """A run of some notes, one after the other."""
        steps = [
            {
                "id": f"note{number}",
                "action": "orders.create_note",
                "args": [
                    {"value": "1043", "to": "order_id"},
                    {"value": f"note {number} {mark}", "to": "text"},
                ],
                **({"after": [f"note{number - 1}"]} if number else {}),
            }
            for number in range(NOTES)
        ]
        words = ", ".join(f"note {number} {mark}" for number in range(NOTES))
        request = f"Write at order 1043: {words}."
        body = {"plan": {"steps": steps, "answer": []}, "request": request}
        plan = self.client.post("/v1/plans", json=body)
        assert plan.status_code == 201, plan.text
        run = self.client.post(f"/v1/plans/{plan.json()['id']}/runs", json={})
        assert run.status_code == 202, run.text
        return str(run.json()["id"])

    def status(self, run: str) -> str:
        answer = self.client.get(f"/v1/runs/{run}")
        return str(answer.json()["status"]) if answer.status_code == 200 else "unknown"

    def asked(self, run: str, for_s: float) -> Iterator[tuple[float, int, bool]]:
        """For a while: how long an answer took, its status, and whether it says when to return."""
        ends = time.monotonic() + for_s
        while time.monotonic() < ends:
            for method, path in (("GET", f"/v1/runs/{run}"), ("POST", f"/v1/runs/{run}/cancel")):
                asked = time.monotonic()
                body = {} if method == "GET" else {"json": {"mode": "nothing-of-the-kind"}}
                answer = self.client.request(method, path, **body)
                told = time.monotonic() - asked
                yield told, answer.status_code, "retry-after" in answer.headers
                time.sleep(0.05)

    def processes(self) -> list[int]:
        """The server's own, and those that serve the gateway's connections."""
        folder = self.server.folder
        assert folder is not None
        first = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        names = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
        serving = [int(pid) for pid, name in names.items() if self.database in name]
        return [first, *serving]


@pytest.fixture(scope="module")
def office(
    postgres: Server, shop: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Office]:
    folder, url = tmp_path_factory.mktemp("outages"), postgres.new_database()
    with network(postgres.port) as way:
        through = make_url(url).set(port=way.port).render_as_string(hide_password=False)
        with site(folder, through, shop.urls["orders"], secrets.token_hex(64)) as place:
            yield from _served(place, postgres, str(make_url(url).database), way, shop)


def _served(
    place: Site, server: Server, database: str, way: Network, shop: Any
) -> Iterator[Office]:
    gateway = place.start("serve", "--port", "0")
    with place.client(said(gateway)["ready"]) as client:
        yield Office(client, server, database, way, shop.urls["orders"])


@contextmanager
def stopped(office: Office) -> Iterator[None]:
    """Stopped at once, as a machine that fails."""
    office.server.stop()
    yield
    office.server.start()


@contextmanager
def hung(office: Office) -> Iterator[None]:
    """There, and saying nothing."""
    processes = office.processes()
    assert len(processes) > 2
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@contextmanager
def held_up(office: Office) -> Iterator[None]:
    """Behind a network that passes nothing on."""
    office.network.hold()
    yield
    office.network.heal()


@contextmanager
def cut_off(office: Office) -> Iterator[None]:
    """Behind a network that resets every connection."""
    office.network.cut()
    yield
    office.network.heal()


OUTAGES = {"stopped": stopped, "hung": hung, "held up": held_up, "cut off": cut_off}


@pytest.mark.parametrize("again", range(ROUNDS))
@pytest.mark.parametrize("how", OUTAGES)
def test_while_the_database_is_away_clients_are_told_so_at_once_and_then_all_goes_on(
    how: str, again: int, office: Office, record_property: Callable[[str, object], None]
) -> None:
    mark = f"{how.replace(' ', '-')}{again}"
    http("POST", f"{office.shop}/faults", HANG)
    run = office.start(mark)
    while not http("GET", f"{office.shop}/faults")[0]["fired"]:
        time.sleep(0.01)
    with OUTAGES[how](office):
        answers = [*office.asked(run, OUTAGE_S / 2)]
        http("DELETE", f"{office.shop}/faults")  # its answer comes while nobody can write
        answers += office.asked(run, OUTAGE_S / 2)
        meanwhile = effects(office.shop, mark)
    back = time.monotonic()
    while office.status(run) == "unknown":
        assert time.monotonic() < back + PATIENCE_S
        time.sleep(0.02)
    answering = time.monotonic() - back
    while office.status(run) != "succeeded":
        assert time.monotonic() < back + PATIENCE_S, office.status(run)
        time.sleep(0.05)
    finished = time.monotonic() - back
    done = effects(office.shop, mark)
    record_property(
        PROPERTY,
        Told(
            fault=f"server {how}, asked over HTTP",
            database="PostgreSQL",
            twice=sum(count - 1 for count in done.values()),
            lost=NOTES - len(done),
            seconds={
                "refused with 503 within": max(told for told, *_ in answers),
                "answering again after": answering,
                "a run under way finished after": finished,
            },
        ).model_dump_json(),
    )

    assert meanwhile == {f"note 0 {mark}": 1}
    assert done == {f"note {number} {mark}": 1 for number in range(NOTES)}
    assert {status for _, status, _ in answers} == {503}
    assert {is_told for *_, is_told in answers} == {True}
    assert sorted(told for told, *_ in answers)[len(answers) // 2] < 1

"""Everything at once on one server, by many processes: nothing twice, and nobody crosswise."""

import os
import secrets
import time
from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from servers import Server
from shop_world import OVERLAY, http
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from storm import CONNECTIONS, Person, Storm
from test_gateways import Site, said, site

SECONDS = float(os.environ.get("LAMGATE_STORM_S", "8"))
PEOPLE, WORKERS, KILLED_EVERY_S = 6, 2, 4.0
POLICY = """
permit (principal, action, resource);

@id("tags-need-a-manager")
@approval("manager")
@message("a tag is approved by a manager")
forbid (principal, action, resource)
when { context.args has tag }
unless { context.approvals.contains("manager") };
"""
AS_MUCH_AS_THEY_LIKE = {"LAMGATE_ALLOWANCE__READS": "0", "LAMGATE_ALLOWANCE__WRITES": "0"}


@pytest.mark.timeout(120 + 3 * SECONDS)
def test_in_a_storm_in_which_workers_die_nothing_happens_twice_and_every_trace_is_true(
    postgres: Server, shop: Any, tmp_path: Path
) -> None:
    url = postgres.new_database()
    with site(tmp_path, url, shop.urls["orders"], secrets.token_hex(64)) as place:
        configure(tmp_path, shop.urls["orders"])
        ready = [
            said(place.start("serve", "--port", "0", **AS_MUCH_AS_THEY_LIKE)) for _ in range(2)
        ]
        for worker in [place.start("worker") for _ in range(WORKERS)]:
            said(worker)
        with ExitStack() as open_clients:
            gateways = [open_clients.enter_context(place.client(each["ready"])) for each in ready]
            managers = [open_clients.enter_context(each) for each in others(gateways)]
            storm = Storm(gateways, managers, shop.urls["orders"])
            rage(storm, place)
            storm.calm()
            told = dict(storm.told())
        waited_crosswise = deadlocks(url)
        complaints = ended(place)
    happened = ledger(storm)
    wrong = {
        effect: words
        for effect, words in told.items()
        if not words.startswith("uncertain") and words.startswith("applied") != (effect in happened)
    }
    print(len(storm.marks), "runs,", happened.total(), "effects;", dict(storm.answers))

    assert storm.broken == []
    assert [effect for effect, times in happened.items() if times > 1] == []
    assert wrong == {}
    assert waited_crosswise == 0
    assert complaints == []
    assert {"POST stops", "already-over", "already-decided"} <= storm.answers.keys()
    assert happened.total() > SECONDS


def configure(folder: Path, shop: str) -> None:
    """Three connections to one service, each with a rate and few places."""
    (folder / "policies" / "all.cedar").write_text(POLICY)
    limits = "{ rate = 30, per_s = 1, burst = 5, concurrency = 4 }"
    connections = "".join(
        f"""
[connections.{name}]
connector = "openapi"
base_url = "{shop}"
overlay = "overlay-{name}.yaml"
allow_hosts = ["{shop.removeprefix("http://")}"]
limits = {limits}
"""
        for name in CONNECTIONS
    )
    for name in CONNECTIONS:
        overlay = OVERLAY.read_text("utf-8").replace("orders.find_notes", f"{name}.find_notes")
        (folder / f"overlay-{name}.yaml").write_text(overlay, "utf-8")
    (folder / "lamgate.toml").write_text(f'[policy]\npath = "policies"\n{connections}')


def rage(storm: Storm, place: Site) -> None:
    """Let people live for a while, and workers die; raises what went wrong with a person."""
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(PEOPLE) as people:
        lives = [people.submit(Person(storm, number).live) for number in range(PEOPLE)]
        while time.monotonic() < until and not any(life.done() for life in lives):
            wait(lives, timeout=KILLED_EVERY_S, return_when=FIRST_EXCEPTION)
            place.started[-WORKERS].kill()  # the oldest
            place.start("worker")
        storm.is_over.set()
    for life in lives:
        life.result()


def others(gateways: list[httpx2.Client]) -> list[httpx2.Client]:
    """Another person's key, at each gateway."""
    roles = {"principal": "manager-1", "roles": ["manager", "operator"]}
    secret = gateways[0].post("/v1/keys", json=roles).raise_for_status().json()["secret"]
    headers = {"authorization": f"Bearer {secret}"}
    return [
        httpx2.Client(base_url=each.base_url, headers=headers, trust_env=False, timeout=30)
        for each in gateways
    ]


def deadlocks(url: str) -> int:
    """How many transactions the server has broken off, for they waited for each other."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    with engine.connect() as c:
        found = int(c.execute(text(counted)).scalar_one())
    engine.dispose()
    return found


def ledger(storm: Storm) -> Counter[str]:
    """How often each effect of a run of this storm happened, by the service's own ledger."""
    marks = {*storm.marks.values()}
    texts = [text for row in http("GET", f"{storm.shop}/ledger") for text in row["body"].values()]
    return Counter(
        each for each in texts if isinstance(each, str) and each.partition(" ")[2] in marks
    )


def ended(place: Site) -> list[str]:
    """End all processes, and return what they complained of, but for that others died."""
    for process in place.started:
        process.terminate()
    told = [process.communicate(timeout=60)[1] for process in place.started]
    return [line for text in told for line in text.splitlines() if "took over" not in line]

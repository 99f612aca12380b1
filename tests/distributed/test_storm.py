"""Everything at once, on a server and on a file: nothing twice, and nobody waits crosswise."""

import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from ports import free_port
from premises import Site, said, site
from servers import Server
from shop_world import OVERLAY, http
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from storm import CONNECTIONS, Storm
from storm_processes import SECONDS, UNBOUNDED, WORKERS, ended, of_no, rage

from executor.dispatch.lease import LEASE_S

POLICY = """
permit (principal, action, resource);

@id("tags-need-a-manager")
@approval("manager")
@message("a tag is approved by a manager")
forbid (principal, action, resource)
when { context.args has tag }
unless { context.approvals.contains("manager") };
"""
OF_A_SLOW_SERVER = ("not answer", "put off", "bells of other", "are not told")

LONG = pytest.mark.skipif(SECONDS < 10, reason="of longer storms: LAMGATE_STORM_S")
TIMEOUT_S = 210 + 3 * SECONDS


def killed(place: Site, _: Server) -> None:
    """The oldest worker."""
    place.started[-WORKERS].kill()
    place.start("worker")


def stopped(place: Site, _: Server) -> None:
    """All workers past their lease, and then they go on."""
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for worker in place.started[-WORKERS:]:
            worker.send_signal(number)
        time.sleep(LEASE_S + 1 if number == signal.SIGSTOP else 0)


def cut_off(_: Site, server: Server) -> None:
    """Some sessions, whatever they are at."""
    server.sql(
        "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        " ORDER BY random() LIMIT 3) AS picked"
    )


def away(_: Site, server: Server) -> None:
    """The whole server, for a second."""
    server.stop()
    time.sleep(1)
    server.start()


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize(
    "fault", [killed, *[pytest.param(each, marks=LONG) for each in (stopped, cut_off, away)]]
)
def test_in_a_storm_on_a_server_nothing_happens_twice_and_every_trace_is_true(
    fault: Callable[[Site, Server], None], postgres: Server, shop: Any, tmp_path: Path
) -> None:
    url = postgres.new_database()
    with site(tmp_path, url, shop.urls["orders"], secrets.token_hex(64)) as place:
        configure(tmp_path, shop.urls["orders"])
        ready = [said(place.start("serve", "--port", "0", **UNBOUNDED)) for _ in range(2)]
        for worker in [place.start("worker") for _ in range(WORKERS)]:
            said(worker)

        addresses = [each["ready"] for each in ready]
        kill = partial(fault, place, postgres)
        # A server that is only slow is told as one that is away, on a busy machine.
        storm = lived(addresses, place, shop.urls["orders"], kill, may_be_away=True)
        waited_crosswise = deadlocks(url)
        complaints = ended(place)

    assert waited_crosswise == 0
    assert fault is not killed or of_no(OF_A_SLOW_SERVER, complaints) == []
    judge(storm)


@pytest.mark.timeout(TIMEOUT_S)
def test_in_a_storm_in_which_the_gateway_of_a_file_dies_nothing_happens_twice_either(
    shop: Any, tmp_path: Path
) -> None:
    url, port = "sqlite:///var/lamgate", str(free_port())
    with site(tmp_path, url, shop.urls["orders"], None) as place:
        configure(tmp_path, shop.urls["orders"])
        serve = partial(place.start, "serve", "--port", port, **UNBOUNDED)
        address = said(serve())["ready"]

        def kill() -> None:
            place.started[-1].kill()
            place.started[-1].wait()
            said(serve())

        comes_by = ("POST stops", "none")
        storm = lived([address], place, shop.urls["orders"], kill, comes_by=comes_by)
        complaints = ended(place)

    assert complaints == []
    assert storm.answers["none"] > 0
    judge(storm)


def lived(
    addresses: list[str],
    place: Site,
    shop: str,
    kill: Callable[[], None],
    *,
    may_be_away: bool = False,
    comes_by: Sequence[str] = ("POST stops",),
) -> Storm:
    """A storm that is over, with what every trace says then."""
    with ExitStack() as open_clients:
        gateways = [open_clients.enter_context(place.client(each)) for each in addresses]
        managers = [open_clients.enter_context(each) for each in others(gateways)]
        storm = Storm(gateways, managers, shop, database_may_be_away=may_be_away, comes_by=comes_by)
        rage(storm, kill)
        storm.calm()
        storm.hear()
    print(len(storm.marks), "runs;", dict(storm.answers))
    return storm


def judge(storm: Storm) -> None:
    """What happened by the service's own ledger is what the traces say."""
    happened = ledger(storm)
    wrong = {
        effect: words
        for effect, words in storm.told.items()
        if not words.startswith("uncertain") and words.startswith("applied") != (effect in happened)
    }

    assert storm.broken == []
    assert [effect for effect, times in happened.items() if times > 1] == []
    assert wrong == {}
    assert storm.answers["POST stops"] > 0
    assert happened.total() > 0


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

"""What a service sees of all processes: no more than its rate and places, and nothing too early."""

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from math import log
from pathlib import Path
from typing import Any

import httpx2
import pytest
from listening import listening
from ports import free_port
from premises import Site, said, site
from servers import Server
from storm import OVER
from storm_processes import UNBOUNDED
from watched import OVERLAY, Counted, Watched

from executor.store.pace import FIRST_PER_S

SECONDS = float(os.environ.get("LAMGATE_STORM_S", "3"))
RATE, BURST, PLACES = 20, 4, 3
LIMITS = {
    "rated": f"{{ rate = {RATE}, per_s = 1, burst = {BURST} }}",
    "narrow": f"{{ concurrency = {PLACES} }}",
    "counted": "{ concurrency = 100 }",
}
LEFT_ALONE_S = 3.0
KNOWN_TO_S = 0.2  # how exactly a process knows the time of the database, on a busy machine
PATIENCE_S = 90.0

pytestmark = pytest.mark.timeout(180 + 3 * SECONDS)


@dataclass
class World:
    """Processes over one database, and the service that they call."""

    place: Site
    service: Watched
    gateways: Sequence[httpx2.Client]
    processes: int
    kill: Callable[[], None]  # one of them, and another one takes its place

    def begin(self, at: int, steps: Sequence[tuple[str, str]], *, mark: str) -> str:
        """Start a run of these calls (connection, operation) at a gateway, all at once."""
        plan = {
            "steps": [
                {
                    "id": f"s{number}",
                    "action": f"{connection}.{operation}",
                    "args": [{"value": f"{mark}-{number}", "to": "mark"}],
                }
                for number, (connection, operation) in enumerate(steps)
            ],
            "answer": [],
        }
        words = ", ".join(f"{mark}-{number}" for number in range(len(steps)))
        gateway = self.gateways[at % len(self.gateways)]
        made = self.ask(gateway, "POST", "/v1/plans", {"plan": plan, "request": words})
        run: str = self.ask(gateway, "POST", f"/v1/plans/{made['id']}/runs", {})["id"]
        return run

    def ask(self, gateway: httpx2.Client, method: str, path: str, body: Any = None) -> Any:
        """Ask until there is an answer, by one that may have died or be slow."""
        key = {"idempotency-key": secrets.token_hex(8)} if method == "POST" else {}
        while True:
            try:
                answer = gateway.request(method, path, json=body, headers=key)
            except httpx2.TransportError:
                time.sleep(0.1)
                continue
            if answer.status_code != 503:
                return answer.raise_for_status().json()

    def until_over(self, runs: Sequence[str]) -> None:
        """Wait until all of them have succeeded."""
        deadline = time.monotonic() + PATIENCE_S
        for run in runs:
            while (row := self.ask(self.gateways[0], "GET", f"/v1/runs/{run}"))[
                "status"
            ] not in OVER:
                assert time.monotonic() < deadline, row
                time.sleep(0.05)
            assert row["status"] == "succeeded", row

    def until_held(self, connection: str) -> None:
        """Wait until every gateway says that the service is left alone."""
        for gateway in self.gateways:
            deadline = time.monotonic() + PATIENCE_S
            path = f"/v1/connections/{connection}"
            while self.ask(gateway, "GET", path)["hold_until"] is None:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def slowest_s(self, runs: Sequence[str]) -> float:
        """The longest time between a permit and the commit of what its call was told."""
        found = []
        for run in runs:
            began: dict[int, float] = {}
            for event in self.ask(self.gateways[0], "GET", f"/v1/runs/{run}/events"):
                if event["type"] == "intent.recorded":
                    began[event["data"]["n"]] = event["at"]
                elif event["type"] == "attempt.ended":
                    found.append(event["at"] - began[event["data"]["n"]])
        return max(found)

    def permits(self, runs: Sequence[str], connection: str) -> list[float]:
        """When each call of a connection was permitted, by the journal."""
        found = []
        for run in runs:
            for event in self.ask(self.gateways[0], "GET", f"/v1/runs/{run}/events"):
                data = event["data"]
                if event["type"] == "intent.recorded" and data["action"].startswith(connection):
                    found.append(float(event["at"]))
        return sorted(found)


@pytest.fixture(scope="module", params=["file", "server"])
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """One process over a file, or two gateways and two workers over a server, for all tests."""
    folder = tmp_path_factory.mktemp(request.param)
    with listening(Watched(takes_s=0.03)) as service:
        start = on_a_file if request.param == "file" else on_a_server
        with start(request, folder, service) as found:
            yield found


@pytest.fixture
def world(opened: World) -> World:
    """The same with nothing seen yet."""
    opened.service.came.clear()
    return opened


@contextmanager
def on_a_file(_: pytest.FixtureRequest, folder: Path, service: Watched) -> Iterator[World]:
    with site(folder, "sqlite:///var/lamgate", service.url("rated"), None) as place:
        configure(folder, service)
        serve = partial(place.start, "serve", "--port", str(free_port()), **UNBOUNDED)
        address = said(serve())["ready"]

        def kill() -> None:
            place.started[-1].kill()
            place.started[-1].wait()
            said(serve())

        with clients(place, [address]) as gateways:
            yield World(place, service, gateways, 1, kill)


@contextmanager
def on_a_server(request: pytest.FixtureRequest, folder: Path, service: Watched) -> Iterator[World]:
    postgres: Server = request.getfixturevalue("postgres")
    url = postgres.new_database()
    with site(folder, url, service.url("rated"), secrets.token_hex(64)) as place:
        configure(folder, service)
        ready = [said(place.start("serve", "--port", "0", **UNBOUNDED)) for _ in range(2)]
        for worker in [place.start("worker") for _ in range(2)]:
            said(worker)

        def kill() -> None:
            place.started[-2].kill()
            said(place.start("worker"))

        with clients(place, [each["ready"] for each in ready]) as gateways:
            yield World(place, service, gateways, 4, kill)


@contextmanager
def clients(place: Site, addresses: Sequence[str]) -> Iterator[list[httpx2.Client]]:
    with ExitStack() as opened:
        found = [opened.enter_context(place.client(each)) for each in addresses]
        for each in found:
            each.headers["accept"] = "application/json"  # a journal as a list
        yield found


def configure(folder: Path, service: Watched) -> None:
    (folder / "overlay.yaml").write_text(OVERLAY, "utf-8")
    connections = "".join(
        f"""
[connections.{name}]
connector = "openapi"
base_url = "{service.url(name)}"
overlay = "overlay.yaml"
allow_hosts = ["127.0.0.1:{service.port}"]
limits = {limits}
"""
        for name, limits in LIMITS.items()
    )
    (folder / "lamgate.toml").write_text(f'[policy]\npath = "policies"\n{connections}')


def test_no_stretch_of_time_has_more_calls_than_the_rate_allows_though_processes_die(
    world: World,
) -> None:
    steps = [("rated", "make"), ("rated", "find"), ("rated", "make"), ("rated", "find")]
    until, runs = time.monotonic() + SECONDS, []
    for number in count():
        runs.append(world.begin(number, steps, mark=f"run{number}"))
        if number % 8 == 7:
            world.kill()
        if time.monotonic() > until and number >= 20:
            break
    world.until_over(runs)
    permits = world.permits(runs, "rated")
    came = sorted(each.at for each in world.service.came)

    print(len(came), "calls; beyond the rate:", beyond(permits), "and as they came:", beyond(came))
    assert len(came) <= len(permits)
    assert beyond(permits) <= RATE * 0.001  # the clocks of two processes


def test_no_process_has_more_calls_under_way_than_the_connection_has_places(world: World) -> None:
    steps = [("narrow", "make" if number % 2 else "find") for number in range(8)]
    runs = [world.begin(number, steps, mark=f"run{number}") for number in range(15)]
    world.until_over(runs)
    most = most_at_once(world.service)

    print(len(world.service.came), "calls;", most, "at once")
    assert len(world.service.came) == len(runs) * len(steps)
    assert most <= PLACES * world.processes
    assert world.processes > 1 or most == PLACES


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("connection", [*LIMITS])
def test_nobody_calls_before_retry_after_is_over_though_whoever_heard_it_dies(
    world: World, status: int, connection: str
) -> None:
    world.service.asks[connection] = [(status, {"retry-after": f"{LEFT_ALONE_S:.0f}"})]
    runs = [world.begin(0, [(connection, "make")], mark="told")]
    world.until_held(connection)
    world.kill()
    steps = [(connection, "make"), (connection, "find"), ("rated", "find")]
    runs += [world.begin(number, steps, mark=f"run{number}") for number in range(8)]
    world.until_over(runs)
    (told,) = (each for each in world.service.came if each.status == status)
    assert told.until is not None
    later = [
        each.at - told.until
        for each in world.service.came
        if each.name == connection and each is not told
    ]

    print(len(later), "calls, the first one after", min(later), "s")
    assert len(later) >= 17
    assert min(later) >= LEFT_ALONE_S - KNOWN_TO_S


def test_what_waited_for_a_quota_comes_one_after_the_other_and_not_all_at_once(
    world: World,
) -> None:
    counted = world.service.counts["counted"] = Counted(most=5, per_s=2.0)
    world.until_over([world.begin(0, [("counted", "make")], mark="first")])
    runs = [world.begin(number, [("counted", "make")], mark=f"run{number}") for number in range(50)]
    world.until_over(runs)
    came = world.service.came
    refused = sum(each.status == 429 for each in came)
    unheard = 1 + FIRST_PER_S * (2 ** world.slowest_s(runs) - 1) / log(2)  # until it is known

    print(len(came), "calls,", refused, "of them refused; at most", counted.windows * unheard)
    assert refused <= counted.windows * unheard


def beyond(times: Sequence[float]) -> float:
    """By how many calls the busiest stretch of time has more than it may."""
    return max(
        last - first + 1 - BURST - RATE * (times[last] - times[first])
        for first in range(len(times))
        for last in range(first, len(times))
    )


def most_at_once(service: Watched) -> int:
    """How many calls were there together, at the worst moment."""
    ends = [each.until for each in service.came]
    changes = sorted(
        [(each.at, 1) for each in service.came] + [(each, -1) for each in ends if each is not None]
    )
    now = most = 0
    for _, by in changes:
        now += by
        most = max(most, now)
    return most

"""Every way that effects can go, all at once, with processes that die: by the hall's own books."""

import json
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from bookings import Booker, HallStorm, configure
from bookings_judge import flaws
from hall import Hall
from listening import listening
from ports import free_port
from premises import Site, said, site
from servers import Server
from storm_processes import SECONDS, UNBOUNDED, WORKERS, ended, rage
from test_storm import away, cut_off, killed, others, stopped

# What happens to the workers, and in longer storms also to their database.
HARMS = (killed,) if SECONDS < 10 else (killed, killed, stopped, cut_off, away)
CALLS, PATIENCE_S = 30, 8.0  # before anything dies
pytestmark = pytest.mark.timeout(400 + 4 * SECONDS)


def options(on_failure: str) -> dict[str, str]:
    """What a gateway is started with: what it accepts goes this way after a failure."""
    return {**UNBOUNDED, "LAMGATE_RUNS__ON_FAILURE": on_failure}


def test_on_a_server_whatever_is_done_taken_back_or_found_out_is_so_in_the_books(
    postgres: Server, tmp_path: Path
) -> None:
    url = postgres.new_database()
    with (
        listening(Hall()) as hall,
        site(tmp_path, url, hall.url("keyed"), secrets.token_hex(64)) as place,
    ):
        configure(tmp_path, hall)
        ready = [
            said(place.start("serve", "--port", "0", **options(way)))
            for way in ("undo", "continue")
        ]
        for worker in [place.start("worker") for _ in range(WORKERS)]:
            said(worker)

        def kill() -> None:
            random.choice(HARMS)(place, postgres)

        addresses = [each["ready"] for each in ready]
        judge(lived(addresses, place, hall, partial(after_some, hall, kill), may_be_away=True))
        ended(place)


def test_on_a_file_whose_gateway_dies_whatever_happened_is_so_in_the_books_too(
    tmp_path: Path,
) -> None:
    port, ways = str(free_port()), cycle(("undo", "continue", "undo", "continue", "stop"))
    with (
        listening(Hall()) as hall,
        site(tmp_path, "sqlite:///var/lamgate", hall.url("keyed"), None) as place,
    ):
        configure(tmp_path, hall)
        serve = partial(place.start, "serve", "--port", port)
        address = said(serve(**options(next(ways))))["ready"]

        def kill() -> None:
            place.started[-1].kill()
            place.started[-1].wait()
            said(serve(**options(next(ways))))

        judge(lived([address], place, hall, partial(after_some, hall, kill)))
        ended(place)


def after_some(hall: Hall, kill: Callable[[], None]) -> None:
    """Kill, once there have been calls enough since the last time, if they come at all."""
    begun, before = time.monotonic(), hall.calls
    while hall.calls < before + CALLS and time.monotonic() < begun + PATIENCE_S:
        time.sleep(0.1)
    kill()


def lived(
    addresses: list[str],
    place: Site,
    hall: Hall,
    kill: Callable[[], None],
    *,
    may_be_away: bool = False,
) -> HallStorm:
    """A storm that is over, with how every run has ended."""
    with ExitStack() as opened:
        gateways = [opened.enter_context(place.client(each)) for each in addresses]
        for each in gateways:
            each.headers["accept"] = "application/json"  # a journal as a list
        managers = [opened.enter_context(each) for each in others(gateways)]
        storm = HallStorm(gateways, managers, "", database_may_be_away=may_be_away, hall=hall)
        begun = time.monotonic()
        rage(storm, kill, Booker)
        raged = time.monotonic()
        storm.calm()
        print(f"raged for {raged - begun:.0f} s, calm after {time.monotonic() - raged:.0f} s more")
        storm.hear()
        keep(storm)
    print(len(storm.marks), "runs;", dict(storm.answers))
    return storm


def keep(storm: HallStorm) -> None:
    """Of a storm that is looked at more closely: the journals of its runs."""
    folder = os.environ.get("LAMGATE_STORM_KEPT")
    if folder:
        for run, *row in flaws(storm):
            events = storm.ask(storm.gateways[0], "GET", f"/v1/runs/{run}/events")
            Path(folder, f"{run}.json").write_text(json.dumps([row, events], default=str, indent=1))


def judge(storm: HallStorm) -> None:
    """What the runs say is what the hall has booked, and what was to be seen was."""
    found: list[Any] = flaws(storm)

    print(dict(Counter(row["status"] for row in storm.rows.values())))
    print(dict(storm.hall.answered))
    print(storm.came_by())
    assert found == []
    assert [each for each in storm.broken if "too-early" not in each] == []
    assert storm.has_come_by_enough()

"""Charges that are taken back, agreed on by two, and limited, all at once: by the till's ledger."""

import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx2
import pytest
from money import GATED, KEY, MOST, Booked, MoneyStorm, Payer, configure
from ports import free_port
from premises import Site, said, site
from servers import Server
from storm_processes import SECONDS, UNBOUNDED, WORKERS, ended, rage

MANAGERS = 3
pytestmark = pytest.mark.timeout(270 + 4 * SECONDS)


def options(on_failure: str) -> dict[str, str]:
    """What a gateway is started with: what it accepts goes this way after a failure."""
    return {**UNBOUNDED, **KEY, "LAMGATE_RUNS__ON_FAILURE": on_failure}


def test_on_a_server_what_is_undone_is_gone_and_the_rest_is_listed_agreed_on_and_in_budget(
    postgres: Server, shop: Any, tmp_path: Path
) -> None:
    url, till = postgres.new_database(), shop.urls["pay_minor"]
    with site(tmp_path, url, till, secrets.token_hex(64)) as place:
        configure(tmp_path, till)
        ready = [
            said(place.start("serve", "--port", "0", **options(way)))
            for way in ("undo", "continue")
        ]
        for worker in [place.start("worker", **KEY) for _ in range(WORKERS)]:
            said(worker)

        def kill() -> None:
            place.started[-WORKERS].kill()
            place.start("worker", **KEY)

        judge(lived([each["ready"] for each in ready], place, till, kill, may_be_away=True))
        ended(place)


def test_on_a_file_whose_gateway_dies_what_is_undone_is_gone_and_the_rest_is_listed_too(
    shop: Any, tmp_path: Path
) -> None:
    till, port, ways = shop.urls["pay_minor"], str(free_port()), cycle(("undo", "continue", "stop"))
    with site(tmp_path, "sqlite:///var/lamgate", till, None) as place:
        configure(tmp_path, till)
        serve = partial(place.start, "serve", "--port", port)
        address = said(serve(**options(next(ways))))["ready"]

        def kill() -> None:
            place.started[-1].kill()
            place.started[-1].wait()
            said(serve(**options(next(ways))))

        judge(lived([address], place, till, kill))
        ended(place)


def lived(
    addresses: list[str],
    place: Site,
    till: str,
    kill: Callable[[], None],
    *,
    may_be_away: bool = False,
) -> MoneyStorm:
    """A storm that is over, with how every run has ended."""
    with ExitStack() as opened:
        gateways = [opened.enter_context(place.client(each)) for each in addresses]
        managers = [opened.enter_context(each) for each in keys(gateways)]
        storm = MoneyStorm(gateways, managers, till, database_may_be_away=may_be_away)
        rage(storm, kill, Payer)
        storm.calm()
        storm.hear()
    print(len(storm.marks), "runs;", dict(storm.answers))
    return storm


def keys(gateways: list[httpx2.Client]) -> list[httpx2.Client]:
    """Of three managers, and of who asks, who is one as well: each at each gateway."""
    asks = gateways[0].get("/v1/keys").raise_for_status().json()[0]["principal"]
    found = []
    for name in (*(f"manager-{number}" for number in range(MANAGERS)), asks):
        roles = {"principal": name, "roles": ["manager", "operator"]}
        secret = gateways[0].post("/v1/keys", json=roles).raise_for_status().json()["secret"]
        headers = {"authorization": f"Bearer {secret}"}
        found += [
            httpx2.Client(base_url=each.base_url, headers=headers, trust_env=False, timeout=30)
            for each in gateways
        ]
    return found


def judge(storm: MoneyStorm) -> None:
    """What stands by the till's own ledger is what the runs say, and no more than was allowed."""
    books = storm.books()
    wrong = [
        (why, run, storm.rows[run], books[mark])
        for run, mark in storm.marks.items()
        for why in flaws(storm, run, books[mark])
    ]
    given_back = [each for found in books.values() for each in found if not each.stands]
    agreed_on = [each for found in books.values() for each in found if each.amount > GATED]

    print(dict(Counter(row["status"] for row in storm.rows.values())))
    print(len(given_back), "charges given back,", len(agreed_on), "agreed on")
    assert wrong == []
    assert [each for each in storm.broken if "own-request" not in each] == []
    assert len(storm.broken) > 0
    assert given_back
    assert agreed_on


def flaws(storm: MoneyStorm, run: str, charges: list[Booked]) -> list[str]:
    """What is wrong with how one run has ended."""
    row = storm.rows[run]
    standing, uncertain, undone = ({*row[name]} for name in ("standing", "uncertain", "undone"))
    stands = {each.step for each in charges if each.stands}
    is_gone = {each.step for each in charges} - stands
    found = {
        "charged twice": len(charges) > len({each.step for each in charges}),
        "listed, and does not stand": not standing <= stands,
        "stands, and is not listed": not stands <= standing | uncertain,
        "undone, and stands": not undone <= is_gone,
        "gone, and not listed": not is_gone <= undone | uncertain,
        "called undone": row["status"] == "undone" and bool(stands | uncertain),
        "incomplete of nothing": (
            row["status"] == "compensation_incomplete" and not standing | uncertain
        ),
        "beyond the budget": sum(each.amount for each in charges) > MOST,
        "not agreed on by two": any(
            len(storm.approvers(run, each.step) - {MANAGERS}) < 2
            for each in charges
            if each.amount > GATED
        ),
    }
    return [why for why, is_so in found.items() if is_so]

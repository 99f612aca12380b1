"""Two stories over real servers, words to effects, through a whole gateway.

A customer sends a piece back: Tryton, Roundup, a Stripe that remembers and a mail server. A
supplier sends an invoice: Tryton. Each server's own word is the judge.
"""

import base64
import itertools
import json
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from between import Between, between
from connector_cases import listening
from lossy_way import Cut, Way
from real_servers import STRIPE_KEY, Real, roundup, stripe
from served import Running, approve, ask, serving, until_open, until_status
from tryton_cases import Desk
from tryton_server import Erp

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "erp"
AT_BANK = {"authorization": f"Bearer {STRIPE_KEY}"}
LOGIN = base64.b64encode(b"admin:adminpw").decode()
_ORDERS = itertools.count(6)
_PURCHASES = itertools.count(8)  # the first seven are those of the books
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with roundup(tmp_path_factory.mktemp("roundup")) as real:
        yield real


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with stripe(tmp_path_factory.mktemp("stripe")) as real:
        yield real


@pytest.fixture
def till(bank: Real) -> Iterator[Between]:
    """The way to the bank, on which an answer can be lost."""
    with between(bank) as found:
        yield found


@pytest.fixture
def config(
    erp: Erp,
    tracker: Real,
    till: Between,
    shop: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The example's own file, which says other ports."""
    for name, secret in (
        ("ERP_KEY", erp.key),
        ("TRACKER_LOGIN", LOGIN),
        ("PAYMENTS_KEY", STRIPE_KEY),
    ):
        monkeypatch.setenv(name, secret)
    shutil.copytree(EXAMPLE, tmp_path / "own")
    config = tmp_path / "own" / "lamgate.toml"
    for old, new in (
        ("8000", erp.url),
        ("8080", tracker.url),
        ("8420", till.service.url),
        ("8714", shop.urls["mail"]),
        ("8715", shop.smtp),
    ):
        move(config, f"127.0.0.1:{old}", f"127.0.0.1:{new.rpartition(':')[2]}")
    return config


def move(config: Path, old: str, new: str) -> None:
    """Have a connection lead elsewhere."""
    config.write_text(config.read_text("utf-8").replace(old, new), "utf-8")


@pytest.fixture
async def running(config: Path) -> AsyncIterator[Running]:
    """A gateway over it."""
    async with serving(config) as found:
        yield found


@pytest.fixture
async def requester(running: Running) -> httpx2.AsyncClient:
    return await running.person("requester-1", "requester")


@pytest.fixture
async def approver(running: Running) -> httpx2.AsyncClient:
    return await running.person("approver-1", "approver")


def paid(bank: Real) -> str:
    """The payment of two monitors."""
    body = {"amount": "69800", "currency": "usd", "source": "tok_visa"}
    return str(bank.ask("POST", "/v1/charges", data=body, headers=AT_BANK).json()["id"])


async def test_a_piece_that_was_sent_back_is_in_stock_refunded_once_and_told_of(
    requester: httpx2.AsyncClient,
    approver: httpx2.AsyncClient,
    shop: Any,
    bank: Real,
    till: Between,
    tracker: Real,
    desk: Desk,
) -> None:
    till.lose_first("POST", "/v1/refunds")
    payment, number = paid(bank), str(next(_ORDERS))
    words = f"Take back 1 MON-27 of order {number}, payment {payment}"
    asked = await ask(requester, words)
    (gate,) = await until_open(approver, asked["run"])
    waiting = (await desk.do("return_list", {}))["returns"][0]
    await approve(approver, asked["run"])
    run = await until_status(requester, f"/v1/runs/{asked['run']}", "succeeded", "failed", "undone")
    trace = await requester.get(f"/v1/runs/{asked['run']}/trace", headers={"accept": "text/plain"})

    assert gate["role"] == "approver"
    assert waiting["status"] == "requested"
    assert run["status"] == "succeeded", trace.text
    result = run["result"]
    assert result["amount"] == {"amount": "349.00", "currency": "USD"}
    assert result["stock"]["after"] == result["stock"]["before"] + 1
    assert (await desk.do("return_get", {"id": result["return"]}))["status"] == "completed"
    assert result["ticket"] == "resolved"
    refunds = bank.ask("GET", f"/v1/refunds?charge={payment}", headers=AT_BANK).json()["data"]
    assert [(each["id"], each["amount"]) for each in refunds] == [(result["refund"], 34900)]
    assert refunds[0]["metadata"] == {"reason": "sent back"}
    posts = [each for each in till.service.asked if each.method == "POST"]
    assert len(posts) == 2, "the answer to the first was lost"
    assert len({each.headers["idempotency-key"] for each in posts}) == 1
    told = {"subject": f"Your refund for order {number}"}
    mails = httpx2.get(f"{shop.urls['mail']}/api/email", params=told, trust_env=False).json()
    assert [each["to"][0]["address"] for each in mails] == ["customer@example.com"]
    titles = re.findall(r"Return of MON-27 from order \d+", tracker_titles(tracker))
    assert titles.count(f"Return of MON-27 from order {number}") == 1


def tracker_titles(tracker: Real) -> str:
    own = {
        "authorization": f"Basic {LOGIN}",
        "x-requested-with": "rest",
        "origin": tracker.url,
        "referer": f"{tracker.url}/",
    }
    return tracker.ask("GET", "/rest/data/issue?@fields=title", headers=own).text


async def test_a_return_that_nobody_wants_is_taken_back_and_nothing_is_refunded(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient, bank: Real, desk: Desk
) -> None:
    payment, number = paid(bank), str(next(_ORDERS))
    asked = await ask(requester, f"Take back 1 MON-27 of order {number}, payment {payment}")
    (gate,) = await until_open(approver, asked["run"])
    answer = await approver.post(
        f"/v1/approvals/{gate['id']}/decision", json={"decision": "refuse", "reason": "too late"}
    )
    run = await until_status(
        requester, f"/v1/runs/{asked['run']}", "failed", "undone", "compensation_incomplete"
    )
    order = (await desk.do("order_list", {"number": number}))["orders"][0]
    (returned,) = (await desk.do("return_list", {"order_id": order["id"]}))["returns"]
    charge = bank.ask("GET", f"/v1/charges/{payment}", headers=AT_BANK).json()

    assert answer.status_code == 200, answer.text
    assert run["status"] == "undone", run
    assert {"back", "asked", "ticket"} <= set(run["undone"])
    assert returned["status"] == "canceled"
    assert charge["amount_refunded"] == 0


async def test_an_invoice_that_fits_its_order_is_posted_and_its_payment_approved(
    requester: httpx2.AsyncClient, approver: httpx2.AsyncClient, desk: Desk
) -> None:
    number = str(next(_PURCHASES))
    words = (
        f"Enter invoice INV-500{number} of 10100.00 USD for purchase order {number} "
        "and pay it on 2026-12-30"
    )
    asked = await ask(requester, words)
    await approve(approver, asked["run"])
    run = await until_status(requester, f"/v1/runs/{asked['run']}", "succeeded", "failed", "undone")
    trace = await requester.get(f"/v1/runs/{asked['run']}/trace", headers={"accept": "text/plain"})

    assert run["status"] == "succeeded", trace.text
    invoice = await desk.do("invoice_get", {"id": run["result"]["invoice"]})
    payment = await desk.do("payment_get", {"id": run["result"]["payment"]})
    assert (invoice["status"], invoice["reference"]) == ("posted", f"INV-500{number}")
    assert (payment["status"], payment["pays_on"]) == ("approved", "2026-12-30")
    assert payment["amount"] == {"amount": "10100.00", "currency": "USD"}


async def test_an_invoice_that_is_not_what_was_ordered_stops_before_anything_is_entered(
    requester: httpx2.AsyncClient, desk: Desk
) -> None:
    number = str(next(_PURCHASES))
    words = (
        f"Enter invoice INV-600{number} of 10200.00 USD for purchase order {number} "
        "and pay it on 2026-12-30"
    )
    asked = await ask(requester, words)
    run = await until_status(requester, f"/v1/runs/{asked['run']}", "succeeded", "failed", "undone")
    order = (await desk.do("purchase_order_list", {"number": number}))["purchase_orders"][0]
    invoice = await desk.do("invoice_get", {"id": order["invoice_ids"][0]})

    assert run["status"] in ("failed", "undone")
    assert (invoice["status"], invoice["reference"]) == ("draft", None)


@pytest.mark.parametrize(
    ("mark", "cut", "calls"),
    [
        ("/post?", "before", 2),
        ("/post?", "after", 2),
        ("/approve?", "after", 2),
        ("POST /erp/rest/model/account.payment?", "after", 1),  # and looked up
    ],
)
async def test_an_answer_of_the_erp_that_is_lost_is_settled_and_nothing_happens_twice(
    config: Path, erp: Erp, desk: Desk, mark: str, cut: Cut, calls: int
) -> None:
    number = str(next(_PURCHASES))
    words = (
        f"Enter invoice INV-700{number} of 10100.00 USD for purchase order {number} "
        "and pay it on 2026-12-30"
    )
    way = Way(int(erp.url.rpartition(":")[2]), cut, mark.encode())
    async with listening(way.serve) as port:
        move(config, erp.url.partition("://")[2], f"127.0.0.1:{port}")
        async with serving(config) as running:
            requester = await running.person("requester-1", "requester")
            asked = await ask(requester, words)
            await approve(await running.person("approver-1", "approver"), asked["run"])
            run = await until_status(
                requester, f"/v1/runs/{asked['run']}", "succeeded", "failed", "undone"
            )
            trace: Any = (await requester.get(f"/v1/runs/{asked['run']}/trace")).json()
    attempts = [len(each["attempts"]) for each in trace["steps"]]

    assert way.cuts == 1
    assert run["status"] == "succeeded", trace
    assert attempts.count(2) == calls - 1
    order = (await desk.do("purchase_order_list", {"number": number}))["purchase_orders"][0]
    assert (await desk.do("payment_get", {"id": run["result"]["payment"]}))["status"] == "approved"
    assert order["invoice_ids"] == [run["result"]["invoice"]]
    assert payments_of(erp, run["result"]["invoice"]) == [int(run["result"]["payment"])]


def payments_of(erp: Erp, invoice: str) -> list[int]:
    """The payments of an invoice, as the ERP itself has them."""
    domain = json.dumps([["line.move_origin", "=", f"account.invoice,{invoice}"]])
    answer = httpx2.get(
        f"{erp.url}/erp/rest/model/account.payment",
        params={"d": base64.urlsafe_b64encode(domain.encode()).decode()},
        headers={"authorization": f"bearer {erp.key}"},
        trust_env=False,
    )
    return [each["id"] for each in answer.json()]

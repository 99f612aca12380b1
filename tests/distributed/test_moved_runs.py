"""Runs that began over a file go on over a server's database: nothing is asked or called twice."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from commands import MUG, PATIENCE_S, Lamgate, in_the_shop, ledger, new_key
from servers import Server


@contextmanager
def gateway(operator: Lamgate, ends_with: int) -> Iterator[str]:
    """A gateway as a process, which ends with this signal; gives its address."""
    process = operator.start("serve", "--port", "0", "--json")
    assert process.stdout is not None
    said = ""
    while not said.endswith("}\n"):
        line = process.stdout.readline()
        assert line, process.communicate()
        said += line
    try:
        yield str(json.loads(said)["ready"])
    finally:
        process.send_signal(ends_with)
        process.communicate(timeout=PATIENCE_S)


def client(address: str, key: str) -> httpx2.Client:
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.Client(
        base_url=address, headers=headers, trust_env=False, timeout=PATIENCE_S, verify=False
    )


def until(asked: httpx2.Client, path: str, wanted: str) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while (found := asked.get(path).json())["status"] != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


WRITE_OFF = {
    "steps": [
        {
            "id": "off",
            "action": "orders.create_write_off",
            "args": [
                {"value": "TEAPOT", "to": "sku"},
                {"value": 1, "to": "quantity"},
                {"value": "1043", "to": "order_id"},
                {"value": "broken", "to": "reason"},
            ],
        }
    ],
    "answer": [],
}


def ask(asked: httpx2.Client, words: str, key: str) -> Any:
    answer = asked.post(
        "/v1/requests",
        json={"text": words, "inputs": {}},
        headers={"idempotency-key": key},
    )
    return answer.json()


@pytest.mark.timeout(300)
def test_what_waited_on_the_file_goes_on_on_the_server_under_its_keys_and_nothing_is_done_twice(
    postgres: Server, shop: Any, tmp_path: Path
) -> None:
    operator = in_the_shop(tmp_path, shop)
    overlay = tmp_path / "overlays" / "orders.yaml"
    overlay.write_text(overlay.read_text().replace("timeout_s: 10", "timeout_s: 3"))
    at_first = _effects(shop)
    with gateway(operator, signal.SIGKILL) as address:
        keys = {who: new_key(operator, who, role)
                for who, role in (("asks", "requester"), ("approves", "approver"))}  # fmt: skip
        set_one = operator(
            "credentials", "set", "spare", "--kind", "api-key", stdin="s3cr3t-spare-key"
        )
        with client(address, keys["asks"]) as asks:
            mug = ask(asks, MUG, "ticket-1")
            until(asks, f"/v1/requests/{mug['id']}", "needs_answer")
            answered = {"answers": {"remedy": "refund"}}
            asks.post(f"/v1/requests/{mug['id']}/answers", json=answered)
            waits = until(asks, f"/v1/requests/{mug['id']}", "planned")["run"]
            until(asks, f"/v1/runs/{waits}", "waiting")
            # One whose effect has happened, and whose answer is lost with the gateway.
            fault = {"kind": "hang_after", "match": {"path_prefix": "/stock"}}
            faults = f"{shop.urls['orders']}/faults"
            httpx2.post(faults, json=fault, trust_env=False, verify=False)
            words = "Write off 1 piece of TEAPOT of order 1043: broken."
            plan = asks.post("/v1/plans", json={"plan": WRITE_OFF, "request": words}).json()
            cut_off = asks.post(f"/v1/plans/{plan['id']}/runs", json={}).json()["id"]
            deadline = time.monotonic() + PATIENCE_S
            while not httpx2.get(faults, trust_env=False, verify=False).json()[0]["fired"]:
                assert time.monotonic() < deadline
                time.sleep(0.05)
    once = _effects(shop)
    httpx2.delete(faults, trust_env=False, verify=False)

    exchanged = operator("secret", "exchange", "--json")
    url = postgres.new_database()
    moved = operator("move", "--to", url, "--json")
    refused = operator("runs", "--json")
    operator.more["LAMGATE_SECRET"] = Path(moved.document["secret"]).read_text().strip()
    operator.more["LAMGATE_DATABASE__URL"] = url
    with gateway(operator, signal.SIGTERM) as address:
        with client(address, keys["approves"]) as approves, client(address, keys["asks"]) as asks:
            replayed = ask(asks, MUG, "ticket-1")
            (asked,) = approves.get(f"/v1/approvals?state=open&run={waits}").json()
            yes = {"decision": "approve", "reason": "checked"}
            approves.post(f"/v1/approvals/{asked['id']}/decision", json=yes)
            until(asks, f"/v1/runs/{waits}", "succeeded")
            until(asks, f"/v1/runs/{cut_off}", "succeeded")
            trace = asks.get(f"/v1/runs/{cut_off}/trace", headers={"accept": "text/plain"}).text
        as_before = (tmp_path / "var" / "lamgate.db.operator-key").read_text().strip()
        with client(address, as_before) as operates:
            stored = operates.get("/v1/credentials").json()
    ended = _effects(shop)
    del operator.more["LAMGATE_DATABASE__URL"]
    taken_back = operator("move", "--undo", "--to", url, "--json")
    without = operator("move", "--undo", "--lost", "--json")
    stops = operator("stops", "--json")

    assert set_one.code == 0
    assert (exchanged.document["plans"], exchanged.document["credentials"]) == (2, 1)
    assert moved.document["rows"]["runs"] == 2
    assert "runs: 2" in moved.err
    assert (refused.code, refused.document["code"]) == (2, "database-moved")
    assert replayed == mug
    assert "happened once" in trace or "found by its key" in trace, trace
    assert [each["id"] for each in stored] == ["spare"]
    assert [now - before for now, before in zip(once, at_first, strict=True)] == [1, 0]
    # The run that waited writes off and refunds; the one that was cut off does nothing again.
    assert [now - before for now, before in zip(ended, once, strict=True)] == [1, 1]
    assert (taken_back.code, taken_back.document["code"]) == (2, "database-moved")
    assert "work has gone on" in taken_back.document["detail"]
    assert [each["id"] for each in stops.document] == [without.document["stop"]]


def _effects(shop: Any) -> tuple[int, int]:
    """How much was written off and how much was refunded, by the services' own record."""
    made = ledger(shop, "orders")
    refunds = [each for each in ledger(shop, "pay_minor") if each["kind"] == "refund"]
    return sum(each["kind"] == "write_off" for each in made), len(refunds)

"""A gateway that is told to end does so in good order, however slow clients and services are."""

import json
import secrets
import signal
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from commands import in_the_shop, until
from servers import Server
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from test_moved_runs import WRITE_OFF, client

WITHIN_S = 30.0
WORDS = "Write off 1 piece of TEAPOT of order 1043: broken."


def slow_client(address: str, key: str) -> socket.socket:
    """Somebody who has begun to send a body, and takes their time."""
    place = urlsplit(address)
    found = socket.create_connection((str(place.hostname), place.port or 80))
    head = f"POST /v1/requests HTTP/1.1\r\nhost: {place.netloc}\r\nauthorization: Bearer {key}\r\n"
    body = "content-type: application/json\r\ncontent-length: 1000\r\n\r\n{"
    found.sendall((head + body).encode())
    return found


@pytest.mark.timeout(180)
def test_with_a_slow_client_and_a_slow_service_runs_are_given_back_in_good_order(
    postgres: Server, shop: Any, tmp_path: Path
) -> None:
    operator = in_the_shop(tmp_path, shop)
    overlay = tmp_path / "overlays" / "orders.yaml"
    overlay.write_text(overlay.read_text().replace("timeout_s: 10", "timeout_s: 120"))
    url = postgres.new_database()
    operator.more["LAMGATE_SECRET"] = secrets.token_hex(64)
    operator.more["LAMGATE_DATABASE__URL"] = url
    process = operator.start("serve", "--port", "0", "--json")
    assert process.stdout is not None
    said = ""
    while not said.endswith("}\n"):
        line = process.stdout.readline()
        assert line, process.communicate()
        said += line
    address = str(json.loads(said)["ready"])
    (own,) = (tmp_path / "var").glob("*operator-key")
    with client(address, own.read_text().strip()) as operates:
        asks_for = {"principal": "asks", "roles": ["requester"]}
        key = operates.post("/v1/keys", json=asks_for).json()["secret"]
    faults = f"{shop.urls['orders']}/faults"
    fault = {"kind": "hang_after", "match": {"path_prefix": "/stock"}}
    httpx2.post(faults, json=fault, trust_env=False, verify=False)
    with client(address, key) as asks:
        plan = asks.post("/v1/plans", json={"plan": WRITE_OFF, "request": WORDS}).json()
        asks.post(f"/v1/plans/{plan['id']}/runs", json={})
    seen = lambda: httpx2.get(faults, trust_env=False, verify=False).json()[0]["fired"]  # noqa: E731
    until(seen, "the call is under way")
    with slow_client(address, key):
        time.sleep(0.5)  # until it is seen
        process.send_signal(signal.SIGTERM)
        told_at = time.monotonic()
        _, complaints = process.communicate(timeout=60)
        seconds = time.monotonic() - told_at
    httpx2.delete(faults, trust_env=False, verify=False)
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as c:
        row = c.execute(text("SELECT status, driver, crashes, recoveries FROM runs")).one()
    engine.dispose()

    assert process.returncode == 0, complaints
    assert seconds < WITHIN_S
    assert tuple(row) == ("queued", None, 0, 0)

"""Faults on demand do what they say: to the effect, to the answer, and to nobody else."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from pydantic import JsonValue
from the_shop import Service, until

REFUND: dict[str, JsonValue] = {"charge": "pay_1043", "amount": 1, "reason": "damaged"}
CALLER = """
import socket, sys
body = b'{"charge": "pay_1043", "amount": 1, "reason": "damaged"}'
head = (
    "POST /v1/refunds HTTP/1.1\\r\\nHost: shop\\r\\nAuthorization: Bearer sk_shop_minor\\r\\n"
    f"Idempotency-Key: {sys.argv[2]}\\r\\nContent-Type: application/json\\r\\n"
    f"Content-Length: {len(body)}\\r\\n\\r\\n"
)
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(head.encode() + body)
connection.recv(1)
"""


def refund(minor: Service, key: str, timeout_s: float = 20.0) -> httpx2.Response:
    headers = {"Idempotency-Key": key}
    return minor.call("POST", "/v1/refunds", REFUND, headers=headers, timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("name", "path", "refused"),
    [
        ("orders", "/orders/1042", 422),
        ("pay_minor", "/v1/charges/pay_1042", 400),
        ("pay_decimal", "/payments/pay_1042", 422),
        ("mail", "/api/email", 422),
    ],
)
def test_every_service_fails_on_demand_in_its_own_words(
    services: dict[str, Service], name: str, path: str, refused: int
) -> None:
    service = services[name]
    usual = set(service.get("/nowhere").json())
    kinds = {"refuse": refused, "error_500": 500, "error_503": 503, "rate_limit": 429}

    for kind, status in kinds.items():
        service.spoil(kind, path, method="GET", retry_after=7)
        answer = service.get(path)

        assert answer.status_code == status
        assert set(answer.json()) == usual
        assert answer.headers.get("Retry-After") == ("7" if status in (429, 503) else None)
    assert service.get(path).status_code == 200


@pytest.mark.parametrize(
    ("given", "told"), [(2, "2"), (0.5, "0.5"), ("Fri, 01 Jan 2027 00:00:00 GMT",) * 2]
)
def test_retry_after_is_seconds_or_a_date(minor: Service, given: JsonValue, told: str) -> None:
    minor.spoil("rate_limit", "/v1/refunds", retry_after=given)

    answer = refund(minor, "after")

    assert answer.headers["Retry-After"] == told
    assert minor.ledger("after") == []


def test_a_fault_fires_as_often_as_ordered_and_is_counted(minor: Service) -> None:
    minor.spoil("error_500", "/v1/refunds", times=2)

    statuses = [refund(minor, "thrice").status_code for _ in range(3)]

    assert statuses == [500, 500, 200]
    assert minor.fired() == 2
    assert len(minor.ledger("thrice")) == 1


def test_faults_are_used_up_in_the_order_in_which_they_were_ordered(minor: Service) -> None:
    minor.spoil("error_503", "/v1/refunds")
    minor.spoil("error_500", "/v1/refunds")

    statuses = [refund(minor, "row").status_code for _ in range(3)]

    assert statuses == [503, 500, 200]


def test_a_fault_spoils_only_the_method_and_the_paths_it_is_for(minor: Service) -> None:
    minor.spoil("error_500", "/v1/refunds", times=9)

    assert minor.get("/v1/charges/pay_1043").status_code == 200
    assert minor.get("/ledger").status_code == 200
    assert minor.fired() == 0


def test_the_controls_are_never_spoiled(minor: Service) -> None:
    minor.spoil("error_500", "/", method="GET", times=9)

    assert minor.get("/health").status_code == 200
    assert minor.get("/ledger").status_code == 200
    assert minor.get("/faults").status_code == 200
    assert minor.get("/v1/charges/pay_1043").status_code == 500


@pytest.mark.parametrize(("kind", "applied"), [("hang_before", 0), ("hang_after", 1)])
def test_a_hang_is_silent_and_the_ledger_knows_what_happened(
    minor: Service, kind: str, applied: int
) -> None:
    minor.spoil(kind, "/v1/refunds")

    with pytest.raises(httpx2.ReadTimeout):
        refund(minor, kind, timeout_s=0.4)
    rows = len(minor.ledger(kind))
    again = refund(minor, kind)

    assert minor.fired() == 1
    assert rows == applied
    assert again.status_code == 200
    assert ("Idempotent-Replayed" in again.headers) == bool(applied)
    assert len(minor.ledger(kind)) == 1


@pytest.mark.parametrize(("kind", "applied"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_connection_gives_no_answer_and_the_ledger_knows(
    minor: Service, kind: str, applied: int
) -> None:
    minor.spoil(kind, "/v1/refunds")

    with pytest.raises((httpx2.RemoteProtocolError, httpx2.ReadError)):
        refund(minor, kind)

    assert minor.fired() == 1
    assert len(minor.ledger(kind)) == applied


def test_garbage_is_a_200_that_is_no_json_after_the_effect(minor: Service) -> None:
    minor.spoil("garbage", "/v1/refunds")

    answer = refund(minor, "garbage")

    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert len(minor.ledger("garbage")) == 1


@pytest.mark.parametrize("kind", ["hang_after", "drop_after", "garbage"])
def test_a_request_that_the_business_refuses_does_not_use_up_what_follows_an_effect(
    minor: Service, kind: str
) -> None:
    minor.spoil(kind, "/v1/refunds")

    refused = minor.call("POST", "/v1/refunds", {"charge": "ch_none", "amount": 1})

    assert refused.status_code == 404
    assert minor.fired() == 0


def test_a_hang_ends_after_its_seconds_with_the_real_answer(minor: Service) -> None:
    minor.spoil("hang_after", "/v1/refunds", seconds=0.2)

    answer = refund(minor, "short")

    assert answer.status_code == 200
    assert answer.json()["charge"] == "pay_1043"


def test_clearing_the_faults_lets_go_of_what_hangs(minor: Service) -> None:
    minor.spoil("hang_after", "/v1/refunds")

    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(refund, minor, "freed")
        until(lambda: minor.fired() == 1)
        minor.call("DELETE", "/faults")
        answer = hanging.result(timeout=10)

    assert answer.status_code == 200
    assert minor.get("/faults").json() == []
    assert len(minor.ledger("freed")) == 1


def test_many_hanging_requests_hold_up_nobody(minor: Service) -> None:
    minor.spoil("hang_after", "/v1/refunds", times=60)

    # More than a pool of 40 threads would bear, each on a connection of its own.
    with ThreadPoolExecutor(60) as pool:
        hanging = [pool.submit(refund, minor, f"many-{number}") for number in range(60)]
        until(lambda: minor.fired() == 60)
        other = minor.call("GET", "/v1/charges/pay_1043", timeout_s=5)
        minor.call("DELETE", "/faults")
        statuses = {each.result(timeout=10).status_code for each in hanging}

    assert other.status_code == 200
    assert statuses == {200}


@pytest.mark.parametrize("kind", ["hang_after", "drop_after"])
def test_a_caller_killed_while_it_waits_has_its_request_applied_once(
    minor: Service, kind: str
) -> None:
    minor.spoil(kind, "/v1/refunds")
    port = minor.url.rpartition(":")[2]

    caller = subprocess.Popen([sys.executable, "-c", CALLER, port, f"killed-{kind}"])
    until(lambda: minor.fired() == 1)
    caller.send_signal(signal.SIGKILL)
    caller.wait()

    assert len(minor.ledger(f"killed-{kind}")) == 1
    assert refund(minor, f"killed-{kind}").headers["Idempotent-Replayed"] == "true"
    assert len(minor.ledger(f"killed-{kind}")) == 1


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "explode"},
        {"kind": "refuse", "times": 0},
        {"kind": "refuse", "match": {"verb": "GET"}},
        {"kind": "refuse", "seconds": -1},
        {},
    ],
)
def test_a_fault_that_nobody_knows_is_refused(minor: Service, order: JsonValue) -> None:
    answer = minor.call("POST", "/faults", order)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "parameter_invalid"

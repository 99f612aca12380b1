"""The services are processes: they start together, survive being killed, and never stay behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from pydantic import JsonValue
from the_shop import FOLDER, SERVICES, Service, load_start, until

REFUND: JsonValue = {"charge": "pay_1042", "amount": 1850, "reason": "damaged"}


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # An orphan that nobody buries is dead all the same.
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def answers(url: str) -> Callable[[], bool]:
    def ask() -> bool:
        try:
            return httpx2.get(f"{url}/health", trust_env=False).status_code == 200
        except httpx2.TransportError:
            return False

    return ask


def test_a_service_killed_after_the_commit_knows_everything_when_it_is_back(
    tmp_path: Path,
) -> None:
    with load_start().start_shop(tmp_path, which=("pay_minor",)) as shop:
        minor = Service("pay_minor", shop.urls["pay_minor"], tmp_path / "pay_minor.db")
        minor.spoil("hang_after", "/v1/refunds")
        key = {"Idempotency-Key": "kept"}
        with pytest.raises(httpx2.ReadTimeout):
            minor.call("POST", "/v1/refunds", REFUND, headers=key, timeout_s=0.4)
        shop.kill("pay_minor")
        with pytest.raises(httpx2.ConnectError):
            minor.get("/health")

        shop.restart("pay_minor")
        answer = minor.call("POST", "/v1/refunds", REFUND, headers=key)

        assert shop.urls["pay_minor"] == minor.url
        assert answer.headers["Idempotent-Replayed"] == "true"
        assert len(minor.ledger("kept")) == 1
        assert minor.get("/v1/charges/pay_1042").json()["amount_refunded"] == 1850


def test_a_restarted_service_keeps_what_was_changed(tmp_path: Path) -> None:
    with load_start().start_shop(tmp_path, which=("orders", "mail")) as shop:
        orders = Service("orders", shop.urls["orders"], tmp_path / "orders.db")
        orders.call("PUT", "/orders/1042/status", {"status": "returned"})
        smtp = shop.smtp
        shop.restart("orders")
        shop.restart("mail")

        assert orders.get("/orders/1042").json()["status"] == "returned"
        assert len(orders.get("/orders").json()) == 5
        assert shop.smtp == smtp


def test_stopping_ends_every_service_and_may_be_done_twice(tmp_path: Path) -> None:
    shop = load_start().start_shop(tmp_path)
    numbers = [process.pid for process in shop.processes.values()]

    shop.stop()
    shop.stop()

    assert len(numbers) == len(SERVICES)
    assert not any(alive(number) for number in numbers)


def test_the_services_end_when_whoever_started_them_is_killed(tmp_path: Path) -> None:
    script = [sys.executable, str(FOLDER / "start.py"), "--data", str(tmp_path), "--free-ports"]
    starter = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    urls = [starter.stdout.readline().split()[1] for _ in SERVICES]
    served = [answers(url)() for url in urls]

    starter.send_signal(signal.SIGKILL)
    starter.wait()
    starter.stdout.close()

    assert served == [True] * len(SERVICES)
    for url in urls:
        until(lambda url=url: not answers(url)())  # type: ignore[misc]  # a default binds it now


def test_the_script_ends_on_ctrl_c_and_takes_the_services_with_it(tmp_path: Path) -> None:
    script = [sys.executable, str(FOLDER / "start.py"), "--data", str(tmp_path), "--free-ports"]
    starter = subprocess.Popen(script, stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    lines = [starter.stdout.readline() for _ in range(6)]

    starter.send_signal(signal.SIGINT)
    rest, _ = starter.communicate(timeout=20)

    assert starter.returncode == 0
    assert [line.split()[0] for line in lines[:5]] == [*SERVICES, "smtp"]
    assert not any(answers(line.split()[1])() for line in lines[:4])
    assert rest.strip() == ""


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_by_itself_says_one_ready_line_and_lives_without_input(
    tmp_path: Path, name: str
) -> None:
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--data", str(tmp_path / "new" / "x.db")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()

        assert words[0] == "ready"
        assert answers(words[1])()
        assert len(words) == (3 if name == "mail" else 2)
        assert (tmp_path / "new" / "x.db").exists()
    finally:
        process.terminate()
        rest, _ = process.communicate(timeout=20)
    assert rest == ""


def test_a_service_that_cannot_start_tells_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "pay_minor.db").mkdir()
    start = load_start()

    with pytest.raises(start.ShopError, match=r"pay_minor did not start: .*unable to open"):
        start.start_shop(tmp_path, which=("pay_minor",))


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, str(FOLDER / "orders.py"), "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    assert ended.returncode == 1
    assert f"cannot listen on port {port}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_service_that_nobody_knows_is_refused_before_anything_starts(tmp_path: Path) -> None:
    start = load_start()

    with pytest.raises(start.ShopError, match="no such service: bank"):
        start.start_shop(tmp_path / "shop", which=("orders", "bank"))
    assert not (tmp_path / "shop").exists()

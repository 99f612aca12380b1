"""The demonstration asks people, fails loudly on a false claim, and never leaves a process."""

import json
import signal
import subprocess
from pathlib import Path

import httpx2
from demonstration import (
    PATIENCE_S,
    PROGRAM,
    empty_environment,
    new_mark,
    nothing_is_left,
    processes,
    terminal,
    until,
)

EVERYTHING = 7  # processes: the demonstration, its gateway, its model, and four services


def test_a_person_answers_and_refuses_and_a_false_claim_ends_it_with_exit_code_1(
    tmp_path: Path,
) -> None:
    mark = new_mark()
    with terminal(["demo", "--data", str(tmp_path)], mark) as seen:
        seen.until("requester-1 answers")
        seen.answer("whatever you think")
        seen.until("requester-1 answers")  # it is asked again, and not guessed
        seen.answer("send another")
        seen.until("order 1042: refund 0, write-off 1, mail 1")
        seen.until("Approve, as approver-1?")
        _refund_once_more(tmp_path, "pay_1044")  # money that no plan sent
        seen.answer("n")
        seen.until("you refused, and no money went back")
        seen.until("Approve, as approver-1?")
        seen.answer("y")
        code = seen.end()

    assert code == 1
    said = " ".join(seen.said.split())
    assert "demo-failed" in said
    assert "this does not hold: by the services' own ledgers, order 1044: refund 1" in said
    assert "found instead: {'refund': 2" in said
    assert "Traceback" not in said
    nothing_is_left(mark)


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    mark = new_mark()
    with terminal(["demo", "--yes", "--data", str(tmp_path)], mark) as seen:
        seen.until("the gateway asks")
        assert len(processes(mark)) >= EVERYTHING
        seen.interrupt()
        code = seen.end()

    assert code == 130
    assert "Traceback" not in seen.said
    nothing_is_left(mark)


def test_a_demonstration_that_is_killed_leaves_no_process_either(tmp_path: Path) -> None:
    mark = new_mark()
    with terminal(["demo", "--yes", "--data", str(tmp_path)], mark) as seen:
        until(lambda: len(processes(mark)) >= EVERYTHING, "everything is being started")
        seen.process.send_signal(signal.SIGKILL)
        seen.process.wait()

    nothing_is_left(mark)


def test_sigterm_ends_everything_even_while_it_starts(tmp_path: Path) -> None:
    mark = new_mark()
    with terminal(["demo", "--yes", "--data", str(tmp_path)], mark) as seen:
        until(lambda: len(processes(mark)) > 2, "the services are being started")
        seen.process.send_signal(signal.SIGTERM)
        code = seen.end()

    assert code == 128 + signal.SIGTERM
    assert "Traceback" not in seen.said
    nothing_is_left(mark)


def test_nobody_to_answer_is_a_clear_error_and_nothing_is_started(tmp_path: Path) -> None:
    mark = new_mark()
    done = _said(["demo", "--data", str(tmp_path)], mark)

    assert done.returncode == 2
    assert "nobody-answers" in done.stderr
    assert "make demo YES=1" in done.stderr
    assert [*tmp_path.iterdir()] == []


def test_opening_a_folder_without_a_demonstration_says_what_is_missing(tmp_path: Path) -> None:
    done = _said(["demo", "--open", str(tmp_path), "--json"], new_mark())

    assert done.returncode == 2
    assert json.loads(done.stdout)["code"] == "file-not-found"


def _refund_once_more(folder: Path, payment: str) -> None:
    port = json.loads((folder / "ports.json").read_text())["pay_minor"]
    answer = httpx2.post(
        f"http://127.0.0.1:{port}/v1/refunds",
        json={"charge": payment, "amount": 1, "reason": "a test meddles"},
        headers={"authorization": "Bearer sk_shop_minor", "idempotency-key": "meddling"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


def _said(words: list[str], mark: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PROGRAM, *words],
        env=empty_environment(mark),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

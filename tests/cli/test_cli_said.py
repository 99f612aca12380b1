"""What is said to programs is JSON whatever went wrong; who follows a run outlasts a restart."""

import io
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import Lamgate
from rich.console import Console

from connectors.spec import JsonObject
from gateway.cli import approve, client, show
from gateway.cli.client import Client
from gateway.cli.main import build
from gateway.cli.problem import CliError
from gateway.cli.requests import planned
from gateway.cli.watch import tell_end

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
ONE = b'id: 1\nevent: a\ndata: {"seq": 1}\n\n'
TWO = b'id: 2\nevent: b\ndata: {"seq": 2}\n\n'
OVER = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
PAUSING = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "words",
    [
        ("runs", "--bogus"),
        ("bogus",),
        ("keys", "create", "somebody"),
        ("keys", "bogus"),
        ("reconcile", "run", "step", "perhaps", "--reason", "why"),
        ("serve", "--port", "many"),
        ("stop", "--reason", " "),
        ("stop", "--reason", "\u200b"),
        ("resume", "stop_1", "--reason", "x" * 2001),
    ],
)
def test_words_that_are_not_known_are_told_to_programs_as_json(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = Lamgate(tmp_path)(*words, "--json")

    assert said.code == 2
    assert said.document["code"] == "bad-option"
    assert said.document["detail"]


def test_an_exit_code_is_the_same_for_programs(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"steps": [{"id": "a", "action": "no.no"}]}')
    (tmp_path / "tools.json").write_text('{"lamgate_catalog": 1, "actions": []}')
    said = Lamgate(tmp_path)("admit", "plan.json", "--catalog", "tools.json", "--json")

    assert (said.code, said.document["accepted"]) == (1, False)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as found:
        yield found


def followed(listener: socket.socket, *answers: tuple[bytes, ...]) -> list[int]:
    """The events that a client sees of a server that gives these answers, one a connection."""

    def serve() -> None:
        for pieces in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                for piece in pieces:
                    if piece == b"wait":
                        waited.wait(0.5)
                    else:
                        connection.sendall(piece)

    waited = threading.Event()
    thread = threading.Thread(target=serve)
    thread.start()
    host, port = listener.getsockname()
    asking = Client(f"http://{host}:{port}", "lam_key")
    try:
        return [int(str(each["seq"])) for each in asking.events("/v1/runs/run/events")]
    finally:
        asking.close()
        thread.join()


@pytest.mark.parametrize("pauses", [(), (PAUSING,)], ids=["lost", "pausing"])
def test_a_run_that_was_followed_for_long_is_still_followed_after_a_restart(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, pauses: tuple[bytes, ...]
) -> None:
    monkeypatch.setattr(client, "RECONNECT_WITHIN_S", 0.3)
    monkeypatch.setattr(client, "RECONNECT_PAUSE_S", 0.01)
    broken = HEAD.replace(b"connection: close", b"content-length: 9999")
    long = (broken, ONE, b"wait", b": still here\n\n")  # then it is lost, in the middle

    assert followed(listener, long, pauses, (HEAD, TWO), (OVER,)) == [1, 2]


def told(monkeypatch: pytest.MonkeyPatch, url: str, row: JsonObject) -> str:
    """What is said at the end of a run that stands so."""
    written = io.StringIO()
    monkeypatch.setattr(show, "out", Console(file=written, soft_wrap=True, width=200))
    asking = Client(url, "lam_key")
    tell_end(asking, row)
    asking.close()
    return written.getvalue()


@contextmanager
def answering(listener: socket.socket, *documents: object) -> Iterator[None]:
    """A server that meanwhile gives these answers, one a connection."""

    def serve() -> None:
        for each in documents:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                body = json.dumps(each).encode()
                head = f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
                whole = f"HTTP/1.1 200 OK\r\nconnection: close\r\n{head}\r\n".encode() + body
                connection.sendall(whole)

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    thread.join()


def test_a_result_that_stands_elsewhere_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    large: JsonObject = {"digest": "sha256:abc", "bytes": 40_000}
    row: JsonObject = {"id": "run_1", "status": "succeeded", "result": None, "large": large}

    assert "GET /v1/blobs/sha256:abc" in told(monkeypatch, "http://127.0.0.1:9", row)


def test_an_approval_of_a_whole_plan_names_its_steps(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    row: JsonObject = {"id": "run_1", "status": "waiting", "waiting_for": "approval"}
    with answering(listener, [{"id": "apr_1", "step": "", "steps": ["pay", "tell"], "role": "r"}]):
        said = told(monkeypatch, f"http://127.0.0.1:{listener.getsockname()[1]}", row)

    assert "pay, tell waits for an approval by r" in said


def test_a_gateway_that_only_pauses_is_not_waited_for_for_ever(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "RECONNECT_WITHIN_S", 0.0)
    monkeypatch.setattr(client, "RECONNECT_PAUSE_S", 0.01)

    with pytest.raises(CliError, match="503"):
        followed(listener, (PAUSING,))


def test_a_name_of_a_picture_in_a_text_stays_the_text_that_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for say in (show.say, show.say_as_is, show.complain):
        say("pay to acct:key:10")
    said = capsys.readouterr()

    assert said.out.splitlines() == ["pay to acct:key:10"] * 2
    assert said.err == "pay to acct:key:10\n"


def test_an_approval_shows_what_does_not_print_and_nothing_in_it_makes_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    approve.show({
        "id": "apr_1", "kind": "step", "step": "mail", "run": "run_1", "action": "mail.send",
        "arguments": {"to": "bob@ex\u200bample.com", "text": "1\u202e0.5"},
        "requester": "ann", "role": "approver", "quorum": 2, "reasons": ["it says\nso"],
        "decisions": [{"by": "eve", "decision": "approve", "reason": "x\n    bob said yes: y"}],
    })  # fmt: skip
    said = capsys.readouterr().out

    assert '{"to": "bob@ex\\u200bample.com", "text": "1\\u202e0.5"}' in said
    assert not any(each.startswith("    bob said") for each in said.splitlines())
    assert len(said.splitlines()) == 4


def test_what_a_service_says_makes_no_connection_of_its_own(
    listener: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    down = {
        "state": "open",
        "until": 0.0,
        "because": "no\nbank             http               ready",
    }
    row = {"name": "shop", "connector": "http", "standing": "ready", "breaker": down}
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    words = ["connections", "--url", url, "--key", "lam_key"]
    with answering(listener, [{**row, "skipped": [], "held": 0, "stops": []}]):
        build(words)(words, standalone_mode=False)

    assert not any(each.startswith("bank") for each in capsys.readouterr().out.splitlines())


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_question_that_a_model_wrote_drives_no_terminal(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    question = {"about": "remedy", "ask": "which\x1b[2J one?\nsecret", "options": ["a", "b"]}
    asks = {"id": "req_1", "status": "needs_answer", "questions": [question]}
    asking = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", "lam_key")
    monkeypatch.setattr(sys, "stdin", _Terminal("a\n"))
    with answering(listener, asks, {"id": "req_1", "status": "planned", "plan": "pln_1"}):
        row = planned(asking, {"text": "x"}, None, is_quiet=False)
    asking.close()
    said = capsys.readouterr()

    assert row["plan"] == "pln_1"
    assert "which\\x1b[2J one?\\nsecret (a, b): " in said.out + said.err


def test_json_drives_no_terminal_and_is_the_same_json(capsys: pytest.CaptureFixture[str]) -> None:
    value: JsonObject = {"é": "1\x9b2J \u202e \U000e0041 \x1b[2J\n", "list": ["ü"]}
    show.print_json(value)
    document = capsys.readouterr().out
    show.print_json_line(value)
    line = capsys.readouterr().out

    assert json.loads(document) == json.loads(line) == value
    assert all(each.isprintable() for each in (*document.split("\n"), *line.split("\n")))
    assert line.startswith('{"é": "1\\u009b2J ')

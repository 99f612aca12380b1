"""What is shown of a run that is followed, whatever the terminal is like."""

import io

import pytest
from rich.console import Console

from connectors.spec import JsonObject
from gateway.cli import progress
from gateway.cli.progress import Progress

WHY = "the provider says that this charge was given back already, on the third of May"


def event(seq: int, kind: str, data: JsonObject) -> JsonObject:
    return {"seq": seq, "type": kind, "data": data}


def test_a_narrow_terminal_folds_what_it_cannot_show_on_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.StringIO()
    narrow = Console(file=written, force_terminal=True, soft_wrap=True, width=40)
    monkeypatch.setattr(progress, "out", narrow)
    failed: JsonObject = {"step": "refund", "code": "invalid", "message": WHY, "effect": "no"}
    Progress().follow([event(1, "step.failed", failed)], lambda _: False)
    said = written.getvalue()

    assert max(map(len, said.splitlines())) <= 40
    assert WHY in " ".join(said.replace("\x1b[?25l", "").split()).replace("│ ", "")


def test_what_a_run_waits_for_is_said_so_that_it_is_known_who_acts() -> None:
    waits: JsonObject = {"waiting_for": "stop"}

    assert Progress().take(event(1, "wait.started", waits)) == [
        "… waiting for an operator to lift a stop"
    ]


def test_nothing_that_a_service_says_makes_a_line_of_its_own() -> None:
    forged = "no\nrun: succeeded\x1b[2K"
    failed: JsonObject = {"step": "refund", "code": "invalid", "message": forged, "effect": "no"}
    (line,) = Progress().take(event(1, "step.failed", failed))

    assert line.isprintable()
    assert "run: succeeded" in line

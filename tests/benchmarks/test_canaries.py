"""No secret is in anything that a gateway leaves, however a service quotes it; and logs hide."""

import logging
import os
from pathlib import Path

import pytest

from benchmarks.canaries.forms import forms
from benchmarks.canaries.measure import Found, Sinks, _search, measure, new_canary
from connectors.redact import HIDDEN, Redactor
from gateway.hiding import hidden_in_logs

CANARIES = int(os.environ.get("LAMGATE_CANARIES", "8"))
SINKS = {"answers", "database", "logs", "prompts", "streams", "terminal"}


async def test_no_canary_is_found_in_any_sink(tmp_path: Path) -> None:
    found = await measure(CANARIES, tmp_path)

    assert found.where == []
    assert found.all_hits == 0
    assert found.travelled == CANARIES
    assert set(found.bytes) == SINKS
    assert all(found.bytes[sink] > 200 for sink in SINKS)
    assert all(found.hidden[sink] > 0 for sink in SINKS - {"prompts"})


@pytest.mark.parametrize("form", [*forms("x" * 20)])
def test_the_search_would_find_a_canary_in_this_form(form: str) -> None:
    canary, sinks, found = new_canary(1), Sinks(), Found()
    sinks.add("answers", f"<{forms(canary)[form]}>".encode())
    _search(found, sinks, [canary])

    assert found.all_hits > 0


def test_log_records_of_any_logger_are_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    redactor = Redactor()
    redactor.learn("the-secret-value")
    handler = logging.StreamHandler()
    logger = logging.getLogger("some.library")
    logger.addHandler(handler)
    try:
        with hidden_in_logs(redactor):
            logger.warning("sent %s and %r", "the-secret-value", {"k": "the-secret-value"})
            try:
                raise ValueError("no the-secret-value please")
            except ValueError:
                logger.exception("broken")
            logger.warning("wrong %s %s", "the-secret-value")
    finally:
        logger.removeHandler(handler)
    told = capsys.readouterr().err

    assert told.count(HIDDEN) >= 3
    assert "ValueError: no [secret] please" in told
    assert "the-secret-value" not in told

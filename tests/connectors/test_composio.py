"""An execution of Composio: once, in one version, with one account, told by one table."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from composio_world import (
    VERSION,
    desk,
    error,
    kinds,
    overlay,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from connectors.composio.outcome import read_execution
from connectors.composio.wire import Execution
from connectors.connector import Applied, Pending, Unreadable
from connectors.errors import (
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.http import HttpAnswer
from connectors.spec import ActionSpec, Effect
from connectors.testing import Fault, Said

both = pytest.mark.parametrize("kind", kinds())


@both
async def test_every_tool_of_a_pinned_toolkit_is_an_action_with_what_it_takes_and_gives(
    kind: str,
) -> None:
    async with desk(kind) as found:
        add = found.action("notes_add")
        done = await found.call("add", "hello")
        unknown = await found.call("add", "hello", nobody_knows="1")
        listed = sum(each.path.endswith("/tools") for each in found.service.asked)

    assert sorted(each.name for each in found.catalog) == [
        f"desk.notes_{each}" for each in ("add", "fail", "find", "refuse", "time")
    ]
    assert add.input_schema["required"] == ["text"]
    assert add.output_schema is not None
    assert add.output_schema["required"] == ["number"], "what it gives is what is in `data`"
    assert done == Applied({"number": 1}, "log_7"), "the log of it is kept"
    assert isinstance(unknown, Refused)
    assert found.project.notes == ["hello"]
    assert listed == (3 if kind == "composio" else 0), "page after page, at one look"


FAILED: tuple[tuple[str, str, type[ConnectorError], Kind], ...] = (
    ("a read", "wrong", Refused, Kind.INVALID),
    ("a read", "404", Refused, Kind.NOT_FOUND),
    ("a read", "429", Unavailable, Kind.RATE_LIMITED),
    ("a read", "503", Unavailable, Kind.UNAVAILABLE),
    ("a write", "wrong", Uncertain, Kind.INTERNAL),
    ("a write", "404", Uncertain, Kind.NOT_FOUND),
    ("a write that does nothing then", "wrong", Refused, Kind.INVALID),
    ("a write that does nothing then", "409", Refused, Kind.CONFLICT),
    ("a write that does nothing then", "429", Unavailable, Kind.RATE_LIMITED),
)
MANIFESTS = {
    "a read": "{effect: read}",
    "a write": "{approval: null}",
    "a write that does nothing then": "{transactional_errors: [200]}",
}


@both
async def test_a_tool_that_fails_in_a_good_answer_is_told_by_its_kind(
    kind: str, tmp_path: Path
) -> None:
    for what, manifest in MANIFESTS.items():
        said = overlay(tmp_path, f"actions: {{notes_fail: {manifest}}}\n")
        async with desk(kind, folder=tmp_path, **said) as found:
            for _, text, due, of_kind in (each for each in FAILED if each[0] == what):
                ended = await found.call("fail", text)
                assert isinstance(ended, due), (what, text, ended)
                assert (ended.kind, ended.request_id) == (of_kind, "log_7"), (what, text)
                assert ended.message == f"no: {text}"


@both
async def test_an_error_of_the_service_itself_is_told_by_its_kind_with_what_to_do(
    kind: str,
) -> None:
    async with desk(kind) as found:
        refused = await found.call("refuse")
        found.project.retired = True
        retired = await found.call("add")
        found.project.retired = False
        limited_said = error(429, 1234, "RateLimit", "Slow down.")
        with found.service.spoiled(Fault(said=replace(limited_said, headers={"retry-after": "9"}))):
            limited = await found.call("add")
        with found.service.spoiled(Fault(said=error(503, 1, "Down", "Away."), acts=True)):
            down = await found.call("add")
        with found.service.spoiled(Fault(said=Said(200, {"data": {}}), acts=True)):
            neither = await found.call("add")

    assert isinstance(refused, Refused)
    assert refused.message == "400: It is not so. Say it so"
    assert (refused.vendor_code, refused.request_id) == ("InvalidArguments", "req_9")
    assert isinstance(retired, Refused)
    assert f"version {VERSION} of notes is retired: pin another" in retired.message
    assert isinstance(limited, Unavailable)
    assert (limited.kind, limited.retry_after_s) == (Kind.RATE_LIMITED, 9)
    assert isinstance(down, Uncertain)
    assert isinstance(neither, Unreadable), "it may have happened, whatever it says"


@both
async def test_a_lost_answer_leaves_a_write_in_doubt_and_nothing_is_sent_again(kind: str) -> None:
    async with desk(kind) as found:
        await found.call("time")  # the process of the package is there by now
        before = len(found.service.asked)
        with found.service.spoiled(Fault(acts=True, ending="hang")):
            late = await found.call("time", seconds=0.5)
        with found.service.spoiled(Fault(acts=True, ending="cut")):
            cut = await found.call("time")
        sent = len(found.service.asked) - before
        after = await found.call("time")

    assert isinstance(late, Uncertain)
    assert late.kind is Kind.TIMEOUT
    assert isinstance(cut, Uncertain)
    assert sent == 2
    assert isinstance(after, Applied)


BLIND = ActionSpec(name="desk.x", input_schema={}, output_schema=None)
KNOWN = BLIND.model_copy(update={"transactional_errors": (200,)})
READ = ActionSpec(name="desk.x", input_schema={}, effect=Effect.READ)
WANTED = Execution("NOTES_X", "notes", VERSION, {}, "u", None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 999) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
BODIES = JSON | st.fixed_dictionaries(
    {},
    optional={
        "data": JSON | st.fixed_dictionaries({"status_code": st.integers(100, 700)}),
        "error": JSON,
        "successful": st.booleans() | JSON,
        "successfull": st.booleans(),
        "log_id": JSON,
    },
)


@given(
    st.sampled_from([BLIND, KNOWN, READ]), st.integers(200, 599) | st.sampled_from([200]), BODIES
)
def test_whatever_comes_a_write_is_never_called_undone_unless_that_is_known(
    action: ActionSpec, status: int, body: JsonValue
) -> None:
    raw = json.dumps(body).encode()
    try:
        ended: Any = read_execution(action, HttpAnswer(status, {}, raw), WANTED)
    except ConnectorError as error:
        ended = error
    says = body.get("successful", body.get("successfull")) if isinstance(body, dict) else None

    if action is READ:
        assert not isinstance(ended, Uncertain | Unreadable | Pending)
    elif 200 <= status < 300 and status != 202:
        if isinstance(ended, Refused | Unavailable):
            assert action is KNOWN
            assert says is False
        assert isinstance(ended, Applied) == (says is True)
    elif status >= 500:
        assert isinstance(ended, Uncertain)


@pytest.mark.parametrize(
    ("body", "known"),
    [
        ({"successful": True, "data": {}, "log_id": "log_1"}, "log_1"),
        ({"successful": True, "data": {}, "logId": "log_2"}, "log_2"),
        ({"successful": True, "data": {}}, "req_1"),
        ({"successful": "perhaps", "log_id": "log_3"}, "log_3"),
        (["what"], "req_1"),
    ],
)
def test_an_execution_is_known_by_its_log_or_else_by_its_request(
    body: JsonValue, known: str
) -> None:
    answer = HttpAnswer(200, {"x-request-id": "req_1"}, json.dumps(body).encode())
    assert read_execution(BLIND, answer, WANTED).request_id == known

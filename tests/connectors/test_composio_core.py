"""The package composio-core runs in a process of its own that is quiet and not trusted."""

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from composio_world import KINDS, PYTHON, VERSION, Project, desk, kinds, settings_of
from connector_cases import NO_TLS

from connectors.built_in import built_in
from connectors.composio import core_child
from connectors.composio.core import Core
from connectors.composio.wire import Execution
from connectors.connector import Applied
from connectors.errors import Refused, Unavailable
from connectors.factories import Given
from connectors.http import NoAnswerError, NotAllowedError, NotSentError, Transport
from connectors.testing import Fault, Service, call_context

with_package = pytest.mark.parametrize("kind", kinds()[1:])
CHILD = core_child.__file__ or ""


def another(folder: Path, body: str) -> Path:
    """A program in the place of the interpreter; `say` and `heard` speak lines."""
    program = folder / "python"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, sys\n"
        "say = lambda value: print(json.dumps(value), flush=True)\n"
        "heard = lambda: json.loads(sys.stdin.readline())\n"
        f"root = sys.argv[-1]\n{body}\n",
        "utf-8",
    )
    program.chmod(0o700)
    return program


async def executed_by(program: Path, service: Service) -> Any:
    """How an execution ends."""
    way = Transport(frozenset({service.host}), tls=NO_TLS)
    wire = Core(program, service.url, way, lambda: Project().key)
    wanted = Execution("NOTES_ADD", "notes", VERSION, {"text": "hello"}, "u-tenant", "ca_1")
    try:
        return await wire.execute(wanted, call_context(seconds=5.0))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error
    finally:
        await wire.aclose()
        await way.aclose()


ASKS = "heard(); say({'send': {'method': 'POST', 'url': root + %r, 'body': '{}'}})\n"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("sys.exit(3)", "made no request"),
        ("print('Welcome to the package!', flush=True); heard()", "no JSON"),
        ("heard(); say({'failed': 'it broke'})", "it broke"),
        ("heard(); say(7); heard()", "it ended"),
    ],
)
async def test_a_process_that_makes_no_request_has_done_nothing(
    body: str, told: str, tmp_path: Path
) -> None:
    service = Project().service()
    service.start()
    ended = await executed_by(another(tmp_path, body), service)
    service.stop()

    assert isinstance(ended, NotSentError)
    assert told in str(ended)
    assert service.asked == []


@pytest.mark.parametrize(
    "place", ["@elsewhere.example/v2/", "/v3/tools", "/../v2/x", "v2/", "/v2/../../x", "/v2/x y"]
)
async def test_it_is_not_asked_for_any_other_address(place: str, tmp_path: Path) -> None:
    service = Project().service()
    service.start()
    body = ASKS % place + "say({'done': heard()})"
    ended = await executed_by(another(tmp_path, body), service)
    service.stop()

    assert isinstance(ended, NotAllowedError)
    assert service.asked == []


@pytest.mark.parametrize(
    "asked",
    [
        "{'send': {'method': 'DELETE', 'url': root + '/v1/x'}}",
        "{'send': {'method': 'POST'}}",
        "{'send': {'url': root + '/v1/x'}}",
        "{'send': {}}",
    ],
)
async def test_it_is_not_asked_for_what_is_no_question_or_execution(
    asked: str, tmp_path: Path
) -> None:
    service = Project().service()
    service.start()
    program = another(tmp_path, f"heard(); say({asked})\nsay({{'done': heard()}})")
    ended = await executed_by(program, service)
    service.stop()

    assert isinstance(ended, NotAllowedError)
    assert service.asked == []


async def test_a_second_request_for_one_question_is_not_made(tmp_path: Path) -> None:
    service = Project().service()
    service.start()
    body = ASKS % "/v2/one" + "heard()\n" + ASKS[9:] % "/v2/two" + "say({'done': heard()})"
    ended = await executed_by(another(tmp_path, body), service)
    service.stop()

    assert [each.path for each in service.asked] == ["/api/v2/one"]
    assert ended.status == 404, "what the first one was answered holds"


async def test_a_second_request_does_not_make_a_lost_one_unsent(tmp_path: Path) -> None:
    service = Project().service()
    service.start()
    body = ASKS % "/v2/one" + "heard()\n" + ASKS[9:] % "/v2/two" + "say({'done': heard()})"
    with service.spoiled(Fault(acts=True, ending="cut")):
        ended = await executed_by(another(tmp_path, body), service)
    service.stop()

    assert [each.path for each in service.asked] == ["/api/v2/one"]
    assert isinstance(ended, NoAnswerError)


async def test_what_was_answered_counts_though_the_process_dies_of_it(tmp_path: Path) -> None:
    service = Project().service()
    service.start()
    ended = await executed_by(another(tmp_path, ASKS % "/v2/one" + "sys.exit(1)"), service)
    service.stop()

    assert ended.status == 404


async def test_a_process_that_says_nothing_is_given_up_in_time(tmp_path: Path) -> None:
    program = another(tmp_path, "heard(); import time; time.sleep(60)")
    settings = settings_of("composio-core", "http://127.0.0.1:1")
    settings = replace(settings, options=settings.options | {"python": str(program)})
    connector = built_in("composio-core")(settings, Given(Transport(tls=NO_TLS), lambda _: "s"))
    wire = connector._wire  # type: ignore[attr-defined]
    with pytest.raises(Unavailable) as told:
        await wire.accounts("notes", "u-tenant", asyncio.get_running_loop().time() + 0.2)
    stopped = wire._running
    await connector.aclose()  # type: ignore[attr-defined]

    assert not told.value.sent
    assert stopped is None


@with_package
async def test_a_process_that_is_killed_is_started_again_and_what_it_had_sent_is_known(
    kind: str,
) -> None:
    async with desk(kind) as found:
        wire = found.registry._connectors["desk"]._wire  # type: ignore[attr-defined]
        with found.service.spoiled(Fault(acts=True, ending="hang")):
            calling = asyncio.create_task(found.call("time"))
            while not found.executions():
                await asyncio.sleep(0.02)
            first = wire._running.pid
            os.kill(first, signal.SIGKILL)
        in_it = await calling
        after = await found.call("time")
        second = wire._running.pid

    assert not isinstance(in_it, Unavailable), "it had been sent"
    assert isinstance(after, Applied)
    assert first != second


@with_package
async def test_calls_at_once_take_turns(kind: str) -> None:
    async with desk(kind) as found:
        ends = await asyncio.gather(*(found.call("add", f"note {n}") for n in range(5)))

    assert all(isinstance(each, Applied) for each in ends)
    assert len(found.project.notes) == 5


@with_package
async def test_what_the_service_says_no_to_is_told_and_not_what_the_package_makes_of_it(
    kind: str,
) -> None:
    async with desk(kind) as found:
        refused = await found.call("refuse")

    assert isinstance(refused, Refused)
    assert refused.message == "400: It is not so. Say it so"


@with_package
def test_it_prints_nothing_leaves_nothing_and_reaches_nothing(kind: str, tmp_path: Path) -> None:
    assert kind == KINDS[1]
    home = tmp_path / "home"
    home.mkdir()
    quiet = {"HOME": str(home), "COMPOSIO_CACHE_DIR": str(tmp_path / "cache")}
    service = Project().service()
    service.start()
    lines = '{"do": "nothing"}\n{"do": "tools", "toolkit": "notes"}\n'
    done = subprocess.run(
        [PYTHON, "-I", CHILD, f"{service.url}/api"],
        input=lines,
        env=quiet,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
    )
    probe = (
        f"import runpy; child = runpy.run_path({CHILD!r}); child['_refuse_network']()\n"
        f"import requests; requests.get({service.url!r})"
    )
    probed = subprocess.run(
        [PYTHON, "-I", "-c", probe], env=quiet, capture_output=True, text=True, timeout=60
    )
    service.stop()

    first, second, third = done.stdout.splitlines()
    assert first == """{"failed": "KeyError: 'nothing'"}"""
    assert '"send"' in second
    assert '"failed": "ConnectionError' in third, "nobody answered it"
    assert (done.returncode, done.stderr) == (0, "")
    assert [*home.iterdir()] == []
    assert [*(tmp_path / "cache").iterdir()] == [], "it is made, and nothing is put there"
    assert "this process has no network" in probed.stderr
    assert service.asked == []

"""A call that a service accepted and has not finished is asked about when the service says."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from connector_cases import Outside, Raw, answer, described, document, operation, raw_server

sys.path.insert(0, str(Path(__file__).parents[1] / "run"))

from openapi_wire import parameter
from pydantic import JsonValue
from run_bench import Bench, opened
from run_cases import accept, ref, step

from connectors.errors import ConfigurationError
from connectors.spec import JsonObject

PATHS: JsonObject = {
    "/reports": {"post": operation("make")},
    "/jobs": {
        "get": operation(
            "job", parameters=[{"name": "id", "in": "query", "schema": {"type": "string"}}]
        )
    },
}
STATUS: JsonObject = {
    "action": "api.job", "by": "id", "state_at": "state", "done": ["done"], "failed": ["failed"],
    "output_at": "file", "handle_at": "job", "id_at": "job/id",
}  # fmt: skip
OVERLAY: JsonObject = {
    "actions": {
        "make": {"effect": "blind", "status": STATUS, "approval": None, "irreversible": False}
    }
}


OTHER: JsonObject = {"job": {"id": 6}, "state": "done", "file": {"id": "of somebody else"}}


class Jobs:
    """Accepts a report, says `working` at the first question, and that it is done at the second."""

    def __init__(
        self, accepted: JsonObject, headers: JsonObject, working: JsonObject | None = None
    ) -> None:
        self.accepted, self.headers = accepted, headers
        self.working: JsonObject = working or {"job": {"id": 7}, "state": "working"}
        self.times: list[float] = []
        self.raw: Raw

    async def __call__(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.times.append(time.time())
        if self.raw.received[-1].startswith(b"POST"):
            headers = {name: str(each) for name, each in self.accepted.items()}
            writer.write(answer(202, {"job": 7}, headers))
        elif len(self.times) == 2:
            headers = {name: str(each) for name, each in self.headers.items()}
            writer.write(answer(200, self.working, headers))
        else:
            done: JsonObject = {"job": {"id": "7"}, "state": "done", "file": {"id": "r1"}}
            writer.write(answer(200, done))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with opened(tmp_path) as found:
        yield found


async def _played(bench: Bench, jobs: Jobs, folder: Path, outside: Outside) -> list[float]:
    """Make a report to the end; the seconds between what the service was asked."""
    async with raw_server(jobs) as jobs.raw:
        api = described(
            folder, document(PATHS), outside.to(jobs.raw.host), jobs.raw.url, overlay=OVERLAY
        )
        actions = tuple(await api.actions())
        bench.service.call = api.call  # type: ignore[method-assign]
        bench.machine = bench.new_machine()
        plan = accept(step("a", "api.make"), more=actions, answer=[ref("a/id", "id")])
        due = await bench.add(plan)
        async with asyncio.timeout(20):
            while (row := await bench.row(due)).status not in ("succeeded", "failed"):
                await bench.start(due)
                await asyncio.sleep(0.02)
    assert (row.status, row.result) == ("succeeded", {"id": "r1"})
    return [after - before for before, after in zip(jobs.times, jobs.times[1:], strict=False)]


async def test_the_first_question_comes_no_earlier_than_the_acceptance_says(
    bench: Bench, tmp_path: Path, outside: Outside
) -> None:
    first, _ = await _played(bench, Jobs({"Retry-After": 2}, {}), tmp_path, outside)

    assert 2.0 <= first < 4.0


async def test_nor_does_the_next_one(bench: Bench, tmp_path: Path, outside: Outside) -> None:
    first, second = await _played(bench, Jobs({}, {"Retry-After": 2}), tmp_path, outside)

    assert first < 1.0
    assert second >= 2.0


@pytest.mark.parametrize(
    "other",
    [
        OTHER,
        OTHER | {"state": "failed"},
        {"state": "done", "file": {"id": "of nobody"}},
        OTHER | {"job": {"id": None}},
        OTHER | {"job": "7"},
    ],
)
async def test_what_is_said_of_another_job_settles_nothing(
    other: JsonObject, bench: Bench, tmp_path: Path, outside: Outside
) -> None:
    jobs = Jobs({}, {}, other)
    await _played(bench, jobs, tmp_path, outside)

    assert len(jobs.times) == 3


def _overlay(**status: JsonValue) -> JsonObject:
    told: JsonObject = {name: each for name, each in STATUS.items() if name != "id_at"}
    return {"actions": {"make": {"effect": "blind", "status": told | status}}}


async def test_an_overlay_whose_answers_could_be_of_another_job_is_refused(
    tmp_path: Path, outside: Outside
) -> None:
    api = described(tmp_path, document(PATHS), outside.to(), overlay=_overlay())

    with pytest.raises(ConfigurationError, match=r"make\.status\.id_at: say where .*`id`"):
        await api.actions()


async def test_an_address_that_names_the_job_is_enough(tmp_path: Path, outside: Outside) -> None:
    job = operation("job", parameters=[parameter("path", "id")])
    paths: JsonObject = {"/reports": PATHS["/reports"], "/jobs/{id}": {"get": job}}
    api = described(tmp_path, document(paths), outside.to(), overlay=_overlay())

    assert {each.name for each in await api.actions()} == {"api.make", "api.job"}


async def test_an_action_without_a_dot_is_one_of_the_same_connection(
    tmp_path: Path, outside: Outside
) -> None:
    overlay = _overlay(action="job", id_at="job/id")
    api = described(tmp_path, document(PATHS), outside.to(), overlay=overlay)
    make = next(each for each in await api.actions() if each.name == "api.make")

    assert make.status is not None
    assert make.status.action == "api.job"

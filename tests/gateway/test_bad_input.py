"""Bad input gets a problem: a stable code, what is wrong, where, and what to do about it."""

import asyncio
import importlib
import inspect
import json
import pkgutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import READ_ORDER, Running

import connectors
import executor
import gateway
import planner
from connectors.errors import ConnectorError
from connectors.openapi.extract import extract
from executor.store.errors import StoreFullError
from gateway.body import MOST_BYTES
from gateway.problems import TABLE, ProblemError, problem_of, render

ROOT = Path(__file__).parents[2]
CLIENTS = (
    "gateway.cli",
    "gateway.demo",
    "gateway.langchain",
)  # they talk to the gateway, they are not in it
# Exceptions that never reach a client, and who sees to that.
CAUGHT: dict[str, str] = {
    "connectors.errors.ConnectorError": "becomes the outcome of an attempt",
    "connectors.egress.EgressRefusedError": "becomes a NotSentError",
    "connectors.egress.TooLateError": "becomes a NotSentError",
    "connectors.exchange.TransportError": "becomes a ConnectorError",
    "connectors.body.BodyError": "becomes a BadAnswerError, or an unreadable answer",
    "connectors.builtin.smtp_wire._SilentError": "becomes an Uncertain",
    "connectors.openapi.gaps.UnsupportedError": "the operation is listed as skipped",
    "connectors.tools.schema.UnfitError": "the tool is listed as skipped",
    "connectors.looked_up.NotAskedForError": "the search is made again later",
    "connectors.mcp.wire.WireError": "becomes a ConnectorError, or the connection is absent",
    "connectors.oauth.GrantRefusedError": "the credential is refused, or the consent is",
    "connectors.testing.tiers.Broken": "of the kit: a rule is not kept",
    "connectors.testing.tiers.NotTried": "of the kit: a rule is not tried",
    "connectors.testing.tiers.Spared": "of the kit: a rule has nothing to look at",
    "connectors.url.AddressError": "becomes a ConfigurationError or a NotAllowedError",
    "executor.check.bulk.UnusableInputError": "of the command line",
    "executor.check.cedar_cases.CasesError": "of the command line",
    "executor.check.cedar_values.UnmappableError": "becomes a violation",
    "executor.check.narrowing.WideningError": "becomes the problem `band-widened`",
    "executor.dispatch.base.CrashLoopError": "the run is put aside",
    "executor.fn.compare.NotComparableError": "becomes a violation or a failed step",
    "executor.fn.extract.UnboundedError": "becomes a violation, or a refused call",
    "executor.fn.function.FnError": "becomes a failed step",
    "executor.rehearse.fake.Unfakeable": "is told in the rehearsal",
    "executor.rehearse.pattern._BeyondError": "the pattern gives no text",
    "executor.store.writer._Undone": "the write is made again, alone",
    "executor.run.resolve.ResolveError": "becomes a failed step",
}


def _modules() -> list[str]:
    return [
        found.name
        for package in (gateway, planner, executor, connectors)
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
        if not found.name.startswith(CLIENTS)
        and not found.name.endswith("__main__")
        and ".migrations" not in found.name
    ]


def _exceptions() -> list[type[Exception]]:
    return [
        found
        for module in _modules()
        for _, found in inspect.getmembers(importlib.import_module(module), inspect.isclass)
        if issubclass(found, Exception) and found.__module__ == module
    ]


def _is_caught(kind: type) -> bool:
    names = {f"{each.__module__}.{each.__qualname__}" for each in kind.__mro__}
    return any(name == known or name.startswith(known + ".") for name in names for known in CAUGHT)


def test_every_exception_of_ours_has_a_problem_or_is_caught_before_it_reaches_a_client() -> None:
    rows = tuple(kind for kind, *_ in TABLE)
    unknown = [
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in _exceptions()
        if kind is not ProblemError and not issubclass(kind, rows) and not _is_caught(kind)
    ]

    assert unknown == []
    assert StoreFullError in _exceptions()


def test_a_special_exception_stands_before_its_general_one() -> None:
    kinds = [kind for kind, *_ in TABLE]
    hidden = [
        later.__name__
        for place, kind in enumerate(kinds)
        for later in kinds[place + 1 :]
        if issubclass(later, kind)
    ]

    assert hidden == []


def test_what_is_not_in_the_table_tells_nothing_of_itself() -> None:
    problem = problem_of(ConnectorError("secret-of-a-vendor", kind=None))  # type: ignore[arg-type]
    body = render(problem).body

    assert problem.status == 500
    assert b"secret-of-a-vendor" not in body


def test_every_code_of_the_table_is_explained_in_the_reference() -> None:
    text = (ROOT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    codes = {code for _, _, code, _ in TABLE}
    missing = sorted(code for code in codes if f"`{code}`" not in text)

    assert missing == []


BAD_JSON = {
    "not json": (b"{oops", "malformed-json"),
    "cut off": (b'{"text": "a', "malformed-json"),
    "empty": (b"", "malformed-json"),
    "NaN": (b'{"text": "a", "inputs": {"n": NaN}}', "malformed-json"),
    "infinity": (b'{"text": "a", "inputs": {"n": -Infinity}}', "malformed-json"),
    "a number beyond doubles": (b'{"text": "a", "inputs": {"n": 1e999}}', "number-out-of-range"),
    "a big integer": (b'{"text": "a", "inputs": {"n": 9007199254740993}}', "number-out-of-range"),
    "ten thousand digits": (
        b'{"text": "a", "inputs": {"n": ' + b"9" * 10_000 + b"}}",
        "number-out-of-range",
    ),
    "a duplicate key": (b'{"text": "a", "text": "b"}', "duplicate-key"),
    "deep nesting": (
        b'{"text": "a", "inputs": {"n": ' + b"[" * 40 + b"]" * 40 + b"}}",
        "too-large",
    ),
    "very deep nesting": (b"[" * 400_000, "too-large"),
    "a lone surrogate": (b'{"text": "\\ud800"}', "malformed-json"),
    "a lone surrogate in a name": (b'{"text": "a", "inputs": {"\\udfff": 1}}', "malformed-json"),
    "no UTF-8": (b'{"text": "\xff"}', "malformed-json"),
}


@pytest.mark.parametrize("name", BAD_JSON)
async def test_json_that_is_not_strict_is_refused_with_its_code(
    requester: httpx2.AsyncClient, name: str
) -> None:
    content, code = BAD_JSON[name]
    answer = await requester.post("/v1/requests", content=content)
    problem = answer.json()

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == code
    assert problem["status"] == 400
    assert problem["detail"]
    assert problem["fix"]
    assert "at" in problem


async def test_a_flaw_deep_in_a_body_is_told_with_its_place(
    requester: httpx2.AsyncClient,
) -> None:
    answer = await requester.post(
        "/v1/requests", content=b'{"text": "a", "inputs": {"a/b": [1, 9007199254740993]}}'
    )

    assert answer.json()["at"] == "/inputs/a~1b/1"


async def test_every_wrong_member_is_told_at_once_with_its_place(
    requester: httpx2.AsyncClient,
) -> None:
    body = {"text": 7, "start": "soon", "colour": "blue"}
    answer = await requester.post("/v1/requests", json=body)
    problem = answer.json()

    assert answer.status_code == 422
    assert problem["code"] == "unknown-field"
    assert {each["at"] for each in problem["violations"]} == {"/text", "/start", "/colour"}


async def test_a_body_declared_too_large_is_refused_before_any_of_it_is_read(
    running: Running,
) -> None:
    host, port = running.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/requests HTTP/1.1\r\nhost: gateway\r\ncontent-length: 100000000\r\n\r\n"
    )
    answer = await reader.read()  # to the end: the connection is closed, and nothing was sent
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 413 ")
    assert json.loads(body)["code"] == "too-large"


async def test_a_body_of_no_declared_length_is_refused_once_it_is_too_large(
    running: Running,
) -> None:
    person = await running.person("requester-1", "requester")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MOST_BYTES // 65_536 + 2):
            yield b" " * 65_536

    answer = await person.post("/v1/requests", content=chunks())

    assert answer.status_code == 413
    assert answer.json()["code"] == "too-large"


async def test_whoever_sends_a_body_that_is_too_large_hears_so_though_they_still_send(
    running: Running,
) -> None:
    statuses = set()
    for size in (MOST_BYTES + 1, 5 * MOST_BYTES):
        for _ in range(15):
            person = await running.person("requester-1", "requester")
            statuses.add((await person.post("/v1/plans", content=b" " * size)).status_code)
    unread = {"content-encoding": "gzip"}
    packed = await person.post("/v1/plans", content=b" " * (MOST_BYTES - 1), headers=unread)

    assert statuses == {413}
    assert packed.status_code == 415


async def test_the_gateway_answers_others_after_a_body_that_was_too_large(
    running: Running,
) -> None:
    person = await running.person("requester-1", "requester")
    large = await person.post("/v1/plans", content=b" " * (MOST_BYTES + 1))
    small = await person.post("/v1/plans", json={"plan": READ_ORDER})

    assert large.status_code == 413
    assert small.status_code == 201


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/v2/requests"])
async def test_a_place_that_does_not_exist_is_a_problem_too(
    requester: httpx2.AsyncClient, path: str
) -> None:
    answer = await requester.get(path)

    assert answer.status_code == 404
    assert answer.json()["code"] == "not-found"
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_method_that_does_not_exist_names_those_that_do(
    requester: httpx2.AsyncClient,
) -> None:
    answer = await requester.delete("/v1/runs")

    assert answer.status_code == 405
    assert answer.json()["code"] == "method-not-allowed"
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "asked",
    ["runs?limit=0", "runs?status=runing", "runs?before=run_x", "requests?status=runing",
     "requests?before=req_x", "approvals?state=closed"],
)  # fmt: skip
async def test_a_parameter_that_means_nothing_is_told_with_its_place(
    requester: httpx2.AsyncClient, asked: str
) -> None:
    answer = await requester.get(f"/v1/{asked}")

    assert answer.status_code == 422
    assert answer.json()["code"] == "bad-parameter"
    assert answer.json()["at"] == "/query/" + asked.partition("?")[2].partition("=")[0]


async def test_a_nul_character_is_refused_wherever_it_stands(
    requester: httpx2.AsyncClient,
) -> None:
    bodies = [
        rb'{"text": "a\u0000b"}',
        rb'{"text": "x", "inputs": {"\u0000": 1}}',
        rb'{"text": "x", "inputs": {"a": [{"b": "\u0000"}]}}',
    ]
    answers = [await requester.post("/v1/requests", content=each) for each in bodies]
    answers += [await requester.get(f"/v1/{each}") for each in ("runs/%00", "approvals?run=%00")]
    spelt = await requester.post("/v1/requests", content=rb'{"text": "\\u0000 is no character"}')

    assert {(each.status_code, each.json()["code"]) for each in answers} == {
        (400, "malformed-json")
    }
    assert spelt.status_code == 202


async def test_an_action_that_does_not_exist_is_told_with_candidates(
    requester: httpx2.AsyncClient,
) -> None:
    found = await requester.get("/v1/actions/orders.get_order")
    answer = await requester.get("/v1/actions/orders.get_ordr")

    assert found.json()["effect"] == "read"
    assert answer.status_code == 404
    assert answer.json()["code"] == "unknown-action"
    assert "orders.get_order" in answer.json()["fix"]


async def test_actions_are_found_by_words_and_a_search_has_bounds(
    requester: httpx2.AsyncClient,
) -> None:
    best = (await requester.get("/v1/actions?words=give+money+back&limit=2")).json()
    nothing = await requester.get("/v1/actions?words=xyzzy")
    too_many = await requester.get("/v1/actions?words=refund&limit=1000")
    too_long = await requester.get("/v1/actions", params={"words": "x" * 1001})

    assert best[0]["name"] == "payments.refund_create"
    assert len(best) <= 2
    assert nothing.json() == []
    assert [each.json()["code"] for each in (too_many, too_long)] == ["bad-parameter"] * 2


async def test_the_openapi_document_is_whole_and_names_the_problems_and_the_key(
    requester: httpx2.AsyncClient,
) -> None:
    document: Any = (await requester.get("/openapi.json")).json()
    text = json.dumps(document)
    references = {part.partition('"')[0] for part in text.split('"$ref": "#')[1:]}
    posts = [path for path, each in document["paths"].items() if "post" in each]
    bodies = [path for path in posts if "requestBody" in document["paths"][path]["post"]]

    assert references
    assert [each for each in references if not _points_into(document, each)] == []
    assert "$defs" not in text
    assert {each.name.partition("(")[2] for each in extract(document).skipped} == {
        "Idempotency-Key)"  # a plan's calls bring their own
    }
    assert sorted(bodies) == sorted(posts)
    assert "application/problem+json" in text
    assert "HTTPBearer" in document["components"]["securitySchemes"]


def _points_into(document: Any, pointer: str) -> bool:
    here = document
    for part in pointer.split("/")[1:]:
        if part not in here:
            return False
        here = here[part]
    return True


async def test_a_wrong_method_is_told_every_right_one(operator: httpx2.AsyncClient) -> None:
    found = await operator.request("PATCH", "/v1/credentials/things")
    async with httpx2.AsyncClient(base_url=operator.base_url, trust_env=False) as monitor:
        health = await monitor.head("/v1/health")
    told = await operator.delete("/v1/health")

    assert (health.status_code, told.headers["allow"]) == (200, "GET, HEAD")

    assert found.status_code == 405
    assert found.headers["allow"] == "DELETE, GET, PUT"
    assert found.json()["fix"] == "Use DELETE, GET or PUT."

"""What almost says what is meant is not guessed at, and every spelling of a wish is understood."""

import gzip
from typing import Any

import httpx2
import pytest
from served import STATUS, Running, ask

from connectors.text import visible
from executor.store import facts

UNMEANT = ("", "   ", "\n\t", "\u200b\u2060", "\u00a0\u3000")


async def test_a_parameter_that_is_unknown_or_comes_twice_is_told_with_its_place(
    operator: httpx2.AsyncClient,
) -> None:
    places = {
        "runs?statuss=failed": "statuss",
        "requests?Limit=1": "Limit",
        "runs?limit=1&limit=200": "limit",
        "approvals?state=open&state=granted": "state",
        "actions?words=a&word=b": "word",
        "keys?a%2Fb": "a~1b",
        "runs/run_x/events?since=3": "since",
    }
    for asked, at in places.items():
        answer = await operator.get(f"/v1/{asked}")
        problem = answer.json()

        assert (answer.status_code, problem["code"]) == (422, "bad-parameter")
        assert problem["at"] == f"/query/{at}"
        assert problem["fix"]


@pytest.mark.parametrize(
    ("asked", "at"),
    [
        ("stauts=running&lmit=3&limit=1&limit=2", ["stauts", "lmit", "limit"]),
        ("status=fine&limit=0&before=", ["status", "before", "limit"]),
    ],
)
async def test_all_that_is_wrong_with_the_parameters_is_told_at_once(
    requester: httpx2.AsyncClient, asked: str, at: list[str]
) -> None:
    answer = await requester.get(f"/v1/runs?{asked}")
    problem = answer.json()

    assert (answer.status_code, problem["code"]) == (422, "bad-parameter")
    assert [each["at"] for each in problem["violations"]] == [f"/query/{name}" for name in at]
    assert problem["at"] == f"/query/{at[0]}"
    assert problem["detail"].endswith(" (and 2 more)")


async def test_whoever_has_no_key_learns_nothing_of_parameters(running: Running) -> None:
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as stranger:
        answer = await stranger.get("/v1/runs?statuss=failed")

    assert answer.status_code == 401


async def test_words_that_nobody_can_read_are_no_request(requester: httpx2.AsyncClient) -> None:
    told = [await requester.post("/v1/requests", json={"text": each}) for each in UNMEANT]
    spoken = await requester.post("/v1/requests", json={"text": "\u200b hello"})

    assert {(each.status_code, each.json()["at"]) for each in told} == {(422, "/text")}
    assert spoken.status_code == 202
    assert (await requester.get("/v1/requests")).json()[1:] == []


async def test_a_reason_that_nobody_can_read_is_no_reason(operator: httpx2.AsyncClient) -> None:
    answer = await operator.post("/v1/stops", json={"reason": " \u200b"})

    assert (answer.status_code, answer.json()["at"]) == (422, "/reason")


async def test_a_preference_is_understood_however_it_is_spelt(
    requester: httpx2.AsyncClient,
) -> None:
    for prefer in ('wait="5"', "wait = 5", "wait=5; why=so", "Wait=5, wait=0", "a, wait=5"):
        alone = await requester.post("/v1/requests", json={"text": "x"}, headers={"prefer": prefer})
        second = [("prefer", "respond-async"), ("prefer", prefer)]
        beside = await requester.post("/v1/requests", json={"text": "x"}, headers=second)

        assert [each.status_code for each in (alone, beside)] == [200, 200]
        assert alone.headers["preference-applied"] == "wait=5"


async def test_a_trace_comes_in_the_form_that_is_liked_best(requester: httpx2.AsyncClient) -> None:
    run = (await ask(requester, STATUS))["run"]
    kinds = {
        "text/plain": "text/plain",
        "text/*": "text/plain",
        "*/*, text/plain": "text/plain",
        "text/plain, application/json;q=0.9": "text/plain",
        "application/json, text/plain, */*": "application/json",  # what axios sends
        "application/json, text/plain;q=0.5": "application/json",
        "text/plain;q=0, text/*": "application/json",
        "text/html": "application/json",
        "*/*": "application/json",
        "text/plain;q=\u00b2, ;;,": "application/json",
    }
    for accept, kind in kinds.items():
        headers = {"accept": accept.encode("latin-1")}
        answer = await requester.get(f"/v1/runs/{run}/trace", headers=headers)

        assert answer.headers["content-type"].partition(";")[0] == kind


async def test_events_come_in_the_form_that_is_liked_best(requester: httpx2.AsyncClient) -> None:
    asked = await ask(requester, "nothing that a playbook knows")
    kinds = {
        "text/event-stream": "text/event-stream",
        "*/*": "text/event-stream",
        "text/event-stream, application/json;q=0.1": "text/event-stream",
        "application/json, text/event-stream": "application/json",
    }
    for accept, kind in kinds.items():
        path = f"/v1/requests/{asked['id']}/events"
        answer = await requester.get(path, headers={"accept": accept})

        assert answer.headers["content-type"].partition(";")[0] == kind


async def test_two_headers_where_one_belongs_are_not_chosen_from(running: Running) -> None:
    person = await running.person("requester-1", "requester")
    another = await running.person("requester-2", "requester")
    keys = [("authorization", each.headers["authorization"]) for each in (person, another)]
    async with httpx2.AsyncClient(base_url=running.url, trust_env=False) as both:
        told = await both.get("/v1/runs", headers=keys)
    twice = [("idempotency-key", "a"), ("idempotency-key", "b")]
    told_twice = await person.post("/v1/requests", json={"text": "x"}, headers=twice)

    assert (told.status_code, told.json()["code"]) == (401, "unauthenticated")
    assert told_twice.json()["code"] == "bad-idempotency-key"


async def test_a_body_that_is_packed_is_not_taken_for_a_broken_one(
    requester: httpx2.AsyncClient,
) -> None:
    packed = gzip.compress(b'{"text": "x"}')
    answer = await requester.post(
        "/v1/requests", content=packed, headers={"content-encoding": "gzip"}
    )
    plain = await requester.post(
        "/v1/requests", json={"text": "x"}, headers={"content-encoding": "identity"}
    )

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-encoding")
    assert answer.headers["accept-encoding"] == "identity"
    assert plain.status_code == 202


async def test_a_mark_before_a_document_is_called_by_its_name(
    requester: httpx2.AsyncClient,
) -> None:
    answer = await requester.post("/v1/requests", content=b'\xef\xbb\xbf{"text": "x"}')

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-json")
    assert "byte order mark" in answer.json()["detail"]


async def test_a_body_that_is_no_object_is_told_so_and_nothing_of_our_classes(
    requester: httpx2.AsyncClient,
) -> None:
    for body in (b"[]", b'"x"', b"null", b"7"):
        answer = await requester.post("/v1/requests", content=body)

        assert answer.json()["detail"] == "the body: it should be an object"


async def test_a_name_of_any_length_is_told_again_in_part(
    requester: httpx2.AsyncClient,
) -> None:
    name = "%1b%5b31m" + "x" * 20_000
    for path in ("runs/{}", "runs?before={}", "actions/{}", "connections/{}", "runs?{}=1"):
        answer = await requester.get("/v1/" + path.format(name))
        problem: Any = answer.json()

        assert answer.status_code in (404, 422)
        assert len(problem["detail"]) < 300
        assert visible(problem["detail"], 300) == problem["detail"]


async def test_the_name_of_a_model_is_told_again_as_other_names_are(
    requester: httpx2.AsyncClient,
) -> None:
    body = {"text": "x", "model": "\x1b[31m\nnone\u202e" + "x" * 150}
    answer = await requester.post("/v1/requests", json=body)
    detail = answer.json()["detail"]

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown-model")
    assert len(detail) < 150
    assert visible(detail, 300) == detail


async def test_who_cancels_twice_is_told_how_the_run_stands(
    requester: httpx2.AsyncClient,
) -> None:
    run = (await ask(requester, STATUS))["run"]
    await requester.get(f"/v1/runs/{run}/events")
    answer = await requester.post(f"/v1/runs/{run}/cancel")

    assert (answer.status_code, answer.json()["code"]) == (409, "already-over")
    assert answer.json()["detail"] == "the run is succeeded"
    assert run in answer.json()["fix"]


async def test_a_refusal_is_no_longer_than_somebody_reads_however_much_was_wrong(
    requester: httpx2.AsyncClient,
) -> None:
    many = await requester.post("/v1/requests", json={f"m{n}": 1 for n in range(50_000)})
    long = await requester.post("/v1/requests", json={"text": "x", "m" * 900_000: 1})
    asked = await requester.post("/v1/requests/req_x/answers", json={"answers": {"q" * 201: "x"}})

    assert [each.status_code for each in (many, long, asked)] == [422, 422, 422]
    assert len(many.json()["violations"]) == 100
    assert many.json()["detail"].endswith("(and 50000 more)")
    assert max(len(each.content) for each in (many, long)) < 20_000


@pytest.mark.parametrize("path", ["requests/req_x", "plans/pln_x", "runs/run_x", "approvals/apr_x"])
async def test_what_is_not_there_may_have_been_deleted_and_until_when_is_told(
    running: Running, requester: httpx2.AsyncClient, path: str
) -> None:
    never = (await requester.get(f"/v1/{path}")).json()["detail"]
    await running.gateway.store.write(lambda c: facts.note(c, facts.DELETED, str(86400.0)))
    then = (await requester.get(f"/v1/{path}")).json()["detail"]

    assert then == f"{never}; what ended before 1970-01-02 00:00Z was deleted"

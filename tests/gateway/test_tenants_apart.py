"""Another tenant's things are as unknown as what never was: at every place of the API, by any name.

The places are those of the app itself. One that takes a name, or a query, that is not known here
fails until it is said what stands there.
"""

import asyncio
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from served import MUG, READ_ORDER, Running, answered, ask, until_open, until_status

from executor.store import blobs
from gateway.app import KEYED, OPEN

pytestmark = pytest.mark.timeout(120)
ROLES = ("requester", "approver", "operator", "evidence")
OURS = "only we know this"
KEY = "a-key-that-both-use"
SECRET = "a-secret-that-is-ours-alone"
# What belongs to the whole gateway, or to whoever holds a ticket, and is nobody's in particular.
SHARED = {
    "/v1/actions",
    "/v1/actions/{name}",
    "/v1/connections",
    "/v1/connections/{name}",
    "/v1/models",
    "/v1/health",
    "/v1/connections/{name}/review",
    "/v1/credentials/rotate",
    "/v1/connected/{ticket}",
    "/v1/oauth/begin/{ticket}",
    "/v1/oauth/callback",
    "/docs",
    "/docs/{name}",
}
# What a query says that names nothing which somebody could have.
HARMLESS = {"limit", "status", "state", "lifted"}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/requests": {"text": MUG},
    "/v1/requests/{request_id}/answers": {"answers": {"remedy": "refund"}},
    "/v1/requests/{request_id}/retry": {},
    "/v1/requests/{request_id}/cancel": {},
    "/v1/plans": {"plan": READ_ORDER},
    "/v1/plans/{plan_id}/rehearse": {},
    "/v1/plans/{plan_id}/runs": {},
    "/v1/runs/{run_id}/cancel": {},
    "/v1/runs/{run_id}/reconcile": {"step": "refund", "resolution": "abandon", "reason": "x"},
    "/v1/approvals/{approval_id}/decision": {"decision": "approve", "reason": "x"},
    "/v1/stops": {"reason": "x"},
    "/v1/stops/{stop_id}/lift": {"reason": "x"},
    "/v1/keys": {"principal": "person", "roles": ["requester"]},
    "/v1/credentials/{name}": {"kind": "api-key", "secret": "another-secret-of-theirs"},
    "/v1/credentials/{name}/connect": {},
    "/v1/evidence": {"key": "a key", "happened": True, "source": "x"},
}


def places() -> Iterator[tuple[str, APIRoute]]:
    """Every method of every place, looks first, and what makes something last."""
    found = [
        (method, route)
        for module in (*KEYED, *OPEN)
        for route in module.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]
    order = ("HEAD", "GET", "POST", "DELETE", "PUT")
    return iter(sorted(found, key=lambda each: (order.index(each[0]), each[1].path)))


def queries(of: Dependant) -> list[str]:
    """Everything that a place takes in its query."""
    own = [each.alias for each in of.query_params]
    return own + [name for each in of.dependencies for name in queries(each)]


def made_up(name: str) -> str:
    """What has the form of a name of ours, and never was."""
    kind, sign, rest = name.rpartition("_" if "_" in name else ":")
    return f"{kind}{sign}{rest[:-4]}{'0000' if rest[-4:] != '0000' else '1111'}"


def told(answer: httpx2.Response, name: str) -> tuple[int, str, str]:
    """All that an answer says, but for the name that was asked for, and the time."""
    kind = answer.headers.get("content-type", "")
    said = re.sub(r"\d{9,}\.\d+", "TIME", answer.text)
    return answer.status_code, kind, said.replace(name, "NAME")


async def our_things(running: Running, ours: httpx2.AsyncClient) -> dict[str, str]:
    """One of everything that a tenant can have, by the parameter that stands for it."""
    keyed = {"idempotency-key": KEY}
    asked = await ask(ours, MUG)
    planned = await answered(ours, (await ask(ours, f"{MUG} "))["id"], remedy="refund")
    (approval,) = await until_open(ours, planned["run"])
    read = {"plan": READ_ORDER, "request": OURS}
    plan = (await ours.post("/v1/plans", json=read, headers=keyed)).json()["id"]
    run = (await ours.post(f"/v1/plans/{plan}/runs", headers=keyed)).json()["id"]
    await until_status(ours, f"/v1/runs/{run}", "succeeded")
    trace = (await ours.get(f"/v1/runs/{run}/trace")).json()
    stop = await ours.post("/v1/stops", json={"reason": OURS, "connection": "mail"}, headers=keyed)
    made = {"principal": "person", "roles": ["requester"]}
    key = await ours.post("/v1/keys", json=made, headers=keyed)
    sealed = {"kind": "api-key", "secret": SECRET}
    assert (await ours.put("/v1/credentials/things", json=sealed)).status_code == 200
    keep = partial(blobs.keep, tenant="main", subject=run, text=f'"{OURS}"')
    return {
        "request_id": asked["id"],
        "plan_id": planned["plan"],
        "run_id": planned["run"],
        "approval_id": approval["id"],
        "stop_id": stop.json()["id"],
        "key_id": key.json()["id"],
        "digest": (await running.gateway.store.write(keep)).digest,
        "name": "things",
        "evidence": trace["steps"][0]["attempts"][0]["key"],
    }


NAMED = {  # what a list goes on from, or is of
    "/v1/requests": {"before": "request_id"},
    "/v1/runs": {"before": "run_id"},
    "/v1/approvals": {"after": "approval_id", "run": "run_id"},
    "/v1/stops": {"before": "stop_id"},
    "/v1/keys": {"after": "key_id"},
    "/v1/credentials": {"after": "name"},
}


async def seen_by(person: httpx2.AsyncClient, things: dict[str, str]) -> dict[str, Any]:
    """Everything that a tenant sees of itself."""
    found = {}
    for method, route in places():
        if method == "GET" and route.path not in SHARED | {"/v1/models"}:
            path = route.path.format(**things)
            found[path] = (await person.get(path, headers={"accept": "application/json"})).json()
    found["stopped"] = [each["stops"] for each in (await person.get("/v1/connections")).json()]
    return found


async def flaws_of(
    person: httpx2.AsyncClient, method: str, path: str, name: str, **more: Any
) -> list[Any]:
    """What tells the name (NAME in the path) from one that never was, or tells anything at all."""
    first, second = [
        await person.request(method, path.replace("NAME", each), **more)
        for each in (name, made_up(name))
    ]
    is_told = first.is_success and first.text != "[]" and method != "PUT"
    if is_told or told(first, name) != told(second, made_up(name)):
        return [(method, path, first.text, second.text)]
    return []


async def test_at_every_place_a_thing_of_another_tenant_is_as_unknown_as_what_never_was(
    running: Running, mended: Any
) -> None:
    ours = await running.person("person", *ROLES)
    theirs = await running.person("person", *ROLES, tenant="other")
    things = await our_things(running, ours)
    secrets = {OURS, SECRET, *things.values()} - {things["name"]}
    before = await seen_by(ours, things)
    flaws, tried = [], 0
    for method, route in places():
        if route.path in SHARED:
            continue
        body = BODIES[route.path] if method in ("POST", "PUT") else None
        headers = {"idempotency-key": KEY} if method == "POST" else {}
        more = {"json": body, "headers": headers}
        names = [each.alias for each in route.dependant.path_params]
        asked = {route.path.replace(f"{{{each}}}", "NAME"): things[each] for each in names}
        if not names:  # `after` of a journal is a number, and of one thing
            queried = set(queries(route.dependant)) - HARMLESS
            asked = {f"{route.path}?{each}=NAME": things[NAMED[route.path][each]]
                     for each in queried}  # fmt: skip
            answer = await theirs.request(method, route.path, **more)
            flaws += [(method, route.path, each) for each in secrets if each in answer.text]
            assert "idempotent-replayed" not in answer.headers, route.path
        for path, name in asked.items():
            flaws += await flaws_of(theirs, method, path, name, **more)
        tried += len(asked)
    after = await seen_by(ours, things)

    assert flaws == []
    assert tried >= 25
    assert after == before


async def test_a_call_of_another_tenant_is_known_by_its_key_to_nobody_else(
    running: Running, mended: Any
) -> None:
    ours = await running.person("person", *ROLES)
    theirs = await running.person("person", *ROLES, tenant="other")
    key = (await our_things(running, ours))["evidence"]
    answers = []
    for each in (key, made_up(key)):
        said = {"key": each, "happened": True, "source": "x"}
        answers.append(told(await theirs.post("/v1/evidence", json=said), each))
    known = await ours.post("/v1/evidence", json={"key": key, "happened": True, "source": "x"})

    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    assert known.status_code == 200


async def test_a_stream_of_another_tenants_run_begins_for_nobody_wherever_it_is_to_go_on(
    running: Running, mended: Any
) -> None:
    ours = await running.person("person", *ROLES)
    theirs = await running.person("person", *ROLES, tenant="other")
    planned = await answered(ours, (await ask(ours, MUG))["id"], remedy="refund")
    await until_open(ours, planned["run"])
    answers = [
        await theirs.get(
            f"/v1/{kind}/{name}/events", headers={"accept": accept, "last-event-id": last}
        )
        for kind, name in (("runs", planned["run"]), ("requests", planned["id"]))
        for accept in ("text/event-stream", "application/json")
        for last in ("0", "1", "999")
    ]

    assert {(each.status_code, each.json()["code"]) for each in answers} == {(404, "not-found")}


async def test_what_one_tenant_stops_and_sets_holds_for_nobody_else(
    running: Running, mended: Any
) -> None:
    ours = await running.person("person", *ROLES)
    theirs = await running.person("person", *ROLES, tenant="other")
    await theirs.post("/v1/stops", json={"reason": "x"})
    both = await asyncio.gather(*(each.get("/v1/connections") for each in (ours, theirs)))
    made = await ours.post("/v1/plans", json={"plan": READ_ORDER, "request": OURS})
    run = (await ours.post(f"/v1/plans/{made.json()['id']}/runs")).json()["id"]
    row = await until_status(ours, f"/v1/runs/{run}", "succeeded", "waiting", "failed")

    assert row["status"] == "succeeded"
    assert [{bool(each["stops"]) for each in answer.json()} for answer in both] == [{False}, {True}]

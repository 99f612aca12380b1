"""Who may do what: the key says the principal, its tenant and its roles, and nothing else does."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from served import (
    MUG,
    READ_ORDER,
    STATUS,
    Running,
    answered,
    ask,
    serving,
    until,
    until_open,
    until_status,
)

from executor.store import keys
from gateway.settings import Allowance


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Bearer",
        "Bearer lam_",
        "Bearer lam_unknown",
        "Bearer other",
        "Basic lam_x",
        "Bearer lam_\u00e9",
    ],
)
async def test_without_a_known_key_nothing_is_told(running: Running, header: str | None) -> None:
    nobody = await running.person("nobody", key="none")
    nobody.headers.pop("authorization")
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    for path in ("/v1/runs", "/v1/actions", "/v1/approvals", "/v1/keys", "/v1/requests/req_x"):
        answer = await nobody.get(path, headers=headers)

        assert answer.status_code == 401, path
        assert answer.json()["code"] == "unauthenticated"
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_revoked_key_is_refused_at_once_and_says_so(
    running: Running, operator: httpx2.AsyncClient
) -> None:
    body = {"principal": "requester-7", "roles": ["requester"]}
    made = (await operator.post("/v1/keys", json=body)).json()
    person = await running.person("requester-7", key=made["secret"])
    before = await person.get("/v1/runs")
    ended = await operator.delete(f"/v1/keys/{made['id']}")
    after = await person.get("/v1/runs")
    again = await operator.delete(f"/v1/keys/{made['id']}")

    assert before.status_code == 200
    assert ended.status_code == 200
    assert after.status_code == 401
    assert after.json()["code"] == "key-revoked"
    assert again.status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/stops", b'{"reason": "too late"}'),
        ("PUT", "/v1/credentials/late", b'{"kind": "bearer", "secret": "too-late-too-late"}'),
        ("POST", "/v1/credentials/rotate", b" " * 9 + b"{}"),
        ("POST", "/v1/credentials/late/connect", b" " * 9 + b"{}"),
    ],
)
async def test_a_key_that_is_revoked_while_a_body_comes_does_nothing_any_more(
    running: Running, operator: httpx2.AsyncClient, method: str, path: str, body: bytes
) -> None:
    new = {"principal": "operator-2", "roles": ["operator"]}
    made = (await operator.post("/v1/keys", json=new)).json()
    person = await running.person("operator-2", key=made["secret"])
    beside = await running.person("operator-2", key=made["secret"])

    async def is_let_in() -> bool:
        look = await beside.post("/v1/stops/stop_none/lift", json={"reason": "a look"})
        return f'"writes-at-once";r={Allowance().concurrency - 2}' in look.headers["ratelimit"]

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:9]
        await until(is_let_in, "the head of it was read")
        ended = await operator.delete(f"/v1/keys/{made['id']}")
        assert ended.status_code == 200
        yield body[9:]

    answer = await person.request(method, path, content=slowly())

    assert (answer.status_code, answer.json()["code"]) == (401, "key-revoked")
    assert (await operator.get("/v1/stops")).json() == []
    assert (await operator.get("/v1/credentials")).json() == []


async def test_a_secret_is_shown_once_and_kept_nowhere(
    running: Running, operator: httpx2.AsyncClient
) -> None:
    body = {"principal": "requester-8", "roles": ["requester"]}
    headers = {"idempotency-key": "make-one-key"}
    made = await operator.post("/v1/keys", json=body, headers=headers)
    replayed = await operator.post("/v1/keys", json=body, headers=headers)
    listed = await operator.get("/v1/keys")
    secret = made.json()["secret"]
    database = Path(running.gateway.settings.database_url.removeprefix("sqlite:///"))
    files = b"".join(file.read_bytes() for file in database.parent.rglob("*") if file.is_file())

    assert replayed.json() == {**made.json(), "secret": None}
    assert secret not in listed.text
    assert secret.encode() not in files
    assert made.json()["id"].encode() in files


@pytest.mark.parametrize("roles", [("requester",), ("approver",), ("requester", "approver")])
async def test_only_an_operator_makes_lists_and_revokes_keys(
    running: Running, roles: tuple[str, ...]
) -> None:
    person = await running.person("person-1", *roles)
    answers = [
        await person.post("/v1/keys", json={"principal": "me", "roles": ["operator"]}),
        await person.get("/v1/keys"),
        await person.delete("/v1/keys/key_x"),
    ]

    assert [each.status_code for each in answers] == [403, 403, 403]
    assert {each.json()["code"] for each in answers} == {"role-missing"}


async def test_an_operator_of_main_makes_the_first_key_of_another_tenant(
    running: Running, operator: httpx2.AsyncClient
) -> None:
    of_shop = {"principal": "ann", "roles": ["operator"], "tenant": "shop-2"}
    made = await operator.post("/v1/keys", json=of_shop)
    ann = await running.person("ann", key=made.json()["secret"])
    bea = await ann.post("/v1/keys", json={"principal": "bea", "roles": ["requester"]})
    answers = [
        await ann.post("/v1/keys", json=of_shop | {"tenant": tenant}) for tenant in ("main", "x")
    ]
    seen = [[each["principal"] for each in (await person.get("/v1/keys")).json()]
            for person in (operator, ann)]  # fmt: skip

    assert (made.status_code, made.json()["tenant"]) == (201, "shop-2")
    assert (bea.status_code, bea.json()["tenant"]) == (201, "shop-2")
    assert {(each.status_code, each.json()["code"]) for each in answers} == {(403, "role-missing")}
    assert seen == [["operator"], ["ann", "bea"]]


@pytest.mark.parametrize("tenant", ["", "Shop", "../x", "a b", "-a", "a" * 41, "\u00e4"])
async def test_a_tenant_is_named_by_plain_words(operator: httpx2.AsyncClient, tenant: str) -> None:
    body = {"principal": "ann", "roles": ["operator"], "tenant": tenant}
    answer = await operator.post("/v1/keys", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "unknown-field")
    assert "of a-z, 0-9" in answer.text


async def test_an_approver_requests_nothing(approver: httpx2.AsyncClient) -> None:
    asked = await approver.post("/v1/requests", json={"text": STATUS})
    planned = await approver.post("/v1/plans", json={"plan": READ_ORDER})

    assert (asked.status_code, asked.json()["code"]) == (403, "role-missing")
    assert (planned.status_code, planned.json()["code"]) == (403, "role-missing")


async def test_somebody_else_cannot_answer_in_the_requesters_name(running: Running) -> None:
    # Answers count as the requester's own words. Whoever could answer for somebody else could
    # name the target, and then approve what they themselves had asked for.
    asker = await running.person("requester-1", "requester")
    other = await running.person("requester-2", "requester", "approver")
    asked = await ask(asker, MUG)
    answer = await other.post(
        f"/v1/requests/{asked['id']}/answers", json={"answers": {"remedy": "refund"}}
    )
    retry = await other.post(f"/v1/requests/{asked['id']}/retry")

    assert (answer.status_code, answer.json()["code"]) == (403, "not-yours")
    assert (retry.status_code, retry.json()["code"]) == (403, "not-yours")


async def test_the_operators_key_is_made_once_and_readable_by_them_alone(config: Path) -> None:
    async with serving(config) as running:
        first = running.gateway.operator_key
    async with serving(config) as running:
        second = running.gateway.operator_key
    file = config.parent / "var" / "lamgate.db.operator-key"

    assert first == second == file.read_text().strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_an_operators_key_that_was_lost_half_written_is_made_anew(config: Path) -> None:
    async with serving(config) as running:
        first = running.gateway.operator_key
    file = config.parent / "var" / "lamgate.db.operator-key"
    file.write_text("")
    async with serving(config) as running:
        operator = await running.person("operator", key=running.gateway.operator_key)
        answer = await operator.get("/v1/keys")

    assert running.gateway.operator_key not in ("", first)
    assert answer.status_code == 200


async def test_an_operators_key_that_was_revoked_does_not_come_back_by_a_restart(
    config: Path,
) -> None:
    async with serving(config) as running:
        secret = running.gateway.operator_key
        store = running.gateway.store
        found = await store.read(lambda c: keys.find(c, secret))
        assert found is not None
        key = found.id
        await store.write(lambda c: keys.revoke(c, "main", key, 1.0))
    async with serving(config) as running:
        operator = await running.person("operator", key=running.gateway.operator_key)
        answer = await operator.get("/v1/keys")

    assert answer.json()["code"] == "key-revoked"


async def test_an_operator_cancels_what_somebody_else_began(
    running: Running, operator: httpx2.AsyncClient
) -> None:
    asker = await running.person("requester-1", "requester")
    other = await running.person("requester-2", "requester")
    approver = await running.person("approver-1", "approver")
    asked = await ask(asker, MUG)
    planned = await answered(asker, asked["id"], remedy="refund")
    await until_open(approver, planned["run"])
    path = f"/v1/runs/{planned['run']}"
    refused = await other.post(f"{path}/cancel")
    cancelled = await operator.post(f"{path}/cancel")
    run = await until_status(operator, path, "cancelled")
    again = await operator.post(f"{path}/cancel")

    assert (refused.status_code, refused.json()["code"]) == (403, "role-missing")
    assert cancelled.status_code == 202
    assert run["status"] == "cancelled"
    assert (again.status_code, again.json()["code"]) == (409, "already-over")

"""Stored OAuth credentials: consent, one refresh for many calls, and what a server may do wrong."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from authorization_server import SECRET
from served import until
from vault_world import (
    Things,
    authorization_server,
    secret_now,
    things_over,
    together,
    write_things,
)

from connectors.errors import Unavailable
from executor.store import credentials
from gateway.settings import load_settings
from gateway.wiring import build


@pytest.fixture
def server() -> Iterator[str]:
    with authorization_server() as url:
        yield url


@pytest.fixture
async def things(server: str, tmp_path: Path) -> AsyncIterator[Things]:
    async with things_over(write_things(tmp_path, server), server) as found:
        yield found


async def test_a_person_connects_it_and_the_run_that_waited_goes_on(things: Things) -> None:
    resource = f"{things.url}/things"
    assert (await things.set("oauth-code", resource=resource)).json()["standing"] == "unconnected"
    run = await things.run()
    waiting = await things.until(run, "credentials")
    trace = (await things.requester.get(f"/v1/runs/{run}/trace")).text
    connected = await things.connect()
    done = await things.until(run, "succeeded", "failed")
    seen = await things.control()

    assert waiting["status"] == "waiting"
    assert "lamgate credentials connect things" in trace
    assert connected.text == "things is connected. You may close this window.\n"
    assert done["result"] == {"things": [1, 2]}
    authorize = next(each for each in seen if each["at"] == "authorize")
    assert authorize["code_challenge_method"] == "S256"
    assert authorize["resource"] == resource
    assert [each["resource"] for each in seen if each["at"] == "token"] == [resource]


async def test_many_calls_at_once_refresh_it_once(things: Things) -> None:
    await things.control(expires_in=1)
    await things.set("oauth-code")
    await things.connect()
    await things.control(expires_in=3600, slow_s=0.2)
    found = await together(things, 50)
    seen = await things.control()

    assert len(set(found)) == 1
    assert [each["grant"] for each in seen if each["at"] == "token"] == [
        "authorization_code",
        "refresh_token",
    ]


async def test_a_caller_whose_time_is_over_does_not_end_the_refresh(things: Things) -> None:
    await things.control(expires_in=1)
    await things.set("oauth-code")
    await things.connect()
    await things.control(expires_in=3600, slow_s=0.5)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await secret_now(things)

    assert await secret_now(things)
    grants = [each["grant"] for each in await things.control() if each["at"] == "token"]
    assert grants == ["authorization_code", "refresh_token"]


async def test_a_refresh_under_way_is_kept_though_the_gateway_that_asked_breaks(
    server: str, tmp_path: Path
) -> None:
    config = write_things(tmp_path, server)
    async with things_over(config, server) as things:
        await things.control(expires_in=1)
        await things.set("oauth-code")
        await things.connect()
        await things.control(expires_in=3600, slow_s=0.5)

    async def is_asked() -> bool:
        return [each["at"] for each in await things.control()].count("token") == 2

    with suppress(ZeroDivisionError):
        async with build(load_settings(config)) as gateway:
            caller = asyncio.create_task(gateway.credentials.secret("main", "things"))
            await until(is_asked, "the refresh is under way")
            caller.cancel()
            raise ZeroDivisionError
    async with things_over(config, server) as again:
        assert await secret_now(again)
        assert await again.standing() == "ready"


async def _made_a_while_ago(things: Things) -> None:
    store = things.running.gateway.store
    row = await store.read(partial(credentials.get, tenant="main", name="things"))
    assert row is not None
    await store.write(
        partial(credentials.renew, row=row, now=0.0, sealed=row.sealed, expires_at=row.expires_at)
    )


async def test_a_refresh_under_way_is_kept_though_the_old_token_is_not_taken_meanwhile(
    things: Things,
) -> None:
    """Many servers take no old token any more as soon as they have given a new one."""
    await things.set("oauth-client")
    old = await secret_now(things)
    await _made_a_while_ago(things)
    kept, store = things.running.gateway.credentials, things.running.gateway.store
    row = await store.read(partial(credentials.get, tenant="main", name="things"))
    assert row is not None
    now = kept.clock()
    leased = await store.write(partial(credentials.lease, row=row, until=now + 60, now=now))
    renewed = [await kept.rejected("main", "things", old) for _ in range(2)]
    again = await store.write(partial(credentials.lease, row=row, until=now + 60, now=now))
    came = partial(credentials.renew, row=row, now=now, sealed=row.sealed, expires_at=None)

    assert leased
    assert renewed == [True, True], "whoever comes next gets another one"
    assert not again, "whoever refreshes it is left alone"
    assert await store.write(came), "a refresh token that was rotated is not lost"


async def test_a_refresh_that_would_outlast_its_lease_is_not_begun(
    things: Things, server: str
) -> None:
    """Another process would send the same refresh token, which a server takes once."""
    from connectors.http import HttpAnswer, HttpRequest, Transport
    from gateway.credentials import Credentials

    await things.control(expires_in=1)
    await things.set("oauth-code")
    await things.connect()
    first, later = things.running.gateway.credentials, [0.0]

    class Slow(Transport):
        async def send(
            self, request: HttpRequest, *, deadline: float, send_before: float
        ) -> HttpAnswer:
            found = await super().send(request, deadline=deadline, send_before=send_before)
            later[0] += 60.0
            return found

    way = Slow(frozenset([urlsplit(server).netloc]))
    slow = Credentials(first.store, first.seals, way, lambda: first.clock() + later[0])
    with pytest.raises(Unavailable, match="in time"):
        await slow.secret("main", "things")
    await way.aclose()

    grants = [each["grant"] for each in await things.control() if each["at"] == "token"]
    assert grants == ["authorization_code"]
    assert await things.standing() == "ready"


async def test_a_token_that_is_taken_is_kept_however_old_it_is(things: Things) -> None:
    await things.set("oauth-client")
    first = await secret_now(things)
    await _made_a_while_ago(things)
    done = await things.until(await things.run(), "succeeded", "failed")
    tokens = [each for each in await things.control() if each["at"] == "token"]

    assert done["status"] == "succeeded"
    assert await secret_now(things) == first
    assert len(tokens) == 1


async def test_client_credentials_are_renewed_when_the_service_does_not_take_the_token(
    things: Things,
) -> None:
    await things.set("oauth-client")
    first = await secret_now(things)
    await things.control(forget_access=True)
    await _made_a_while_ago(things)
    done = await things.until(await things.run(), "succeeded", "failed")

    assert done["status"] == "succeeded"
    assert await secret_now(things) != first


async def test_a_token_that_is_not_taken_although_it_is_new_is_not_asked_for_again(
    things: Things,
) -> None:
    await things.set("oauth-client", resource="somebody-else")
    await things.control(audience="this-api")
    run = await things.run()
    await things.until(run, "credentials", "failed", "succeeded")
    seen = await things.control()

    assert (await things.requester.get(f"/v1/runs/{run}")).json()["waiting_for"] == "credentials"
    assert len([each for each in seen if each["at"] == "token"]) == 1


async def test_a_refresh_that_is_refused_waits_for_an_operator_and_tells_only_the_code(
    things: Things,
) -> None:
    await things.control(expires_in=1)
    await things.set("oauth-code")
    await things.connect()
    await things.control(forget_refresh=True)
    run = await things.run()
    await things.until(run, "credentials")
    shown = (await things.operator.get("/v1/credentials/things")).json()
    trace = (await things.requester.get(f"/v1/runs/{run}/trace")).text
    await things.control(expires_in=3600)
    await things.connect()

    assert shown["standing"] == "refused"
    assert shown["reason"] == "invalid_grant"
    assert shown["connect"] == "/v1/credentials/things/connect"
    assert "no such grant" not in trace
    assert (await things.until(run, "succeeded", "failed"))["status"] == "succeeded"
    acts = [
        each["act"]
        for each in (await things.operator.get("/v1/credentials/things")).json()["history"]
    ]
    assert sorted(acts) == [
        "credential.connected", "credential.connected", "credential.refused", "credential.set",
    ]  # fmt: skip


async def test_a_server_that_is_down_keeps_the_credential_and_is_asked_again(
    things: Things,
) -> None:
    await things.set("oauth-client")
    await things.control(status=503)
    run = await things.run()
    await asyncio.sleep(0.3)
    standing = await things.standing()
    await things.control(status=0)

    assert standing == "ready"
    assert (await things.until(run, "succeeded", "failed"))["status"] == "succeeded"


@pytest.mark.parametrize("is_removed", [False, True])
@pytest.mark.parametrize("kind", ["bearer", "oauth-client"])
async def test_what_is_set_while_a_token_is_fetched_with_what_was_before_is_used(
    things: Things, kind: str, is_removed: bool
) -> None:
    await things.control(slow_s=1.0)
    await things.set("oauth-client")
    asked = [each["at"] for each in await things.control()].count("token")

    async def is_asked() -> bool:
        return [each["at"] for each in await things.control()].count("token") > asked

    caller = asyncio.create_task(secret_now(things))
    await until(is_asked, "a token is being asked for")
    if is_removed:
        await things.operator.delete("/v1/credentials/things")
    other = "the-other-one-of-the-operator"
    told = await things.set(kind, other) if kind == "bearer" else await things.set(kind)
    found = await caller

    assert told.status_code == 200
    if kind == "bearer":
        assert (found, await secret_now(things)) == (other, other)
    else:
        assert found
        assert await secret_now(things) == found


async def test_a_browser_that_did_not_begin_connects_nothing(things: Things) -> None:
    await things.set("oauth-code")
    link = await things.begin()
    async with httpx2.AsyncClient(trust_env=False) as own:
        asked = (await own.get(link)).headers["location"]
        back = (await own.get(asked)).headers["location"]
        async with httpx2.AsyncClient(trust_env=False) as lured:
            answer = await lured.get(back)
        after = await own.get(back)

    assert answer.status_code == 400
    assert answer.json()["code"] == "consent-unknown"
    assert after.json()["code"] == "consent-unknown"  # an answer counts once, also a stranger's
    assert await things.standing() == "unconnected"


async def test_an_answer_counts_once_and_a_made_up_one_never(things: Things) -> None:
    await things.set("oauth-code")
    link = await things.begin()
    async with httpx2.AsyncClient(trust_env=False) as own:
        back = (await own.get((await own.get(link)).headers["location"])).headers["location"]
        made_up = await own.get(f"{things.running.url}/v1/oauth/callback?state=x&code=y")
        first, second = await own.get(back), await own.get(back)

    assert made_up.json()["code"] == "consent-unknown"
    assert first.status_code == 200
    assert second.json()["code"] == "consent-unknown"


@pytest.mark.parametrize(
    ("knobs", "why"),
    [
        ({"iss": "https://evil.example"}, "another server answered"),
        ({"iss": None}, "another server answered"),
        ({"denies": True}, "said no"),
        ({"id_token_nonce": "of-somebody-else"}, "of another consent"),
    ],
)
async def test_an_answer_that_is_not_of_this_consent_connects_nothing(
    things: Things, knobs: dict[str, object], why: str
) -> None:
    await things.set("oauth-code")
    await things.control(**knobs)
    answer = await things.connect()

    assert answer.json()["code"] == "consent-refused"
    assert why in answer.json()["detail"]
    assert await things.standing() == "unconnected"


async def test_metadata_of_another_issuer_or_without_s256_is_not_used(things: Things) -> None:
    await things.set("oauth-code")
    await things.control(issuer="https://evil.example")
    other = await things.connect()
    await things.control(issuer=things.url, pkce=["plain"])
    plain = await things.connect()

    assert "another issuer" in other.text
    assert "S256" in plain.text


async def test_the_state_the_verifier_and_the_nonce_are_new_each_time(things: Things) -> None:
    await things.set("oauth-code")
    link = await things.begin()
    async with httpx2.AsyncClient(trust_env=False) as own:
        asked = [parse_qs(urlsplit((await own.get(link)).headers["location"]).query) for _ in "ab"]

    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]


async def test_no_inbound_key_ever_leaves(things: Things) -> None:
    await things.set("oauth-client")
    await things.until(await things.run(), "succeeded")
    keys = [
        client.headers["authorization"].removeprefix("Bearer ")
        for client in (things.operator, things.requester)
    ]
    calls = [each for each in await things.control() if each["at"] == "things"]

    assert calls
    assert not [key for key in keys if key in str(calls)]
    assert all(SECRET not in str(each) for each in calls)


async def test_two_gateways_on_one_database_refresh_once(
    things: Things, server: str, tmp_path: Path
) -> None:
    """Two processes are played by two sets of everything but the rows; the rows keep them apart."""
    from connectors.http import Transport
    from connectors.redact import Redactor
    from gateway.credentials import Credentials
    from gateway.material import Seals

    await things.control(expires_in=1)
    await things.set("oauth-code")
    await things.connect()
    await things.control(expires_in=3600, slow_s=0.3)
    first = things.running.gateway.credentials
    way = Transport(frozenset([urlsplit(server).netloc]))
    second = Credentials(first.store, Seals(first.seals.ring, Redactor()), way, first.clock)
    found = await asyncio.gather(
        *(each.secret("main", "things") for each in (first, second) for _ in range(5))
    )
    await way.aclose()

    assert len(set(found)) == 1
    grants = [each["grant"] for each in await things.control() if each["at"] == "token"]
    assert grants == ["authorization_code", "refresh_token"]


@pytest.mark.parametrize(("kind", "more"), [("api-key", {}), ("oauth-code", {"scopes": ["other"]})])
async def test_a_consent_that_was_begun_for_what_is_not_there_any_more_is_over(
    things: Things, kind: str, more: dict[str, Any]
) -> None:
    await things.set("oauth-code")
    link = await things.begin()
    changed = await things.set(kind, **more)
    async with httpx2.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(link)

    assert changed.status_code == 200, changed.text
    assert (answer.status_code, answer.json()["code"]) == (400, "consent-unknown")

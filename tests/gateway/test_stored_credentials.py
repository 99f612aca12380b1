"""Stored credentials: sealed for one tenant and one name, never shown, every act kept."""

import json
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from forked import lamgate
from hypothesis import given
from hypothesis import strategies as st
from served import end, ready_line, start_process
from sqlalchemy import text
from vault_world import Things, authorization_server, secret_now, things_over, write_things

from connectors.errors import ConfigurationError
from executor.store import credentials
from gateway.cipher import CannotOpenError, KeyRing
from gateway.private import read_private

KEY = "sk-the+key/of=the&service"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with authorization_server() as url:
        yield url


@pytest.fixture
async def things(server: str, tmp_path: Path) -> AsyncIterator[Things]:
    async with things_over(write_things(tmp_path, server), server) as found:
        yield found


def ring(*names: str) -> KeyRing:
    keys = {name: name.encode().ljust(32, b".") for name in names}
    return KeyRing(keys, names[-1])


TEXTS = st.text(st.characters(codec="utf-8"), max_size=60)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_what_is_sealed_for_one_place_opens_there_and_nowhere_else(
    plain: str, tenant: str, name: str, other: str
) -> None:
    sealed = ring("a").seal(plain, tenant, name)

    assert ring("a", "b").open(sealed, tenant, name) == plain
    for place in ((tenant, other), (other, name), (tenant + name, ""), (tenant, name, "")):
        if place != (tenant, name):
            with pytest.raises(CannotOpenError):
                ring("a").open(sealed, *place)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_sealed_text_with_one_byte_changed_opens_nowhere(place: int, change: int) -> None:
    sealed = ring("a").seal("the secret", "main", "x")
    at = place % len(sealed)
    flipped = sealed[:at] + chr(ord(sealed[at]) ^ change) + sealed[at + 1 :]

    try:
        opened = ring("a").open(flipped, "main", "x")
    except CannotOpenError:
        return
    assert opened == "the secret"  # base64 has bits that say nothing


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    assert ring("a").seal("s", "main", "x") != ring("a").seal("s", "main", "x")


def test_a_key_that_is_gone_is_named() -> None:
    with pytest.raises(CannotOpenError, match="'old'"):
        ring("new").open(ring("old").seal("s", "main", "x"), "main", "x")


@pytest.mark.parametrize("short", [b"", b"x" * 16, b"x" * 33])
def test_a_master_key_has_256_bits(short: bytes) -> None:
    with pytest.raises(ConfigurationError, match="64 hexadecimal"):
        KeyRing({"a": short}, "a")


def everything_in(folder: Path) -> bytes:
    """Every byte of the database, its journal files and what lies beside them."""
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


async def test_a_credential_is_used_and_is_nowhere_in_the_files(
    things: Things, tmp_path: Path
) -> None:
    answer = await things.set("api-key", KEY)
    run = await things.run()
    await things.until(run, "credentials")  # the service takes no such key: it was sent
    calls = [each for each in await things.control() if each["at"] == "things"]

    assert answer.status_code == 200
    assert calls[-1]["headers"]["authorization"] == f"Bearer {KEY}"
    assert KEY not in answer.text
    assert KEY.encode() not in everything_in(tmp_path)


async def test_basic_travels_as_user_and_password(things: Things) -> None:
    body = {"kind": "basic", "user": "jo", "secret": "pass word/1"}
    assert (await things.operator.put("/v1/credentials/things", json=body)).status_code == 200

    assert await secret_now(things) == "am86cGFzcyB3b3JkLzE="


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "api-key"},
        {"kind": "api-key", "secret": "sh0rt"},
        {"kind": "api-key", "secret": "with\nline-end"},
        {"kind": "api-key", "secret": " padded-with-blanks "},
        {"kind": "api-key", "secret": "schlüssel-schlüssel"},
        {"kind": "basic", "secret": "long-enough"},
        {"kind": "oauth-client", "secret": "long-enough"},
        {"kind": "oauth-client", "oauth": {"client_id": "x"}},
        {"kind": "bearer", "secret": "long-enough", "oauth": {"client_id": "x"}},
        {"kind": "telepathy", "secret": "long-enough"},
    ],
)
async def test_what_cannot_be_used_or_hidden_is_not_kept(
    things: Things, body: dict[str, Any]
) -> None:
    answer = await things.operator.put("/v1/credentials/bad", json=body)

    assert answer.status_code == 422
    assert body.get("secret", "no secret") not in answer.text
    assert (await things.operator.get("/v1/credentials/bad")).status_code == 404


async def test_only_an_operator_sees_or_sets_and_another_tenant_never(things: Things) -> None:
    await things.set("api-key", KEY)
    stranger = await things.running.person("op-2", "operator", tenant="other")
    calls = [
        ("GET", "/v1/credentials/things", None),
        ("DELETE", "/v1/credentials/things", None),
        ("POST", "/v1/credentials/things/connect", {}),
    ]
    for method, path, body in calls:
        assert (await stranger.request(method, path, json=body)).status_code == 404
        assert (await things.requester.request(method, path, json=body)).status_code == 403
    answers = [
        await stranger.post("/v1/credentials/rotate"),
        await things.requester.put("/v1/credentials/x", json={"kind": "api-key", "secret": KEY}),
        await things.requester.get("/v1/credentials"),
    ]

    assert [each.status_code for each in answers] == [403, 403, 403]
    assert (await stranger.get("/v1/credentials")).json() == []


async def test_each_tenant_calls_with_its_own_credential_or_none(things: Things) -> None:
    await things.set("api-key", KEY)
    store = things.running.gateway.credentials
    stranger = await things.running.person("op-2", "operator", tenant="other")

    with pytest.raises(ConfigurationError, match="no stored credential things"):
        await store.secret("other", "things")
    own = {"kind": "api-key", "secret": "the-other-tenants-key"}
    assert (await stranger.put("/v1/credentials/things", json=own)).status_code == 200
    assert await store.secret("other", "things") == "the-other-tenants-key"
    assert await store.secret("main", "things") == KEY


async def test_a_row_that_is_copied_to_another_tenant_cannot_be_opened(things: Things) -> None:
    await things.set("api-key", KEY)
    copied = text(
        "INSERT INTO credentials SELECT 'other', id, kind, settings, sealed, standing, reason,"
        " expires_at, generation, leased_until, created_at, updated_at FROM credentials"
    )
    await things.running.gateway.store.write(lambda c: c.execute(copied).close())

    with pytest.raises(CannotOpenError):
        await things.running.gateway.credentials.secret("other", "things")


async def test_every_act_is_kept_with_who_did_it(things: Things) -> None:
    await things.set("api-key", KEY)
    await things.set("bearer", KEY + "2")
    await things.operator.delete("/v1/credentials/things")
    store = things.running.gateway.store
    rows = await store.read(partial(credentials.audited, tenant="main", subject="things"))

    assert {(each.by, each.act) for each in rows} == {
        ("operator", "credential.set"),
        ("operator", "credential.replaced"),
        ("operator", "credential.removed"),
    }


async def test_setting_a_credential_wakes_the_run_that_waits_for_one(things: Things) -> None:
    run = await things.run()
    await things.until(run, "credentials")
    await things.set("oauth-client")

    assert (await things.until(run, "succeeded", "failed"))["status"] == "succeeded"


async def test_keys_are_changed_while_everything_goes_on(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASTER_A", secrets.token_hex(32))
    monkeypatch.setenv("MASTER_B", secrets.token_hex(32))
    count = 20

    async def served(lines: str) -> list[str]:
        """Start with these keys; seal anew; say what sealed each and that each opens."""
        async with things_over(write_things(tmp_path, server, lines), server) as things:
            if not (await things.operator.get("/v1/credentials")).json():
                for at in range(count):
                    new = {"kind": "api-key", "secret": f"{KEY}{at}"}
                    await things.operator.put(f"/v1/credentials/c{at}", json=new)
            done = (await things.operator.post("/v1/credentials/rotate")).json()
            store = things.running.gateway.credentials
            opened = [await store.secret("main", f"c{at}") for at in range(count)]
            assert opened == [f"{KEY}{at}" for at in range(count)]
            found = (await things.operator.get("/v1/credentials")).json()
            return [str(done["resealed"]), *sorted({each["key"] for each in found})]

    a, b = 'a = "env:MASTER_A"', 'b = "env:MASTER_B"'
    assert await served("") == ["0", "database"]
    assert await served(f"[credentials.keys]\n{a}") == [str(count), "a"]
    assert await served(f"[credentials.keys]\n{a}\n{b}") == [str(count), "b"]
    assert await served(f"[credentials.keys]\n{b}") == ["0", "b"]  # the older one is not needed


def cli(config: Path, *words: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    return lamgate(["credentials", *words, "-c", str(config)], given=given)


def test_the_command_line_sets_lists_connects_rotates_and_removes(
    server: str, tmp_path: Path
) -> None:
    config = write_things(tmp_path, server)
    process = start_process(config)
    try:
        ready_line(process)
        done = cli(config, "set", "things", given=KEY + "\n")
        code = cli(
            config, "set", "books", "--kind", "oauth-code", "--public", "--client-id", "x",
            "--issuer", server,
        )  # fmt: skip
        listed = cli(config, "list", "--json")
        link = cli(config, "connect", "books").stdout.strip()
        location = httpx2.get(link, trust_env=False).headers["location"]
        rotated = cli(config, "rotate")
        removed = cli(config, "remove", "things")
        short = cli(config, "set", "things", given="short")
    finally:
        end(process)

    assert done.returncode == 0, done.stderr
    assert "things is kept (api-key, ready)" in done.stdout
    assert "credentials connect books" in code.stdout
    assert {each["id"]: each["standing"] for each in json.loads(listed.stdout)} == {
        "things": "ready",
        "books": "unconnected",
    }
    assert location.startswith(f"{server}/authorize?")
    assert "0 sealed anew; the newest key is database" in rotated.stdout
    assert "things is removed" in removed.stdout
    assert short.returncode == 2
    assert KEY not in done.stdout + done.stderr + listed.stdout
    assert KEY.encode() not in everything_in(tmp_path)


async def test_the_keys_of_the_database_are_hidden_too(things: Things, tmp_path: Path) -> None:
    own = read_private(tmp_path / "var" / "lamgate.db.secret")

    assert own is not None
    assert things.running.gateway.redactor.hide(f"<{own}>") == "<[secret]>"

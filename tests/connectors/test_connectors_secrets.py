"""A secret is read by its reference, and nobody is told it whatever a service says back."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from connector_cases import (
    Outside,
    answer,
    end_of,
    raw_server,
    registry_of,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue
from strange_plugins import SECRET, WRITE, everywhere, fake

from connectors.connector import Unreadable
from connectors.credentials import HIDDEN, Vault, secret_of
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
)
from connectors.factories import ConnectionSettings
from connectors.opening import build
from connectors.registry import Registry
from connectors.spec import JsonObject
from connectors.testing import Asked, Said, Service


def test_a_secret_is_read_by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "  the value \n")
    monkeypatch.setenv("EMPTY_KEY", "")

    assert secret_of("env:SHOP_KEY") == "the value"
    for wrong in ("env:NOBODY", "env:EMPTY_KEY", "env:", "file:x", "plain-secret-in-the-file"):
        with pytest.raises(ConfigurationError) as caught:
            secret_of(wrong)
        assert "plain-secret" not in str(caught.value)


def forms(secret: str) -> list[str]:
    """How a secret may look when it comes back."""
    plain = base64.b64encode(secret.encode()).decode()
    return [
        secret,
        f"Bearer {secret}!",
        quote(secret, safe=""),
        json.dumps(secret),
        plain,
        base64.urlsafe_b64encode(secret.encode()).decode(),
    ]


@given(st.text(st.characters(codec="utf-8"), min_size=12, max_size=40), st.text(max_size=20))
def test_no_form_of_a_secret_gets_out(secret: str, around: str) -> None:
    vault = Vault(lambda _: secret)
    vault.secret_of("env:X")
    for form in forms(secret):
        value: JsonValue = {"a": [around + form + around], form: 1}

        hidden = json.dumps(vault.hide_in(value), ensure_ascii=False)

        assert form not in hidden
        assert secret not in hidden
        assert HIDDEN in hidden


def test_of_two_secrets_one_in_the_other_neither_gets_out() -> None:
    known = {"env:A": "abcdefghij", "env:B": "abcdefghij-and-more"}
    vault = Vault(lambda reference: known[reference])
    for reference in known:
        vault.secret_of(reference)

    assert vault.hide("abcdefghij-and-more abcdefghij") == f"{HIDDEN} {HIDDEN}"


def test_what_is_no_secret_is_left_alone() -> None:
    vault = Vault(lambda _: "short")
    vault.secret_of("env:X")

    assert vault.hide_in({"a": ["short", 1, None]}) == {"a": ["short", 1, None]}


@pytest.mark.parametrize("form", forms(SECRET))
async def test_no_end_of_a_call_tells_a_secret_and_all_else_is_kept(form: str) -> None:
    vault = Vault(lambda _: SECRET)
    vault.secret_of("env:X")
    for given_end, plain in zip(everywhere(f"<{form}>"), everywhere("<->"), strict=True):
        end = await end_of(Registry({"own": fake([given_end])}, vault), WRITE, {})

        words = f"{end} {vars(end)}"
        assert form not in words
        assert SECRET not in words
        assert type(end) is type(plain)
        if isinstance(end, ConnectorError):
            assert end.__cause__ is None
            kept = {k: v for k, v in vars(end).items() if isinstance(v, float | bool | Kind | int)}
            assert kept == {k: v for k, v in vars(plain).items() if k in kept}


async def test_a_service_that_tells_our_secret_back_tells_it_to_nobody(
    outside: Outside, tmp_path: Path
) -> None:
    secret = "canary-9f8e7d6c5b4a"
    told: JsonObject = {"code": secret, "detail": f"key {secret} is wrong", "echo": secret}
    document: JsonObject = {
        "openapi": "3.1.0",
        "paths": {"/it": {"post": {"operationId": "do_it"}, "get": {"operationId": "read_it"}}},
    }
    (tmp_path / "d.json").write_text(json.dumps(document))
    (tmp_path / "o.yaml").write_text("errors: {code_at: [code], message_at: [detail]}")
    ends = []
    for status in (200, 202, 400, 401, 429, 500):
        headers = {"x-request-id": secret, "location": f"/{secret}"}
        async with raw_server(answer(status, told, headers)) as raw:
            settings = ConnectionSettings(
                "own",
                "openapi",
                raw.url,
                "env:CANARY",
                {"document": "d.json", "overlay": "o.yaml"},
                tmp_path,
            )
            registry = registry_of(outside.to(raw.host), settings, CANARY=secret)
            for action in await registry.load():
                ends.append(await end_of(registry, action, {}))
            assert f"authorization: Bearer {secret}" in raw.head()

    assert len(ends) == 12
    for end in ends:
        assert secret not in f"{end!r} {vars(end)}"


async def test_a_credential_that_goes_after_a_call_has_acted_does_not_undo_it(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read back then cannot be read, and waiting for a credential would call again."""
    monkeypatch.setenv("TRACKER_KEY", "the-key-of-the-tracker")

    def tracker(asked: Asked) -> Said:
        monkeypatch.delenv("TRACKER_KEY", raising=False)
        return Said(200, {"data": {"id": "7"}})

    service = Service(tracker)
    service.start()
    try:
        options: JsonObject = {"user": "admin"}
        settings = ConnectionSettings("own", "roundup", service.url, "env:TRACKER_KEY", options)
        way = outside.to(service.url.partition("://")[2])
        registry = build([settings], Vault(), lambda _: way)
        action = (await registry.load()).get("own.ticket_update")
        assert action is not None
        change: JsonObject = {"id": "7", "version": '"1"', "title": "Mended"}
        end = await end_of(registry, action, change)
    finally:
        service.stop()

    assert [each.method for each in service.asked] == ["PATCH"]
    assert isinstance(end, Unreadable), end
    assert "it happened" in end.reason

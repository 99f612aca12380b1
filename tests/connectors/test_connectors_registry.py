"""Settings and actions that cannot be say where and what is wrong before anything is called."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from connector_cases import (
    NO_TLS,
    Outside,
    answer,
    document,
    operation,
    raw_server,
    registry_of,
)
from strange_plugins import READ, WRITE, Strange, spec

from connectors.credentials import Vault
from connectors.errors import (
    ConfigurationError,
)
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.opening import open_registry
from connectors.registry import Registry
from connectors.spec import ActionSpec


@pytest.mark.parametrize(
    ("specs", "told"),
    [
        ([spec("other.do_it")], "does not begin with 'own'"),
        ([WRITE, WRITE], "two actions are called own.do_it"),
        (
            [spec(undo={"action": "own.gone"}, irreversible=False)],
            "undo: there is no action own.gone",
        ),
        ([spec(undo={"action": "own.do_it"}, irreversible=False)], "own.do_it is blind"),
        ([spec(effect="lookup", lookup={"action": "own.gone", "by": "a"})], "lookup: there is no"),
        (
            [spec(effect="lookup", lookup={"action": "own.read_it", "by": "a"}), READ],
            "no argument 'a'",
        ),
        ([spec(effect="lookup", lookup={"action": "own.do_it", "by": "a"})], "is not a read"),
        ([spec(sinks={"to": "recipient"})], "no argument 'to'"),
    ],
)
async def test_actions_that_do_not_fit_together_are_not_loaded(
    specs: list[ActionSpec], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        await Registry({"own": Strange(specs=specs)}).load()


async def test_a_plugin_that_cannot_say_what_it_offers_is_named() -> None:
    class Broken(Strange):
        async def actions(self) -> Sequence[ActionSpec]:
            raise ValueError("broken")

    with pytest.raises(
        ConfigurationError, match=r"connections\.own: .*'strange'.*ValueError: broken"
    ):
        await Registry({"own": Broken()}).load()


async def test_two_connections_of_one_connector_are_no_problem(outside: Outside) -> None:
    settings = [
        ConnectionSettings(name, "payments-minor", "http://127.0.0.1:1", "env:MINOR")
        for name in ("first", "second")
    ]
    catalog = await registry_of(outside.to(), *settings).load()

    assert catalog.get("first.refund_create") is not None
    assert catalog.get("second.refund_create") is not None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            ConnectionSettings("own", "nothing"),
            r"no connector 'nothing'; known: .*mcp, openapi, payments",
        ),
        (ConnectionSettings("Own", "openapi"), r"connections\.Own: a name has"),
        (ConnectionSettings("a.b", "openapi"), "a name has"),
        (ConnectionSettings("", "openapi"), "a name has"),
        (ConnectionSettings("x" * 31, "openapi"), "a name has"),
        (ConnectionSettings("own", "openapi", "ftp://x"), r"connections\.own\.base_url"),
        (ConnectionSettings("own", "openapi", "http://x/?a=b"), "more than a path"),
        (ConnectionSettings("own", "openapi", "http://x/#a"), "more than a path"),
        (ConnectionSettings("own", "openapi", "http://user@x/"), "with a user"),
        (
            ConnectionSettings("own", "openapi", "http://x", options={"dokument": "/"}),
            r"connections\.own\.dokument: .*the options of openapi are: document, overlay",
        ),
        (
            ConnectionSettings("own", "openapi", "http://x", options={"document": 1}),
            r"connections\.own\.document",
        ),
        (
            ConnectionSettings("own", "openapi", "http://x", options={"overlay": "none.yaml"}),
            r"none\.yaml",
        ),
        (ConnectionSettings("own", "payments-minor", "http://x"), "credential is missing"),
        (
            ConnectionSettings("own", "payments-minor", "http://x", "env:MINOR", {"limit": {}}),
            r"connections\.own\.limit: .*the options of payments-minor are: none",
        ),
    ],
)
def test_a_setting_that_cannot_be_says_where_and_what(
    settings: ConnectionSettings, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        registry_of(Transport(tls=NO_TLS), settings)


def test_a_connection_that_is_there_twice_is_refused() -> None:
    one = ConnectionSettings("own", "payments-minor", "http://x", "env:MINOR")

    with pytest.raises(ConfigurationError, match="twice"):
        registry_of(Transport(tls=NO_TLS), one, one)


def test_an_overlay_with_a_credential_needs_one(tmp_path: Path) -> None:
    (tmp_path / "o.yaml").write_text("credential: {header: X-Key, form: '{secret}'}")
    settings = ConnectionSettings(
        "own", "openapi", "http://x", options={"overlay": "o.yaml"}, base_dir=tmp_path
    )

    with pytest.raises(ConfigurationError, match="credential"):
        registry_of(Transport(tls=NO_TLS), settings)


async def test_a_connection_reaches_what_it_was_allowed_and_not_what_another_was() -> None:
    found = document({"/things": {"get": operation("get_things")}})
    async with raw_server(answer(200, found)) as service:
        allowed = ConnectionSettings("one", "openapi", service.url, allow_hosts=(service.host,))
        not_allowed = ConnectionSettings("two", "openapi", service.url)

        async with open_registry([allowed], Vault(lambda _: "")) as registry:
            await registry.load()
        with pytest.raises(ConfigurationError, match="not a public address"):
            async with open_registry([allowed, not_allowed], Vault(lambda _: "")) as registry:
                await registry.load()

"""Around every call: settings that say what is wrong, plugins kept to their word, secrets."""

import asyncio
import base64
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from connector_cases import (
    NO_TLS,
    Outside,
    answer,
    document,
    end_of,
    operation,
    raw_server,
    registry_of,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from connectors.body import json_flaw, read_json
from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.credentials import HIDDEN, Vault, secret_of
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.factories import ConnectionSettings
from connectors.http import Transport
from connectors.opening import open_registry
from connectors.registry import Registry
from connectors.spec import ActionSpec, CallContext, Integrity, JsonObject, Label
from connectors.testing import FakeConnector
from connectors.validate import first_flaw

CLOSED: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
SECRET = 'k/3+"ä secret-of-the-canary'


def spec(name: str = "own.do_it", effect: str = "blind", **more: JsonValue) -> ActionSpec:
    return ActionSpec.model_validate(
        {"name": name, "input_schema": CLOSED, "effect": effect, **more}
    )


WRITE, READ = spec(), spec("own.read_it", "read")


@dataclass
class Strange:
    """A plugin that does what it was not asked to."""

    raises: BaseException | None = None
    sleeps: bool = False
    specs: Sequence[ActionSpec] = (WRITE, READ)
    name: str = "strange"
    calls: list[str] = field(default_factory=list)

    async def actions(self) -> Sequence[ActionSpec]:
        return self.specs

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        self.calls.append(action.name)
        if self.sleeps:
            await asyncio.Event().wait()
        if self.raises is not None:
            raise self.raises
        return Applied(None)


def fake(ends: Sequence[Outcome | ConnectorError]) -> FakeConnector:
    return FakeConnector([WRITE, READ], {WRITE.name: ends, READ.name: ends})


# What a plugin may raise


@pytest.mark.parametrize(
    "raised", [ValueError(SECRET), KeyError("x"), OSError("x"), AssertionError()]
)
async def test_whatever_a_plugin_raises_is_one_of_the_three_and_its_words_stay_inside(
    raised: Exception,
) -> None:
    registry = Registry({"own": Strange(raises=raised)})
    write, read = await end_of(registry, WRITE, {}), await end_of(registry, READ, {})

    assert isinstance(write, Uncertain)
    assert isinstance(read, Unavailable)
    assert type(raised).__name__ in write.message
    assert SECRET not in write.message


async def test_a_read_is_never_in_doubt_whatever_its_plugin_says() -> None:
    doubt = Uncertain("who knows", kind=Kind.TIMEOUT, retry_after_s=3, vendor_code="E1")
    registry = Registry({"own": fake([doubt])})
    read, write = await end_of(registry, READ, {}), await end_of(registry, WRITE, {})

    assert isinstance(read, Unavailable)
    assert isinstance(write, Uncertain)
    for each in (read, write):
        assert (each.kind, each.retry_after_s, each.vendor_code) == (Kind.TIMEOUT, 3, "E1")


async def test_an_error_that_is_none_of_the_three_is_taken_as_doubt() -> None:
    registry = Registry({"own": fake([ConnectorError("odd", kind=Kind.INTERNAL)])})

    assert isinstance(await end_of(registry, WRITE, {}), Uncertain)
    assert isinstance(await end_of(registry, READ, {}), Unavailable)


async def test_cancelling_a_call_cancels_it() -> None:
    registry = Registry({"own": Strange(sleeps=True)})
    calling = asyncio.create_task(end_of(registry, READ, {}))
    await asyncio.sleep(0)
    calling.cancel()

    with pytest.raises(asyncio.CancelledError):
        await calling


async def test_a_missing_credential_waits_for_one() -> None:
    registry = Registry({"own": Strange(raises=ConfigurationError("the environment has no KEY"))})
    end = await end_of(registry, WRITE, {})

    assert isinstance(end, Refused)
    assert end.kind is Kind.AUTH
    assert end.message == "the environment has no KEY"


async def test_a_plugin_that_forgets_the_deadline_is_reminded() -> None:
    registry = Registry({"own": Strange(sleeps=True)})
    began = time.monotonic()
    write, read = (
        await end_of(registry, WRITE, {}, seconds=0.1),
        await end_of(registry, READ, {}, seconds=0.1),
    )

    assert isinstance(write, Uncertain)
    assert isinstance(read, Unavailable)
    assert (write.kind, read.kind) == (Kind.TIMEOUT, Kind.TIMEOUT)
    assert time.monotonic() - began < 3.0


async def test_after_its_deadline_a_call_is_not_begun() -> None:
    strange = Strange()
    end = await end_of(Registry({"own": strange}), WRITE, {}, seconds=-1)

    assert isinstance(end, Unavailable)
    assert not end.sent
    assert strange.calls == []


async def test_a_connection_that_is_gone_refuses() -> None:
    end = await end_of(Registry({}), WRITE, {})

    assert isinstance(end, Refused)
    assert end.kind is Kind.NOT_FOUND


# What a plugin may return


@pytest.mark.parametrize(
    "output", [2**60, float("nan"), "\ud800", "not a number", [[[]]], {"a": float("inf")}]
)
async def test_an_output_that_was_not_promised_is_never_passed_on(output: JsonValue) -> None:
    promised: JsonObject = {"type": "number"}
    write = spec(output_schema=promised)
    read = spec("own.read_it", "read", output_schema=promised)
    registry = Registry(
        {
            "own": FakeConnector(
                [write, read], {each.name: [Applied(output, "rq")] for each in (write, read)}
            )
        }
    )
    write_end, read_end = await end_of(registry, write, {}), await end_of(registry, read, {})

    assert isinstance(write_end, Unreadable)
    assert isinstance(read_end, Refused)
    assert (write_end.request_id, read_end.request_id) == ("rq", "rq")


@pytest.mark.timeout(10)
def test_of_an_answer_that_is_wrong_in_a_million_places_the_first_is_told_shortly() -> None:
    schema: JsonObject = {"items": {"type": "string"}}
    found = first_flaw(schema, [["x" * 10_000], *[None] * 2_000_000])

    assert found is not None
    assert found.endswith(" at '0'")
    assert len(found) < 1_000


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


# Settings


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


# Secrets


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


def everywhere(text: str) -> list[Outcome | ConnectorError]:
    """Every end of a call that can carry a stranger's words."""
    told = {"vendor_code": text, "request_id": text}
    return [
        Applied({"a": [text], text: 1}, text),
        Unreadable(text, text),
        Pending(text, text),
        Refused(text, kind=Kind.AUTH, **told),
        Unavailable(text, kind=Kind.QUOTA, retry_after_s=5, sent=True, status=429, **told),
        Uncertain(text, kind=Kind.TIMEOUT, retry_after_s=5, status=503, **told),
    ]


async def test_every_end_of_a_call_can_be_written_down_whatever_a_stranger_says() -> None:
    asks: JsonObject = {"\ud800": {"message": "who?"}}
    for said in [*everywhere("half \ud800, \0" + "x" * 10_000), Pending("it", "it", asks)]:
        end = await end_of(Registry({"own": fake([said])}), WRITE, {})
        words = {k: v for k, v in vars(end).items() if isinstance(v, str | list | dict)}

        assert json_flaw(words) is None
        assert isinstance(end, Applied) or "\0" not in "".join(map(str, words.values()))
        assert max(map(len, map(str, words.values())), default=0) < 3_000


async def test_an_answer_that_is_nested_as_deep_as_can_be_read_is_unusable_and_no_more() -> None:
    vault = Vault(lambda _: SECRET)
    vault.secret_of("env:X")
    deep = read_json(b"[" * 900 + b"]" * 900)
    for said in (Applied(deep), Pending("it", asks={"a": deep})):
        end = await end_of(Registry({"own": fake([said])}, vault), WRITE, {})

        assert isinstance(end, Unreadable) or end == Pending("it")


async def test_what_nobody_could_ask_by_is_no_handle() -> None:
    ends = [
        await end_of(Registry({"own": fake([Pending(handle)])}), WRITE, {})
        for handle in ("\ud800", "h" * 10_000)
    ]

    assert ends == [Pending(""), Pending("h" * 10_000)]


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


# The fake, and labels


async def test_the_fake_gives_its_answers_in_turn_and_the_last_again_and_again() -> None:
    refused = Refused("no", kind=Kind.CONFLICT)
    found = fake([Applied(1), refused])
    ends = [await end_of(Registry({"own": found}), WRITE, {}) for _ in range(3)]

    assert ends[0] == Applied(1)
    assert [type(each) for each in ends[1:]] == [Refused, Refused]
    assert [name for name, _, _ in found.calls] == [WRITE.name] * 3


LABELS = st.builds(
    Label,
    st.sampled_from(Integrity),
    st.none() | st.frozensets(st.sampled_from("abc"), max_size=3),
)


@given(LABELS, LABELS, LABELS)
def test_a_join_is_never_higher_than_its_parts_and_order_does_not_matter(
    one: Label, two: Label, three: Label
) -> None:
    joined = one.join(two)

    assert joined == two.join(one)
    assert joined.join(three) == one.join(two.join(three))
    assert one.integrity.at_least(joined.integrity)
    assert one.readers is None or (joined.readers is not None and joined.readers <= one.readers)
    assert one.join(one) == one


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({"effect": "read", "irreversible": True}, "a read has no effect"),
        ({"undo": {"action": "own.b"}, "pivot": True}, "exclude undo"),
        ({"effect": "read", "answers_as": {"action": "own.b", "of": ["id"]}}, "answers as itself"),
        ({"answers_as": {"action": "other.b", "of": ["id"]}}, "the same connection"),
        ({"answers_as": {"action": "own.b", "of": []}}, "of"),
        ({"effect": "keyed"}, "idempotency is missing"),
        ({"effect": "lookup"}, "lookup is missing"),
        ({"surprise": 1}, "surprise"),
        ({"name": "Own.do_it"}, "name"),
        ({"name": "own"}, "name"),
        ({"name": "own." + "x" * 61}, "name"),
        ({"timeout_s": 0}, "timeout_s"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_none(manifest: JsonObject, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        ActionSpec.model_validate({"name": "own.do_it", "input_schema": CLOSED, **manifest})


def test_the_digest_changes_with_every_word_of_a_definition() -> None:
    changed = [
        spec(),
        spec(description="x"),
        spec(timeout_s=1),
        spec(egress=False),
        spec(output_schema={}),
        spec(sinks={"a": "url"}),
        spec(approval=None),
    ]

    assert len({each.digest for each in changed}) == len(changed)
    assert spec().digest == spec().digest


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

"""Whatever a plugin raises or returns ends as one of a few things that can be written down."""

import asyncio
import time
from typing import Any, cast

import pytest
from connector_cases import (
    end_of,
)
from pydantic import JsonValue
from strange_plugins import READ, SECRET, WRITE, Strange, everywhere, fake, spec

from connectors.body import json_flaw, read_json
from connectors.connector import Applied, Pending, Unreadable
from connectors.credentials import Vault
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.registry import Registry
from connectors.spec import JsonObject
from connectors.testing import FakeConnector


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


async def test_a_plugin_that_cancels_itself_cancels_nobody_else() -> None:
    """Whoever waits for the call would take it for their own end, and the call would have none."""
    registry = Registry({"own": Strange(raises=asyncio.CancelledError())})
    write, read = await end_of(registry, WRITE, {}), await end_of(registry, READ, {})

    assert isinstance(write, Uncertain)
    assert isinstance(read, Unavailable)
    assert write.message == "the connector 'strange' failed with CancelledError"


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


ODD: list[Any] = [
    None,
    {"a": 1},
    Applied({"a": 1}, cast(Any, 7)),
    Applied({"a": 1}, retry_after_s=float("nan")),
    Unreadable(cast(Any, None), cast(Any, 3)),
    Pending(cast(Any, 5)),
    Refused(cast(Any, None), kind=Kind.INVALID, vendor_code=cast(Any, 1234)),
    Refused("no", kind=cast(Any, "weird"), link=cast(Any, 5), status=cast(Any, "422")),
    Unavailable("no", retry_after_s=float("nan"), sent=cast(Any, None)),
    Unavailable("no", retry_after_s=cast(Any, "7")),
    Unavailable("no", retry_after_s=-5),
    Uncertain("no", kind=Kind.INTERNAL, retry_after_s=float("inf")),
]


@pytest.mark.parametrize("odd", ODD, ids=repr)
async def test_what_is_of_another_type_than_was_agreed_on_ends_a_call_all_the_same(
    odd: Any,
) -> None:
    """A vendor's code is a number with some, and whoever forgets to return gives None."""
    ends = [await end_of(Registry({"own": fake([odd])}), each, {}) for each in (WRITE, READ)]

    for end in ends:
        words = [getattr(end, name, None) for name in ("message", "vendor_code", "request_id")]
        assert all(each is None or isinstance(each, str) for each in words)
        assert isinstance(getattr(end, "kind", Kind.AUTH), Kind)
        assert type(getattr(end, "status", None)) in (int, type(None))
        after_s = getattr(end, "retry_after_s", None)
        assert after_s is None or 0 <= after_s <= 7 * 86_400
    if not isinstance(odd, ConnectorError | Applied | Unreadable | Pending):
        assert [type(each) for each in ends] == [Uncertain, Unavailable]


async def test_what_nobody_could_ask_by_is_no_handle() -> None:
    ends = [
        await end_of(Registry({"own": fake([Pending(handle)])}), WRITE, {})
        for handle in ("\ud800", "h" * 10_000)
    ]

    assert ends == [Pending(""), Pending("h" * 10_000)]

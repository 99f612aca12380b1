"""Mail over the shop's real server arrives as it was written, and is found by its key."""

import time
from typing import Any

import pytest
from connector_cases import Outside
from mail_servers import CUSTOMER, LETTER, MAIL, ended, post_of
from the_shop import Service

from connectors.catalog import Catalog
from connectors.connector import Applied, Outcome
from connectors.errors import (
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.registry import Registry
from connectors.spec import Effect


@pytest.fixture
async def shops(
    running: Any, services: dict[str, Service], outside: Outside
) -> tuple[Registry, Catalog]:
    return await post_of(outside, running.smtp, services["mail"].url)


async def test_a_mail_arrives_as_it_was_written(
    shops: tuple[Registry, Catalog], services: dict[str, Service]
) -> None:
    text = ".a dot first\n..two\nümlaut ☃\n\n" + "long " * 500 + "\nFrom here"
    end = await ended(shops, {**MAIL, "subject": "Für Sie ☃", "text": text}, key="ARRIVES" * 4)

    assert isinstance(end, Applied)
    assert isinstance(end.output, dict)
    assert end.output["recipients"] == [CUSTOMER]
    found = await ended(shops, {"id": end.output["id"]}, "message_get")
    assert isinstance(found, Applied)
    assert isinstance(found.output, dict)
    told = {name: found.output[name] for name in ("id", "from", "to", "cc", "bcc", "subject")}
    assert told == {
        "id": end.output["id"],
        "from": "shop@example.com",
        "to": [CUSTOMER],
        "cc": [],
        "bcc": [],
        "subject": "Für Sie ☃",
    }
    assert str(found.output["text"]).rstrip("\n") == text


async def test_a_sent_mail_is_found_by_its_key_and_one_that_was_not_is_null(
    shops: tuple[Registry, Catalog],
) -> None:
    key = f"FOUND{time.monotonic_ns()}"
    before = await ended(shops, {"reference": key}, "message_find")
    sent = await ended(shops, MAIL, key=key)
    after = await ended(shops, {"reference": key}, "message_find")

    assert before == Applied(None, _request_id(before))
    assert isinstance(sent, Applied)
    assert isinstance(after, Applied)
    assert after.output == sent.output


def _request_id(end: Outcome | ConnectorError) -> str | None:
    assert isinstance(end, Applied)
    return end.request_id


@pytest.mark.parametrize(
    ("fault", "end", "kind", "code", "arrived"),
    [
        ("refuse", Refused, Kind.INVALID, "550", 0),
        ("error_500", Unavailable, Kind.UNAVAILABLE, "451", 0),
        ("error_503", Unavailable, Kind.UNAVAILABLE, "451", 0),
        ("rate_limit", Unavailable, Kind.UNAVAILABLE, "450", 0),
        ("hang_before", Uncertain, Kind.TIMEOUT, None, 0),
        ("hang_after", Uncertain, Kind.TIMEOUT, None, 1),
        ("drop_before", Uncertain, Kind.UNAVAILABLE, None, 0),
        ("drop_after", Uncertain, Kind.UNAVAILABLE, None, 1),
        ("garbage", Uncertain, Kind.UNAVAILABLE, None, 1),
    ],
)
async def test_what_goes_wrong_after_the_mail_was_handed_over_says_what_is_known(
    fault: str,
    end: type,
    kind: Kind,
    code: str | None,
    arrived: int,
    shops: tuple[Registry, Catalog],
    services: dict[str, Service],
) -> None:
    key = f"WRONG{time.monotonic_ns()}"
    services["mail"].spoil(fault, f"/{CUSTOMER}", method="SMTP")

    found = await ended(shops, MAIL, key=key, seconds=1.0)
    looked = await ended(shops, {"reference": key}, "message_find")

    assert type(found) is end
    assert isinstance(found, ConnectorError)
    assert (found.kind, found.vendor_code) == (kind, code)
    assert isinstance(looked, Applied)
    assert (looked.output is not None) == bool(arrived)


async def test_without_a_mailbox_sending_is_blind_and_with_one_it_can_be_looked_up(
    outside: Outside,
) -> None:
    _, blind = await post_of(outside, "127.0.0.1:25")
    _, found = await post_of(outside, "127.0.0.1:25", "http://127.0.0.1:8025")
    send = found.get("mail.message_send")

    assert [(each.name, each.effect) for each in blind] == [("mail.message_send", Effect.BLIND)]
    assert [each.name.partition("_")[2] for each in found] == ["send", "find", "get", "list"]
    assert send is not None
    assert send.effect is Effect.LOOKUP
    assert send.irreversible
    assert send.egress


async def test_a_mail_to_several_goes_to_all_of_them_and_reads_back_as_it_was_sent(
    shops: tuple[Registry, Catalog],
) -> None:
    sent = await ended(shops, LETTER, key="SEVERAL" * 4)
    listed = await ended(shops, {"recipient": "dan@example.com", "limit": 1}, "message_list")

    everybody = [f"{each}@example.com" for each in ("ann", "bob", "carl", "dan")]
    assert isinstance(sent, Applied)
    assert sent.output == {"id": f"{'several' * 4}@lamgate.invalid", "recipients": everybody}
    assert isinstance(listed, Applied)
    assert isinstance(listed.output, dict)
    (read,) = listed.output["messages"]  # type: ignore[misc]  # one message
    assert {name: read[name] for name in ("to", "cc", "bcc", "thread_id", "status", "html")} == {
        "to": everybody[:2],
        "cc": everybody[2:3],
        "bcc": everybody[3:],
        "thread_id": "first@example.com",
        "status": "delivered",
        "html": "<p>Hello</p>\n",
    }
    assert read["attachments"] == [{"filename": "a.txt", "content_type": "text/plain", "size": 2}]

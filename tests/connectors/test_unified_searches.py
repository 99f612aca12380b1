"""What another record than was searched for says of a call whose answer was lost: nothing."""

import pytest
from connector_cases import Outside, Raw, answer, end_of, raw_server, registry_of
from desk import Desk
from pydantic import JsonValue

from connectors.connector import Applied, Outcome
from connectors.errors import ConnectorError, Kind, Refused
from connectors.factories import ConnectionSettings
from connectors.spec import JsonObject
from connectors.testing.trial import new_key


@pytest.mark.parametrize("is_ours", [True, False])
async def test_a_provider_that_does_not_filter_has_not_found_the_group(
    is_ours: bool, outside: Outside
) -> None:
    key = new_key()
    group: JsonObject = {"id": "7", "externalId": key if is_ours else "theirs", "displayName": "a"}
    async with raw_server(answer(200, {"totalResults": 1, "Resources": [group]})) as raw:
        end = await Desk(outside, "scim", raw.url, "secret-of-it")("group_find", {"reference": key})

    assert isinstance(end, Applied) is is_ours
    assert is_ours or (isinstance(end, Refused) and end.kind is Kind.INTERNAL)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("user_list", {"user_name": "bob"}),
        ("user_list", {"email": "bob@a.example"}),
        ("user_list", {"active": False}),
        ("user_list", {"user_name": "ann", "active": False}),
        ("group_list", {"display_name": "Cooks"}),
    ],
)
async def test_a_provider_that_does_not_filter_lists_nobody(
    name: str, asked: JsonObject, outside: Outside
) -> None:
    """The first of everybody would be taken for the one who was searched for."""
    one: JsonObject = {"id": "7", "displayName": "Waiters", "userName": "ann", "active": True}
    one["emails"] = [{"value": "ann@a.example"}]
    async with raw_server(answer(200, {"totalResults": 1, "Resources": [one]})) as raw:
        end = await Desk(outside, "scim", raw.url, "secret-of-it")(name, asked)

    assert isinstance(end, Refused), end
    assert "than was searched for" in end.message


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("user_list", {"user_name": "ANN"}),
        ("user_list", {"email": "Ann@A.example"}),
        ("user_list", {"email": "ann@b.example", "active": True}),
        ("group_list", {"display_name": "waiters"}),
    ],
)
async def test_what_a_provider_finds_in_other_letters_is_what_was_searched_for(
    name: str, asked: JsonObject, outside: Outside
) -> None:
    """Names are compared without regard to case (RFC 7643, 4.1.1), and addresses are too."""
    one: JsonObject = {"id": "7", "displayName": "Waiters", "userName": "ann", "active": True}
    one["emails"] = [
        {"value": "x@a.example"},
        {"value": "ann@a.example"},
        {"value": "ann@b.example"},
    ]
    async with raw_server(answer(200, {"totalResults": 1, "Resources": [one]})) as raw:
        end = await Desk(outside, "scim", raw.url, "secret-of-it")(name, asked)

    assert isinstance(end, Applied), vars(end)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("message_find", {"reference": "KEY"}),
        ("message_list", {"recipient": "dan@a.example"}),
        ("message_list", {"subject": "Other"}),
    ],
)
async def test_mails_of_an_account_that_does_not_filter_are_not_told(
    name: str, asked: JsonObject, outside: Outside
) -> None:
    rows: list[JsonValue] = [
        {"msg_id": f"m{each}.filter-1", "to_email": "ann@a.example", "subject": "Hello"}
        for each in (1, 2)
    ]
    async with raw_server(answer(200, {"messages": rows})) as raw:
        options: JsonObject = {"sender": "a@a.example", "activity": True}
        end = await Desk(outside, "sendgrid", raw.url, "secret-of-it", options)(name, asked)

    assert isinstance(end, Refused), end
    assert "than was searched for" in end.message


@pytest.mark.parametrize(
    ("asked", "is_found"),
    [
        ({"recipient": "Ann@a.example"}, True),
        ({"subject": "hello"}, True),
        ({"recipient": "dan@a.example"}, False),
        ({"subject": "Other"}, False),
        ({"recipient": "ann@a.example", "subject": "Other"}, False),
    ],
)
async def test_mails_of_a_mailbox_that_does_not_filter_are_not_told(
    asked: JsonObject, is_found: bool, outside: Outside
) -> None:
    mail: JsonObject = {"headers": {"message-id": "<1@a>"}, "id": "1", "subject": "Hello you"}
    mail["envelope"] = {"to": [{"address": "ann@a.example"}, {"address": "bob@a.example"}]}
    async with raw_server(answer(200, [mail])) as raw:
        end = await in_mailbox(raw, outside, "message_list", asked)

    assert isinstance(end, Applied) is is_found
    assert is_found or (isinstance(end, Refused) and "than was searched for" in end.message)


async def in_mailbox(
    raw: Raw, outside: Outside, search: str, asked: JsonObject
) -> Outcome | ConnectorError:
    options: JsonObject = {
        "server": "127.0.0.1:25",
        "sender": "a@a.example",
        "domain": "a.example",
        "mailbox_url": raw.url,
    }
    settings = ConnectionSettings("own", "smtp", "", None, options)
    registry = registry_of(outside.to(raw.host), settings)
    action = (await registry.load()).get(f"own.{search}")
    assert action is not None
    return await end_of(registry, action, asked)


@pytest.mark.parametrize("is_ours", [True, False])
@pytest.mark.parametrize("search", ["message_find", "message_get"])
async def test_a_mailbox_that_does_not_filter_has_not_found_the_mail(
    search: str, is_ours: bool, outside: Outside
) -> None:
    asked: JsonObject = (
        {"reference": "KEY"} if search == "message_find" else {"id": "key@a.example"}
    )
    number = "key@a.example" if is_ours else "other@a.example"
    mail: JsonObject = {"headers": {"message-id": f"<{number}>"}, "id": "1", "subject": "s"}
    async with raw_server(answer(200, [mail])) as raw:
        end = await in_mailbox(raw, outside, search, asked)

    assert isinstance(end, Applied) is is_ours
    assert is_ours or (isinstance(end, Refused) and end.kind is Kind.INTERNAL)

"""What the vendors of ticketing, directory and calendar are asked, byte by byte, and what is told.

These need no server but a tiny one that plays recorded answers; `test_real_*.py` ask real ones.
"""

from collections.abc import Iterator, Sequence

import pytest
from connector_cases import Outside, end_of, registry_of
from pydantic import JsonValue

from connectors.connector import Applied, Outcome
from connectors.errors import ConnectorError, Kind, Refused, Unavailable, Uncertain
from connectors.factories import ConnectionSettings
from connectors.spec import JsonObject
from connectors.testing import Asked, Said, Service

KEY = "K7" * 16
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SECRET = "c2VjcmV0OnNlY3JldA=="


class Played:
    """Plays answers in their order, and keeps what it was asked."""

    def __init__(self) -> None:
        self.service = Service(self._answer)
        self._answers: list[Said] = []

    def plays(self, *answers: Said) -> None:
        """What it answers next."""
        self._answers = [*answers]
        self.service.asked.clear()

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Each request: its method, and path and query."""
        return [
            (each.method, each.path + "".join(f" {k}={v}" for k, v in sorted(each.query.items())))
            for each in self.service.asked
        ]

    def _answer(self, asked: Asked) -> Said:
        return self._answers.pop(0)


@pytest.fixture
def played() -> Iterator[Played]:
    found = Played()
    found.service.start()
    yield found
    found.service.stop()


async def called(
    played: Played,
    outside: Outside,
    vendor: str,
    name: str,
    arguments: JsonObject,
    answers: Sequence[Said],
    *,
    attempt: int = 1,
    options: JsonObject | None = None,
) -> Outcome | ConnectorError:
    played.plays(*answers)
    url = played.service.url
    settings = ConnectionSettings("own", vendor, url, "env:OWN", options or {})
    registry = registry_of(outside.to(played.service.host), settings, OWN=SECRET)
    action = (await registry.load()).get(f"own.{name}")
    assert action is not None
    return await end_of(registry, action, arguments, key=KEY, attempt=attempt)


def output(end: object) -> JsonObject:
    assert isinstance(end, Applied), vars(end)
    assert isinstance(end.output, dict)
    return end.output


# Roundup

USER: JsonObject = {"user": "lamgate"}
NONE = Said(200, {"data": {"collection": [], "@total_size": 0}})
MESSAGE_ID = f"<{KEY.lower()}@lamgate.invalid>"
TOKEN = Said(200, {"data": {"link": "http://t/rest/data/issue/@poe/tok-1", "expires": 1}})
MADE = Said(201, {"data": {"id": "5", "link": "http://t/rest/data/x/5"}})
STALE = Said(412, {"error": {"status": 412, "msg": "If-Match is missing or does not match."}})
SPENT = Said(400, {"error": {"status": 400, "msg": "POE token 'tok-1' not valid."}})
ISSUE: JsonObject = {
    "id": "5",
    "type": "issue",
    "link": "http://t/rest/data/issue/5",
    "attributes": {
        "title": "Broken mug",
        "status": {"id": "1", "name": "unread"},
        "priority": {"id": "2", "name": "urgent"},
        "assignedto": {"id": "3", "username": "ann"},
        "keyword": [{"id": "1", "name": "mugs"}],
        "creator": {"id": "4", "username": "lamgate"},
        "creation": "2026-11-25.22:31:38",
        "activity": "2026-11-25.22:31:39",
        "messages": [{"id": "8"}],
        "severity": "high",
    },
    "@etag": '"e1"',
}
READ = Said(200, {"data": ISSUE})
MUG: JsonObject = {
    "title": "Broken mug",
    "description": "It fell",
    "priority": "high",
    "assignee_ids": ["ann"],
    "tags": ["mugs"],
}


def kept(written: str = "2026-11-25.22:31:38") -> Said:
    row = {"id": "8", "messageid": MESSAGE_ID, "inreplyto": "<tok-1@1.lamgate.invalid>"}
    row["activity"] = written
    date = {"date": "Wed, 25 Nov 2026 22:31:50 GMT"}
    return Said(200, {"data": {"collection": [row], "@total_size": 1}}, date)


async def test_a_ticket_is_five_requests_of_which_one_posts_it(
    played: Played, outside: Outside
) -> None:
    first = Said(201, {"data": {"id": "8"}})
    end = await called(
        played,
        outside,
        "roundup",
        "ticket_create",
        MUG,
        [NONE, TOKEN, first, MADE, READ],
        options=USER,
    )

    fields = "title,status,priority,assignedto,keyword,creator,creation,activity,messages"
    assert played.asked == [
        ("GET", f"/rest/data/msg @fields=messageid,inreplyto,activity messageid:={MESSAGE_ID}"),
        ("POST", "/rest/data/issue/%40poe"),
        ("POST", "/rest/data/msg"),
        ("POST", "/rest/data/issue/%40poe/tok-1"),
        ("GET", f"/rest/data/issue/5 @fields={fields} @verbose=2"),
    ]
    _, token, message, ticket, _ = played.service.asked
    assert token.body == {"lifetime": "3600"}
    assert message.body == {
        "content": "It fell",
        "author": "lamgate",
        "messageid": MESSAGE_ID,
        "inreplyto": "<tok-1@1.lamgate.invalid>",
    }
    assert ticket.body == {
        "title": "Broken mug",
        "priority": "urgent",
        "assignedto": "ann",
        "keyword": ["mugs"],
        "messages": ["8"],
    }
    own = {name: ticket.headers[name] for name in ("authorization", "origin", "referer")}
    assert own == {
        "authorization": f"Basic {SECRET}",
        "origin": played.service.url,
        "referer": f"{played.service.url}/",
    }
    assert ticket.headers["x-requested-with"] == "rest"
    told = output(end)
    assert {name: each for name, each in told.items() if name != "raw" and each is not None} == {
        "id": "5",
        "connector": "roundup",
        "version": '"e1"',
        "url": "http://t/issue5",
        "created_at": "2026-11-25T22:31:38+00:00",
        "updated_at": "2026-11-25T22:31:39+00:00",
        "custom_fields": {"severity": "high"},
        "title": "Broken mug",
        "status": "open",
        "status_raw": "unread",
        "priority": "high",
        "priority_raw": "urgent",
        "requester_id": "lamgate",
        "assignee_ids": ["ann"],
        "tags": ["mugs"],
    }


async def test_a_later_attempt_finds_the_ticket_by_its_first_message(
    played: Played, outside: Outside
) -> None:
    row: JsonObject = {"id": "5", "messages": [{"id": "8", "link": "http://t/rest/data/msg/8"}]}
    there = Said(200, {"data": {"collection": [row], "@total_size": 1}})
    end = await called(
        played,
        outside,
        "roundup",
        "ticket_create",
        MUG,
        [kept(), there, READ],
        attempt=2,
        options=USER,
    )

    assert isinstance(end, Applied)
    assert end.replayed
    assert [method for method, _ in played.asked] == ["GET", "GET", "GET"]


@pytest.mark.parametrize(("written", "posts"), [("22:31:38", 1), ("22:21:38", 3)])
async def test_a_token_spent_without_a_ticket_is_in_doubt_for_two_minutes_and_then_replaced(
    written: str, posts: int, played: Played, outside: Outside
) -> None:
    message = Said(200, {"data": {"id": "8", "@etag": '"m1"'}})
    done = Said(200, {"data": {}})
    answers = [kept(f"2026-11-25.{written}"), NONE, message, done, SPENT, NONE]
    answers += [TOKEN, message, done, MADE, READ]
    end = await called(
        played, outside, "roundup", "ticket_create", MUG, answers, attempt=2, options=USER
    )

    assert sum(method == "POST" for method, _ in played.asked) == posts
    if posts == 1:
        assert isinstance(end, Uncertain)
        assert end.retry_after_s == 120
    else:
        assert isinstance(end, Applied)
        noted, renewed = (each for each in played.service.asked if each.method == "PATCH")
        assert noted.headers["if-match"] == renewed.headers["if-match"] == '"m1"'
        assert noted.body == {"inreplyto": "<tok-1@2.lamgate.invalid>"}


async def test_a_ticket_is_changed_as_the_version_that_was_named_or_that_was_read(
    played: Played, outside: Outside
) -> None:
    change: JsonObject = {"id": "5", "status": "in_progress"}
    named = await called(
        played,
        outside,
        "roundup",
        "ticket_update",
        {**change, "version": '"e1"'},
        [STALE],
        options=USER,
    )
    first = played.service.asked[0]
    read = await called(
        played, outside, "roundup", "ticket_update", change, [READ, STALE], options=USER
    )

    assert (first.method, first.headers["if-match"]) == ("PATCH", '"e1"')
    assert first.body == {"status": "in-progress"}
    assert isinstance(named, Refused)
    assert (named.kind, named.vendor_code) == (Kind.CONFLICT, "version-conflict")
    assert isinstance(read, Unavailable), "nobody said a version: it may be read again"


# SCIM

ANN: JsonObject = {
    "id": "u1",
    "userName": "ann",
    "name": {"givenName": "Ann", "familyName": "Lee"},
    "emails": [
        {"value": "second@example.com"},
        {"value": "ann@example.com", "primary": True},
    ],
    "active": True,
    ENTERPRISE: {"department": "Returns", "manager": {"value": "u2"}},
    "urn:example:own": {"badge": 7},
    "groups": [{"value": "g1"}],
    "meta": {
        "version": 'W/"1"',
        "location": "http://d/Users/u1",
        "created": "2026-11-25T22:56:05Z",
        "lastModified": "2026-11-25T22:56:06Z",
    },
}


async def test_a_user_carries_our_key_and_is_told_as_a_record(
    played: Played, outside: Outside
) -> None:
    wanted: JsonObject = {
        "user_name": "ann",
        "given_name": "Ann",
        "emails": ["ann@example.com", "second@example.com"],
        "manager_id": "u2",
        "title": "Clerk",
    }
    end = await called(played, outside, "scim", "user_create", wanted, [Said(201, ANN)])
    (asked,) = played.service.asked

    assert played.asked == [("POST", "/Users")]
    assert asked.headers["content-type"] == "application/scim+json"
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert asked.body == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": "ann",
        "externalId": KEY,
        "active": True,
        "emails": [
            {"value": "ann@example.com", "primary": True},
            {"value": "second@example.com", "primary": False},
        ],
        "title": "Clerk",
        "name": {"givenName": "Ann"},
        ENTERPRISE: {"manager": {"value": "u2"}},
    }
    told = output(end)
    assert {name: each for name, each in told.items() if name != "raw" and each is not None} == {
        "id": "u1",
        "connector": "scim",
        "version": 'W/"1"',
        "url": "http://d/Users/u1",
        "created_at": "2026-11-25T22:56:05+00:00",
        "updated_at": "2026-11-25T22:56:06+00:00",
        "custom_fields": {"urn:example:own": {"badge": 7}},
        "user_name": "ann",
        "given_name": "Ann",
        "family_name": "Lee",
        "emails": ["ann@example.com", "second@example.com"],
        "active": True,
        "department": "Returns",
        "manager_id": "u2",
        "groups": ["g1"],
    }


TAKEN = Said(409, {"status": "409", "scimType": "uniqueness", "detail": "in use"})


@pytest.mark.parametrize("ours", [True, False])
async def test_who_has_the_name_is_asked_for_by_our_key(
    ours: bool, played: Played, outside: Outside
) -> None:
    own: JsonObject = {**ANN, "externalId": KEY}
    found: JsonObject = {"totalResults": int(ours), "Resources": [own] if ours else []}
    wanted: JsonObject = {"user_name": "ann"}
    end = await called(
        played, outside, "scim", "user_create", wanted, [TAKEN, Said(200, found)], attempt=2
    )

    assert played.asked[1] == ("GET", f'/Users count=1 filter=externalId eq "{KEY}"')
    assert isinstance(end, Applied) == ours
    if isinstance(end, Refused):
        assert (end.kind, end.vendor_code) == (Kind.CONFLICT, "uniqueness")


async def test_changes_and_members_are_patches(played: Played, outside: Outside) -> None:
    done = Said(204, b"")
    change: JsonObject = {"id": "u1", "version": 'W/"1"', "active": False, "department": "Night"}
    updated = await called(played, outside, "scim", "user_update", change, [done, Said(200, ANN)])
    patch = played.service.asked[0]
    pair: JsonObject = {"group_id": "g1", "user_id": 'u"1'}
    removed = await called(played, outside, "scim", "member_remove", pair, [done])
    (remove,) = played.service.asked

    assert isinstance(updated, Applied)
    assert (patch.method, patch.path, patch.headers["if-match"]) == (
        "PATCH",
        "/Users/u1",
        'W/"1"',
    )
    assert patch.body == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [
            {"op": "replace", "path": f"{ENTERPRISE}:department", "value": "Night"},
            {"op": "replace", "path": "active", "value": False},
        ],
    }
    assert removed == Applied(pair)
    assert isinstance(remove.body, dict)
    assert remove.body["Operations"] == [{"op": "remove", "path": 'members[value eq "u\\"1"]'}]


@pytest.mark.parametrize("body", [[], {"totalResults": 3}, {"Resources": ["x"]}, None])
async def test_what_is_no_list_of_resources_is_never_passed_on(
    body: JsonValue, played: Played, outside: Outside
) -> None:
    end = await called(played, outside, "scim", "user_list", {}, [Said(200, body)])

    assert isinstance(end, Refused)
    assert end.kind is Kind.INTERNAL


# CalDAV

ICS = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Tea\r\n"
    "DTSTART:20261124T100000Z\r\nX-COLOUR:red\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
TEA: JsonObject = {"title": "Tea", "start": "2026-11-24T11:00:00+01:00"}
FILE = Said(200, ICS.encode(), {"content-type": "text/calendar", "etag": '"e1"'})


async def test_an_event_is_put_where_none_of_its_name_is(played: Played, outside: Outside) -> None:
    end = await called(played, outside, "caldav", "event_create", TEA, [Said(201, b""), FILE])
    put = played.service.asked[0]

    name = f"/{KEY.lower()}.ics"
    assert played.asked == [("PUT", name), ("GET", name)]
    assert put.headers["if-none-match"] == "*"
    assert put.headers["content-type"] == "text/calendar; charset=utf-8"
    assert str(put.body).startswith(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//lamgate//caldav//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{KEY.lower()}@lamgate.invalid\r\n"
    )
    assert "\r\nSUMMARY:Tea\r\nDTSTART:20261124T100000Z\r\nEND:VEVENT\r\n" in str(put.body)
    told = output(end)
    assert (told["version"], told["start"]) == ('"e1"', "2026-11-24T10:00:00+00:00")


async def test_an_event_that_is_there_already_is_what_an_earlier_attempt_put(
    played: Played, outside: Outside
) -> None:
    end = await called(
        played, outside, "caldav", "event_create", TEA, [Said(412, b""), FILE], attempt=2
    )

    assert isinstance(end, Applied)
    assert end.replayed


async def test_a_changed_event_keeps_every_other_line(played: Played, outside: Outside) -> None:
    change: JsonObject = {"id": "1.ics", "title": "Coffee"}
    end = await called(
        played, outside, "caldav", "event_update", change, [FILE, Said(204, b""), FILE]
    )
    put = played.service.asked[1]

    assert isinstance(end, Applied)
    assert (put.method, put.headers["if-match"]) == ("PUT", '"e1"')
    assert "X-COLOUR:red" in str(put.body)
    assert "SUMMARY:Coffee" in str(put.body)
    assert "SUMMARY:Tea" not in str(put.body)


@pytest.mark.parametrize("ics", [b"nonsense", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", b"\xff"])
async def test_what_is_no_event_is_not_told_as_one(
    ics: bytes, played: Played, outside: Outside
) -> None:
    end = await called(played, outside, "caldav", "event_get", {"id": "1.ics"}, [Said(200, ics)])

    assert isinstance(end, Refused)
    assert end.kind is Kind.INTERNAL

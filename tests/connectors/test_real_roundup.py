"""`ticketing` over a real Roundup: promises hold, and a lost answer makes no second ticket."""

import asyncio
import base64
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from between import Between, Changes, between
from connector_cases import NO_TLS, Outside
from desk import Desk, output
from pydantic import JsonValue
from real_servers import Real, roundup

from connectors.api import Api
from connectors.builtin.roundup import factory
from connectors.builtin.roundup.rest import Rest
from connectors.builtin.roundup.tracker import Tracker
from connectors.connector import Applied, Connector, Unreadable
from connectors.credentials import Vault
from connectors.errors import (
    ConfigurationError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.factories import ConnectionSettings, Given
from connectors.http import Transport
from connectors.plugin import Plugin
from connectors.spec import JsonObject
from connectors.testing import (
    Asked,
    Example,
    HttpConformance,
    NamedCall,
    Said,
    Service,
    call_context,
)
from connectors.testing.trial import new_key

SECRET = base64.b64encode(b"admin:adminpw").decode()
OWN = {"authorization": f"Basic {SECRET}", "x-requested-with": "rest"}
MUG: JsonObject = {"title": "Broken mug", "description": "It fell", "priority": "high"}


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with roundup(tmp_path_factory.mktemp("roundup")) as real:
        yield real


def own(real: Real) -> dict[str, str]:
    return {"origin": real.url, "referer": f"{real.url}/"}


def tickets(real: Real, **where: str) -> list[dict[str, Any]]:
    """What the tracker itself says."""
    asked = {"@verbose": "2", "@fields": "title,status,messages", **where}
    answer = real.ask("GET", "/rest/data/issue", params=asked, headers={**OWN, **own(real)})
    found: list[dict[str, Any]] = answer.json()["data"]["collection"]
    return found


@pytest.fixture
def middle(tracker: Real) -> Iterator[Between]:
    with between(tracker, own(tracker)) as found:
        yield found


@pytest.fixture
def desk(middle: Between, outside: Outside) -> Desk:
    return desk_at(middle.service.url, outside)


def desk_at(url: str, outside: Outside, secret: str = SECRET) -> Desk:
    return Desk(outside, "roundup", url, secret, {"user": "admin"})


async def made(desk: Desk, arguments: JsonObject | None = None) -> JsonObject:
    return output(await desk("ticket_create", arguments or MUG))


async def test_a_ticket_is_opened_read_changed_and_withdrawn(desk: Desk, tracker: Real) -> None:
    ticket = await made(desk, {**MUG, "assignee_ids": ["admin"]})
    read = output(await desk("ticket_get", {"id": ticket["id"]}))
    changed = output(
        await desk(
            "ticket_update",
            {"id": ticket["id"], "version": ticket["version"], "status": "in_progress"},
        )
    )
    listed = output(await desk("ticket_list", {"status": "in_progress", "words": "mug"}))
    withdrawn = await desk("ticket_withdraw", {"id": ticket["id"]})

    assert read == ticket
    told = {name: ticket[name] for name in ("title", "status", "priority", "assignee_ids")}
    assert told == {
        "title": "Broken mug",
        "status": "open",
        "priority": "high",
        "assignee_ids": ["admin"],
    }
    assert (ticket["status_raw"], ticket["priority_raw"]) == ("unread", "urgent")
    assert (changed["status"], changed["status_raw"]) == ("in_progress", "in-progress")
    assert changed["version"] != ticket["version"]
    assert [each["id"] for each in listed["tickets"]] == [ticket["id"]]  # type: ignore[index, union-attr, call-overload]
    assert withdrawn == Applied({"id": ticket["id"]})
    assert [each for each in tickets(tracker) if each["id"] == ticket["id"]] == []


@pytest.mark.parametrize("name", ["ticket_withdraw", "ticket_update"])
async def test_a_ticket_that_somebody_changes_meanwhile_may_be_asked_for_again(
    name: str, outside: Outside
) -> None:
    """Nobody named a version, so the one that was read is ours to read again: an undo goes on."""

    def answered(asked: Asked) -> Said:
        if asked.method == "PATCH":
            return Said(412, {"error": {"status": 412, "msg": "If-Match is of another version"}})
        return Said(200, {"data": {"id": "7", "link": "x", "@etag": '"1"', "attributes": {}}})

    service = Service(answered)
    service.start()
    try:
        end = await desk_at(service.url, outside)(name, {"id": "7"})
    finally:
        service.stop()

    assert isinstance(end, Unavailable), end
    assert (end.kind, end.sent) == (Kind.CONFLICT, True)


async def test_a_tracker_that_does_not_know_what_it_was_to_filter_by_opens_no_ticket(
    outside: Outside,
) -> None:
    """Somebody else's message would be the first one of the ticket."""
    row: JsonObject = {"id": "3", "messageid": "<other@x>", "inreplyto": "<a@b>"}
    row["activity"] = "2026-11-25.22:31:43"
    service = Service(lambda _: Said(200, {"data": {"collection": [row]}}))
    service.start()
    try:
        end = await desk_at(service.url, outside)("ticket_create", MUG)
    finally:
        service.stop()

    assert isinstance(end, Refused), end
    assert "another message than was searched for" in end.message
    assert [each.method for each in service.asked] == ["GET"]


async def test_a_word_of_the_trackers_own_is_other_and_stands_as_it_is(
    desk: Desk, tracker: Real
) -> None:
    headers = {**OWN, **own(tracker)}
    tracker.ask("POST", "/rest/data/status", json={"name": "lost"}, headers=headers)
    ticket = await made(desk)
    tracker.ask(
        "PATCH",
        f"/rest/data/issue/{ticket['id']}",
        json={"status": "lost"},
        headers={**headers, "if-match": str(ticket["version"])},
    )
    read = output(await desk("ticket_get", {"id": ticket["id"]}))

    assert (read["status"], read["status_raw"]) == ("other", "lost")


async def test_a_change_that_was_decided_on_another_version_changes_nothing(desk: Desk) -> None:
    ticket = await made(desk)
    change: JsonObject = {"id": ticket["id"], "version": ticket["version"]}
    first = output(await desk("ticket_update", {**change, "status": "resolved"}))
    second = await desk("ticket_update", {**change, "status": "closed"})
    read = output(await desk("ticket_get", {"id": ticket["id"]}))
    without = output(await desk("ticket_update", {"id": ticket["id"], "status": "closed"}))

    assert isinstance(second, Refused)
    assert (second.kind, second.vendor_code) == (Kind.CONFLICT, "version-conflict")
    assert read == first
    assert without["status"] == "closed"


async def test_a_comment_is_made_once_and_read_after_the_words_of_the_ticket(
    tracker: Real, outside: Outside
) -> None:
    desk = desk_at(tracker.url, outside)
    ticket = await made(desk)
    words: JsonObject = {"ticket_id": ticket["id"], "body": "It was the cat"}
    key = new_key()
    first = await desk("comment_create", words, key)
    again = await desk("comment_create", words, key, attempt=2)
    read = output(await desk("comment_list", {"ticket_id": ticket["id"]}))
    secret = await desk("comment_create", {**words, "is_private": True})

    assert isinstance(again, Applied)
    assert again.replayed
    assert output(again) == output(first)
    comments = read["comments"]
    assert isinstance(comments, list)
    assert [each["body"] for each in comments] == ["It fell", "It was the cat"]  # type: ignore[index, call-overload]
    assert isinstance(secret, Refused)


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5])
async def test_whichever_answer_is_lost_there_is_one_ticket(
    lost: int, desk: Desk, middle: Between, tracker: Real
) -> None:
    """Asked are: the key, a token, the message, the ticket, and the ticket read back."""
    before, key = len(tickets(tracker)), new_key()
    middle.lose(lost)
    first = await desk("ticket_create", MUG, key)
    middle.lose()
    second = await desk("ticket_create", MUG, key, attempt=2)

    due = Unavailable if lost < 4 else Uncertain if lost == 4 else Unreadable
    assert type(first) is due
    assert isinstance(second, Applied)
    assert second.replayed == (lost > 3)
    assert len(tickets(tracker)) == before + 1


@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5])
async def test_whichever_answer_is_lost_a_comment_is_there_once(
    lost: int, desk: Desk, middle: Between, tracker: Real
) -> None:
    ticket, key = await made(desk), new_key()
    words: JsonObject = {"ticket_id": ticket["id"], "body": "Hello"}
    middle.lose(lost)
    first = await desk("comment_create", words, key)
    middle.lose()
    second = await desk("comment_create", words, key, attempt=2)
    (found,) = [each for each in tickets(tracker) if each["id"] == ticket["id"]]

    due = Unavailable if lost < 4 else Uncertain if lost == 4 else Unreadable
    assert type(first) is due
    assert isinstance(second, Applied)
    assert len(found["messages"]) == 2


def _late(tracker: Real, key: str, early: str) -> None:
    """The message of an attempt that nobody heard of comes through, before the one of the next."""
    headers = {**OWN, **own(tracker)}
    path = f"/rest/data/msg/{early}"
    version = tracker.ask("GET", path, headers=headers).json()["data"]["@etag"]
    domain = tracker.ask("GET", "/rest/data/msg", params={"@fields": "messageid"}, headers=headers)
    said = [each["messageid"] or "" for each in domain.json()["data"]["collection"]]
    (ours,) = [each for each in said if each.startswith(f"<{key.lower()}@")]
    named = ours.partition("@")[2]
    body = {"messageid": ours, "inreplyto": f"<{_token(tracker)}@1.{named}"}
    answer = tracker.ask("PATCH", path, json=body, headers={**headers, "if-match": version})
    assert answer.status_code == 200, answer.text


def _token(tracker: Real) -> str:
    headers = {**OWN, **own(tracker)}
    answer = tracker.ask(
        "POST", "/rest/data/issue/@poe", json={"lifetime": "3600"}, headers=headers
    )
    found: str = answer.json()["data"]["link"].rpartition("/")[2]
    return found


def _early(tracker: Real) -> str:
    """A message that has a lower number than all that come."""
    body = {"content": "It fell", "author": "admin"}
    headers = {**OWN, **own(tracker)}
    answer = tracker.ask("POST", "/rest/data/msg", json=body, headers=headers)
    return str(answer.json()["data"]["id"])


async def test_a_first_message_that_comes_late_makes_no_second_ticket(
    desk: Desk, middle: Between, tracker: Real
) -> None:
    """The first attempt's message was on its way while the second looked for it."""
    before, key, early = len(tickets(tracker)), new_key(), _early(tracker)
    middle.lose(4)  # what it says of the ticket
    second = await desk("ticket_create", MUG, key, attempt=2)
    middle.lose()
    _late(tracker, key, early)
    third = await desk("ticket_create", MUG, key, attempt=3)

    assert isinstance(second, Uncertain)
    assert isinstance(third, Applied)
    assert third.replayed
    assert len(tickets(tracker)) == before + 1


async def test_of_several_messages_that_is_gone_on_with_which_may_be_posted_already(
    desk: Desk, middle: Between, tracker: Real
) -> None:
    """The post of the second attempt is still under way: the third may only repeat that one."""
    before, key, early = len(tickets(tracker)), new_key(), _early(tracker)
    middle.lose(3)  # the ticket is not posted: what a message became is not heard
    second = await desk("ticket_create", MUG, key, attempt=2)
    middle.lose()
    _late(tracker, key, early)
    third = await desk("ticket_create", MUG, key, attempt=3)

    assert isinstance(second, Unavailable)
    assert isinstance(third, Applied)
    (ticket,) = tickets(tracker)[before:]
    assert early not in [each["id"] for each in ticket["messages"]]


async def test_a_message_that_comes_late_makes_no_second_comment(
    desk: Desk, middle: Between, tracker: Real
) -> None:
    ticket, key, early = await made(desk), new_key(), _early(tracker)
    words: JsonObject = {"ticket_id": ticket["id"], "body": "Hello"}
    middle.lose(4)
    second = await desk("comment_create", words, key, attempt=2)
    middle.lose()
    _late(tracker, key, early)
    third = await desk("comment_create", words, key, attempt=3)
    (found,) = [each for each in tickets(tracker) if each["id"] == ticket["id"]]

    assert isinstance(second, Uncertain)
    assert isinstance(third, Applied)
    assert len(found["messages"]) == 2


async def test_a_change_whose_answer_is_lost_is_not_taken_for_somebody_elses(
    desk: Desk, middle: Between
) -> None:
    ticket, key = await made(desk), new_key()
    change: JsonObject = {
        "id": ticket["id"],
        "version": ticket["version"],
        "status": "resolved",
        "priority": "urgent",
    }
    middle.lose(1)
    first = await desk("ticket_update", change, key)
    middle.lose()
    second = await desk("ticket_update", change, key, attempt=2)
    other = await desk("ticket_update", {**change, "priority": "low"}, key, attempt=2)

    assert isinstance(first, Uncertain)
    assert isinstance(second, Applied)
    assert second.replayed
    assert isinstance(other, Uncertain), "whether the first came through cannot be told any more"
    assert other.kind is Kind.CONFLICT


async def test_a_token_that_was_spent_in_vain_is_replaced_once_its_post_has_had_its_time(
    desk: Desk, middle: Between, tracker: Real, outside: Outside
) -> None:
    key, headers = new_key(), {**OWN, **own(tracker)}
    middle.lose(3)
    await desk("ticket_create", MUG, key)  # the message is there, with its token

    def message() -> dict[str, Any]:
        asked = {"messageid": key.lower(), "@fields": "inreplyto,activity"}
        answer = tracker.ask("GET", "/rest/data/msg", params=asked, headers=headers)
        (found,) = answer.json()["data"]["collection"]
        assert isinstance(found, dict)
        return found

    written = message()
    token = written["inreplyto"].strip("<>").partition("@")[0]
    spent = tracker.ask(
        "POST",
        f"/rest/data/issue/@poe/{token}",
        json={"title": "x", "status": "?"},
        headers=headers,
    )
    before = len(tickets(tracker))
    middle.lose()
    await asyncio.sleep(1.1)  # the tracker counts seconds
    young = await desk("ticket_create", MUG, key, attempt=2)
    tried = message()
    way = outside.to(tracker.host)
    api = Api(tracker.url, way, headers, factory.DIALECT)
    rest = Rest(api, "admin", "lamgate.invalid", dead_after_s=0.0)
    spec = next(
        each
        for each in await _connector(tracker.url, way).actions()
        if each.name == "own.ticket_create"
    )
    old = await Tracker(rest).create(spec, MUG, replace(call_context(key=key), attempt=3))

    assert spent.status_code == 400
    assert tried["inreplyto"] == f"<{token}@2.lamgate.invalid>"
    assert tried["activity"] > written["activity"], "from then on its post has its time"
    assert isinstance(young, Uncertain)
    assert young.retry_after_s == 120
    assert isinstance(old, Applied)
    assert len(tickets(tracker)) == before + 1


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("ticket_get", {"id": "9999"}, Kind.NOT_FOUND),
        ("ticket_get", {"id": "../user"}, Kind.INVALID),
        ("ticket_create", {"title": "x", "tags": ["unheard-of"]}, Kind.INVALID),
        ("ticket_create", {"title": "x", "assignee_ids": ["nobody"]}, Kind.INVALID),
        ("ticket_create", {"title": "x", "assignee_ids": ["admin", "anonymous"]}, Kind.INVALID),
        ("comment_create", {"ticket_id": "9999", "body": "x"}, Kind.NOT_FOUND),
        ("ticket_withdraw", {"id": "9999"}, Kind.NOT_FOUND),
    ],
)
async def test_a_no_of_the_tracker_is_called_by_its_name(
    name: str, arguments: JsonObject, kind: Kind, desk: Desk, tracker: Real
) -> None:
    before = len(tickets(tracker))
    end = await desk(name, arguments)

    assert isinstance(end, Refused)
    assert end.kind is kind
    assert len(tickets(tracker)) == before


async def test_a_wrong_password_is_told_as_one(tracker: Real, outside: Outside) -> None:
    wrong = base64.b64encode(b"admin:not-the-password").decode()
    end = await desk_at(tracker.url, outside, wrong)("ticket_list", {})

    assert isinstance(end, Refused)
    assert end.kind is Kind.AUTH


def _connector(url: str, way: Transport, connection: str = "own") -> Connector:
    vault = Vault(lambda _: SECRET)
    settings = ConnectionSettings(connection, "roundup", url, "env:X", {"user": "admin"})
    return factory.connect(settings, Given(way.carrying(vault), vault.stand_in))


class TestRoundup(HttpConformance):
    plugin = Plugin(factory.connect, protocol=1)
    options = {"user": "admin"}
    real: Real
    whole = os.environ.get("LAMGATE_KIT_WHOLE") == "1"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _tracker(cls, tracker: Real) -> None:
        cls.real = tracker

    def secret(self) -> str:
        return SECRET

    def service(self) -> Service:
        self.changes, self.ticket = Changes(), self.opened()
        return Between(self.real, own(self.real)).service

    def opened(self) -> str:
        """A ticket that was opened without the connector."""
        headers = {**OWN, **own(self.real)}
        body = {"title": "Broken mug"}
        made = self.real.ask("POST", "/rest/data/issue", json=body, headers=headers)
        assert made.status_code == 201, made.text
        return str(made.json()["data"]["id"])

    async def change(self) -> NamedCall:
        return ("own.ticket_update", {"id": self.opened(), "title": "Mended mug"})

    async def said(self) -> NamedCall:
        return ("own.comment_create", {"ticket_id": self.opened(), "body": "Still broken."})

    def latest(self) -> dict[str, Any]:
        """The tickets that were touched last, and how many there are."""
        query = "@fields=title,messages&@sort=-activity,-id&@page_size=20"
        headers = {**OWN, **own(self.real)}
        found: dict[str, Any] = self.real.ask(
            "GET", f"/rest/data/issue?{query}", headers=headers
        ).json()["data"]
        return found

    def example(self) -> Example:
        async def effects() -> int:
            return self.changes.count(
                (each["id"], each["title"], str(each["messages"]))
                for each in self.latest()["collection"]
            )

        async def state() -> JsonValue:
            found = self.latest()
            return [found["@total_size"], *(each["id"] for each in found["collection"])]

        return Example(
            read=("own.comment_list", {"ticket_id": self.ticket}),
            keyed=("own.ticket_create", MUG),
            undone=("own.ticket_create", {"title": "Gone soon"}),
            more=(self.change, self.said),
            refused=("own.ticket_create", {"title": "x", "tags": ["unheard-of"]}),
            effects=effects,
            state=state,
            secrets=("adminpw",),
        )


def test_without_a_credential_there_is_no_connection(tmp_path: Path) -> None:
    settings = ConnectionSettings("tickets", "roundup", "http://x", None, {"user": "admin"})
    with pytest.raises(ConfigurationError, match="base64 of user:password"):
        factory.connect(settings, Given(Transport(tls=NO_TLS), str))

"""Somebody is provisioned on four real servers, and un-provisioned where the last step fails."""

import base64
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from served import plan, serving, step, until_status

sys.path.insert(0, str(Path(__file__).parents[1] / "connectors"))

from between import between
from real_servers import SCIM_TOKEN, Post, Real, maildev, radicale, roundup, scim

TRACKER = base64.b64encode(b"admin:adminpw").decode()
CALENDAR = base64.b64encode(b"it:it-password").decode()
WORDS = (
    "Provision employee1, employee1@example.com: an account, a ticket 'Laptop for employee1', an "
    "onboarding on 2026-11-30 from 9 to 10 UTC, and a welcome mail."
)


@dataclass(frozen=True)
class Office:
    """The servers of an office."""

    people: Real
    tickets: Real
    dates: Real
    post: Post

    def accounts(self) -> dict[str, bool]:
        """Who may sign in."""
        headers = {"authorization": f"Bearer {SCIM_TOKEN}"}
        found = self.people.ask("GET", "/v2/Users", headers=headers).json()
        return {each["userName"]: each["active"] for each in found.get("Resources", [])}

    def open_tickets(self) -> int:
        """How many tickets people see."""
        headers = {"authorization": f"Basic {TRACKER}"}
        found = self.tickets.ask("GET", "/rest/data/issue", headers=headers).json()
        return int(found["data"]["@total_size"])

    def groups(self) -> int:
        """How many groups there are."""
        headers = {"authorization": f"Bearer {SCIM_TOKEN}"}
        return int(self.people.ask("GET", "/v2/Groups", headers=headers).json()["totalResults"])

    def events(self) -> int:
        """How many events are in the calendar."""
        return len([*(self.dates.folder / "store").rglob("cal/*.ics")])

    def mails(self) -> list[str]:
        """The subjects of the mails."""
        return [each["subject"] for each in self.post.mailbox.ask("GET", "/api/email").json()]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with ExitStack() as stack:
        yield Office(
            *(
                stack.enter_context(each(tmp_path_factory.mktemp("office")))
                for each in (scim, roundup, radicale)
            ),
            stack.enter_context(maildev(tmp_path_factory.mktemp("post"))),
        )


@pytest.fixture
def config(office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, secret in (("SCIM", SCIM_TOKEN), ("TRACKER", TRACKER), ("CALENDAR", CALENDAR)):
        monkeypatch.setenv(name, secret)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "office.cedar").write_text(
        '@id("it-may") permit (principal, action, resource) '
        'when { principal.roles.contains("requester") };',
        encoding="utf-8",
    )
    file = tmp_path / "lamgate.toml"
    file.write_text(
        f"""
[database]
url = "sqlite:///var/lamgate.db"

[connections.people]
connector = "scim"
base_url = "{office.people.url}/v2"
credential = "env:SCIM"
allow_hosts = ["{office.people.host}"]

[connections.tickets]
connector = "roundup"
base_url = "{office.tickets.url}"
credential = "env:TRACKER"
user = "admin"
allow_hosts = ["{office.tickets.host}"]

[connections.dates]
connector = "caldav"
base_url = "{office.dates.url}/it/cal"
credential = "env:CALENDAR"
allow_hosts = ["{office.dates.host}"]

[connections.mail]
connector = "smtp"
server = "{office.post.smtp}"
sender = "it@example.com"
mailbox_url = "{office.post.mailbox.url}"
allow_hosts = ["{office.post.smtp}", "{office.post.mailbox.host}"]

[policy]
path = "policies"

[runs]
on_failure = "undo"
""",
        encoding="utf-8",
    )
    return file


ACCOUNT = {
    **step("account", "people.user_create", user_name="employee1"),
    "args": [
        {"value": "employee1", "to": "user_name"},
        {"value": "employee1@example.com", "to": "emails/0"},
    ],
}
TICKET = {
    **step("ticket", "tickets.ticket_create", title="Laptop for employee1", priority="normal"),
    "after": ["account"],
}
EVENT = {
    **step("event", "dates.event_create"),
    "args": [
        {"value": "Onboarding", "to": "title"},
        {"value": "2026-11-30T09:00:00Z", "to": "start"},
        {"value": "2026-11-30T10:00:00Z", "to": "end"},
        {"value": "employee1@example.com", "to": "attendees/0"},
    ],
    "after": ["ticket"],
}
WELCOME = {
    **step("welcome", "mail.message_send"),
    "args": [
        {"value": "employee1@example.com", "to": "to/0"},
        {"value": "Welcome", "to": "subject"},
        {"value": "Your account is ready.", "to": "text"},
    ],
    "after": ["event"],
}
# The version is one that the ticket never had, so the tracker refuses the change.
STALE = {
    **step("close", "tickets.ticket_update", status="closed"),
    "args": [
        {"ref": "ticket/id", "to": "id"},
        {"value": '"0"', "to": "version"},
        {"value": "closed", "to": "status"},
    ],
    "after": ["event"],
}
GROUP = {
    **step("group", "people.group_create"),
    "args": [
        {"value": "employee1", "to": "display_name"},
        {"ref": "account/id", "to": "members/0"},
    ],
    "after": ["event"],
}
GOOD = plan(
    ACCOUNT,
    TICKET,
    EVENT,
    WELCOME,
    answer=[{"ref": "ticket/id", "to": "ticket"}, {"ref": "welcome/recipients", "to": "told"}],
)


async def test_what_a_later_refusal_makes_pointless_is_taken_back_on_every_server(
    office: Office, config: Path
) -> None:
    run, trace, events = await _run(config, plan(ACCOUNT, TICKET, EVENT, STALE))

    assert run["status"] == "undone", trace
    assert sorted(run["undone"]) == ["account", "event", "ticket"]
    assert run["standing"] == []
    assert codes_of(events) == ["version-conflict"]
    assert office.accounts() == {"employee1": False}
    assert (office.open_tickets(), office.events(), office.mails()) == (0, 0, [])


async def test_an_account_a_ticket_an_event_and_a_mail_are_made(
    office: Office, config: Path
) -> None:
    second = json.dumps(GOOD).replace("employee1", "employee2")
    run, trace, events = await _run(
        config, json.loads(second), WORDS.replace("employee1", "employee2")
    )

    assert run["status"] == "succeeded", trace
    assert codes_of(events) == []
    assert run["result"]["told"] == ["employee2@example.com"]
    assert office.accounts()["employee2"] is True
    assert (office.open_tickets(), office.events(), office.mails()) == (1, 1, ["Welcome"])


@dataclass(frozen=True)
class Lost:
    """An answer that is lost: whose, to what, and how many attempts its step takes."""

    server: str
    method: str
    part: str
    step: str
    attempts: int


@pytest.mark.parametrize(
    "lost",
    [
        Lost("people", "POST", "/v2/Users", "account", 2),
        Lost("tickets", "POST", "poe/", "ticket", 2),
        Lost("dates", "PUT", ".ics", "event", 2),
        Lost("people", "POST", "/v2/Groups", "group", 1),
    ],
    ids=lambda lost: lost.step,
)
async def test_a_lost_answer_of_any_of_them_is_settled_and_everything_is_there_once(
    office: Office, config: Path, lost: Lost
) -> None:
    name = f"lost-{lost.step}"
    real: Real = getattr(office, lost.server)
    body = json.loads(json.dumps(plan(ACCOUNT, TICKET, EVENT, GROUP)).replace("employee1", name))
    before = (office.open_tickets(), office.events(), office.groups())
    with between(real, {"origin": real.url, "referer": f"{real.url}/"}) as middle:
        middle.lose_first(lost.method, lost.part)
        move(config, real.host, middle.service.host)
        run, trace, events = await _run(config, body, WORDS.replace("employee1", name))
    after = (office.open_tickets(), office.events(), office.groups())

    assert run["status"] == "succeeded", trace
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1]
    assert [*office.accounts()].count(name) == 1
    begun = [each["data"]["step"] for each in events if each["type"] == "intent.recorded"]
    assert begun.count(lost.step) == lost.attempts
    assert len(begun) == 3 + lost.attempts


def move(config: Path, old: str, new: str) -> None:
    """Have a connection lead elsewhere."""
    config.write_text(config.read_text("utf-8").replace(old, new), "utf-8")


def codes_of(events: list[Any]) -> list[str]:
    """What the servers called what they refused."""
    failures = [each["data"].get("failure") for each in events]
    return [each["vendor_code"] for each in failures if each]


async def _run(
    config: Path, body: dict[str, Any], words: str = WORDS
) -> tuple[Any, str, list[Any]]:
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        approver = await running.person("approver-1", "approver")
        made = await person.post("/v1/plans", json={"plan": body, "request": words})
        assert made.status_code == 201, made.text
        run = (await person.post(f"/v1/plans/{made.json()['id']}/runs")).json()["id"]
        asked = (await approver.get(f"/v1/approvals?state=open&run={run}")).json()
        assert asked == [], "everything was said in the request"
        ended = await until_status(
            person, f"/v1/runs/{run}", "succeeded", "failed", "undone", "compensation_incomplete"
        )
        trace = await person.get(f"/v1/runs/{run}/trace", headers={"accept": "text/plain"})
        said = await person.get(f"/v1/runs/{run}/events", headers={"accept": "application/json"})
        return ended, trace.text, said.json()

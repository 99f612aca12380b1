"""Whose account an execution uses, and how a run waits where there is none."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from composio_world import (
    VERSION,
    Project,
    account,
    desk,
    error,
    kinds,
)

from connectors.connector import Applied
from connectors.errors import (
    Kind,
    Refused,
    Unavailable,
)
from connectors.spec import JsonObject
from connectors.testing import Fault, Said

both = pytest.mark.parametrize("kind", kinds())


@both
async def test_an_execution_names_version_user_and_account_and_needs_no_account_where_none_is(
    kind: str,
) -> None:
    async with desk(kind) as found:
        await found.call("add", "hello")
        await found.call("add", "again")
        await found.call("time")
        add, _, now = found.executions()
        asked_for_accounts = sum("onnected" in each.path for each in found.service.asked)

    if kind == "composio":
        assert add == {
            "user_id": "u-tenant",
            "version": VERSION,
            "arguments": {"text": "hello"},
            "connected_account_id": "ca_1",
        }
        assert now == {"user_id": "u-tenant", "version": VERSION, "arguments": {}}
    else:
        assert (add["entityId"], add["connectedAccountId"]) == ("u-tenant", "ca_1")
        assert (add["version"], add["input"]) == (VERSION, {"text": "hello"})
        assert "connectedAccountId" not in now
    assert asked_for_accounts == 1, "what is connected is known for a while"


@both
async def test_a_missing_account_is_a_wait_with_a_link_and_goes_on_once_it_is_connected(
    kind: str,
) -> None:
    project = Project(accounts=[account("ca_0", "INITIATED"), account("ca_5", user="u-other")])
    async with desk(kind, project, auth_configs={"notes": "ac_7"}) as found:
        first, again = await found.call("add"), await found.call("add")
        project.connects("ca_2")
        done = await found.call("add")
        used = found.executions()[-1]

    assert isinstance(first, Refused)
    assert first.kind is Kind.AUTH, "so the run waits for credentials"
    assert first.link == "https://connect.example.com/link/1"
    assert f"notes is not connected for u-tenant; open {first.link} until " in first.message
    assert isinstance(again, Refused)
    assert again.link == first.link, "who looks again makes no new link"
    assert len(project.links) == 1
    assert "ac_7" in str(project.links[0])
    assert isinstance(done, Applied)
    assert "ca_2" in str(used)
    assert project.notes == ["hello"], "nothing was executed before"


@both
async def test_an_account_that_is_over_is_a_wait_with_a_link_where_the_operator_wants_one(
    kind: str,
) -> None:
    project = Project(accounts=[account("ca_1", "EXPIRED")])
    async with desk(kind, project) as found:
        unlinked = await found.call("add")
    project.accounts[0]["status"] = "ACTIVE"
    async with desk(kind, project, auth_configs={"notes": "ac_3"}) as found:
        before = await found.call("add", "one")
        project.accounts[0]["status"] = "EXPIRED"
        over = await found.call("add", "two")

    assert isinstance(unlinked, Refused)
    assert (unlinked.kind, unlinked.link) == (Kind.AUTH, None)
    assert "with connections.desk.auth_configs.notes there would be a link" in unlinked.message
    assert isinstance(before, Applied)
    assert isinstance(over, Refused)
    assert (over.kind, over.link) == (Kind.AUTH, "https://connect.example.com/link/1")
    assert over.vendor_code == "ActionExecute_ConnectedAccountExpired"
    assert "ac_3" in str(project.links[0])
    assert project.notes == ["one"]


@both
async def test_of_several_accounts_none_is_chosen_and_a_named_one_is_used(kind: str) -> None:
    two = [account("ca_1"), account("ca_2")]
    async with desk(kind, Project(accounts=[*two])) as found:
        unclear = await found.call("add")
    named = {"accounts": {"notes": "ca_2"}}
    async with desk(kind, Project(accounts=[*two]), **named) as found:
        done = await found.call("add")
        used = found.executions()
        found.project.accounts[1]["status"] = "EXPIRED"
        over = await found.call("add")

    assert isinstance(unclear, Refused)
    assert "ca_1, ca_2; say which with connections.desk.accounts.notes" in unclear.message
    assert isinstance(done, Applied)
    assert "ca_2" in str(used)
    assert isinstance(over, Refused)
    assert (over.kind, over.link) == (Kind.AUTH, None)
    assert "the account ca_2 is not connected: connect it anew, or name another" in over.message


@both
async def test_nobody_sees_the_project_s_key_nor_a_token_of_an_account(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with desk(kind) as found:
        ends = [await found.call("add"), await found.call("refuse")]
        with found.service.spoiled(Fault(ending="echo")):
            ends.append(await found.call("add"))
        sent = [each.headers.get("x-api-key") for each in found.service.asked]

    told = f"{ends} {[vars(each) for each in ends]} {caplog.text}"
    assert set(sent) == {found.project.key}
    assert found.project.key not in told
    assert "a-token-of-somebody" not in told


@both
async def test_calls_at_once_look_for_an_account_together_and_make_one_link(kind: str) -> None:
    project = Project(accounts=[])
    async with desk(kind, project, auth_configs={"notes": "ac_7"}) as found:
        ends = await asyncio.gather(*(found.call("add") for _ in range(20)))
        looks = sum("onnected" in each.path for each in found.service.asked)
        project.connects("ca_2")
        done = await asyncio.gather(*(found.call("add") for _ in range(3)))

    assert {each.link for each in ends if isinstance(each, Refused)} == {
        "https://connect.example.com/link/1"
    }
    assert (len(ends), len(project.links)) == (20, 1)
    assert looks == 2, "one for the accounts, one for the link"
    assert all(isinstance(each, Applied) for each in done)


async def test_a_tool_that_needs_no_account_is_not_excused_with_one() -> None:
    async with desk("composio", Project(accounts=[]), auth_configs={"notes": "ac_7"}) as found:
        with found.service.spoiled(Fault(said=error(401, 10401, "Unauthorized", "No."))):
            refused = await found.call("time")
        links = found.project.links

    assert isinstance(refused, Refused)
    assert (refused.kind, refused.link, refused.message) == (Kind.AUTH, None, "401: No")
    assert links == []


@both
async def test_what_goes_wrong_while_an_account_is_looked_for_is_told_and_nothing_is_executed(
    kind: str,
) -> None:
    slow = replace(error(429, 1234, "RateLimit", "Slow down."), headers={"retry-after": "9"})
    ends = []
    async with desk(kind) as found:
        for answer in (
            slow,
            error(503, 1, "Down", "Away."),
            error(403, 2, "Forbidden", "Not yours."),
            Said(200, b"<html>"),
            Said(200, {"items": 7}),
        ):
            with found.service.spoiled(Fault(said=answer)):
                ends.append(await found.call("add"))
        executed = found.executions()
    limited, down, forbidden, *unreadable = ends

    assert isinstance(limited, Unavailable)
    assert (limited.kind, limited.retry_after_s) == (Kind.RATE_LIMITED, 9)
    assert (type(down), type(forbidden)) == (Unavailable, Refused)
    assert isinstance(forbidden, Refused)
    assert (forbidden.kind, forbidden.message) == (Kind.AUTH, "403: Not yours")
    assert [(type(each), each.kind) for each in unreadable if isinstance(each, Refused)] == [
        (Refused, Kind.INTERNAL),
        (Refused, Kind.INTERNAL),
    ]
    assert executed == []


@both
async def test_where_no_link_can_be_had_the_run_waits_all_the_same_and_says_why(kind: str) -> None:
    project = Project(accounts=[])
    async with desk(kind, project, auth_configs={"notes": "ac_none"}) as found:
        refused = await found.call("add")

    assert isinstance(refused, Refused)
    assert (refused.kind, refused.link) == (Kind.AUTH, None)
    assert refused.message == (
        "notes is not connected for u-tenant, and there is no link to connect it: "
        "404: There is no such auth config"
    )


@pytest.mark.parametrize("last", ["2020-01-01T00:00:00Z", "2020-01-01 00:00:00"])
async def test_a_link_that_is_over_is_not_shown_again(last: str) -> None:
    project = Project(accounts=[], links_last=last)
    async with desk("composio", project, auth_configs={"notes": "ac_7"}) as found:
        links = [(await found.call("add")).link for _ in range(2)]  # type: ignore[union-attr]

    assert links == [f"https://connect.example.com/link/{n}" for n in (1, 2)]


@pytest.mark.parametrize("last", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
async def test_a_link_until_no_day_of_any_calendar_is_none(last: str) -> None:
    project = Project(accounts=[], links_last=last)
    async with desk("composio", project, auth_configs={"notes": "ac_7"}) as found:
        refused = await found.call("add")

    assert isinstance(refused, Refused)
    assert (refused.kind, refused.link) == (Kind.AUTH, None)
    assert "an instant is missing" in refused.message


@pytest.mark.parametrize("said", ["javascript:alert(1)", "http://a b", "", None, 7])
async def test_what_is_no_plain_address_is_no_link(said: Any) -> None:
    whole: JsonObject = {"redirect_url": said, "expires_at": "2099-01-01T00:00:00Z"}
    project = Project(accounts=[])
    project.said_link = whole
    async with desk("composio", project, auth_configs={"notes": "ac_7"}) as found:
        refused = await found.call("add")

    assert isinstance(refused, Refused)
    assert refused.link is None
    assert "an address is missing" in refused.message


@both
async def test_an_address_that_may_not_be_reached_is_a_no(kind: str) -> None:
    project = Project()
    async with desk(kind, project, allow_hosts=()) as found:
        refused = await found.call("add")
        asked = found.service.asked

    assert isinstance(refused, Refused)
    assert refused.kind is Kind.INVALID
    assert "only the operator's file can allow it" in refused.message
    assert asked == []


async def test_who_gives_up_while_an_account_is_looked_for_has_sent_nothing() -> None:
    async with desk("composio") as found:
        with found.service.spoiled(Fault(ending="hang")):
            late = await found.call("add", seconds=0.3)
        same = await found.call("add")
        after = await found.call("add")
        executions = len(found.executions())

    assert isinstance(late, Unavailable)
    assert (late.kind, late.sent) == (Kind.TIMEOUT, False)
    assert isinstance(same, Unavailable), "it waited for the look that broke"
    assert not same.sent
    assert isinstance(after, Applied)
    assert executions == 1


async def test_an_account_on_a_later_page_is_one_of_several() -> None:
    two = [account("ca_1"), account("ca_0", "EXPIRED"), account("ca_2")]
    async with desk("composio", Project(accounts=two, accounts_a_page=1)) as found:
        unclear = await found.call("add")

    assert isinstance(unclear, Refused)
    assert "ca_1, ca_2; say which" in unclear.message
    assert found.project.notes == []


@both
async def test_an_account_of_another_user_is_never_used_though_it_is_given(kind: str) -> None:
    others = Project(accounts=[account("ca_5", user="u-other")], is_everybodys=True)
    async with desk(kind, others) as found:
        end = await found.call("add")
        executed = found.executions()

    assert isinstance(end, Refused)
    assert end.message == "it gave an account of another user than was asked for"
    assert executed == []

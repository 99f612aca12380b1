"""`directory` over a real provider of SCIM: promises hold, a lost answer makes no second user."""

import os
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from between import Between, Changes, between
from connector_cases import Outside
from desk import Desk, output
from pydantic import JsonValue
from real_servers import SCIM_TOKEN, Real, scim

from connectors.builtin.scim import factory
from connectors.builtin.scim.fields import USER
from connectors.connector import Applied, Unreadable
from connectors.errors import Kind, Refused, Uncertain
from connectors.plugin import Plugin
from connectors.spec import JsonObject
from connectors.testing import Example, HttpConformance, NamedCall, Service
from connectors.testing.trial import new_key

NUMBERS = count(1)
OWN = {"authorization": f"Bearer {SCIM_TOKEN}", "content-type": "application/scim+json"}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with scim(tmp_path_factory.mktemp("scim")) as real:
        yield real


@pytest.fixture
def middle(provider: Real) -> Iterator[Between]:
    with between(provider) as found:
        yield found


def resources(real: Real, kind: str = "Users") -> list[dict[str, Any]]:
    """What the provider itself says."""
    answer = real.ask("GET", f"/v2/{kind}", params={"count": "500"}, headers=OWN).json()
    found: list[dict[str, Any]] = answer.get("Resources", [])
    return found


def somebody() -> JsonObject:
    number = next(NUMBERS)
    return {
        "user_name": f"user-{number}",
        "given_name": "Ann",
        "family_name": "Lee",
        "emails": [f"user-{number}@example.com", "second@example.com"],
        "title": "Clerk",
        "department": "Returns",
    }


@pytest.fixture
def desk(middle: Between, outside: Outside) -> Desk:
    return Desk(outside, "scim", f"{middle.service.url}/v2", SCIM_TOKEN)


async def user_of(desk: Desk) -> JsonObject:
    return output(await desk("user_create", somebody()))


async def test_somebody_comes_changes_and_goes(desk: Desk) -> None:
    wanted = somebody()
    user = output(await desk("user_create", wanted))
    read = output(await desk("user_get", {"id": user["id"]}))
    found = output(await desk("user_list", {"user_name": wanted["user_name"], "active": True}))
    changed = output(
        await desk(
            "user_update",
            {
                "id": user["id"],
                "version": user["version"],
                "title": "Head",
                "manager_id": user["id"],
                "emails": ["new@example.com"],
            },
        )
    )
    gone = await desk("user_deactivate", {"id": user["id"]})
    after = output(await desk("user_get", {"id": user["id"]}))

    assert {name: user[name] for name in wanted} == wanted
    assert read == user
    assert found["users"] == [user]
    told = {name: changed[name] for name in ("title", "manager_id", "emails", "department")}
    assert told == {
        "title": "Head",
        "manager_id": user["id"],
        "emails": ["new@example.com"],
        "department": "Returns",
    }
    assert gone == Applied({"id": user["id"], "active": False})
    assert (user["active"], after["active"]) == (True, False)


async def test_a_name_that_somebody_else_has_is_a_conflict_and_ours_is_found(
    desk: Desk, provider: Real
) -> None:
    wanted, key = somebody(), new_key()
    first = await desk("user_create", wanted, key)
    again = await desk("user_create", wanted, key, attempt=2)
    other = await desk("user_create", wanted)

    assert isinstance(again, Applied)
    assert again.replayed
    assert output(again) == output(first)
    assert isinstance(other, Refused)
    assert (other.kind, other.vendor_code) == (Kind.CONFLICT, "uniqueness")
    names = [each["userName"] for each in resources(provider)]
    assert names.count(wanted["user_name"]) == 1


async def test_a_user_whose_answer_is_lost_is_there_once(
    desk: Desk, middle: Between, provider: Real
) -> None:
    before, wanted, key = len(resources(provider)), somebody(), new_key()
    middle.lose(1)
    first = await desk("user_create", wanted, key)
    middle.lose()
    second = await desk("user_create", wanted, key, attempt=2)

    assert isinstance(first, Uncertain)
    assert isinstance(second, Applied)
    assert second.replayed
    assert len(resources(provider)) == before + 1


async def test_a_group_whose_answer_is_lost_is_found_by_its_key(
    desk: Desk, middle: Between
) -> None:
    user, key = await user_of(desk), new_key()
    absent = await desk("group_find", {"reference": key})
    middle.lose(1)
    first = await desk("group_create", {"display_name": "Returns", "members": [user["id"]]}, key)
    middle.lose()
    found = output(await desk("group_find", {"reference": key}))

    assert absent == Applied(None)
    assert isinstance(first, Uncertain)
    assert (found["display_name"], found["members"]) == ("Returns", [user["id"]])


async def test_members_come_and_go_and_twice_is_once(desk: Desk) -> None:
    first, second = await user_of(desk), await user_of(desk)
    group = output(await desk("group_create", {"display_name": "Night shift"}))
    for user in (first, second, second):
        pair: JsonObject = {"group_id": group["id"], "user_id": user["id"]}
        assert await desk("member_add", pair) == Applied(pair)
    both = output(await desk("group_list", {"display_name": "Night shift"}))["groups"]
    for _ in range(2):
        assert isinstance(await desk("member_remove", pair), Applied)
    one = output(await desk("group_list", {"display_name": "Night shift"}))["groups"]
    gone = await desk("group_delete", {"id": group["id"]})
    again = await desk("group_delete", {"id": group["id"]}, attempt=2)
    never = await desk("group_delete", {"id": group["id"]})

    assert [each["members"] for each in both] == [[first["id"], second["id"]]]  # type: ignore[index, call-overload, union-attr]
    assert [each["members"] for each in one] == [[first["id"]]]  # type: ignore[index, call-overload, union-attr]
    assert isinstance(gone, Applied)
    assert isinstance(again, Applied)
    assert again.replayed
    assert isinstance(never, Refused)


async def test_a_change_that_was_decided_on_another_version_changes_nothing(
    desk: Desk, middle: Between
) -> None:
    user, key = await user_of(desk), new_key()
    change: JsonObject = {"id": user["id"], "version": user["version"], "title": "Head"}
    middle.lose(1)
    lost = await desk("user_update", change, key)
    middle.lose(2)
    unread = await desk("user_update", {"id": user["id"], "department": "Night"})
    middle.lose()
    mended = await desk("user_update", change, key, attempt=2)
    stale = await desk("user_update", {**change, "title": "Clerk"})
    read = output(await desk("user_get", {"id": user["id"]}))

    assert isinstance(lost, Uncertain)
    assert isinstance(unread, Unreadable), "it was changed, and could not be read back"
    assert isinstance(mended, Applied)
    assert mended.replayed
    assert isinstance(stale, Refused)
    assert (stale.kind, stale.vendor_code) == (Kind.CONFLICT, "version-conflict")
    assert (read["title"], read["department"]) == ("Head", "Night")


@pytest.mark.parametrize(
    ("name", "arguments", "kind"),
    [
        ("user_get", {"id": "nobody"}, Kind.NOT_FOUND),
        ("user_get", {"id": "../Groups"}, Kind.INVALID),
        ("user_deactivate", {"id": "nobody"}, Kind.NOT_FOUND),
        ("member_add", {"group_id": "none", "user_id": "nobody"}, Kind.NOT_FOUND),
        ("user_create", {"user_name": "x", "emails": ["no address"]}, Kind.INVALID),
    ],
)
async def test_a_no_of_the_provider_is_called_by_its_name(
    name: str, arguments: JsonObject, kind: Kind, desk: Desk
) -> None:
    end = await desk(name, arguments)

    assert isinstance(end, Refused)
    assert end.kind is kind


async def test_a_name_with_quotation_marks_asks_for_nobody_else(desk: Desk) -> None:
    await user_of(desk)
    found = output(await desk("user_list", {"user_name": 'x" or userName pr or userName eq "'}))

    assert found == {"users": []}


class TestScim(HttpConformance):
    plugin = Plugin(factory.connect, protocol=1)
    path = "/v2"
    real: Real
    whole = os.environ.get("LAMGATE_KIT_WHOLE") == "1"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _provider(cls, provider: Real) -> None:
        cls.real = provider

    def secret(self) -> str:
        return SCIM_TOKEN

    def service(self) -> Service:
        self.changes = Changes()
        return Between(self.real).service

    async def new_user(self) -> NamedCall:
        return ("own.user_create", somebody())

    async def change(self) -> NamedCall:
        body = {"schemas": [USER], "userName": somebody()["user_name"]}
        user = self.real.ask("POST", "/v2/Users", json=body, headers=OWN).json()
        version = user["meta"]["version"]
        return ("own.user_update", {"id": user["id"], "version": version, "title": "Head"})

    def example(self) -> Example:
        async def effects() -> int:
            found = resources(self.real) + resources(self.real, "Groups")
            return self.changes.count((each["id"], each["meta"]["version"]) for each in found)

        async def state() -> JsonValue:
            return [each["userName"] for each in resources(self.real) if each.get("active", True)]

        return Example(
            read=("own.user_list", {"active": True, "limit": 5}),
            keyed=self.new_user,
            undone=self.new_user,
            found=("own.group_create", {"display_name": "Returns"}),
            more=(self.change,),
            refused=("own.user_get", {"id": "nobody"}),
            effects=effects,
            state=state,
        )

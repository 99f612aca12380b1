"""A run waits for a person to connect an account elsewhere, shows where, and goes on by itself."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import plan, serving, step, until, until_status

sys.path.insert(0, str(Path(__file__).parents[1] / "connectors"))

from composio_world import KEY, PYTHON, VERSION, Project, account, kinds

from connectors.testing import Service
from gateway.connecting import LASTS_S, Meant, Returns

FIND = plan(step("find", "desk.notes_find", text="hello"))


@pytest.fixture
def project() -> Project:
    return Project(accounts=[account("ca_1", "EXPIRED", user="acme-main")])


@pytest.fixture
def service(project: Project) -> Iterator[Service]:
    found = project.service()
    found.start()
    yield found
    found.stop()


def with_desk(config: Path, service: Service, kind: str, public: bool = True) -> Path:
    """The operator's file with a connection to the project."""
    overlay = "version: 1\nactions: {notes_find: {effect: read}}\n"
    (config.parent / "desk.yaml").write_text(overlay, "utf-8")
    text = config.read_text("utf-8")
    if public:
        text = text.replace("[server]\n", '[server]\npublic_url = "https://gate.example.com"\n')
    python = f'python = "{PYTHON}"' if kind == "composio-core" else ""
    text += f"""
[connections.desk]
connector = "{kind}"
{python}
base_url = "{service.url}"
credential = "env:COMPOSIO_KEY"
allow_hosts = ["{service.host}"]
user_id = "acme-{{tenant}}"
overlay = "desk.yaml"
toolkits = {{notes = "{VERSION}"}}
auth_configs = {{notes = "ac_1"}}
"""
    config.write_text(text, "utf-8")
    return config


async def accepted(running: Any) -> Any:
    """Somebody who asks, once an operator has accepted the toolkit."""
    operator = await running.person("operator-1", "operator")
    review = "/v1/connections/desk/review"
    shown = (await operator.get(review)).json()
    await operator.post(review, json={"digest": shown["digest"]})
    return await running.person("requester-1", "requester")


async def started(person: Any) -> str:
    made = await person.post("/v1/plans", json={"plan": FIND})
    run = await person.post(f"/v1/plans/{made.json()['id']}/runs", json={})
    return f"/v1/runs/{run.json()['id']}"


@pytest.mark.parametrize("kind", kinds())
async def test_a_run_waits_with_a_link_and_goes_on_when_the_browser_comes_back(
    kind: str, config: Path, project: Project, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOSIO_KEY", KEY)
    async with serving(with_desk(config, service, kind)) as running:
        person = await accepted(running)
        run = await started(person)
        waiting = await until_status(person, run, "waiting", "failed", "succeeded")
        trace = (await person.get(f"{run}/trace")).json()
        told = (await person.get(f"{run}/trace", headers={"accept": "text/plain"})).text
        (asked,) = project.links
        assert isinstance(asked, dict)
        callback = str(asked["callback_url" if kind == "composio" else "redirectUri"])
        path = callback.removeprefix("https://gate.example.com")
        declined = await person.get(path, params={"status": "failed"})
        forged = await person.get(path[:-1] + ("0" if path[-1] != "0" else "1"))
        early = await person.get(path)

        async def looked_again() -> bool:
            attempts = (await person.get(f"{run}/trace")).json()["steps"][0]["attempts"]
            return len(attempts) == 2

        await until(looked_again, "it has looked again")
        still = await until_status(person, run, "waiting", "failed", "succeeded")
        project.connects("ca_2", user="acme-main")
        back = await person.get(path, params={"status": "success", "connected_account_id": "ca_2"})
        done = await until_status(person, run, "succeeded", "failed")

    link = "https://connect.example.com/link/1"
    (attempt,) = trace["steps"][0]["attempts"]
    assert waiting["waiting_for"] == "credentials"
    assert (attempt["state"], attempt["link"]) == ("refused", link)
    assert trace["next"] == f"somebody opens {link}; it goes on by itself once that is done"
    assert f"next: somebody opens {link}" in told
    assert f"notes is not connected for acme-main; open {link} until " in told
    assert re.fullmatch(r"/v1/connected/[A-Za-z0-9_.-]+", path)
    assert declined.text == "Nothing was connected for desk. The link can be opened again.\n"
    assert (forged.status_code, forged.json()["code"]) == (400, "consent-unknown")
    assert early.status_code == 200, "coming back proves nothing: the account is asked for"
    assert still["waiting_for"] == "credentials"
    assert back.text == "desk is connected. You may close this window.\n"
    assert done["status"] == "succeeded", done
    assert len(project.links) == 1
    assert KEY not in told


async def test_without_an_address_of_ours_the_link_comes_back_nowhere(
    config: Path, project: Project, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOSIO_KEY", KEY)
    async with serving(with_desk(config, service, "composio", public=False)) as running:
        person = await accepted(running)
        await until_status(person, await started(person), "waiting", "failed")

    assert project.links == [{"auth_config_id": "ac_1", "user_id": "acme-main"}]


def test_an_address_stands_for_one_connection_and_tenant_and_is_over_after_a_day() -> None:
    now = 1000.0
    returns = Returns("https://gate.example.com/", b"k", lambda: now)
    other = Returns("https://gate.example.com/", b"l", lambda: now)
    address = returns.address("desk", "acme")
    assert address is not None
    ticket = address.removeprefix("https://gate.example.com/v1/connected/")

    assert returns.meant(ticket) == Meant("desk", "acme")
    assert other.meant(ticket) is None
    assert returns.meant("") is None
    assert returns.meant("ä.ö") is None
    now += LASTS_S + 1
    assert returns.meant(ticket) is None

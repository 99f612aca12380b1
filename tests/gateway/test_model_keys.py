"""A model whose key is not there keeps nobody from anything that needs no model."""

import logging
from pathlib import Path
from typing import Any

import pytest
from served import STATUS, approve, model_lines, scripted, serving, until_status, write_config
from test_extract_runs import ON, note_what_a_model_reads

from connectors.errors import ConfigurationError

LACKING = "models.reader.api_key: the environment has no LAMGATE_TEST_KEY; set it to the secret"
WAIT = {"prefer": "wait=20"}


@pytest.fixture
def keyless(config: Path, mended: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's file with a model at a closed port, whose key is nowhere."""
    monkeypatch.delenv("LAMGATE_TEST_KEY", raising=False)
    lines = model_lines("reader", "http://127.0.0.1:9/v1") + 'api_key = "env:LAMGATE_TEST_KEY"\n'
    return write_config(config.parent, mended, lines)


async def test_a_gateway_starts_and_says_which_model_lacks_its_key(
    keyless: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "lamgate"):
        async with serving(keyless) as running:
            person = await running.person("requester-1", "requester")
            health = (await person.get("/v1/health")).json()
            listed = (await person.get("/v1/models")).json()
            words = {"text": STATUS, "model": "reader"}
            asked = (await person.post("/v1/requests", json=words, headers=WAIT)).json()
            by_playbook = await person.post("/v1/requests", json={"text": STATUS}, headers=WAIT)

    assert health["models"] == {"ready": 1, "absent": 1}
    assert listed == [
        {
            "name": "playbooks", "adapter": None, "model": None, "is_default": True,
            "standing": "ready", "reason": None,
        },
        {
            "name": "reader", "adapter": "openai-compatible", "model": "scripted",
            "is_default": False, "standing": "absent", "reason": LACKING,
        },
    ]  # fmt: skip
    assert (asked["status"], asked["code"]) == ("planner_unavailable", "planner-unavailable")
    assert asked["message"] == LACKING
    assert by_playbook.json()["status"] == "planned"
    assert [each.getMessage() for each in caplog.records] == [
        f"{LACKING}; nobody can ask it before the gateway is started with it"
    ]


async def test_a_request_goes_on_once_the_key_is_there(
    config: Path, mended: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unable = {"json": {"understanding": "none", "unable": "no", "steps": [], "answer": []}}
    async with scripted(tmp_path, unable) as address:
        lines = model_lines("reader", address) + 'api_key = "env:LAMGATE_TEST_KEY"\n'
        write_config(config.parent, mended, lines)
        async with serving(config) as running:
            person = await running.person("requester-1", "requester")
            words = {"text": STATUS, "model": "reader"}
            first = (await person.post("/v1/requests", json=words, headers=WAIT)).json()
        monkeypatch.setenv("LAMGATE_TEST_KEY", "sk-of-a-model")
        async with serving(config) as running:
            person = await running.person("requester-1", "requester", key=None)
            path = f"/v1/requests/{first['id']}/retry"
            again = (await person.post(path, headers=WAIT)).json()

    assert first["status"] == "planner_unavailable"
    assert (again["status"], again["unable"]) == ("refused", "no"), again


async def test_a_call_of_a_model_without_its_key_waits_for_credentials_and_goes_on_with_them(
    config: Path, mended: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted(tmp_path, {"json": {"value": "on its way"}}) as address:
        lines = model_lines("reader", address) + 'api_key = "env:LAMGATE_TEST_KEY"\n'
        write_config(config.parent, mended, lines + ON)
        async with serving(config) as running:
            person = await running.person("requester-1", "requester")
            made = (await person.post("/v1/plans", json={"plan": note_what_a_model_reads()})).json()
            run = (await person.post(f"/v1/plans/{made['id']}/runs")).json()["id"]
            waiting = await until_status(person, f"/v1/runs/{run}", "waiting")
        monkeypatch.setenv("LAMGATE_TEST_KEY", "sk-of-a-model")
        async with serving(config) as running:
            person = await running.person("requester-2", "requester")
            await approve(await running.person("approver-1", "approver"), run)
            done = await until_status(person, f"/v1/runs/{run}", "succeeded")

    assert waiting["waiting_for"] == "credentials"
    assert done["result"] == {"read": "on its way"}


@pytest.mark.parametrize("key", ["sk-ä-of-a-model", "sk-of\na-model", "sk\x1b[31m"])
async def test_a_key_that_cannot_travel_is_told_as_one_that_is_not_there(
    keyless: Path, key: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LAMGATE_TEST_KEY", key)
    with caplog.at_level(logging.WARNING, "lamgate"):
        async with serving(keyless) as running:
            person = await running.person("requester-1", "requester")
            (_, listed) = (await person.get("/v1/models")).json()
            by_playbook = await person.post("/v1/requests", json={"text": STATUS}, headers=WAIT)

    told = "models.reader.api_key: what is set holds characters that no header can carry"
    assert listed["standing"] == "absent"
    assert listed["reason"].startswith(told)
    assert key not in listed["reason"] + caplog.text
    assert by_playbook.json()["status"] == "planned"


async def test_a_key_that_stands_in_the_file_itself_still_stops_the_start(
    config: Path, mended: Any
) -> None:
    lines = model_lines("reader", "http://127.0.0.1:9/v1") + 'api_key = "sk-itself"\n'
    write_config(config.parent, mended, lines)

    with pytest.raises(ConfigurationError, match=r"models\.reader\.api_key: a credential is"):
        async with serving(config):
            pass

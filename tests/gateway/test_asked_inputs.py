"""A tool that asks in the middle of a call is answered over the API, by whoever may."""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from forked import lamgate
from served import SHOP, Running, approve, plan, serving, step, until, until_status

SERVER = Path(__file__).parents[1] / "connectors" / "mcp_process.py"
ASK = {"name": "ask", "description": "Merge.", "inputSchema": {"type": "object"}}
PERMIT = """
@id("tools")
permit (principal, action, resource in Connection::"tools");
"""
ANSWER = {"branch": {"action": "accept", "content": {"name": "main"}}}


@pytest.fixture
def with_tools(config: Path) -> Path:
    """A server that asks, and a policy that lets it; its overlay is the test's."""
    folder = config.parent
    (folder / "definitions.json").write_text(json.dumps([ASK]), "utf-8")
    shutil.copytree(SHOP / "policies", folder / "policies")
    (folder / "policies" / "tools.cedar").write_text(PERMIT, "utf-8")
    for cases in (folder / "policies").glob("*.cases.json"):
        cases.unlink()
    command = [sys.executable, str(SERVER), str(folder / "definitions.json"),
               str(folder / "calls.log"), "stdio"]  # fmt: skip
    text = config.read_text("utf-8").replace(f"{SHOP}/policies", "policies")
    text += f"""
[connections.tools]
connector = "mcp"
command = {json.dumps(command)}
overlay = "tools.yaml"
"""
    config.write_text(text, "utf-8")
    return config


def says(config: Path, manifest: str) -> None:
    (config.parent / "tools.yaml").write_text(f"actions: {{ask: {{{manifest}}}}}\n", "utf-8")


async def asking(running: Running, *roles: str, approver: Any = None) -> tuple[Any, Any, str]:
    """Somebody whose run waits for an answer, an operator, and the run's address."""
    operator = await running.person("operator-1", "operator")
    shown = (await operator.get("/v1/connections/tools/review")).json()
    await operator.post("/v1/connections/tools/review", json={"digest": shown["digest"]})
    person = await running.person("requester-1", "requester", *roles)
    merge = plan(step("merge", "tools.ask"), answer=[{"ref": "merge/text", "to": "told"}])
    made = await person.post("/v1/plans", json={"plan": merge})
    assert made.status_code == 201, made.text
    started = await person.post(f"/v1/plans/{made.json()['id']}/runs", json={})
    run = f"/v1/runs/{started.json()['id']}"
    if approver is not None:
        await approve(approver, started.json()["id"])

    async def asks() -> bool:
        row = (await person.get(run)).json()
        assert row["status"] != "failed", row
        return (row["status"], row["waiting_for"]) == ("waiting", "reconcile")

    await until(asks, "the tool asks")
    return person, operator, run


def body(answers: Any, **more: Any) -> dict[str, Any]:
    told = {"step": "merge", "resolution": "answer", "answers": answers, "reason": "as agreed"}
    return told | more


async def test_who_asked_for_it_answers_and_the_call_goes_on_also_after_a_restart(
    with_tools: Path,
) -> None:
    says(with_tools, "effect: read")
    async with serving(with_tools) as running:
        person, _, run = await asking(running)
        trace = (await person.get(f"{run}/trace")).json()
        wrong = {
            "unknown-question": body({**ANSWER, "else": {"action": "decline"}}),
            "unknown-field": body({"branch": {"action": "perhaps"}}),
            "type-mismatch": body({"branch": {"action": "accept", "content": {"name": ""}}}),
        }
        codes = {
            code: (await person.post(f"{run}/reconcile", json=each)).json()["code"]
            for code, each in wrong.items()
        }
        missing = await person.post(f"{run}/reconcile", json=body({}))
        other = await running.person("requester-2", "requester")
        not_theirs = await other.post(f"{run}/reconcile", json=body(ANSWER))
    async with serving(with_tools) as running:
        person = await running.person("requester-1", "requester")
        taken = await person.post(f"{run}/reconcile", json=body(ANSWER))
        row = await until_status(person, run, "succeeded", "failed")
        late = await person.post(f"{run}/reconcile", json=body(ANSWER))
        text = (await person.get(f"{run}/trace", headers={"accept": "text/plain"})).text
    log = (with_tools.parent / "calls.answers").read_text("utf-8")

    assert trace["next"].startswith("requester-1 or an operator answers what the call asks")
    assert "branch (Into which branch?)" in trace["steps"][0]["attempts"][0]["told"]
    assert codes == {code: code for code in wrong}
    assert missing.json()["code"] == "unknown-question"
    assert not_theirs.json()["code"] == "role-missing"
    assert taken.status_code == 202
    assert (row["status"], row["result"]) == ("succeeded", {"told": "merged into main"})
    assert json.loads(log) == ["s-1", "accept"]
    assert late.json()["code"] == "no-question"
    assert "by requester-1: it was answered, and goes on" in text


async def test_a_no_by_the_command_line_is_told_to_the_tool_too(with_tools: Path) -> None:
    says(with_tools, "effect: idempotent, irreversible: false, approval: null")
    async with serving(with_tools) as running:
        person, _, run = await asking(running)
        key = person.headers["authorization"].removeprefix("Bearer ")
        said = await asyncio.to_thread(
            lamgate,
            ["reconcile", run.rpartition("/")[2], "merge",
             "answer", "--answers", '{"branch": {"action": "decline"}}', "--reason", "not now",
             "--url", running.url, "--key", key],
        )  # fmt: skip
        row = await until_status(person, run, "succeeded", "failed")

    assert said.returncode == 0, said.stderr
    assert row["result"] == {"told": "nothing was done"}


async def test_what_nothing_takes_back_is_answered_by_a_second_person(with_tools: Path) -> None:
    says(with_tools, "effect: blind, irreversible: true, approval: null")
    async with serving(with_tools) as running:
        person, operator, run = await asking(running, "operator")
        told = (await person.get(f"{run}/trace")).json()["next"]
        alone = await person.post(f"{run}/reconcile", json=body(ANSWER))
        together = await operator.post(f"{run}/reconcile", json=body(ANSWER))
        row = await until_status(person, run, "succeeded", "failed")

    assert told.startswith("an operator other than requester-1 answers what the call asks")
    assert (alone.status_code, alone.json()["code"]) == (403, "own-request")
    assert together.status_code == 202
    assert row["status"] == "succeeded"


async def test_what_was_approved_as_it_was_shown_is_answered_by_a_second_person(
    with_tools: Path,
) -> None:
    says(with_tools, "effect: idempotent, irreversible: false, approval: approver")
    async with serving(with_tools) as running:
        approver = await running.person("approver-1", "approver")
        person, operator, run = await asking(running, approver=approver)
        told = (await person.get(f"{run}/trace")).json()["next"]
        alone = await person.post(f"{run}/reconcile", json=body(ANSWER))
        together = await operator.post(f"{run}/reconcile", json=body(ANSWER))
        row = await until_status(person, run, "succeeded", "failed")

    assert told.startswith("an operator other than requester-1 answers what the call asks")
    assert (alone.status_code, alone.json()["code"]) == (403, "own-request")
    assert together.status_code == 202
    assert row["status"] == "succeeded"

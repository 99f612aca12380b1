"""An operator reviews what a server says of its tools; what is accepted is on offer at once."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from forked import lamgate
from served import plan, serving, step, until_status

SERVER = Path(__file__).parents[1] / "connectors" / "mcp_lines.py"
LOOK = {"name": "look", "description": "Look.", "inputSchema": {"type": "object"}}


def with_server(config: Path) -> tuple[Path, Path]:
    folder = config.parent
    definitions, log = folder / "definitions.json", folder / "calls.log"
    definitions.write_text(json.dumps([LOOK]), "utf-8")
    (folder / "tools.yaml").write_text("version: 1\nactions: {look: {effect: read}}\n", "utf-8")
    command = json.dumps([sys.executable, "-I", str(SERVER), str(definitions), str(log)])
    with config.open("a", encoding="utf-8") as file:
        file.write(f'\n[connections.tools]\nconnector = "mcp"\ncommand = {command}\n')
        file.write('overlay = "tools.yaml"\n')
    return definitions, log


async def names(person: Any) -> list[str]:
    listed = (await person.get("/v1/actions")).json()
    return [each["name"] for each in listed if each["name"].startswith("tools.")]


async def test_what_an_operator_accepts_is_on_offer_and_what_changes_is_held(config: Path) -> None:
    definitions, log = with_server(config)
    review = "/v1/connections/tools/review"
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        operator = await running.person("operator-1", "operator")
        before = await names(person)
        guest = await running.person("operator-3", "operator", tenant="other")
        forbidden = [await each.get(review) for each in (person, guest)]
        shown = (await operator.get(review)).json()
        forbidden.append(await guest.post(review, json={"digest": shown["digest"]}))
        other = await operator.post(review, json={"digest": "sha256:" + "0" * 64})
        accepted = await operator.post(review, json={"digest": shown["digest"]})
        offered = await names(person)
        made = await person.post("/v1/plans", json={"plan": plan(step("look", "tools.look"))})
        started = await person.post(f"/v1/plans/{made.json()['id']}/runs", json={})
        run = await until_status(
            person, f"/v1/runs/{started.json()['id']}", "succeeded", "failed", "waiting"
        )
    definitions.write_text(json.dumps([LOOK | {"description": "Look, and send."}]), "utf-8")
    async with serving(config) as running:
        person = await running.person("requester-2", "requester")
        operator = await running.person("operator-2", "operator")
        after = await names(person)
        changed = (await operator.get(review)).json()["changes"]
        stands = (await operator.get("/v1/connections/tools")).json()
        nothing = await operator.get("/v1/connections/orders/review")

    assert (before, offered, after) == ([], ["tools.look"], [])
    assert [each.json()["code"] for each in forbidden] == ["role-missing"] * 3
    assert [(each["tool"], each["kind"]) for each in shown["changes"]] == [("look", "new")]
    assert shown["reached_by"][0] == f"argv[0] = {sys.executable!r}"
    assert (other.status_code, other.json()["code"]) == (409, "review-changed")
    assert accepted.json()["accepted"] == ["look"]
    assert run["status"] == "succeeded", run
    assert [json.loads(line)[0] for line in log.read_text("utf-8").splitlines()] == ["look"]
    assert '+  "description": "Look, and send.",' in changed[0]["diff"]
    assert (stands["actions"], stands["held"]) == (0, 1)
    assert (nothing.status_code, nothing.json()["code"]) == (409, "nothing-to-review")


def checked(config: Path) -> Any:
    words = ["connectors", "check", "tools", "--config", str(config), "--json"]
    ran = lamgate(words)
    rules = json.loads(ran.stdout)["tools"]["rules"]
    return {each["name"]: each["standing"] for each in rules}


async def test_what_was_accepted_of_a_server_can_be_held_to_the_rules(config: Path) -> None:
    with_server(config)
    async with serving(config) as running:
        operator = await running.person("operator-1", "operator")
        before = await asyncio.to_thread(checked, config)
        shown = (await operator.get("/v1/connections/tools/review")).json()
        await operator.post("/v1/connections/tools/review", json={"digest": shown["digest"]})
        after = await asyncio.to_thread(checked, config)

    assert before != after
    assert "broken" not in after.values(), after

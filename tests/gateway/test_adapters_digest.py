"""One setting switches how the model is spoken to, and the plan stays the same to the digest."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served import (
    SHOP,
    STATUS,
    ask,
    scripted,
    serving,
    write_config,
)

ROOT = Path(__file__).parents[2]
ADAPTERS = ("openai-compatible", "litellm", "langchain")
CRACKED = (
    "The plate set of order 1043 arrived cracked. Refund it in full and tell the customer by mail."
)
KEY = "sk-of-the-provider"
# litellm's own client and its logging loop hold sockets until they are collected.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def a_model(address: str) -> str:
    """One entry that serves all three; which of them is asked is the first line."""
    return f"""
[models.planner]
adapter = "openai-compatible"
model = "openai/scripted"
base_url = "{address}"
api_key = "env:LAMGATE_TEST_KEY"
chat_model = "loopback_chat_model:LoopbackChat"
"""


@pytest.fixture
def provider_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAMGATE_TEST_KEY", KEY)
    monkeypatch.syspath_prepend(ROOT / "tests" / "planner")


async def _close_what_litellm_keeps_open() -> None:
    from planner.models.litellm import LiteLlm

    await LiteLlm("any", "openai/any").aclose()


async def test_the_same_request_through_the_three_adapters_has_one_plan_digest_and_one_result(
    config: Path, mended: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider_key: None
) -> None:
    recorded = json.loads((SHOP / "recorded" / "plate_set.json").read_text(encoding="utf-8"))
    plans, rows, prompts = [], [], []
    for adapter in ADAPTERS:
        monkeypatch.setenv("LAMGATE_MODELS__PLANNER__ADAPTER", adapter)
        async with scripted(tmp_path, *recorded) as address:
            write_config(config.parent, mended, a_model(address))
            async with serving(config) as running:
                person = await running.person("requester-1", "requester")
                row = await ask(person, CRACKED, model="planner", start="manual")
                assert row["status"] == "planned", row
                rows.append(row)
                plans.append((await person.get(f"/v1/plans/{row['plan']}")).json())
            asked = httpx2.get(f"{address.removesuffix('/v1')}/requests", trust_env=False)
            prompts.append([each["messages"] for each in asked.json()])
    await _close_what_litellm_keeps_open()

    assert len(plans) == len(ADAPTERS)
    assert len({each["digest"] for each in plans}) == 1
    assert plans[0]["plan"] == plans[1]["plan"] == plans[2]["plan"]
    assert plans[0]["certificate"] == plans[1]["certificate"] == plans[2]["certificate"]
    assert prompts[0] == prompts[1] == prompts[2]
    assert {each["drafts"][0]["violations"][0]["code"] for each in rows} == {"unknown-action"}
    assert all(len(each["drafts"]) == 2 for each in rows)


@pytest.mark.parametrize("adapter", ADAPTERS)
async def test_a_provider_that_refuses_the_key_leaves_a_code_no_run_and_no_key_in_sight(
    config: Path,
    mended: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider_key: None,
    adapter: str,
) -> None:
    monkeypatch.setenv("LAMGATE_MODELS__PLANNER__ADAPTER", adapter)
    refusal = {"status": 401, "message": f"Incorrect API key provided: {KEY}"}
    async with scripted(tmp_path, refusal) as address:
        write_config(config.parent, mended, a_model(address))
        async with serving(config) as running:
            person = await running.person("requester-1", "requester")
            row = await ask(person, STATUS, model="planner")
            runs = (await person.get("/v1/runs")).json()
    if adapter == "litellm":
        await _close_what_litellm_keeps_open()
    kept = b"".join(
        each.read_bytes() for each in (config.parent / "var").rglob("*") if each.is_file()
    )

    assert row["status"] == "planner_unavailable"
    assert row["code"] == "planner-refused"
    assert "401" in row["message"]
    assert row["run"] is None
    assert runs == []
    assert KEY not in json.dumps(row)
    assert KEY.encode() not in kept


def test_serving_and_planning_without_a_model_loads_no_model_library(
    config: Path, tmp_path: Path
) -> None:
    code = f"""
import asyncio, sys
sys.path[:0] = {[str(ROOT / "tests" / room) for room in ("gateway", "cli")]}
from pathlib import Path
from served import ask, serving, until_status

async def main():
    async with serving(Path({str(config)!r})) as running:
        person = await running.person("requester-1", "requester")
        row = await ask(person, {STATUS!r})
        run = await until_status(person, f"/v1/runs/{{row['run']}}", "succeeded", "failed")
        print(run["status"])

asyncio.run(main())
print(*[name for name in ("litellm", "langchain_core", "openai") if name in sys.modules])
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env={**os.environ}
    )

    assert answer.stdout == "succeeded\n\n", answer.stderr

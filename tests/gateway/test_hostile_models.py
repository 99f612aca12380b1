"""What a provider says beside its answer: numbers and texts that cannot be kept break nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from served import ask, model_lines, scripted, serving


def a_completion(usage: dict[str, Any], text: str = "no plan") -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"raw": json.dumps({"model": "m", "choices": [choice], "usage": usage})}


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ({"status": 429, "retry_after": "inf"}, "planner_unavailable"),
        ({"status": 429, "retry_after": "1e400"}, "planner_unavailable"),
        ({"status": 503, "retry_after": "nan"}, "planner_unavailable"),
        (a_completion({"prompt_tokens": 10**40, "completion_tokens": True}), "rejected"),
        (a_completion({"prompt_tokens": -(10**9), "completion_tokens": -1}), "rejected"),
        (a_completion({"prompt_tokens": 1}, "\ud800\u0000 { \udfff"), "rejected"),
    ],
    ids=["inf", "beyond", "nan", "huge", "negative", "surrogate"],
)
async def test_a_request_is_answered_and_shown_whatever_the_provider_counts(
    config: Path, tmp_path: Path, reply: dict[str, Any], status: str
) -> None:
    async with scripted(tmp_path, reply) as url:
        with config.open("a", encoding="utf-8") as file:
            file.write(model_lines("m", url))
        async with serving(config) as running:
            person = await running.person("requester-1", "requester")
            asked = await ask(person, "Refund it.", model="m")
            shown = await person.get(f"/v1/requests/{asked['id']}")

    assert shown.status_code == 200
    assert shown.json()["status"] == status
    assert shown.json()["code"] != "internal"
    assert shown.json()["retry_after_s"] in (None, 0.0)
    assert (shown.json()["usage"] or {}).get("prompt_tokens", 0) >= 0

"""The three model adapters over real sockets, litellm and langchain-core among them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from planner_cases import Drafts, Scripted, a_check, a_plan, a_request

from connectors.errors import ConfigurationError
from connectors.spec import JsonObject
from executor.check.admit import Accepted
from executor.plan.schema import strict_schema
from planner.models.base import Message, Model, ModelRefused, ModelUnavailable
from planner.models.build import Adapter, ModelSettings, build_model
from planner.models.litellm import LiteLlm
from planner.models.structured import Structured
from planner.propose import ModelPlanner

ROOT = Path(__file__).parents[2]
ADAPTERS: tuple[Adapter, ...] = ("openai-compatible", "litellm", "langchain")
HELLO = [Message("system", "Answer in JSON."), Message("user", "Hello")]
SCHEMA = strict_schema(["orders.get_order"])
KEY = "sk-secret-of-the-test"

Start = Callable[..., Scripted]
# litellm's own client and its logging loop hold sockets until they are collected.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


def a_model(adapter: Adapter, url: str, structured: Structured = "auto") -> Model:
    return build_model(
        ModelSettings(
            name="planner",
            adapter=adapter,
            model="openai/scripted" if adapter == "litellm" else "scripted",
            base_url=url,
            api_key=KEY,
            structured=structured,
            chat_model="loopback_chat_model:LoopbackChat",
        )
    )


@pytest.fixture(autouse=True)
async def _close_what_litellm_keeps_open() -> AsyncIterator[None]:
    yield
    if "litellm" in sys.modules:
        await LiteLlm("any", "openai/any").aclose()


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    found: Adapter = request.param
    return found


async def test_one_setting_switches_the_adapter_and_the_plan_digest_stays(scripted: Start) -> None:
    digests = []
    for adapter in ADAPTERS:
        model = a_model(adapter, scripted({"json": a_plan()}).url)
        asked = a_request()
        proposal = await ModelPlanner(model).propose(asked, a_check(asked), Drafts().note)
        assert isinstance(proposal.verdict, Accepted)
        digests.append(proposal.verdict.digest)

    assert len(digests) == 3
    assert len(set(digests)) == 1


async def test_the_strict_schema_is_sent_and_every_message_with_it(
    adapter: Adapter, scripted: Start
) -> None:
    server = scripted({"text": "{}"})
    answer = await a_model(adapter, server.url, "schema").complete(
        HELLO, schema=SCHEMA, deadline_s=30
    )
    sent = server.asked()[0]

    assert answer.text == "{}"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (10, 10)
    assert sent["model"] == "scripted"
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "plan", "strict": True, "schema": SCHEMA},
    }
    assert sent["messages"] == [
        {"role": "system", "content": "Answer in JSON."},
        {"role": "user", "content": "Hello"},
    ]


async def test_plain_json_is_asked_for_where_the_setting_says_so(
    adapter: Adapter, scripted: Start
) -> None:
    server = scripted({"text": "{}"})
    await a_model(adapter, server.url, "json").complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert server.asked()[0]["response_format"] == {"type": "json_object"}


async def test_a_provider_without_schemas_is_asked_for_plain_json_and_that_is_remembered(
    adapter: Adapter, scripted: Start
) -> None:
    no: JsonObject = {"status": 400, "message": "response_format: json_schema is not supported"}
    server = scripted(no, {"text": "first"}, {"text": "second"})
    model = a_model(adapter, server.url)
    first = await model.complete(HELLO, schema=SCHEMA, deadline_s=30)
    second = await model.complete(HELLO, schema=SCHEMA, deadline_s=30)
    forms = [each["response_format"] for each in server.asked()]

    assert (first.text, second.text) == ("first", "second")
    assert [isinstance(each, dict) and each["type"] for each in forms] == [
        "json_schema",
        "json_object",
        "json_object",
    ]


async def test_a_provider_without_any_response_format_is_asked_without(
    adapter: Adapter, scripted: Start
) -> None:
    no: JsonObject = {"status": 400, "message": "unknown field: response_format"}
    server = scripted(no, no, {"text": "plain"})
    answer = await a_model(adapter, server.url).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert answer.text == "plain"
    assert "response_format" not in server.asked()[2]


async def test_a_schema_that_was_insisted_on_is_not_given_up(
    adapter: Adapter, scripted: Start
) -> None:
    server = scripted({"status": 400, "message": "json_schema is not supported"})
    with pytest.raises(ModelRefused):
        await a_model(adapter, server.url, "schema").complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert len(server.asked()) == 1


async def test_a_bad_request_for_another_reason_is_not_sent_again(
    adapter: Adapter, scripted: Start
) -> None:
    server = scripted({"status": 400, "message": "the context is too long"})
    with pytest.raises(ModelRefused, match="too long"):
        await a_model(adapter, server.url).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert len(server.asked()) == 1


async def test_a_rate_limit_is_unavailable_with_its_seconds_and_asked_once(
    adapter: Adapter, scripted: Start
) -> None:
    server = scripted({"status": 429, "retry_after": 7})
    with pytest.raises(ModelUnavailable) as caught:
        await a_model(adapter, server.url).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert caught.value.retry_after_s == 7
    assert len(server.asked()) == 1


async def test_a_retry_after_that_is_a_date_becomes_seconds(
    adapter: Adapter, scripted: Start
) -> None:
    server = scripted({"status": 503, "retry_after": "Fri, 31 Dec 2100 23:59:59 GMT"})
    with pytest.raises(ModelUnavailable) as caught:
        await a_model(adapter, server.url).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert caught.value.retry_after_s is not None
    assert caught.value.retry_after_s > 86_400


async def test_a_server_error_is_unavailable_and_asked_once(
    adapter: Adapter, scripted: Start
) -> None:
    server = scripted({"status": 500}, {"text": "too late"})
    with pytest.raises(ModelUnavailable):
        await a_model(adapter, server.url).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert len(server.asked()) == 1


async def test_silence_ends_at_the_deadline(adapter: Adapter, scripted: Start) -> None:
    server = scripted({"text": "{}"}, {"seconds": 60, "text": "too late"})
    model = a_model(adapter, server.url)
    await model.complete(HELLO, schema=SCHEMA, deadline_s=30)  # litellm is loaded by now
    started = time.monotonic()
    with pytest.raises(ModelUnavailable, match="within"):
        await model.complete(HELLO, schema=SCHEMA, deadline_s=0.2)

    assert time.monotonic() - started < 5


async def test_nobody_listening_is_unavailable(adapter: Adapter) -> None:
    with pytest.raises(ModelUnavailable):
        await a_model(adapter, "http://127.0.0.1:9/v1").complete(
            HELLO, schema=SCHEMA, deadline_s=30
        )


async def test_a_refusal_is_told_in_the_models_words(adapter: Adapter, scripted: Start) -> None:
    server = scripted({"refusal": "I will not do that."})
    with pytest.raises(ModelRefused, match="I will not do that"):
        await a_model(adapter, server.url).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert len(server.asked()) == 1


@pytest.mark.parametrize("body", ["<html>Bad gateway</html>", "[]", '{"choices": []}', ""])
async def test_a_body_that_is_no_completion_is_unavailable(
    adapter: Adapter, scripted: Start, body: str
) -> None:
    server = scripted({"raw": body})
    with pytest.raises(ModelUnavailable):
        await a_model(adapter, server.url).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert len(server.asked()) == 1


async def test_an_answer_that_stopped_at_the_limit_says_so(
    adapter: Adapter, scripted: Start
) -> None:
    server = scripted({"text": '{"steps": [', "cut": True})
    answer = await a_model(adapter, server.url).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert answer.cut
    assert answer.text == '{"steps": ['


async def test_a_refused_key_is_no_part_of_the_message(adapter: Adapter, scripted: Start) -> None:
    server = scripted({"status": 401, "message": f"Incorrect API key provided: {KEY}"})
    with pytest.raises(ModelRefused) as caught:
        await a_model(adapter, server.url).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert "401" in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY not in repr(a_model(adapter, server.url))


async def test_litellm_sends_the_environments_key_to_no_endpoint_of_ones_own(
    serve: Callable[[FastAPI], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    app = FastAPI()

    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> JsonObject:
        seen.append(request.headers.get("authorization", ""))
        message: JsonObject = {"role": "assistant", "content": "{}"}
        choice: JsonObject = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}

    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
    url = serve(app) + "/v1"
    await LiteLlm("own", "openai/m", url).complete(HELLO, schema=None, deadline_s=30)

    assert len(seen) == 1
    assert "sk-of-somebody-else" not in seen[0]


async def test_options_go_with_the_request_and_null_takes_one_out(scripted: Start) -> None:
    for adapter in ("openai-compatible", "litellm"):
        server = scripted({"text": "{}"})
        settings = ModelSettings(
            "own",
            adapter,
            "openai/m",
            server.url,
            KEY,
            options={"temperature": None, "max_tokens": 99},
        )
        await build_model(settings).complete(HELLO, schema=None, deadline_s=30)
        sent = server.asked()[0]

        assert sent["max_tokens"] == 99
        assert "temperature" not in sent


@pytest.mark.parametrize("adapter", ["openai-compatible", "litellm"], indirect=True)
async def test_a_model_that_takes_no_temperature_is_asked_without_and_that_is_remembered(
    adapter: Adapter, scripted: Start
) -> None:
    told = "Unsupported value: 'temperature' does not support 0 with this model."
    server = scripted({"status": 400, "message": told}, {"text": "{}"})
    model = a_model(adapter, server.url)
    for _ in range(2):
        await model.complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert ["temperature" in each for each in server.asked()] == [True, False, False]
    assert all("response_format" in each for each in server.asked())


async def test_a_chat_model_that_takes_no_response_format_is_asked_without(
    scripted: Start,
) -> None:
    server = scripted({"text": "plain"})
    settings = ModelSettings(
        "own", "langchain", "m", server.url, chat_model="loopback_chat_model:Picky"
    )
    answer = await build_model(settings).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert answer.text == "plain"


async def test_a_chat_model_may_be_given_as_an_object() -> None:
    from langchain_core.language_models import GenericFakeChatModel

    from planner.models.langchain import LangChain

    fake = GenericFakeChatModel(messages=iter(["{}"]))
    answer = await LangChain("own", lambda: fake).complete(HELLO, schema=SCHEMA, deadline_s=30)

    assert answer.text == "{}"


async def test_a_factory_that_fails_is_a_refusal_with_its_reason() -> None:
    settings = ModelSettings("own", "langchain", "m", chat_model="loopback_chat_model:broken")
    with pytest.raises(ModelRefused, match="no such thing"):
        await build_model(settings).complete(HELLO, schema=SCHEMA, deadline_s=30)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (ModelSettings("own", "openai-compatible", "m"), "models.own: base_url: missing"),
        (ModelSettings("own", "litellm", "m", "localhost:1"), "no http address"),
        (ModelSettings("own", "langchain", "m"), "write it as module:name"),
        (ModelSettings("own", "langchain", "m", chat_model="no_such_module:X"), "is it installed"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_with_its_place(
    settings: ModelSettings, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        build_model(settings)


def test_building_the_planner_loads_no_model_library() -> None:
    code = """
import sys, planner.propose, planner.embedded, planner.models.litellm, planner.models.langchain
from planner.models.build import ModelSettings, build_model
for adapter in ("openai-compatible", "litellm", "langchain"):
    build_model(ModelSettings("m", adapter, "m", "http://127.0.0.1:9/v1", chat_model="json:loads"))
print(*[name for name in ("litellm", "langchain_core", "openai") if name in sys.modules])
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == ""


def test_litellm_is_quiet_phones_nobody_and_reads_no_env_file(
    scripted: Start, tmp_path: Path
) -> None:
    server = scripted({"text": "{}"}, {"status": 500})
    (tmp_path / ".env").write_text("LAMGATE_TEST_LEAK=1\n")
    code = f"""
import asyncio, json, os, sys
reached = set()
def trace(event, details):
    if event == "socket.getaddrinfo":
        reached.add(str(details[0]))
    if event == "socket.connect":
        reached.add(str(details[1][0]))
sys.addaudithook(trace)
from planner.models.base import Message, ModelError, ModelUnavailable
from planner.models.litellm import LiteLlm
async def main():
    model = LiteLlm("m", "openai/m", {server.url!r}, "key")
    await model.complete([Message("user", "hi")], schema=None, deadline_s=30)
    try:
        await model.complete([Message("user", "hi")], schema=None, deadline_s=30)
    except ModelUnavailable:
        pass
    for name, url in (("openai/m", "http://127.0.0.1:9/v1"), ("no-such-provider/m", None)):
        try:
            other = LiteLlm("m", name, url)
            await other.complete([Message("user", "hi")], schema=None, deadline_s=30)
        except ModelError as error:
            assert str(error)
    await model.aclose()
asyncio.run(main())
print(json.dumps([sorted(reached), "LAMGATE_TEST_LEAK" in os.environ]))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True
    )

    assert answer.stderr == ""
    assert json.loads(answer.stdout) == [["127.0.0.1"], False]

"""Whatever a provider answers, through any adapter: a plan, a code, or a named reason why not."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable

import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from planner_cases import Drafts, Scripted, a_check, a_plan, a_request

from connectors.errors import NotSet
from connectors.spec import JsonObject
from executor.check.admit import Accepted, Rejected
from planner.models.base import ModelError, ModelRefused, ModelUnavailable
from planner.models.build import Adapter, ModelSettings, build_model
from planner.models.chat import MAX_TEXT, failure, read_completion
from planner.models.litellm import LiteLlm
from planner.models.structured import FormatRefused
from planner.propose import ModelPlanner
from planner.request import MAX_CHARACTERS, Proposal

ADAPTERS: tuple[Adapter, ...] = ("openai-compatible", "litellm", "langchain")
KEY = "sk-secret-of-the-test"
PLAN = json.dumps(a_plan())

Start = Callable[..., Scripted]
Serve = Callable[[FastAPI], str]
# litellm's own client and its logging loop hold sockets until they are collected.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(autouse=True)
async def _close_what_litellm_keeps_open(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    yield
    if "litellm" in request.node.name:
        await LiteLlm("any", "openai/any").aclose()


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    found: Adapter = request.param
    return found


async def propose(adapter: Adapter, url: str, deadline_s: float = 30, **more: str) -> Proposal:
    model = build_model(
        ModelSettings(
            name="planner",
            adapter=adapter,
            model="openai/scripted",
            base_url=url,
            api_key=more.get("key", KEY),
            chat_model=more.get("chat_model", "loopback_chat_model:LoopbackChat"),
        )
    )
    request = a_request()
    planner = ModelPlanner(model, deadline_s=deadline_s)
    return await planner.propose(request, a_check(request), Drafts().note)


def a_body(message: JsonObject, ended: str = "stop") -> JsonObject:
    choice: JsonObject = {"index": 0, "message": message, "finish_reason": ended}
    usage: JsonObject = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    body: JsonObject = {"id": "1", "object": "chat.completion", "created": 0, "model": "m"}
    return {"raw": json.dumps({**body, "choices": [choice], "usage": usage})}


CALL: JsonObject = {"name": "payments.refund_create", "arguments": PLAN}
TOOL_CALL: JsonObject = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "call_1", "type": "function", "function": CALL}],
}
DRAFTS: dict[str, tuple[JsonObject, str]] = {
    "garbage": ({"text": "I would be glad to refund the vase."}, "malformed-json"),
    "nothing": ({"text": ""}, "malformed-json"),
    "an answer that was cut": ({"text": PLAN[:400], "cut": True}, "malformed-json"),
    "a whole plan that says it was cut": ({"text": PLAN, "cut": True}, "malformed-json"),
    "an answer that was cut, in other words": (
        a_body({"role": "assistant", "content": PLAN}, "max_tokens"), "malformed-json"),
    "a tool call": (a_body(TOOL_CALL, "tool_calls"), "malformed-json"),
    "a call in the text": ({"text": json.dumps(CALL)}, "unknown-field"),
    "two plans": ({"text": f"{PLAN}\n{PLAN}"}, "malformed-json"),
    "NaN": ({"text": PLAN.replace('"1042"', "NaN")}, "malformed-json"),
    "a number that is none": ({"text": PLAN.replace('"1042"', "1e999")}, "number-out-of-range"),
    "a key twice": ({"text": PLAN.replace('"id": "order"', '"id": "a", "id": "order"')},
                    "duplicate-key"),
    "deep nesting": ({"text": '{"steps": ' + "[" * 5000 + "]" * 5000 + "}"}, "too-large"),
    "a member of its own": ({"json": {**a_plan(), "approved": True}}, "unknown-field"),
    "a plan in a list": ({"text": f"[{PLAN}, 1]"}, "malformed-json"),
    "a fenced list": ({"text": f"```json\n[\n{PLAN}]\n```"}, "malformed-json"),
    "an invented action": ({"json": a_plan("payments.wipe")}, "unknown-action"),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAFTS)
async def test_a_bad_draft_is_rejected_with_its_code_after_two_repairs(
    adapter: Adapter, scripted: Start, name: str
) -> None:
    reply, code = DRAFTS[name]
    server = scripted(reply)
    proposal = await propose(adapter, server.url)

    assert isinstance(proposal.verdict, Rejected)
    assert code in {each.code for each in proposal.verdict.violations}
    assert len(server.asked()) == len(proposal.drafts) == 3


async def test_a_fenced_plan_is_a_plan(adapter: Adapter, scripted: Start) -> None:
    server = scripted({"text": f"```json\n{PLAN}\n```"})
    proposal = await propose(adapter, server.url)

    assert isinstance(proposal.verdict, Accepted)
    assert len(server.asked()) == 1


REFUSED: dict[str, JsonObject] = {
    "a refusal": {"refusal": f"Not with {KEY}."},
    "half a character": a_body(
        {"role": "assistant", "content": None, "refusal": "No \ud83d, not with that\0."}
    ),
    "a content filter": a_body({"role": "assistant", "content": "I"}, "content_filter"),
    "another filter": a_body({"role": "assistant", "content": PLAN}, "SAFETY"),
    "an end that is a refusal": a_body({"role": "assistant", "content": ""}, "refusal"),
    **{str(status): {"status": status, "message": f"no: {KEY}"} for status in (400, 401, 403, 404)},
}
UNAVAILABLE: dict[str, JsonObject] = {
    **{str(status): {"status": status, "message": f"{KEY} is down", "retry_after": 7}
       for status in (429, 500, 502, 503, 529)},
    "no choices": {"raw": '{"choices": []}'},
    "choices that are none": {"raw": '{"choices": "none"}'},
    "a page": {"raw": "<html>Sign in</html>", "content_type": "text/html"},
    "an empty body": {"raw": ""},
    "an error that went well": {"raw": '{"error": {"code": 429, "message": "slow down"}}'},
    "a reason alone": {"raw": '{"detail": "the model is being loaded"}'},
    "an event stream": {"raw": "data: {}\n\n", "content_type": "text/event-stream"},
    "an endless answer": {"text": "x" * (MAX_TEXT + 1)},
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_a_refusal_says_why_once_and_quotes_no_key(
    adapter: Adapter, scripted: Start, name: str
) -> None:
    server = scripted(REFUSED[name])
    with pytest.raises(ModelRefused) as caught:
        await propose(adapter, server.url)

    assert str(caught.value).startswith("planner ")
    assert KEY not in str(caught.value)
    assert "\0" not in str(caught.value)
    assert str(caught.value).encode()  # whole characters, which can be kept
    assert len(server.asked()) == 1


@pytest.mark.parametrize("name", UNAVAILABLE)
async def test_what_is_no_answer_is_unavailable_asked_once_and_quotes_no_key(
    adapter: Adapter, scripted: Start, name: str
) -> None:
    server = scripted(UNAVAILABLE[name])
    with pytest.raises(ModelUnavailable) as caught:
        await propose(adapter, server.url)

    assert KEY not in str(caught.value)
    assert caught.value.retry_after_s == (7 if name.isdigit() else None)
    assert len(server.asked()) == 1


@pytest.mark.parametrize("adapter", ADAPTERS[:2])
async def test_a_name_that_is_none_breaks_no_answer(adapter: Adapter, scripted: Start) -> None:
    raw = str(a_body({"role": "assistant", "content": PLAN})["raw"])
    server = scripted({"raw": raw.replace('"model": "m"', '"model": ["m"]')})
    proposal = await propose(adapter, server.url)

    assert isinstance(proposal.verdict, Accepted)


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        ({"error": {"code": 401, "message": f"no {KEY}"}}, ModelRefused, "answered 401: no ***"),
        ({"error": {"code": 400, "message": "no json_schema"}}, FormatRefused, "json_schema"),
        ({"error": "overloaded"}, ModelUnavailable, "overloaded"),
        ({"error": {"code": True}}, ModelUnavailable, "no reason given"),
        ({"choices": [{"error": {"code": 502, "message": "broke"}, "message": {"content": PLAN}}]},
         ModelUnavailable, "broke"),
        ({"choices": [{"finish_reason": "error", "message": {"content": PLAN}}]},
         ModelUnavailable, "ended in an error"),
    ],
)  # fmt: skip
def test_an_error_in_an_answer_that_went_well_is_told_as_that_error(
    body: JsonObject, kind: type[ModelError], told: str
) -> None:
    with pytest.raises(kind, match=re.escape(told)):
        read_completion("planner", "m", body, KEY)


async def test_a_limit_told_in_an_answer_that_went_well_is_waited_for(scripted: Start) -> None:
    raw = json.dumps({"error": {"code": 429, "message": "slower"}})
    server = scripted({"raw": raw, "retry_after": 7})
    with pytest.raises(ModelUnavailable) as caught:
        await propose("openai-compatible", server.url)

    assert caught.value.retry_after_s == 7


def test_what_is_told_of_a_failure_holds_no_traceback() -> None:
    error = failure("planner", 500, "bad response Traceback (most recent call last):\n  File", {})

    assert str(error) == "planner: bad response"


async def test_a_model_that_falls_silent_after_a_draft_leaves_its_reason(
    adapter: Adapter, scripted: Start
) -> None:
    server = scripted({"text": "not yet"}, {"status": 503})
    with pytest.raises(ModelUnavailable):
        await propose(adapter, server.url)

    assert len(server.asked()) == 2


async def test_an_answer_that_drips_ends_at_the_deadline(adapter: Adapter, serve: Serve) -> None:
    app = FastAPI()

    async def drip() -> AsyncIterator[bytes]:
        for _ in range(600):
            yield b" "
            await asyncio.sleep(0.05)

    @app.post("/v1/chat/completions")
    async def complete() -> StreamingResponse:
        return StreamingResponse(drip(), media_type="application/json")

    with pytest.raises(ModelUnavailable, match="within"):
        await propose(adapter, serve(app) + "/v1", deadline_s=0.4)


async def test_a_body_that_never_ends_is_not_kept(serve: Serve) -> None:
    app = FastAPI()

    async def flood() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 100_000

    @app.post("/v1/chat/completions")
    async def complete() -> StreamingResponse:
        return StreamingResponse(flood(), media_type="application/json")

    with pytest.raises(ModelUnavailable, match="more than"):
        await propose("openai-compatible", serve(app) + "/v1")


async def test_a_key_that_was_read_from_the_environment_is_not_quoted_either(
    adapter: Adapter, scripted: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_PROVIDER_API_KEY", "sk-of-the-environment")
    long = "x" * 280 + " sk-of-the-environment"
    server = scripted({"status": 401, "message": long})
    with pytest.raises(ModelRefused) as caught:
        await propose(adapter, server.url)

    assert "sk-of" not in str(caught.value)
    assert len(str(caught.value)) < 400


async def test_a_chat_model_that_cannot_be_built_does_not_tell_its_key() -> None:
    with pytest.raises(ModelRefused, match="cannot be built") as caught:
        await propose("langchain", "http://127.0.0.1:9/v1", chat_model="loopback_chat_model:Strict")

    assert KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-\u00fcmlaut-of-a-key", "sk-two\nlines-of-it"])
async def test_a_key_that_no_header_carries_is_as_one_that_is_not_set(
    adapter: Adapter, key: str
) -> None:
    with pytest.raises(NotSet, match=r"models\.planner\.api_key: what is set holds") as caught:
        await propose(adapter, "http://127.0.0.1:9/v1", key=key)

    assert key not in str(caught.value)


async def test_the_line_end_of_a_key_is_not_part_of_it(adapter: Adapter, scripted: Start) -> None:
    proposal = await propose(adapter, scripted({"json": a_plan()}).url, key=f"{KEY}\n")

    assert isinstance(proposal.verdict, Accepted)


async def test_a_request_too_long_to_be_read_whole_reaches_no_model(scripted: Start) -> None:
    server = scripted({"json": a_plan()})
    request = a_request("Refund the vase of order 1042." + "y" * MAX_CHARACTERS)
    model = build_model(ModelSettings("planner", "openai-compatible", "m", server.url))
    proposal = await ModelPlanner(model).propose(request, a_check(request), Drafts().note)

    assert "are read" in (getattr(proposal.verdict, "unable", "") or "")
    assert server.asked() == []

"""A langchain-core chat model as users write them: the chat completions protocol over httpx2."""

from typing import Any

import httpx2
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, convert_to_openai_messages
from langchain_core.outputs import ChatGeneration, ChatResult


class LoopbackChat(BaseChatModel):
    """Speaks to any endpoint of the chat completions protocol."""

    base_url: str
    model: str
    api_key: str = ""

    @property
    def _llm_type(self) -> str:
        return "loopback"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        body = {"model": self.model, "messages": convert_to_openai_messages(messages), **kwargs}
        async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.post(f"{self.base_url}/chat/completions", json=body)
        answer.raise_for_status()
        read = answer.json()
        choice = read["choices"][0]
        said = AIMessage(
            content=choice["message"]["content"] or "",
            additional_kwargs={"refusal": choice["message"].get("refusal")},
            response_metadata={
                "finish_reason": choice["finish_reason"],
                "model_name": read["model"],
            },
            usage_metadata={
                "input_tokens": read["usage"]["prompt_tokens"],
                "output_tokens": read["usage"]["completion_tokens"],
                "total_tokens": read["usage"]["total_tokens"],
            },
        )
        return ChatResult(generations=[ChatGeneration(message=said)])


class Picky(LoopbackChat):
    """Takes no further arguments."""

    async def _agenerate(  # type: ignore[override]  # what it is here for
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
    ) -> ChatResult:
        return await super()._agenerate(messages, stop, run_manager)


class Strict(LoopbackChat):
    """Wants something that nobody gives it."""

    region: int


def broken(**given: str) -> LoopbackChat:
    """A factory that fails."""
    raise RuntimeError("no such thing")

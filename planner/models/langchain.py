"""Any langchain-core chat model, as an object or as `module:factory`; loaded when it is used."""

import asyncio
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.spec import JsonObject
from planner.models.base import Completion, Message, ModelRefused, ModelUnavailable, Usage
from planner.models.openai_compatible import Structured, response_format

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage


@dataclass
class LangChain:
    """One chat model; structured output is asked for by `response_format`, where it is wanted."""

    name: str
    load: "Callable[[], BaseChatModel]"
    structured: Structured = "json"
    timeout_s: float = 60.0

    async def complete(
        self, messages: Sequence[Message], *, schema: JsonObject | None, deadline_s: float
    ) -> Completion:
        """Answer once; any failure of the model's own library is told as unavailable."""
        model = await asyncio.to_thread(self.load)
        sent = [(_ROLES[each.role], each.content) for each in messages]
        chosen = {} if self.structured == "json" else {"response_format": response_format(schema)}
        try:
            async with asyncio.timeout(min(deadline_s, self.timeout_s)):
                answer = await model.bind(**chosen).ainvoke(sent)
        except TimeoutError as error:
            raise ModelUnavailable(f"{self.name} does not answer in time") from error
        except Exception as error:
            raise ModelUnavailable(f"{self.name}: {type(error).__name__}: {error}") from error
        return _completion(self.name, answer)


_ROLES = {"system": "system", "user": "human", "assistant": "ai"}


def factory(
    reference: str, base_url: str | None, model: str, api_key: str | None
) -> "Callable[[], BaseChatModel]":
    """What `module:name` points to: a chat model's class or factory, called with our settings."""
    module, _, name = reference.partition(":")

    def load() -> "BaseChatModel":
        make = getattr(importlib.import_module(module), name)
        given = {"base_url": base_url, "model": model, "api_key": api_key}
        made: BaseChatModel = make(**{key: value for key, value in given.items() if value})
        return made

    return load


def _completion(name: str, answer: "AIMessage") -> Completion:
    if not isinstance(answer.content, str) or answer.additional_kwargs.get("refusal"):
        raise ModelRefused(f"{name} refused or answered without text")
    counted = answer.usage_metadata
    usage = Usage(counted["input_tokens"], counted["output_tokens"]) if counted else Usage()
    told = answer.response_metadata
    return Completion(
        text=answer.content,
        model=str(told.get("model_name", name)),
        usage=usage,
        cut=told.get("finish_reason") == "length",
    )

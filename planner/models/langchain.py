"""Any langchain-core chat model, as an object or as `module:factory`; loaded when it is used."""

import asyncio
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.spec import JsonObject
from planner.models.base import Completion, Message, ModelError, ModelRefused, Usage
from planner.models.chat import bounded, counted, error_message, failure, is_cut, refuse
from planner.models.redact import told
from planner.models.structured import Forms, ResponseFormat, Structured, is_about_format, within

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage

_ROLES = {"system": "system", "user": "human", "assistant": "ai"}


@dataclass
class LangChain:
    """One chat model; structured output is asked for by binding `response_format` to it.

    `load` is called once. With "auto", a model that does not take `response_format` is asked
    without; one that swallows it unread answers plain JSON, and admission checks the rest.
    """

    name: str
    load: "Callable[[], BaseChatModel]"
    structured: Structured = "auto"
    timeout_s: float = 60.0
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._forms = Forms(self.structured)
        self._model: BaseChatModel | None = None

    async def complete(
        self, messages: Sequence[Message], *, schema: JsonObject | None, deadline_s: float
    ) -> Completion:
        """Answer once; raises `ModelError` whatever the model's own library raises."""

        if self._model is None:  # importing a library takes as long as it takes
            self._model = await asyncio.to_thread(self._load)
        model = self._model

        async def once(form: ResponseFormat) -> Completion:
            return await self._ask(model, messages, form)

        return await within(
            self.name, min(deadline_s, self.timeout_s), self._forms.ask(schema, once)
        )

    async def _ask(
        self, model: "BaseChatModel", messages: Sequence[Message], form: ResponseFormat
    ) -> Completion:
        sent = [(_ROLES[each.role], each.content) for each in messages]
        chosen = {} if form is None else {"response_format": form}
        try:
            answer = await model.bind(**chosen).ainvoke(sent)
        # Every chat model raises what its own library raises.
        except Exception as error:
            raise self._failure(error) from error
        return _completion(self.name, answer, self.api_key)

    def _load(self) -> "BaseChatModel":
        try:
            return self.load()
        # A factory is somebody else's code.
        except Exception as error:
            # pydantic quotes what it was given, over several lines.
            reason = told(f"{type(error).__name__}: {' '.join(str(error).split())}", self.api_key)
            raise ModelRefused(f"{self.name}: its chat model cannot be built: {reason}") from error

    def _failure(self, error: Exception) -> ModelError:
        response = getattr(error, "response", None)
        status = getattr(error, "status_code", getattr(response, "status_code", None))
        if isinstance(error, TypeError) and is_about_format(str(error)):
            status = 400  # the chat model takes no such argument
        headers = getattr(response, "headers", None)
        return failure(
            self.name,
            status if isinstance(status, int) else None,
            f"{type(error).__name__}: {error_message(_body(response)) or error}",
            headers if isinstance(headers, Mapping) else {},
            self.api_key,
        )


def factory(
    reference: str, base_url: str | None, model: str, api_key: str | None, options: JsonObject
) -> "Callable[[], BaseChatModel]":
    """What `module:name` points to: a chat model, or its class or factory, called with settings."""
    module, _, name = reference.partition(":")

    def load() -> "BaseChatModel":
        from langchain_core.language_models import BaseChatModel

        found = getattr(importlib.import_module(module), name)
        if isinstance(found, BaseChatModel):
            return found
        given = {"base_url": base_url, "model": model, "api_key": api_key}
        made = found(**{key: value for key, value in given.items() if value}, **options)
        if not isinstance(made, BaseChatModel):
            raise TypeError(f"{reference} made a {type(made).__name__}, not a chat model")
        return made

    return load


def _body(response: object) -> str:
    """What the provider said, where the library's own message leaves it out."""
    try:
        text = getattr(response, "text", "")
    except RuntimeError:  # a streamed answer that nobody read
        return ""
    return text if isinstance(text, str) else ""


def _completion(name: str, answer: "AIMessage", secret: str | None) -> Completion:
    about = answer.response_metadata
    ended = about.get("finish_reason") or about.get("stop_reason") or about.get("done_reason")
    refuse(name, str(answer.additional_kwargs.get("refusal") or ""), ended, secret)
    took = answer.usage_metadata
    usage = (
        Usage(counted(took["input_tokens"]), counted(took["output_tokens"])) if took else Usage()
    )
    return Completion(
        text=bounded(name, str(answer.text)),
        model=str(about.get("model_name") or name),
        usage=usage,
        cut=is_cut(ended),
    )

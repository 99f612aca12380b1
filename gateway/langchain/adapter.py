"""A gateway as LangChain has things: a tool for agents and a runnable for chains."""

import hashlib
import json
import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Literal

from langchain_core.messages import ToolCall
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool, ToolException
from pydantic import BaseModel, Field, JsonValue, SecretStr

from gateway.langchain.story import Ask, Handled, LamgateError
from gateway.langchain.talk import Address

Said = str | Mapping[str, JsonValue]
_CALL: ContextVar[str | None] = ContextVar("lamgate_call", default=None)


class Words(BaseModel):
    """What an agent says to a gateway."""

    text: str = Field(description="What should be done, in plain words, with every detail known.")


class LamgateTool(BaseTool):
    """Hands a request in plain words to a gateway, and gives what became of it.

    A tool call that an agent makes again, say after its own process died, is the same request: its
    key comes of the call's id, the conversation (`thread_id`) and the words. The artifact is the
    whole of `Handled`.
    """

    name: str = "lamgate"
    description: str = (
        "Do something in the connected systems. It is planned, checked against policy and run; "
        "some of it may wait for a person's approval. Say all of it in one request."
    )
    args_schema: type[BaseModel] = Words
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    handle_tool_error: bool = True

    url: str
    key: SecretStr
    timeout_s: float = 60.0
    for_people: bool = False

    def invoke(
        self,
        input: str | dict[str, Any] | ToolCall,  # noqa: A002 - LangChain's own names and types
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Ask and wait."""
        token = _CALL.set(_call_of(input, config))
        try:
            return super().invoke(input, config, **kwargs)
        finally:
            _CALL.reset(token)

    async def ainvoke(
        self,
        input: str | dict[str, Any] | ToolCall,  # noqa: A002 - LangChain's own names and types
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Any:
        """Ask and wait, without blocking."""
        token = _CALL.set(_call_of(input, config))
        try:
            return await super().ainvoke(input, config, **kwargs)
        finally:
            _CALL.reset(token)

    def _run(self, text: str) -> tuple[str, dict[str, JsonValue]]:
        try:
            return _told(self._address().ask(Ask(text=text, key=_key(text))))
        except LamgateError as error:
            raise ToolException(str(error)) from error

    async def _arun(self, text: str) -> tuple[str, dict[str, JsonValue]]:
        try:
            return _told(await self._address().aask(Ask(text=text, key=_key(text))))
        except LamgateError as error:
            raise ToolException(str(error)) from error

    def _address(self) -> Address:
        return Address(self.url, self.key.get_secret_value(), self.timeout_s, self.for_people)


class LamgateRunnable(Runnable[Said, Handled]):
    """Hands a request to a gateway: text, or `{text, key?, inputs?, model?}`; gives a `Handled`.

    Without a key each invocation is a request of its own. Raises `LamgateError`.
    """

    def __init__(
        self, url: str, key: str, *, timeout_s: float = 60.0, for_people: bool = False
    ) -> None:
        self._address = Address(url, key, timeout_s, for_people)

    def invoke(
        self,
        input: Said,  # noqa: A002 - LangChain's own name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Handled:
        """Ask and wait."""
        return self._call_with_config(lambda said: self._address.ask(_ask(said)), input, config)

    async def ainvoke(
        self,
        input: Said,  # noqa: A002 - LangChain's own name
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> Handled:
        """Ask and wait, without blocking."""

        async def ask(said: Said) -> Handled:
            return await self._address.aask(_ask(said))

        return await self._acall_with_config(ask, input, config)


def _ask(said: Said) -> Ask:
    given = {"text": said} if isinstance(said, str) else said
    return Ask.model_validate({"key": secrets.token_urlsafe(24), **given})


def _call_of(given: object, config: RunnableConfig | None) -> str | None:
    """What makes a tool call the same one again; None where it has no id."""
    call = given.get("id") if isinstance(given, dict) and given.get("type") == "tool_call" else None
    thread = (config or {}).get("configurable", {}).get("thread_id", "")
    return f"{thread}\n{call}" if call else None


def _key(text: str) -> str:
    call = _CALL.get()
    if call is None:
        return secrets.token_urlsafe(24)
    return "langchain-" + hashlib.sha256(f"{call}\n{text}".encode()).hexdigest()


def _told(found: Handled) -> tuple[str, dict[str, JsonValue]]:
    """What an agent reads of it; what cannot go on is an error, told in the same words."""
    whole: dict[str, JsonValue] = found.model_dump(mode="json")
    if found.has_succeeded:
        return json.dumps(found.result, ensure_ascii=False), whole
    lines = [f"{found.status}" + (f" ({found.code})" if found.code else "")]
    if found.detail:
        lines.append(found.detail)
    if found.waiting_for:
        lines.append(f"It waits for {found.waiting_for}; it goes on by itself then.")
    for each in found.approvals:
        lines.append(f"Somebody with the role {each.role} decides at {each.link}: {each.reason}")
    for question in found.questions:
        lines.append(f"It asks: {json.dumps(question, ensure_ascii=False)}")
    if found.uncertain:
        lines.append(f"Nobody knows whether this happened: {', '.join(found.uncertain)}.")
    lines.append(f"request {found.request}" + (f", run {found.run}" if found.run else ""))
    text = "\n".join(lines)
    if not found.may_go_on:
        raise ToolException(text)
    return text, whole

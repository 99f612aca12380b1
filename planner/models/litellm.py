"""Any provider that litellm knows; the package is loaded when the first completion is asked for.

Loading it would fetch a price list over the network and read a `.env` file; both are turned
off before its import. It retries nothing here: a completion is asked for once.
"""

import asyncio
import gc
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType

from pydantic import JsonValue

from connectors.spec import JsonObject
from planner.models.base import Completion, Message, ModelError
from planner.models.chat import failure, read_completion
from planner.models.structured import (
    Forms,
    ResponseFormat,
    Structured,
    is_about_temperature,
    within,
)

# With an address of its own and no key, litellm would send the environment's key there.
NO_KEY = "no-key"


def load_litellm() -> ModuleType:
    """Import litellm quietly."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    looks = gc.isenabled()
    gc.disable()  # all that it makes stays: to look through it for cycles takes a second
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import litellm
    finally:
        if looks:
            gc.enable()
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    module: ModuleType = litellm
    return module


@dataclass
class LiteLlm:
    """One model by litellm's name, such as `anthropic/...` or `openai/...`.

    `options` are further arguments of litellm's completion; null leaves one out.
    """

    name: str
    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    structured: Structured = "auto"
    timeout_s: float = 60.0
    options: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._forms: Forms | None = None
        self._temperature: JsonValue = 0  # null once the model said that it takes none

    async def complete(
        self, messages: Sequence[Message], *, schema: JsonObject | None, deadline_s: float
    ) -> Completion:
        """Answer once, with a strict schema where the provider may take one."""
        litellm = await asyncio.to_thread(load_litellm)
        forms = self._forms = self._forms or Forms(self._chosen(litellm))
        seconds = min(deadline_s, self.timeout_s)

        async def once(form: ResponseFormat) -> Completion:
            return await self._ask(litellm, messages, form, seconds)

        return await within(self.name, seconds, forms.ask(schema, once))

    async def aclose(self) -> None:
        """Close the connections that litellm keeps open for all its models."""
        litellm = await asyncio.to_thread(load_litellm)
        await litellm.close_litellm_async_clients()
        litellm.in_memory_llm_clients_cache.flush_cache()

    def _chosen(self, litellm: ModuleType) -> Structured:
        """With "auto", what litellm's table says; it knows nothing of an endpoint of one's own."""
        if self.structured != "auto" or self.base_url:
            return self.structured
        return "auto" if litellm.supports_response_schema(model=self.model) else "json"

    async def _ask(
        self,
        litellm: ModuleType,
        messages: Sequence[Message],
        form: ResponseFormat,
        seconds: float,
    ) -> Completion:
        wanted = {
            "model": self.model,
            "messages": [{"role": each.role, "content": each.content} for each in messages],
            "response_format": form,
            "temperature": self._temperature,
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": True,
            "timeout": seconds,
            "api_base": self.base_url,
            "api_key": self.api_key or (NO_KEY if self.base_url else None),
            **self.options,
        }
        given = {key: value for key, value in wanted.items() if value is not None}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = await litellm.acompletion(**given)
                body: JsonValue = answer.model_dump(mode="json")
        # litellm's errors have no root of their own, and a provider's answer can break its code.
        except Exception as error:
            status = getattr(error, "status_code", None)
            if "temperature" in given and is_about_temperature(status, str(error)):
                self._temperature = None
                if "temperature" not in self.options:
                    return await self._ask(litellm, messages, form, seconds)
            raise self._failure(error) from error
        read = read_completion(self.name, self.model, body, self.api_key)
        cost = getattr(answer, "_hidden_params", {}).get("response_cost")
        return replace(read, usage=replace(read.usage, cost_usd=cost))

    def _failure(self, error: Exception) -> ModelError:
        status = getattr(error, "status_code", None)
        # The response that comes with the error has no headers; these are the provider's.
        headers = getattr(error, "litellm_response_headers", None)
        return failure(
            self.name,
            status if isinstance(status, int) else None,
            f"{type(error).__name__}: {error}",
            headers if isinstance(headers, Mapping) else {},
            self.api_key,
        )

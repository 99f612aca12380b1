"""Any provider that litellm knows; the package is loaded when the first completion is asked for.

Loading it would fetch a price list over the network and read a `.env` file; both are turned
off before its import. It retries nothing here: a completion is asked for once.
"""

import asyncio
import logging
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from connectors.spec import JsonObject
from planner.models.base import Completion, Message, ModelRefused, ModelUnavailable, Usage
from planner.models.openai_compatible import Structured, read_completion, response_format


def load_litellm() -> ModuleType:
    """Import litellm quietly."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    os.environ["LITELLM_MODE"] = "PRODUCTION"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import litellm
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    module: ModuleType = litellm
    return module


@dataclass
class LiteLlm:
    """One model by litellm's name, such as `anthropic/...` or `openai/...`."""

    name: str
    model: str
    base_url: str | None = None
    api_key: str | None = None
    structured: Structured = "auto"
    timeout_s: float = 60.0

    async def complete(
        self, messages: Sequence[Message], *, schema: JsonObject | None, deadline_s: float
    ) -> Completion:
        """Answer once, with a strict schema where litellm says that the model takes one."""
        litellm = await asyncio.to_thread(load_litellm)
        wants_schema = schema is not None and self._takes_schema(litellm)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = await litellm.acompletion(
                    model=self.model,
                    messages=[{"role": each.role, "content": each.content} for each in messages],
                    response_format=response_format(schema if wants_schema else None),
                    temperature=0,
                    num_retries=0,
                    max_retries=0,
                    drop_params=True,
                    timeout=min(deadline_s, self.timeout_s),
                    api_base=self.base_url,
                    api_key=self.api_key,
                )
        except litellm.exceptions.OpenAIError as error:
            if _is_passing(error):
                raise ModelUnavailable(
                    _said(self.name, error), retry_after_s=_after(error)
                ) from error
            raise ModelRefused(_said(self.name, error)) from error
        read = read_completion(self.name, self.model, answer.model_dump())
        cost = getattr(answer, "_hidden_params", {}).get("response_cost")
        usage = Usage(read.usage.prompt_tokens, read.usage.completion_tokens, cost)
        return Completion(read.text, read.model, usage, read.cut)

    def _takes_schema(self, litellm: ModuleType) -> bool:
        if self.structured != "auto":
            return self.structured == "schema"
        return bool(litellm.supports_response_schema(model=self.model))


def _is_passing(error: Exception) -> bool:
    """Time-outs, lost connections, 429 and 5xx pass; everything else is a no."""
    status = getattr(error, "status_code", None)
    return not isinstance(status, int) or status in (408, 429) or status >= 500


def _said(name: str, error: Exception) -> str:
    return f"{name}: {type(error).__name__}: {str(error).splitlines()[0][:300]}"


def _after(error: Exception) -> float | None:
    headers = getattr(error, "litellm_response_headers", None) or {}
    text = headers.get("retry-after")
    return float(text) if text and str(text).replace(".", "", 1).isdigit() else None

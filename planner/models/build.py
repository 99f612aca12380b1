"""From a setting to a model: one word chooses the adapter, nothing heavy is loaded yet."""

from dataclasses import dataclass
from typing import Literal

from connectors.errors import ConfigurationError
from planner.models.base import Model
from planner.models.openai_compatible import OpenAiCompatible, Structured

Adapter = Literal["openai-compatible", "litellm", "langchain"]


@dataclass(frozen=True)
class ModelSettings:
    """One `[models.NAME]` of the operator's file, its key already resolved."""

    name: str
    adapter: Adapter
    model: str
    base_url: str | None = None
    api_key: str | None = None
    structured: Structured = "auto"
    timeout_s: float = 60.0
    chat_model: str | None = None  # langchain only: `module:name` of a chat model


def build_model(settings: ModelSettings) -> Model:
    """Build the adapter; raises `ConfigurationError`."""
    at = f"models.{settings.name}"
    match settings.adapter:
        case "openai-compatible":
            if not settings.base_url:
                raise ConfigurationError(f"{at}: base_url is missing")
            return OpenAiCompatible(
                settings.name,
                settings.model,
                settings.base_url,
                settings.api_key,
                settings.structured,
                settings.timeout_s,
            )
        case "litellm":
            from planner.models.litellm import LiteLlm

            return LiteLlm(
                settings.name,
                settings.model,
                settings.base_url,
                settings.api_key,
                settings.structured,
                settings.timeout_s,
            )
        case "langchain":
            from planner.models.langchain import LangChain, factory

            if not settings.chat_model or ":" not in settings.chat_model:
                raise ConfigurationError(f"{at}: chat_model is missing, as module:name")
            load = factory(settings.chat_model, settings.base_url, settings.model, settings.api_key)
            return LangChain(settings.name, load, settings.structured, settings.timeout_s)

"""From a setting to a model: one word chooses the adapter, nothing heavy is loaded yet."""

import importlib.util
from dataclasses import dataclass, field
from typing import Literal, assert_never

from connectors.errors import ConfigurationError, NotSet
from connectors.spec import JsonObject
from planner.models.base import Model
from planner.models.structured import Structured

Adapter = Literal["openai-compatible", "litellm", "langchain"]


@dataclass(frozen=True)
class ModelSettings:
    """One `[models.NAME]` of the operator's file, its key already resolved.

    `options` go with every request of `openai-compatible` and `litellm`, and to the factory of
    a `langchain` chat model.
    """

    name: str
    adapter: Adapter
    model: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    structured: Structured = "auto"
    timeout_s: float = 60.0
    chat_model: str | None = None  # langchain only: `module:name` of a chat model
    options: JsonObject = field(default_factory=dict)


def build_model(settings: ModelSettings) -> Model:
    """Build the adapter; raises `ConfigurationError`, and `NotSet` where the key is none."""
    key = _key(settings)
    match settings.adapter:
        case "openai-compatible":
            from planner.models.openai_compatible import OpenAiCompatible

            return OpenAiCompatible(
                settings.name,
                settings.model,
                _address(settings, needed=True) or "",
                key,
                settings.structured,
                settings.timeout_s,
                settings.options,
            )
        case "litellm":
            from planner.models.litellm import LiteLlm

            return LiteLlm(
                settings.name,
                settings.model,
                _address(settings, needed=False),
                key,
                settings.structured,
                settings.timeout_s,
                settings.options,
            )
        case "langchain":
            from planner.models.langchain import LangChain, factory

            load = factory(
                _chat_model(settings),
                _address(settings, needed=False),
                settings.model,
                key,
                settings.options,
            )
            return LangChain(settings.name, load, settings.structured, settings.timeout_s, key)
        case _:
            assert_never(settings.adapter)


def _address(settings: ModelSettings, *, needed: bool) -> str | None:
    url = settings.base_url
    if url is None and not needed:
        return None
    if not url or not url.startswith(("http://", "https://")):
        told = f"{url!r} is no http address" if url else "missing"
        raise ConfigurationError(f"models.{settings.name}: base_url: {told}")
    return url


def _key(settings: ModelSettings) -> str | None:
    """The key without the line end that files leave; no header carries anything but ASCII."""
    key = (settings.api_key or "").strip()
    if not (key.isascii() and key.isprintable()):
        told = "what is set holds characters that no header can carry; set it to the key"
        raise NotSet(f"models.{settings.name}.api_key: {told}")
    return key or None


def _chat_model(settings: ModelSettings) -> str:
    at = f"models.{settings.name}: chat_model"
    reference = settings.chat_model or ""
    module, colon, name = reference.partition(":")
    if not (module and colon and name):
        raise ConfigurationError(f"{at}: write it as module:name, not {reference!r}")
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError) as error:
        raise ConfigurationError(f"{at}: {error}") from error
    if found is None:
        raise ConfigurationError(f"{at}: there is no module {module}; is it installed?")
    return reference

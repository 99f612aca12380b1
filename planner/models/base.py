"""What the planner needs of a language model: one completion, or a named reason why not.

ModelError
├── ModelUnavailable   down, slow or rate limited; may be tried again after `retry_after_s`
│   └── ModelKeyless   its key is not there; may be tried again once it is
└── ModelRefused       it answered, but will not do this (refusal, bad credentials, bad request)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from connectors.spec import JsonObject


@dataclass(frozen=True)
class Message:
    """One message of a conversation with a model."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Usage:
    """Tokens and money of one completion, as far as the provider says."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float | None = None


@dataclass(frozen=True)
class Completion:
    """What a model answered; `cut` is true where it stopped at a length limit."""

    text: str
    model: str
    usage: Usage = Usage()
    cut: bool = False


class ModelError(Exception):
    """A completion that did not come."""


class ModelUnavailable(ModelError):
    """The model is down, slow or limited: nothing is wrong with the request."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ModelKeyless(ModelUnavailable):
    """The model cannot be asked before whoever runs this sets its key."""


class ModelRefused(ModelError):
    """The model or its provider will not answer this request."""


class Model(Protocol):
    """One language model, ready to be asked."""

    @property
    def name(self) -> str:
        """The name it has in the configuration."""

    async def complete(
        self, messages: Sequence[Message], *, schema: JsonObject | None, deadline_s: float
    ) -> Completion:
        """Answer once; with `schema`, as JSON that follows it where the provider enforces that."""

"""One request and what comes of it: an answer, or an error that says how far it came.

TransportError
├── NotSentError         no byte of the request left us, so nothing can have happened
│   └── NotAllowedError  and none ever will: the address or a header is not one we send
├── NoAnswerError        it left us, at least in part, and no complete answer came back
└── BadAnswerError       an answer came with a status, but its body cannot be used
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from connectors.body import MOST_BYTES


class TransportError(Exception):
    """A request that has no usable answer."""


class NotSentError(TransportError):
    """No byte of the request left us; `is_late` where that was not for want of a connection."""

    def __init__(self, message: str, *, is_late: bool = False) -> None:
        super().__init__(message)
        self.is_late = is_late


class NotAllowedError(NotSentError):
    """The request is not one that is sent: asking again cannot help."""


class NoAnswerError(TransportError):
    """The request left us, at least in part, and no complete answer came back."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


class BadAnswerError(TransportError):
    """An answer came with a status, but its body is too large, cut short or cannot be decoded."""

    def __init__(
        self, message: str, status: int, headers: Mapping[str, str], received_at: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers
        self.received_at = received_at


@dataclass(frozen=True)
class HttpRequest:
    """One request; `url` is absolute."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    most_bytes: int = MOST_BYTES  # of the answer


@dataclass(frozen=True)
class HttpAnswer:
    """One answer, decoded; header names are in lower case, `received_at` is epoch seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float = 0.0
    # Takes secrets out of what is read from the body: one may be quoted inside a quotation.
    hide: Callable[[str], str] = field(default=str, repr=False, compare=False)

"""What became of the HTTP request of a call, noted where it was sent and read where it was made."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf

from connectors.egress import Sending
from connectors.errors import ConfigurationError, ConnectorError
from connectors.http import TransportError


@dataclass
class Carried:
    """The first request of a call, as far as it came; `received_at` is in seconds since 1970.

    Of what takes several requests, each of which reads, the last one is told of: `is_of_last`.
    """

    sending: Sending = field(default_factory=lambda: Sending(inf))
    failure: TransportError | ConnectorError | ConfigurationError | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    received_at: float = 0.0
    is_of_last: bool = False


CARRIED: ContextVar[Carried] = ContextVar("carried")
"""Whose request it is: the SDK sends in the context of whoever asked."""

"""What a call can end in when it gives no result, named for what may be done next.

    ConnectorError
    ├── Refused       the service said no; there is no effect, and asking again cannot help
    ├── Unavailable   there is no effect; it may be tried again, not before `retry_after_s`
    └── Uncertain     it may have happened; the action's effect class decides what follows

A connector raises exactly these from `call`. For a read every time-out and 5xx is
`Unavailable`, since a read has no effect that could be in doubt.
"""

from enum import StrEnum
from typing import TypedDict, Unpack


class Kind(StrEnum):
    """The normalised reason, the same for every vendor."""

    AUTH = "auth"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    INVALID = "invalid"
    RATE_LIMITED = "rate_limited"
    QUOTA = "quota"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class Evidence(TypedDict, total=False):
    """What the service itself said of a call, unchanged; `request_id` is its own name of it."""

    vendor_code: str | None
    request_id: str | None
    status: int | None


class ConnectorError(Exception):
    """A call that gave no result."""

    def __init__(self, message: str, *, kind: Kind, **evidence: Unpack[Evidence]) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.vendor_code = evidence.get("vendor_code")
        self.request_id = evidence.get("request_id")
        self.status = evidence.get("status")


class Refused(ConnectorError):
    """The service said no: no effect, and the same call would be refused again.

    `link` is where a person can change that, in a browser.
    """

    def __init__(
        self, message: str, *, kind: Kind, link: str | None = None, **evidence: Unpack[Evidence]
    ) -> None:
        super().__init__(message, kind=kind, **evidence)
        self.link = link


class Unavailable(ConnectorError):
    """No effect, and it may be tried again; `sent` tells whether a byte left us."""

    def __init__(
        self,
        message: str,
        *,
        kind: Kind = Kind.UNAVAILABLE,
        retry_after_s: float | None = None,
        sent: bool = False,
        **evidence: Unpack[Evidence],
    ) -> None:
        super().__init__(message, kind=kind, **evidence)
        self.retry_after_s = retry_after_s
        self.sent = sent


class Uncertain(ConnectorError):
    """The request left us and no clear answer came back: the effect may have happened.

    Where the class allows another call, it comes no earlier than `retry_after_s`.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: Kind,
        retry_after_s: float | None = None,
        **evidence: Unpack[Evidence],
    ) -> None:
        super().__init__(message, kind=kind, **evidence)
        self.retry_after_s = retry_after_s


class ConfigurationError(Exception):
    """A connection cannot be built from what the operator wrote; says where and what to do."""


class NotSet(ConfigurationError):
    """The environment lacks what the operator's file names, or has something else there.

    Nothing is wrong with the file.
    """


class Unreachable(ConfigurationError):
    """What a connection offers cannot be asked now; it may be asked again."""

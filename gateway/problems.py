"""What the API answers when it cannot do what was asked: RFC 9457, one table for every reason."""

from dataclasses import dataclass, field

from pydantic import JsonValue
from starlette.responses import JSONResponse

from connectors.errors import ConfigurationError
from connectors.text import visible
from executor.check.admit import SealBrokenError
from executor.check.cedar import PolicyError
from executor.check.playbook import PlaybookError
from executor.check.strict_json import Flaw
from executor.store.errors import (
    FencedError,
    MovedError,
    NewerSchemaError,
    NoDatabaseError,
    NotEmptyError,
    OtherSchemaError,
    StoreClosedError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StorePausedError,
    StoreUnavailableError,
)
from planner.models.base import ModelError, ModelUnavailable

RETRY_AFTER_S = "1"
MEDIA_TYPE = "application/problem+json"
MOST_TOLD = 100  # characters of a name that somebody sent


@dataclass
class ProblemError(Exception):
    """Raise it to answer with a problem: a status, a stable code, what is wrong, what to do."""

    status: int
    code: str
    detail: str
    fix: str
    more: dict[str, JsonValue] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(self.detail)


def not_found(what: str, name: str, more: str = "") -> ProblemError:
    """There is no such thing, or it belongs to somebody else: the same answer for both."""
    fix = "Look at the id; what is another tenant's is not found either."
    return ProblemError(404, "not-found", f"there is no {what} {told(name)}{more}", fix)


def told(name: str) -> str:
    """A name that somebody sent, as it is told again: on one line, and cut."""
    return visible(name, MOST_TOLD)


# The most special class first. A test proves that every exception of ours has a row, or is
# caught before it can reach a client.
TABLE: tuple[tuple[type[Exception], int, str, str], ...] = (
    (StoreFullError, 507, "storage-full", "Free some space; nothing was lost. Then ask again."),
    (StoreLockedError, 503, "storage-locked", "Stop the other process, or use its gateway."),
    (
        StoreDamagedError,
        503,
        "storage-damaged",
        "Restore the newest backup, having kept this file.",
    ),
    (StoreClosedError, 503, "shutting-down", "Ask again in a moment."),
    (NewerSchemaError, 503, "needs-newer-version", "Run the version that wrote the database."),
    (OtherSchemaError, 503, "needs-other-version", "Run the version that is told of."),
    (MovedError, 503, "database-moved", "Name the server in database.url; or lamgate move --undo."),
    (NotEmptyError, 503, "database-not-empty", "Name a database that holds nothing yet."),
    (FencedError, 409, "conflict", "Ask again."),
    (StoreUnavailableError, 503, "storage-unavailable", "Ask again in a moment; it resumes."),
    (NoDatabaseError, 503, "storage-unavailable", "Look at database.url, and which --config."),
    (StoreError, 503, "storage-unavailable", "Do what is told, and ask again."),
    (SealBrokenError, 409, "seal-broken", "Submit the plan anew; the stored one was changed."),
    (
        PolicyError,
        500,
        "policy-error",
        "Repair what is named; `lamgate policy check` says whether all is well.",
    ),
    (PlaybookError, 500, "playbook-error", "Repair what is named."),
    (ConfigurationError, 500, "configuration-error", "Repair what is named."),
    (ModelUnavailable, 503, "planner-unavailable", "Ask again in a moment."),
    (ModelError, 502, "planner-refused", "Say it differently, or use another model."),
    (Flaw, 400, "malformed-json", "Send one complete JSON document."),
)


def problem_of(error: Exception) -> ProblemError:
    """Find an exception's problem; what is not in the table is our own fault and tells nothing."""
    if isinstance(error, ProblemError):
        return error
    for kind, status, code, fix in TABLE:
        if isinstance(error, kind):
            if isinstance(error, Flaw):  # it knows more: which flaw, and where
                return ProblemError(status, error.code, error.message, fix, {"at": error.at})
            headers = {"retry-after": RETRY_AFTER_S} if isinstance(error, StorePausedError) else {}
            return ProblemError(status, code, str(error), fix, headers=headers)
    return ProblemError(500, "internal", "something went wrong here", "The log has the details.")


def render(problem: ProblemError) -> JSONResponse:
    """Write a problem as the API answers it."""
    body: dict[str, JsonValue] = {
        "type": f"urn:lamgate:problem:{problem.code}",
        "title": problem.code.replace("-", " "),
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "fix": problem.fix,
        **problem.more,
    }
    return JSONResponse(body, problem.status, problem.headers, media_type=MEDIA_TYPE)

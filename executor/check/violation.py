"""Why a plan is not accepted: one value for each reason, all of them at once."""

from dataclasses import asdict, dataclass
from typing import Literal, get_args

from pydantic import JsonValue

Code = Literal[
    "malformed-json",
    "duplicate-key",
    "unknown-field",
    "too-large",
    "duplicate-id",
    "unknown-step",
    "unknown-path",
    "cycle",
    "unknown-action",
    "missing-argument",
    "unknown-argument",
    "overlapping-argument",
    "sparse-array",
    "type-mismatch",
    "number-out-of-range",
    "not-comparable",
    "not-a-list",
    "ungrounded-target",
    "tainted-argument",
    "private-to-open",
    "policy-denied",
    "policy-error",
    "policy-value-unmappable",
    "effect-before-check",
    "budget-exceeded",
    "tool-changed",
    "playbook-cycle",
]
CODES: frozenset[str] = frozenset(get_args(Code))


@dataclass(frozen=True)
class Violation:
    """One reason: `at` is an RFC 6901 pointer into the plan, `fix` says what to do about it."""

    code: Code
    at: str
    message: str
    step: str | None = None
    candidates: tuple[str, ...] = ()
    fix: str = ""

    def as_json(self) -> dict[str, JsonValue]:
        """The published form."""
        return asdict(self) | {"candidates": list(self.candidates)}

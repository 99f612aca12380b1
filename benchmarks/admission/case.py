"""One plan of a data set, and what admission is expected to say of it.

A converter yields a `Case` for every task of its set. It writes a literal only where the set's
provenance, or the task's own words, say so; a value that came from a result becomes a reference
or an `fn.*` step. Where that cannot be done the case has no plan, and says why.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.spec import JsonObject
from executor.check.admit import Accepted
from executor.check.cedar import Policy

Expected = Literal["accept", "reject"]


@dataclass(frozen=True)
class Case:
    """A task, the plan it was converted to, and what is right to say of it."""

    id: str
    catalog: Catalog
    request: str
    expected: Expected
    plan: JsonObject | None  # None: the language cannot say it
    why_not: str = ""  # the short reason why there is no plan
    codes: frozenset[str] = frozenset()  # of a defective plan: one of these is the right code
    inputs: JsonObject | None = None
    must: frozenset[str] = frozenset()  # of a defective plan: every one of these has to be said
    # Runs the accepted plan where the set allows it; says what comes out otherwise than it should.
    run: Callable[[Accepted], str | None] | None = None
    answers: Callable[[str, JsonObject], JsonValue] | None = None  # what its calls are answered
    today: str = "2024-05-15"
    policy: Policy | None = None  # None: policy is not evaluated


@dataclass(frozen=True)
class DataSet:
    """A set by name: `load` reads the files of a folder and converts every task."""

    name: str
    load: Callable[[Path], Iterable[Case]]

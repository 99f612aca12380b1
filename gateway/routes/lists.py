"""Lists: the newest first, so many at once, and on from where the last one ended."""

from typing import Annotated

from fastapi import Query

from gateway.problems import ProblemError

Limit = Annotated[int, Query(ge=1, le=200)]
Before = Annotated[str | None, Query(description="the last id of the list before")]


def no_such_before(what: str, name: str) -> ProblemError:
    """A list cannot go on from what is not there."""
    return ProblemError(
        422, "bad-parameter", f"/query/before: there is no {what} {name}",
        "Send the last id of the list before.", {"at": "/query/before"},
    )  # fmt: skip

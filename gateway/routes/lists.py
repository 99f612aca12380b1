"""Lists: so many at once, and on from where the last one ended."""

from typing import Annotated

from fastapi import Query

from gateway.problems import ProblemError, told

Limit = Annotated[int, Query(ge=1, le=200)]
Before = Annotated[str | None, Query(min_length=1, description="the last id of the list before")]
After = Before  # of what comes oldest first
AfterName = Annotated[str | None, Query(description="the last name of the list before")]


def no_such_place(what: str, name: str, parameter: str = "before") -> ProblemError:
    """A list cannot go on from what is not there."""
    at = f"/query/{parameter}"
    return ProblemError(
        422, "bad-parameter", f"{at}: there is no {what} {told(name)}",
        "Send the last id of the list before.", {"at": at},
    )  # fmt: skip

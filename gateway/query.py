"""Query parameters: one that is unknown or comes twice is an error, as a member of a body is."""

from collections import Counter
from collections.abc import Iterator, Sequence

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from pydantic import JsonValue

from gateway.auth import Caller
from gateway.body import pointer
from gateway.problems import ProblemError, told

Flaw = tuple[str, str, str]  # where, what is wrong, what to do
MOST_LISTED = 100


async def known_parameters(request: Request, caller: Caller) -> None:
    """Raise a problem for parameters that would be left unread; who asks is known before."""
    if flaws := [*_unread(request)]:
        raise bad_parameters(flaws)


def bad_parameters(flaws: Sequence[Flaw]) -> ProblemError:
    """One problem of all that is wrong with the parameters of a request."""
    (at, what, fix), *rest = flaws
    listed: list[JsonValue] = [
        {"code": "bad-parameter", "at": at, "message": what} for at, what, _ in flaws[:MOST_LISTED]
    ]
    detail = f"{at}: {what}{f' (and {len(rest)} more)' if rest else ''}"
    return ProblemError(422, "bad-parameter", detail, fix, {"at": at, "violations": listed})


def _unread(request: Request) -> Iterator[Flaw]:
    sent = Counter(name for name, _ in request.query_params.multi_items())
    known = _known(request.scope["route"]) if sent else []
    for name, count in sent.items():
        at = pointer(("query", told(name)))
        if name not in known:
            fix = f"Use: {', '.join(known)}." if known else "Leave it out: this takes none."
            yield at, "there is no such parameter", fix
        elif count > 1:
            yield at, f"it comes {count} times", "Send it once."


def _known(route: object) -> list[str]:
    if not isinstance(route, APIRoute):
        return []
    params = get_flat_params(route.dependant)
    return sorted(each.alias for each in params if isinstance(each.field_info, Query))

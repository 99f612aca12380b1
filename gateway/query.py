"""Query parameters: one that is unknown or comes twice is an error, as a member of a body is."""

from collections import Counter

from fastapi import Request
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute

from gateway.auth import Caller
from gateway.body import pointer
from gateway.problems import ProblemError, told


async def known_parameters(request: Request, caller: Caller) -> None:
    """Raise a problem for a parameter that would be left unread; who asks is known before."""
    sent = Counter(name for name, _ in request.query_params.multi_items())
    known = _known(request.scope["route"]) if sent else []
    for name, count in sent.items():
        if name not in known:
            fix = f"Use: {', '.join(known)}." if known else "Leave it out: this takes none."
            raise _unread(name, "there is no such parameter", fix)
        if count > 1:
            raise _unread(name, f"it comes {count} times", "Send it once.")


def _known(route: object) -> list[str]:
    if not isinstance(route, APIRoute):
        return []
    params = get_flat_params(route.dependant)
    return sorted(each.alias for each in params if isinstance(each.field_info, Query))


def _unread(name: str, what: str, fix: str) -> ProblemError:
    at = pointer(("query", told(name)))
    return ProblemError(422, "bad-parameter", f"{at}: {what}", fix, {"at": at})

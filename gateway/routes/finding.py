"""One thing by its id: of the caller's tenant, or not there."""

from collections.abc import Callable
from typing import TypeVar

from fastapi import Request
from sqlalchemy import Connection

from executor.store.retention import deleted_until
from gateway.problems import not_found
from gateway.wiring import Gateway

T = TypeVar("T")


async def found(
    request: Request,
    tenant: str,
    what: str,
    name: str,
    get: Callable[[Connection, str, str], T | None],
) -> T:
    """What `get` finds by tenant and id; a problem that says until when old ones were deleted."""
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> T:
        row = get(c, tenant, name)
        if row is None:
            raise not_found(what, name, deleted_until(c))
        return row

    return await gateway.store.read(work)

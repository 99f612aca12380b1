"""API keys: an operator makes and revokes them; a secret is shown once."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from sqlalchemy import Connection

from connectors.spec import Principal
from executor.store import keys
from executor.store.keys import KeyRow
from gateway.answers.access import KeyTold, NewKeyTold, RevokedTold
from gateway.auth import Caller, add_key, need_operator_of_all, need_role, new_secret
from gateway.body import body_of, gives, takes
from gateway.once import Reply, once
from gateway.problems import not_found
from gateway.routes.lists import After, Limit, no_such_place
from gateway.schemas import NewKey
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/keys", tags=["keys"])


@router.post("", status_code=201, openapi_extra=takes(NewKey), responses=gives(201, NewKeyTold))
async def create(
    request: Request, caller: Caller, body: Annotated[NewKey, Depends(body_of(NewKey))]
) -> Response:
    """Make a key for somebody; a replay of the same Idempotency-Key tells no secret.

    An operator of `main` makes those of other tenants, too: the first one of each.
    """
    need_role(caller, "operator")
    tenant = caller.tenant if body.tenant is None else body.tenant
    if tenant != caller.tenant:
        need_operator_of_all(caller, "Make keys of your own tenant.")
    gateway: Gateway = request.app.state.gateway
    principal = Principal(body.principal, tenant, frozenset(body.roles))
    secret = new_secret()

    def work(c: Connection) -> Reply:
        key = add_key(c, principal, secret, gateway.clock())
        told = NewKeyTold(
            id=key, tenant=tenant, principal=principal.id, roles=body.roles, secret=secret
        )
        untold = told.model_copy(update={"secret": None})
        return Reply(201, told.as_json(), kept=untold.as_json())

    return await once(request, caller, body, work)


@router.get("")
async def listed(
    request: Request, caller: Caller, after: After = None, limit: Limit = 200
) -> list[KeyTold]:
    """List keys, oldest first, or those after the one that `after` names; never their secrets."""
    need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway

    def work(c: Connection) -> list[KeyRow]:
        if after is not None and keys.get(c, caller.tenant, after) is None:
            raise no_such_place("key", after, "after")
        return keys.listed(c, caller.tenant, after=after, limit=limit)

    return [
        KeyTold(
            id=row.id,
            principal=row.principal.id,
            roles=sorted(row.principal.roles),
            created_at=row.created_at,
            revoked_at=row.revoked_at,
        )
        for row in await gateway.store.read(work)
    ]


@router.delete("/{key_id}")
async def revoke(request: Request, caller: Caller, key_id: str) -> RevokedTold:
    """End a key at once."""
    need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway
    ended = partial(keys.revoke, tenant=caller.tenant, key=key_id, now=gateway.clock())
    if not await gateway.store.write(ended):
        raise not_found("key to revoke", key_id)
    return RevokedTold(id=key_id, revoked=True)

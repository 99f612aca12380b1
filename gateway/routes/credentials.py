"""Stored credentials: an operator sets, connects, removes and seals them anew; none is shown."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from connectors.errors import ConfigurationError
from connectors.spec import JsonObject, Principal
from executor.store import credentials
from executor.store.credentials import CredentialRow
from gateway.answers.access import (
    ConsentTold,
    CredentialStoryTold,
    CredentialTold,
    RemovedTold,
    RotatedTold,
)
from gateway.auth import Caller, need_good, need_operator_of_all, need_role
from gateway.body import body_of, takes
from gateway.consents import Consents
from gateway.credentials import NewCredential
from gateway.problems import ProblemError, not_found
from gateway.routes.lists import AfterName, Limit
from gateway.schemas import CREDENTIAL_ID, Nothing, SetCredential
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/credentials", tags=["credentials"])


@router.put("/{name}", openapi_extra=takes(SetCredential, is_keyed=False))
async def put(
    request: Request,
    caller: Caller,
    name: str,
    body: Annotated[SetCredential, Depends(body_of(SetCredential, brings_secrets=True))],
) -> CredentialStoryTold:
    """Set a credential, new or instead of another; its secret is never told again."""
    need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway
    if not CREDENTIAL_ID.fullmatch(name):
        raise ProblemError(
            422, "bad-credential", f"{name[:60]!r} is no id", "1 to 60 of a-z, 0-9, -, _ and .",
        )  # fmt: skip
    settings: JsonObject = {"user": body.user} if body.user is not None else {}
    if body.oauth is not None:
        settings = body.oauth.model_dump(mode="json", exclude_none=True)
    if (body.oauth is not None) != body.kind.startswith("oauth"):
        raise ProblemError(
            422, "bad-credential", f"{body.kind} {'has no' if body.oauth else 'needs'} oauth",
            "Say oauth: {client_id, issuer} for oauth-code and oauth-client alone.",
        )  # fmt: skip
    new = NewCredential(caller.tenant, name, body.kind, settings, body.secret)
    await gateway.store.read(partial(need_good, request=request, caller=caller))
    try:
        woken = await gateway.credentials.set(new, caller.id)
    except ConfigurationError as error:
        raise ProblemError(422, "bad-credential", str(error), "Set another one.") from error
    for due in woken:
        gateway.wake(due)
    return await _shown(gateway, caller, name)


@router.get("")
async def listed(
    request: Request, caller: Caller, after: AfterName = None, limit: Limit = 200
) -> list[CredentialTold]:
    """List credentials by id: what kind each is of, whether it can be used, never its secret."""
    need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway
    found = await gateway.store.read(
        partial(credentials.listed, tenant=caller.tenant, after=after or "", limit=limit)
    )
    return [CredentialTold.model_validate(_row(gateway, row)) for row in found]


@router.get("/{name}")
async def show(request: Request, caller: Caller, name: str) -> CredentialStoryTold:
    """Show one credential with its history: who did what with it, and when."""
    need_role(caller, "operator")
    return await _shown(request.app.state.gateway, caller, name)


@router.delete("/{name}")
async def remove(request: Request, caller: Caller, name: str) -> RemovedTold:
    """Delete a credential; calls that need it wait."""
    need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway
    if not await gateway.credentials.remove(caller.tenant, name, caller.id):
        raise not_found("credential", name)
    return RemovedTold(id=name, removed=True)


@router.post("/{name}/connect", status_code=201, openapi_extra=takes(Nothing, is_keyed=False))
async def connect(
    request: Request, caller: Caller, name: str, _: Annotated[Nothing, Depends(body_of(Nothing))]
) -> ConsentTold:
    """Begin a consent: a link for the browser of whoever asks, good for ten minutes."""
    need_role(caller, "operator")
    gateway: Gateway = request.app.state.gateway
    base = (gateway.settings.server.public_url or str(request.base_url)).rstrip("/")
    await gateway.store.read(partial(need_good, request=request, caller=caller))
    consents = Consents(gateway.credentials)
    begun = await consents.begin(caller.tenant, name, caller.id, f"{base}/v1/oauth/callback")
    link = f"{base}/v1/oauth/begin/{begun.ticket}"
    return ConsentTold(id=name, link=link, expires_at=begun.expires_at)


@router.post("/rotate", openapi_extra=takes(Nothing, is_keyed=False))
async def rotate(
    request: Request, caller: Caller, _: Annotated[Nothing, Depends(body_of(Nothing))]
) -> RotatedTold:
    """Seal every credential anew under the newest master key."""
    need_operator_of_all(caller, "Master keys are the gateway's.")
    gateway: Gateway = request.app.state.gateway
    await gateway.store.read(partial(need_good, request=request, caller=caller))
    changed = await gateway.credentials.rotate(caller.tenant, caller.id)
    return RotatedTold(key=gateway.credentials.seals.ring.newest, resealed=changed)


async def _shown(gateway: Gateway, caller: Principal, name: str) -> CredentialStoryTold:
    row = await gateway.store.read(partial(credentials.get, tenant=caller.tenant, name=name))
    if row is None:
        raise not_found("credential", name)
    found = await gateway.store.read(
        partial(credentials.audited, tenant=caller.tenant, subject=name)
    )
    history: list[JsonObject] = [
        {"at": each.at, "by": each.by, "act": each.act, **each.detail} for each in found
    ]
    return CredentialStoryTold.model_validate({**_row(gateway, row), "history": history})


def _row(gateway: Gateway, row: CredentialRow) -> JsonObject:
    needs = row.kind == "oauth-code" and row.standing != "ready"
    return {
        "id": row.id,
        "kind": row.kind,
        "settings": row.settings,
        "standing": row.standing,
        "reason": row.reason,
        "connect": f"/v1/credentials/{row.id}/connect" if needs else None,
        "expires_at": row.expires_at,
        "key": row.sealed.split(":")[1],
        "is_current": gateway.credentials.seals.ring.is_current(row.sealed),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }

"""Large values, by the digest that an event, a run or a trace refers to."""

from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import Response

from executor.store import blobs
from gateway.auth import Caller
from gateway.problems import not_found
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/blobs", tags=["blobs"])


@router.get("/{digest}")
async def show(request: Request, caller: Caller, digest: str) -> Response:
    """Give one large value whole, as JSON."""
    gateway: Gateway = request.app.state.gateway
    read = partial(blobs.text_of, tenant=caller.tenant, digest=digest)
    text = await gateway.store.read(read)
    if text is None:
        raise not_found("blob", digest)
    return Response(text, media_type="application/json", headers={"etag": f'"{digest}"'})

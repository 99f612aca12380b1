"""Where a browser comes back to from a page that connects accounts: no key, but a ticket."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse

from executor.store import waking
from gateway.problems import ProblemError
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/connected", tags=["connections"])
_QUIET = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


@router.get("/{ticket}", response_class=PlainTextResponse)
async def connected(
    request: Request,
    ticket: str,
    status: Annotated[str, Query(max_length=100)] = "success",
) -> PlainTextResponse:
    """Have every run look again that waits for credentials; the account itself is asked for."""
    gateway: Gateway = request.app.state.gateway
    meant = gateway.returns.meant(ticket)
    if meant is None:
        raise ProblemError(
            400, "consent-unknown", "this address is over, or was never given",
            "Begin again with the link that the run's trace shows.",
        )  # fmt: skip
    if status != "success":
        told = f"Nothing was connected for {meant.connection}. The link can be opened again.\n"
        return PlainTextResponse(told, headers=_QUIET)
    now = gateway.clock()
    wake = partial(waking.wake_waiting, waiting_for="credentials", now=now, tenant=meant.tenant)
    for due in await gateway.store.write(wake):
        gateway.wake(due)
    told = f"{meant.connection} is connected. You may close this window.\n"
    return PlainTextResponse(told, headers=_QUIET)

"""Where a browser begins a consent and comes back from it: no key, but a ticket and a cookie."""

from typing import Annotated

from fastapi import APIRouter, Cookie, Query, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response

from gateway.consents import LASTS_S, Answer, Consents
from gateway.wiring import Gateway

router = APIRouter(prefix="/v1/oauth", tags=["oauth"])
COOKIE = "lamgate_consent"
_QUIET = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
_Text = Annotated[str | None, Query(max_length=4096)]


@router.get("/begin/{ticket}")
async def begin(request: Request, ticket: str) -> Response:
    """Send the browser that opens it to the service, with a cookie to know it by."""
    gateway: Gateway = request.app.state.gateway
    sent = await Consents(gateway.credentials).open(ticket)
    answer = RedirectResponse(sent.address, 303, _QUIET)
    public = gateway.settings.server.public_url or str(request.base_url)
    answer.set_cookie(
        COOKIE,
        sent.browser,
        max_age=int(LASTS_S),
        path="/v1/oauth/callback",
        secure=public.startswith("https:"),
        httponly=True,
        samesite="lax",  # it comes with the service's redirect, and with nothing else from there
    )
    return answer


@router.get("/callback")
async def callback(
    request: Request,
    state: Annotated[str, Query(max_length=200)],
    code: _Text = None,
    iss: _Text = None,
    error: _Text = None,
    browser: Annotated[str | None, Cookie(alias=COOKIE)] = None,
) -> Response:
    """Take the service's answer, once, from the browser that began."""
    gateway: Gateway = request.app.state.gateway
    answer = Answer(state, code if error is None else None, iss, error, browser)
    name, woken = await Consents(gateway.credentials).answered(answer)
    for due in woken:
        gateway.wake(due)
    told = PlainTextResponse(f"{name} is connected. You may close this window.\n", headers=_QUIET)
    told.delete_cookie(COOKIE, path="/v1/oauth/callback")
    return told

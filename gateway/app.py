"""The HTTP application: routes, problems, and the cap on bodies."""

import logging
from functools import cache
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from executor.store.patience import impatient
from gateway.allowance import InAllowance
from gateway.body import BodyCap, pointer
from gateway.hiding import HiddenInAnswers
from gateway.problems import MEDIA_TYPE, TABLE, ProblemError, problem_of, render
from gateway.query import bad_parameters, known_parameters
from gateway.routes import (
    actions,
    approvals,
    blobs,
    connected,
    connections,
    credentials,
    docs,
    evidence,
    health,
    keys,
    models,
    oauth,
    plans,
    requests,
    runs,
    stops,
)
from gateway.wiring import Gateway

KEYED = (
    requests,
    plans,
    runs,
    evidence,
    approvals,
    actions,
    connections,
    models,
    stops,
    blobs,
    keys,
    credentials,
)
OPEN = (connected, oauth, health, docs)  # to whoever has no key
_log = logging.getLogger("lamgate.http")


def create_app(gateway: Gateway) -> FastAPI:
    """Build the application over a gateway that has been started."""
    app = Api(
        title="Lamgate",
        version="1",
        docs_url=None,  # FastAPI's load scripts from elsewhere; ours is in `routes/docs.py`
        redoc_url=None,
        redirect_slashes=False,  # a place is where it is said to be, or nowhere
        routes=_routes(),
    )
    app.state.gateway = gateway
    app.add_middleware(BodyCap)
    app.add_middleware(InAllowance)
    app.add_middleware(HiddenInAnswers, redactor=gateway.redactor)
    app.add_middleware(Impatience)
    raised = (kind for kind, *_ in TABLE)
    ours = (Exception, HTTPException, RequestValidationError, ProblemError, ClientDisconnect)
    for kind in (*ours, *raised):
        app.add_exception_handler(kind, _answer)
    return app


class Api(FastAPI):
    """FastAPI, with a document whose references all lead somewhere."""

    def openapi(self) -> dict[str, Any]:
        """The document of the API; what bodies refer to stands once among its components."""
        found = super().openapi()
        schemas = found["components"]["schemas"]
        for operations in found["paths"].values():
            for operation in operations.values():
                for content in operation.get("requestBody", {}).get("content", {}).values():
                    schemas.update(content["schema"].pop("$defs", {}))
        return found


class Impatience:
    """Whoever asks over HTTP learns within a second that the database is silent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        with impatient():
            await self._app(scope, receive, send)


_PROBLEM: dict[str, object] = {
    "description": "A problem (RFC 9457): what is wrong, its stable code, and what to do",
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "code", "detail", "fix"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "fix": {"type": "string"},
                    "at": {"type": "string", "description": "where, as an RFC 6901 pointer"},
                    "violations": {"type": "array", "items": {"type": "object"}},
                },
            }
        }
    },
}


@cache
def _routes() -> list[BaseRoute]:
    """All places, the same for every gateway: FastAPI works out once what each of them takes."""
    router = APIRouter(
        responses={"default": _PROBLEM},
        generate_unique_id_function=lambda route: f"{route.tags[0]}_{route.name}",
    )
    for each in KEYED:
        router.include_router(each.router, dependencies=[Depends(known_parameters)])
    for each in OPEN:
        router.include_router(each.router)
    return router.routes


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)  # nobody hears it
    if isinstance(error, HTTPException) and error.status_code == 405:
        return render(_wrong_method(request))
    problem = _problem(error)
    if problem.code == "internal":
        _log.error("unexpected", exc_info=error)
    return render(problem)


def _wrong_method(request: Request) -> ProblemError:
    """Every method that the path has, not only those of the first route that it fits."""
    routes = request.app.routes
    allowed = [
        method
        for method in ("DELETE", "GET", "HEAD", "POST", "PUT")
        if any(
            each.matches({**request.scope, "method": method})[0] is Match.FULL for each in routes
        )
    ]
    return ProblemError(
        405, "method-not-allowed", f"{request.url.path} has no {request.method}",
        f"Use {' or '.join(filter(None, [', '.join(allowed[:-1]), allowed[-1]]))}.",
        headers={"allow": ", ".join(allowed)},
    )  # fmt: skip


def _problem(error: Exception) -> ProblemError:
    match error:
        case HTTPException(status_code=404):
            return ProblemError(404, "not-found", "there is nothing here", "See /openapi.json.")
        case HTTPException(status_code=status, detail=detail, headers=headers):
            code = HTTPStatus(status).phrase.lower().replace(" ", "-")
            fix = "See /openapi.json."
            return ProblemError(status, code, str(detail), fix, headers=dict(headers or {}))
        case RequestValidationError():
            flaws = ((pointer(tuple(each["loc"])), each["msg"]) for each in error.errors())
            return bad_parameters([(at, what, "See /openapi.json.") for at, what in flaws])
        case _:
            return problem_of(error)

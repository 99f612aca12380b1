"""The HTTP application: routes, problems, and the cap on bodies."""

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from gateway.body import BodyCap
from gateway.problems import TABLE, ProblemError, problem_of, render
from gateway.routes import actions, approvals, health, keys, plans, requests, runs
from gateway.wiring import Gateway

_log = logging.getLogger("lamgate.http")


def create_app(gateway: Gateway) -> FastAPI:
    """Build the application over a gateway that has been started."""
    app = FastAPI(title="Lamgate", version="1", redoc_url=None)
    app.state.gateway = gateway
    app.add_middleware(BodyCap)
    for routes in (requests, plans, runs, approvals, actions, keys, health):
        app.include_router(routes.router)
    app.add_exception_handler(Exception, _problem)
    for kind in (
        ProblemError,
        RequestValidationError,
        HTTPException,
        *(kind for kind, *_ in TABLE),
    ):
        app.add_exception_handler(kind, _problem)
    return app


async def _problem(_: Request, error: Exception) -> JSONResponse:
    match error:
        case HTTPException(status_code=404):
            return render(ProblemError(404, "not-found", "there is nothing here"))
        case HTTPException(status_code=status, detail=detail):
            return render(ProblemError(status, "http", str(detail)))
        case RequestValidationError():
            first = error.errors()[0]
            at = "/" + "/".join(str(part) for part in first["loc"])
            return render(ProblemError(422, "unknown-field", f"{at}: {first['msg']}"))
    problem = problem_of(error)
    if problem.code == "internal":
        _log.error("unexpected", exc_info=error)
    return render(problem)

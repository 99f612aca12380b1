"""The API as a page for people: made from its document, without any script or other server."""

from functools import lru_cache

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse

router = APIRouter(tags=["docs"], include_in_schema=False)
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Show every call, what it takes and what it answers."""
    return HTMLResponse(_text(request.app), headers=_HEADERS)


@lru_cache(maxsize=1)  # whoever has no key may ask for it
def _text(app: FastAPI) -> str:
    from jinja2 import Environment, PackageLoader  # for this page alone

    document = app.openapi()
    tags: dict[str, list[dict[str, object]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            shown = {**operation, "method": method.upper(), "path": path}
            tags.setdefault(operation["tags"][0], []).append(shown)
    schemas = dict(sorted(document["components"]["schemas"].items()))
    pages = Environment(loader=PackageLoader("gateway", "pages"), autoescape=True)
    page = pages.get_template("api.html")
    return page.render(info=document["info"], tags=tags, schemas=schemas)

"""The API as a page for people: made from its document, without any script or other server."""

from functools import cache

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, Template

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
    document = request.app.openapi()
    tags: dict[str, list[dict[str, object]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            shown = {**operation, "method": method.upper(), "path": path}
            tags.setdefault(operation["tags"][0], []).append(shown)
    schemas = dict(sorted(document["components"]["schemas"].items()))
    text = _page().render(info=document["info"], tags=tags, schemas=schemas)
    return HTMLResponse(text, headers=_HEADERS)


@cache
def _page() -> Template:
    pages = Environment(loader=PackageLoader("gateway", "pages"), autoescape=True)
    return pages.get_template("api.html")

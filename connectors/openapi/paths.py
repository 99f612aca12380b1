"""Which address an operation is at: its path, what stands in its query, and its server."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from pydantic import JsonValue

from connectors.openapi.gaps import Gap, UnsupportedError
from connectors.spec import JsonObject
from connectors.text import visible

KEPT = "-._~!$&'()*+,;=:@%"
_IN_TEMPLATE = re.compile(r"\{([^{}]*)\}")
_NOT_PLAIN = re.compile(r"[?#\\\s\ud800-\udfff]|//|/\.\.?(/|$)")
_QUERY = re.compile(r"[A-Za-z0-9._~!$'()*,:@/=&%\[\]-]*")
_ASKED = re.compile(r"([^=&{}]+)=\{([^{}]+)\}")


@dataclass(frozen=True)
class Target:
    """Where an operation is; `template` is the path as the document writes it.

    `asked` has the parameters that the path writes in its query (`?q={words}`), and their keys.
    """

    template: str
    path: str
    query: str
    server: str
    asked: Mapping[str, str] = field(default_factory=dict)


def target_of(written: str, node: JsonObject, item: JsonObject, home: JsonValue) -> Target:
    """The parts of a path; raises `UnsupportedError`.

    What follows `#` only tells operations apart, as some documents do with one path; what follows
    `?` is sent as it is, but for the parameters in it.
    """
    template, _, _ = written.partition("#")
    template, _, written_query = template.partition("?")
    query, asked = _split(written_query)
    is_plain = template.startswith("/") and not _NOT_PLAIN.search(template)
    if not is_plain or not _QUERY.fullmatch(query):
        raise UnsupportedError(Gap.PATH, repr(visible(written, 100)))
    path = quote(template, safe="/{}" + KEPT)
    return Target(template, path, query, _server(node, item, home), asked)


def _split(query: str) -> tuple[str, dict[str, str]]:
    """What is sent as it is, and the keys of parameters by their names."""
    fixed: list[str] = []
    asked: dict[str, str] = {}
    for pair in query.split("&"):
        found = _ASKED.fullmatch(pair)
        if found is None or found[2] in asked:
            fixed.append(pair)
        else:
            asked[found[2]] = found[1]
    return "&".join(fixed), asked


def names_in(template: str) -> list[str]:
    """The names in braces."""
    return _IN_TEMPLATE.findall(template)


def home_of(document: JsonObject) -> JsonValue:
    """The document's servers, or those that all of its paths name where it names none."""
    if document.get("servers"):
        return document["servers"]
    paths = document.get("paths")
    items = paths.values() if isinstance(paths, dict) else ()
    named = [each["servers"] for each in items if isinstance(each, dict) and each.get("servers")]
    return named[0] if named and all(each == named[0] for each in named) else None


def _server(node: JsonObject, item: JsonObject, home: JsonValue) -> str:
    """The server that an operation names for itself, with its variables' defaults; or ""."""
    servers = node.get("servers") or item.get("servers")
    if not isinstance(servers, list) or servers == home:
        return ""
    known = [_bare(_url(each)) for each in home] if isinstance(home, list) else []
    named = [_url(each) for each in servers]
    return "" if not named or any(_bare(each) in known for each in named) else named[0]


def _bare(url: str) -> str:
    """An address without its scheme, which many leave out in one place and write in another."""
    return url.partition("//")[2] or url


def _url(server: JsonValue) -> str:
    """A server's address with the default of each variable, or the first that it may be."""
    if not isinstance(server, dict):
        return ""
    found = str(server.get("url", ""))
    variables = server.get("variables")
    for name, each in variables.items() if isinstance(variables, dict) else ():
        said = each if isinstance(each, dict) else {}
        choices = said.get("enum")
        first = choices[0] if isinstance(choices, list) and choices else ""
        found = found.replace(f"{{{name}}}", str(said.get("default", first)))
    return visible(found.rstrip("/"), 200)

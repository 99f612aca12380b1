"""Reads a request back by the document alone, to see whether what arrived is what was said.

This shares no code with the writer: it looks at the parameters of the raw document, 2.0 or 3,
and takes the bytes apart as their styles say. Values come back as texts, lists and objects of
texts; only JSON keeps its types.
"""

import email
import email.policy
import json
import re
from typing import Any
from urllib.parse import parse_qsl, unquote, unquote_plus

Node = dict[str, Any]
_SEPARATORS = {"ssv": " ", "tsv": "\t", "pipes": "|", "spaceDelimited": " ", "pipeDelimited": "|"}


class MisreadError(Exception):
    """The request does not say what it should; says where."""


def target(document: Node, reference: Any) -> Any:
    """What a `$ref` leads to; an empty object where it leads nowhere."""
    while isinstance(reference, dict) and isinstance(reference.get("$ref"), str):
        here: Any = document
        for token in unquote(reference["$ref"])[2:].split("/"):
            name = token.replace("~1", "/").replace("~0", "~")
            here = here.get(name, {}) if isinstance(here, dict) else {}
        reference = here
    return reference


def parameters(document: Node, item: Node, node: Node) -> dict[tuple[str, str], Node]:
    """The parameters of an operation by place and name."""
    found = {}
    for each in [*item.get("parameters", []), *node.get("parameters", [])]:
        one = target(document, each)
        found[one["in"], one["name"]] = one
    return found


def said(value: Any) -> Any:
    """A value as its texts, which is all that most of a request can say."""
    match value:
        case dict():
            return {key: said(each) for key, each in value.items()}
        case list():
            return [said(each) for each in value]
        case str():
            return value
        case _:
            return json.dumps(
                int(value) if isinstance(value, float) and value == int(value) else value
            )


class Reader:
    """One request of one operation."""

    def __init__(self, written_path: str, method: str, head: str, body: bytes) -> None:
        lines = head.split("\r\n")
        verb, address, _ = lines[0].split(" ")
        if verb.lower() != method:
            raise MisreadError(f"{verb} was sent, not {method}")
        path, _, query = address.partition("?")
        self.headers = {
            name.lower(): value.strip()
            for name, _, value in (one.partition(":") for one in lines[1:])
        }
        self.query = parse_qsl(query, keep_blank_values=True)
        template = written_path.partition("#")[0].partition("?")[0]
        names = re.findall(r"\{([^{}]*)\}", template)
        parts = [re.escape(each) for each in re.split(r"\{[^{}]*\}", unquote(template))]
        match = re.fullmatch("([^/]+)".join(parts), unquote(path))
        if match is None:
            raise MisreadError(f"{path} is not {template}")
        self.path = dict(zip(names, match.groups(), strict=True))
        self.body = body

    def value(self, where: str, name: str, raw: Node, like: Any) -> Any:
        """What a parameter says; `like` tells a list from a text, which no style does."""
        if "content" in raw:
            text = {"query": dict(self.query), "header": self.headers}[where][
                name if where == "query" else name.lower()
            ]
            return json.loads(text)
        if where == "path":
            return _in_path(self.path[name], name, raw, like)
        if where == "header":
            return _split(self.headers[name.lower()], ",", raw.get("explode") is True, like)
        if where == "cookie":
            cookies = dict(each.strip().split("=", 1) for each in self.headers["cookie"].split(";"))
            return _split(unquote(cookies[name]), ",", False, like)
        return self._in_query(name, raw, like)

    def _in_query(self, name: str, raw: Node, like: Any) -> Any:
        style = raw.get("style", "form")
        if style == "deepObject":
            return _nested(self.query, name, like)
        collection = raw.get("collectionFormat")
        separator = _SEPARATORS.get(collection or style, ",")
        explode = raw.get("explode", style == "form") if "swagger" not in raw else False
        if collection is not None or raw.get("type") == "array":
            explode = collection == "multi"
        if explode and isinstance(like, dict):
            return {key: each for key, each in self.query if key in like}
        values = [each for key, each in self.query if key == name]
        if explode and isinstance(like, list):
            return values
        if len(values) != 1:
            raise MisreadError(f"{name} is there {len(values)} times")
        return _split(values[0], separator, False, like)

    def json_body(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def form(self) -> list[tuple[str, str]]:
        """The pairs of a form."""
        return [
            (unquote_plus(name), unquote_plus(value))
            for name, _, value in (each.partition("=") for each in self.body.decode().split("&"))
        ]

    def parts(self) -> list[tuple[str, bytes, str | None]]:
        """Name, bytes and file name of each part, as the library's mail reader has them."""
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + self.body, policy=email.policy.HTTP)
        found = []
        for part in message.iter_parts():
            name = part.get_param("name", header="content-disposition")
            data = part.get_payload(decode=True)
            found.append((str(name), data if isinstance(data, bytes) else b"", part.get_filename()))
        return found


def member(pairs: list[tuple[str, str]], name: str, encoding: Node, like: Any) -> Any:
    """What one member of a form says."""
    if encoding.get("style") == "deepObject":
        return _nested(pairs, name, like)
    values = [each for key, each in pairs if key == name]
    if encoding.get("explode") is False and isinstance(like, list):
        separator = _SEPARATORS.get(encoding.get("style", ""), ",")
        return values[0].split(separator)
    if isinstance(like, list):
        return [
            json.loads(each) if isinstance(one, dict | list) else each
            for each, one in zip(values, like, strict=True)
        ]
    return json.loads(values[0]) if isinstance(like, dict) else values[0]


def _in_path(text: str, name: str, raw: Node, like: Any) -> Any:
    explode = raw.get("explode") is True
    match raw.get("style", "simple"):
        case "label":
            return _split(text.removeprefix("."), "." if explode else ",", explode, like)
        case "matrix" if explode and isinstance(like, list):
            return [each.removeprefix(f"{name}=") for each in text.split(";")[1:]]
        case "matrix":
            return _split(text.removeprefix(f";{name}="), ",", False, like)
        case _:
            return _split(text, ",", explode, like)


def _split(text: str, separator: str, explode: bool, like: Any) -> Any:
    match like:
        case list():
            return text.split(separator)
        case dict() if explode:
            return dict(each.split("=", 1) for each in text.split(separator))
        case dict():
            parts = text.split(separator)
            return dict(zip(parts[::2], parts[1::2], strict=True))
        case _:
            return text


def _nested(pairs: list[tuple[str, str]], name: str, like: Any) -> Any:
    """`name[a][0]` as objects and lists."""
    root: Node = {}
    for key, text in pairs:
        tokens = re.findall(r"\[([^\]]*)\]", key[len(name) :])
        if not key.startswith(f"{name}[") and key != name:
            continue
        here = root
        for token in ["", *tokens][:-1]:
            here = here.setdefault(token, {})
        here[["", *tokens][-1]] = text
    return _shaped(root.get(""), like)


def _shaped(found: Any, like: Any) -> Any:
    if isinstance(like, list) and isinstance(found, dict):
        return [_shaped(found[str(number)], one) for number, one in enumerate(like)]
    if isinstance(like, dict) and isinstance(found, dict):
        return {key: _shaped(each, like.get(key)) for key, each in found.items()}
    return found

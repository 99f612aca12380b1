"""Media types: which are JSON, text, XML or bytes to us."""

import re

_NAME = re.compile(r"[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+")
_TEXTS = frozenset(
    "application/yaml application/x-yaml application/sdp application/csv application/toml "
    "application/x-pem-file application/javascript application/graphql application/sql "
    "application/x-ndjson application/jsonl application/json-seq".split()
)
STREAM = "text/event-stream"


def kind_of(media: str) -> str:
    """The type without its parameters, in lower case; empty for what is none."""
    found = media.partition(";")[0].strip().lower()
    return found if _NAME.fullmatch(found) else ""


def declared_kind(media: str) -> str:
    """The same of what a document says, where nothing or a star means any type."""
    return "*/*" if media.strip() in ("", "*") else kind_of(media)


def is_json(kind: str) -> bool:
    """Whether it is JSON, under whatever name."""
    return kind.endswith(("/json", "+json"))


def is_xml(kind: str) -> bool:
    """Whether it is XML, under whatever name."""
    return kind_of(kind).endswith(("/xml", "+xml"))


def is_text(kind: str) -> bool:
    """Whether it is read as text; XML as an answer is."""
    return (kind.startswith("text/") and kind != STREAM) or kind in _TEXTS or is_xml(kind)


def matches(kind: str, pattern: str) -> bool:
    """Whether a type is one of a range such as `image/*`."""
    if pattern == "*/*":
        return True
    main, _, sub = pattern.partition("/")
    return kind == pattern or (sub == "*" and kind.startswith(f"{main}/"))

"""What has the form of a well-known kind of key, taken out in time that grows with the text alone.

A stranger may have written the text. So the patterns are RE2's, which never begins anew for each of
many beginnings, and the end of a private key is looked for once for all that begin before it.
"""

import re
from collections.abc import Iterator
from typing import Final

import re2

HIDDEN: Final = "[secret]"
_LONGEST_KEY: Final = 10_000  # characters between the first and the last line of a private key
_BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
_END = re.compile(r"-----END [A-Z ]{0,40}PRIVATE KEY-----")


def _compiled(pattern: bytes) -> "re2._Regexp[bytes]":
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # byte by byte: a text may be broken
    options.log_errors = False
    return re2.compile(pattern, options)


_KEYS = _compiled(
    rb"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"
    rb"|\b(?:sk|pk|rk)[-_](?:live|test|proj|ant|or)?[-_A-Za-z0-9]{16,}"
    rb"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bxox[abeprs]-[A-Za-z0-9-]{10,}"
    rb"|\bA(?:KI|SI)A[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}|\bglpat-[A-Za-z0-9_-]{16,}"
    rb"|\blam_[A-Za-z0-9_-]{40,}"
)
_IN_ADDRESS = _compiled(rb"(://)[^\s/@:]*:[^\s/@]+(@)")
_IN_HEADER = _compiled(rb"(?i)(\b(?:bearer|basic) +)[A-Za-z0-9+/._~=-]{12,}")


def without_known_keys(text: str) -> str:
    """The text without what has the form of a well-known kind of key, whoever it belongs to."""
    content = _without_private_keys(text).encode("utf-8", "surrogatepass")
    for pattern, instead in (
        (_KEYS, HIDDEN.encode()),
        (_IN_ADDRESS, rb"\1" + HIDDEN.encode() + rb"\2"),
        (_IN_HEADER, rb"\1" + HIDDEN.encode()),
    ):
        if pattern.search(content):
            content = pattern.sub(instead, content)
    return content.decode("utf-8", "surrogatepass")


def _without_private_keys(text: str) -> str:
    kept, at = [], 0
    for start, end in _private_keys(text):
        kept += [text[at:start], HIDDEN]
        at = end
    return "".join([*kept, text[at:]])


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """From where to where; one whose last line is missing ends with the text."""
    ends, at = _END.finditer(text), 0
    end = next(ends, None)
    for begin in _BEGIN.finditer(text):
        if begin.start() < at:
            continue
        while end is not None and end.start() < begin.end():
            end = next(ends, None)
        inside = (len(text) if end is None else end.start()) - begin.end()
        if inside <= _LONGEST_KEY:
            at = len(text) if end is None else end.end()
            yield begin.start(), at

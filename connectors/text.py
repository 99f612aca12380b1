"""A stranger's words as people can read them: on one line, nothing hidden in them, not too long."""

import re
import unicodedata

# Controls, formats (zero-width, bidirectional, tags), surrogates, private use, separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_PLAIN = re.compile(r"[ -~]*")


def hides_something(text: str) -> bool:
    """Whether there are characters in it that nobody sees."""
    return any(unicodedata.category(each) in _HIDDEN for each in text)


def visible(text: str, most: int) -> str:
    """The text on one line without characters that nobody sees, cut to `most` characters."""
    text = text[: most * 4]
    if not _PLAIN.fullmatch(text):
        text = "".join(" " if unicodedata.category(c) in _HIDDEN else c for c in text)
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"

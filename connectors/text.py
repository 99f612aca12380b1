"""A stranger's words as people can read them: on one line, nothing hidden in them, not too long."""

import unicodedata

# Controls, formats (zero-width, bidirectional, tags), surrogates, private use, separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def hides_something(text: str) -> bool:
    """Whether there are characters in it that nobody sees."""
    # What can be printed hides nothing; what cannot is looked at letter by letter.
    return not text.isprintable() and any(unicodedata.category(c) in _HIDDEN for c in text)


def visible(text: str, most: int) -> str:
    """The text on one line without characters that nobody sees, cut to `most` characters."""
    plain = " ".join(text[: most * 4].split())
    if hides_something(plain):
        shown = "".join(" " if unicodedata.category(c) in _HIDDEN else c for c in plain)
        plain = " ".join(shown.split())
    return plain if len(plain) <= most else plain[: most - 1] + "…"

"""The words of a text without the small ones and without the endings that change."""

import re

WORD = re.compile(r"[^\W_]+")
_SMALL = frozenset(
    "a an and are as at be by do for from i in is it me my of on or our please that the this "
    "to up was we with you".split()
)
_ENDINGS = ("ing", "ed", "es", "s", "e")


def stems(text: str) -> list[str]:
    """The words in order; `orders`, `ordered` and `order` are one."""
    return [_stem(word) for word in WORD.findall(text.casefold()) if word not in _SMALL]


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word

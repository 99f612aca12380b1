"""Small faults for a Cedar text, token by token: what an operator could get wrong in a policy.

A policy is dropped, or permits where it forbade; a comparison, a number, a text or a name is
another one; a condition, a restriction of the head or an obligation is missing. Names, messages
and comments are left alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r'//[^\n]*|\s+|"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|::|&&|\|\||[=!<>]=|.', re.DOTALL
)
_OTHER: dict[str, tuple[str, ...]] = {
    "permit": ("forbid",),
    "forbid": ("permit",),
    "==": ("!=",),
    "!=": ("==",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "&&": ("||",),
    "||": ("&&",),
    "+": ("-",),
    "-": ("+",),
    "when": ("unless",),
    "unless": ("when",),
    "contains": ("containsAny",),
    "greaterThan": ("greaterThanOrEqual", "lessThan"),
    "lessThan": ("lessThanOrEqual", "greaterThan"),
    "greaterThanOrEqual": ("greaterThan",),
    "lessThanOrEqual": ("lessThan",),
    "true": ("false",),
    "false": ("true",),
}
_KEPT = frozenset({"id", "message"})  # annotations that are for people


@dataclass(frozen=True)
class CedarChange:
    """One fault: the text with it, what it is, and the policy with it alone."""

    text: str
    what: str
    policy: str = ""  # none where it is dropped


def cedar_changes(text: str) -> Iterator[CedarChange]:
    """Every fault of this text; some are no valid Cedar, which is for the caller to see."""
    tokens = _TOKEN.findall(text)
    policies = list(_policies(tokens))
    for start, end in policies:
        shown = _shown(tokens[start:end])
        if len(policies) > 1:
            yield CedarChange("".join([*tokens[:start], *tokens[end:]]), f"without {shown}")
        for first, last, news in _faults(tokens, start, end):
            for new in news:
                changed = "".join([*tokens[:first], new, *tokens[last:]])
                what = f"{_shown(tokens[first:last])} => {new or 'nothing'} in {shown}"
                alone = "".join([*tokens[start:first], new, *tokens[last:end]])
                yield CedarChange(changed, what, alone)


def _policies(tokens: list[str]) -> Iterator[tuple[int, int]]:
    start = 0
    for place, token in enumerate(tokens):
        if token == ";":
            yield start, place + 1
            start = place + 1


def _faults(tokens: list[str], start: int, end: int) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Where something else may stand, from and to, and what."""
    for place in range(start, end):
        token = tokens[place]
        before = next((each for each in reversed(tokens[start:place]) if not each.isspace()), "")
        if token == "@" and tokens[place + 1] not in _KEPT:
            yield place, _closed(tokens, place, "(", ")"), ("",)
        elif token in ("when", "unless"):
            yield place, _closed(tokens, place, "{", "}"), ("",)
        elif token in ("action", "resource", "principal") and before in ("(", ","):
            last = next(at for at in range(place, end) if tokens[at] in (",", ")"))
            if last > place + 1:
                yield place, last, (token,)
        elif token == "!" and before != "":
            yield place, place + 1, ("",)
        elif token.isdigit():
            less = (str(int(token) - 1),) if int(token) else ()
            yield place, place + 1, (str(int(token) + 1), *less)
        elif token.startswith('"') and not _is_note(tokens[start:place]):
            if tokens[place - 2 : place] != ["decimal", "("]:
                yield place, place + 1, (token[:-1] + 'x"',)
            else:
                yield place, place + 1, (token[:-1] + '1"',)
        elif tokens[place - 1] == "." and token not in _OTHER and token.isidentifier():
            yield place, place + 1, (token + "x",)
        if token in _OTHER:
            yield place, place + 1, _OTHER[token]


def _is_note(before: list[str]) -> bool:
    """Whether a text is that of an annotation."""
    return len(before) > 2 and before[-1] == "(" and before[-3] == "@"


def _closed(tokens: list[str], place: int, opening: str, closing: str) -> int:
    """The place after the bracket that closes the first one from here."""
    depth = 0
    for at in range(place, len(tokens)):
        depth += (tokens[at] == opening) - (tokens[at] == closing)
        if tokens[at] == closing and depth == 0:
            return at + 1
    return len(tokens)


def _shown(tokens: list[str]) -> str:
    text = "".join(each for each in tokens if not each.startswith("//"))
    return " ".join(text.split())

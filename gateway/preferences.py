"""What a client would rather have: how long to wait (RFC 7240), and which form (RFC 9110)."""

import re

from fastapi import Request

LONGEST_WAIT_S = 60.0
_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*("?)(\d+)\1\s*(?:[;,]|$)', re.ASCII | re.IGNORECASE)
_WEIGHT = re.compile(r"[01](?:\.\d{0,3})?", re.ASCII)


def wait_s(request: Request) -> float:
    """How long the client prefers to wait for an answer, at most a minute."""
    found = _WAIT.search(", ".join(request.headers.getlist("prefer")))
    return 0.0 if found is None else min(float(found[2]), LONGEST_WAIT_S)


def likes_better(request: Request, form: str, other: str) -> bool:
    """Whether the client would rather have one media type than the other, which is ours.

    The greater weight decides, then who is named more exactly, then who is named first.
    """
    accepted = ", ".join(request.headers.getlist("accept")).lower().split(",")
    return _rank(accepted, form) > _rank(accepted, other)


def _rank(accepted: list[str], form: str) -> tuple[float, int, int]:
    """Weight, exactness and place of a form; the most exact range that names it counts."""
    names = (form, f"{form.partition('/')[0]}/*", "*/*")
    found = []
    for place, each in enumerate(accepted):
        name, *members = (part.strip() for part in each.split(";"))
        if name in names:
            found.append((names.index(name), place, _weight(members)))
    how, place, weight = min(found, default=(0, 0, 0.0))
    return (weight, -how, -place) if weight else (0.0, 0, 0)


def _weight(members: list[str]) -> float:
    told = next((each[2:] for each in members if each.startswith("q=")), "1")
    return float(told) if _WEIGHT.fullmatch(told) else 0.0

"""What a service says of its own limits with every answer, before it has to refuse one.

header                                            says
------------------------------------------------  ----------------------------------------------
RateLimit: "name";r=5;t=30                        of the IETF's draft: 5 more, until 30 s from now
RateLimit: limit=9, remaining=5, reset=30         an older draft's
RateLimit-Remaining, -Reset                       the first ones', in two headers
X-RateLimit-Remaining, -Reset; X-Rate-Limit-...   nobody's, and everybody's
  ...-Remaining-Requests, -Reset-Requests         beside limits of something else than calls
  ...-Reset-After                                 seconds

A reset is told in seconds from now, as the second of a date (since 1970), as its millisecond, as a
date, or as "6m0s". Which it is shows: 1,000,000,000 seconds from now is in thirty years. Dates are
compared with the service's own Date where there is one: clocks differ. What says how many are left
and not until when is nothing to go by. Of several the tightest counts.
"""

import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime

from connectors.dates import http_date

LONGEST_S = 24 * 3600.0  # nobody is believed for longer
MOST = 1_000_000_000  # calls: whoever says more says that it does not count them
_MOST_READ = 1000  # characters of a header
_PREFIXES = ("ratelimit-", "x-ratelimit-", "x-rate-limit-")
_COUNT = re.compile(r"([0-9]{1,12})(?:\.[0-9]{1,9})?")
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_SPAN = re.compile(
    r"(?:(?P<h>[0-9]{1,6})h)?(?:(?P<m>[0-9]{1,6})m(?!s))?"
    r"(?:(?P<s>[0-9]{1,9}(?:\.[0-9]{1,9})?)s)?(?:(?P<ms>[0-9]{1,12}(?:\.[0-9]{1,9})?)ms)?"
)
_ITEM = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])+')
_MEMBER = re.compile(r"(?:^|[;,\s])(r|t|remaining|reset)\s*=\s*([0-9]{1,12})(?=$|[;,\s])")
_SECONDS_SINCE_1970, _MILLISECONDS_SINCE_1970 = 1e9, 1e12


@dataclass(frozen=True)
class Quota:
    """How many calls a service still takes, and in how many seconds it takes more again."""

    left: int
    renews_in_s: float


@dataclass
class Heard:
    """What was said during one call; of several requests, with the last answer that said it."""

    quota: Quota | None = None


HEARD: ContextVar[Heard] = ContextVar("heard")
"""Whose call it is; set around every call, and told by the way out."""


def note(headers: Mapping[str, str], now: float) -> None:
    """Tell the call that is under way what an answer says, if there is one."""
    heard = HEARD.get(None)
    if heard is not None and (found := quota_of(headers, now)) is not None:
        heard.quota = found


def quota_of(headers: Mapping[str, str], now: float) -> Quota | None:
    """The tightest of what an answer says; header names are in lower case."""
    told = [*_of_draft(headers.get("ratelimit", "")), *_of_pairs(headers, now)]
    good = [
        Quota(min(left, MOST), min(seconds, LONGEST_S)) for left, seconds in told if seconds > 0
    ]
    return min(good, key=lambda each: (each.left, -each.renews_in_s), default=None)


def _of_draft(text: str) -> Iterator[tuple[int, float]]:
    """Each item of a list by itself; the older form is one dictionary with commas in it."""
    text = text[:_MOST_READ]
    items = [text] if "remaining" in text else _ITEM.findall(text)
    for item in items:
        said = dict(_MEMBER.findall(re.sub(r'"(?:[^"\\]|\\.)*"', "", item)))
        left, seconds = said.get("r", said.get("remaining")), said.get("t", said.get("reset"))
        if left is not None and seconds is not None:
            yield int(left), float(seconds)


def _of_pairs(headers: Mapping[str, str], now: float) -> Iterator[tuple[int, float]]:
    for prefix in _PREFIXES:
        for of in ("", "-requests"):
            left = _COUNT.fullmatch(headers.get(f"{prefix}remaining{of}", "").strip())
            if left is None:
                continue
            for reset in (f"{prefix}reset{of}", f"{prefix}reset-after{of}"):
                seconds = _seconds(headers.get(reset, "").strip()[:_MOST_READ], headers, now)
                if seconds is not None:
                    yield int(left[1]), seconds


def _seconds(text: str, headers: Mapping[str, str], now: float) -> float | None:
    """From now until a reset, however it is written; None where it cannot be read."""
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number < _SECONDS_SINCE_1970:
            return number
        at = number if number < _MILLISECONDS_SINCE_1970 else number / 1000
    elif text and (span := _SPAN.fullmatch(text)) is not None:
        hours, minutes, seconds, thousandths = (float(each or 0) for each in span.groups())
        return hours * 3600 + minutes * 60 + seconds + thousandths / 1000
    else:
        date = http_date(text) or _iso_date(text)
        if date is None:
            return None
        at = date
    theirs = http_date(headers.get("date", ""))
    return at - (now if theirs is None else theirs)


def _iso_date(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

"""Dates and waits as HTTP headers say them."""

import email.utils
import math
import re
from collections.abc import Mapping
from datetime import UTC

_LONGEST_WAIT_S = 7 * 24 * 3600.0
_SECONDS = re.compile(r"[0-9]{1,15}(\.[0-9]{0,9})?")


def http_date(text: str) -> float | None:
    """Seconds since 1970; None where it is no date."""
    try:
        found = email.utils.parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, IndexError):
        return None


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110, 10.2.3); None if there is none to read.

    A date is compared with the service's own Date where there is one: clocks differ. The names of
    `headers` are in lower case; no wait is for ever.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST_WAIT_S)
    until, since = http_date(text), http_date(headers.get("date", ""))
    if until is None:
        return None
    return min(max(0.0, until - (now if since is None else since)), _LONGEST_WAIT_S)


def wait_s(said: object) -> float | None:
    """How long somebody's own code wants to be waited for, as it can be counted; None if not."""
    if isinstance(said, bool) or not isinstance(said, int | float) or math.isnan(said):
        return None
    return float(min(max(0, said), _LONGEST_WAIT_S))

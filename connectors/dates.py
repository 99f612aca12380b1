"""Dates as HTTP headers say them."""

import email.utils
from datetime import UTC


def http_date(text: str) -> float | None:
    """Seconds since 1970; None where it is no date."""
    try:
        found = email.utils.parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, IndexError):
        return None

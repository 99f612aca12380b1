"""Takes keys out of what providers and their libraries say: they like to quote them."""

import os
import re

from connectors.text import visible

_SECRET_NAME = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)S?$", re.IGNORECASE)
_SHORTEST = 8
_USER_OF_URL = re.compile(r"(?<=://)[^\s/@]+(?=@)")
_SHOWN = 300
_TRACEBACK = "Traceback (most recent call last)"


def told(text: str, secret: str | None = None) -> str:
    """The first line of a reason in few characters, without a key of ours or the environment's."""
    text, *_ = text.split(_TRACEBACK)  # libraries put theirs into what they say
    first = next((each for each in text.strip().splitlines() if each.strip()), "no reason given")
    return visible(without_keys(first.strip(), secret), _SHOWN)


def without_keys(text: str, secret: str | None = None) -> str:
    """The text with every key in it blanked out."""
    # A library may have read its key from the environment, without any setting of ours.
    found = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)}
    found |= {secret or ""}
    for each in sorted(found, key=len, reverse=True):
        if len(each) >= _SHORTEST:
            text = text.replace(each, "***")
    return _USER_OF_URL.sub("***", text)

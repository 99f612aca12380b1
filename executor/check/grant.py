"""What a call is made on: an approval, and the hash of exactly what was approved."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Grant:
    """One approval that a call relies on; the intent is written only while it covers the call."""

    approval: str
    approved_hash: str  # of the arguments shown, for `each` of all items together

"""What a read ends in that found a part where the whole was meant: a part would pass for all."""

from connectors.errors import Kind, Refused

INCOMPLETE = "incomplete"
"""The vendor code of such a refusal."""


def incomplete(why: str, instead: str) -> Refused:
    """The refusal; `instead` is what to do."""
    told = f"this is not all of it: {why}; {instead}"
    return Refused(told, kind=Kind.INTERNAL, vendor_code=INCOMPLETE)

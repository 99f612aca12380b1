"""A call of each effect class, alone in its plan."""

from run_cases import Play, play, ref, step, value

WRITES = ("idempotent", "keyed", "lookup", "blind")
EVERY = ("read", *WRITES)
LONG = 70.0  # longer than any backoff


def one(what: str) -> Play:
    """A plan of one call."""
    return play(step("a", what, value(1, "x")), answer=[ref("a/id", "id")])

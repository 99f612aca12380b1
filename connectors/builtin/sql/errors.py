"""What a database's own error means: by its code alone, for its words may be anything.

    the database says                        what is raised
    ─────────────────                        ──────────────
    taken: unique, exclusion, foreign key    Refused, conflict
    not fit: check, not null, value, cast    Refused, invalid
    not allowed                              Refused, auth
    clash: deadlock, serialization, lock     Unavailable: it took the transaction back
    no room, too many connections            Unavailable
    the statement ran out of time            Unavailable, timeout
    a fault of the statement                 Refused, internal
    the connection is lost                   what the phase says: only a commit leaves doubt

An error that answers a commit says as clearly that nothing was kept.
"""

from collections.abc import Mapping

from connectors.builtin.sql.turn import Turn
from connectors.errors import ConnectorError, Kind, Refused, Unavailable
from connectors.text import visible

_LONGEST = 300
# By SQLSTATE, or as much of it as they share: the longest that fits counts.
POSTGRES: Mapping[str, Kind] = {
    "22": Kind.INVALID,
    "2200S": Kind.INVALID,
    "23": Kind.INVALID,
    "23001": Kind.CONFLICT,
    "23503": Kind.CONFLICT,
    "23505": Kind.CONFLICT,
    "23P01": Kind.CONFLICT,
    "28": Kind.AUTH,
    "42501": Kind.AUTH,
    "40": Kind.UNAVAILABLE,
    "53": Kind.UNAVAILABLE,
    "53400": Kind.QUOTA,
    "54": Kind.INVALID,
    "55P03": Kind.UNAVAILABLE,
    "57014": Kind.TIMEOUT,
    "P0001": Kind.INVALID,
}
SQLITE: Mapping[str, Kind] = {
    "SQLITE_BUSY": Kind.UNAVAILABLE,
    "SQLITE_LOCKED": Kind.UNAVAILABLE,
    "SQLITE_CANTOPEN": Kind.UNAVAILABLE,
    "SQLITE_FULL": Kind.UNAVAILABLE,
    "SQLITE_INTERRUPT": Kind.TIMEOUT,
    "SQLITE_CONSTRAINT": Kind.INVALID,
    "SQLITE_CONSTRAINT_FOREIGNKEY": Kind.CONFLICT,
    "SQLITE_CONSTRAINT_PRIMARYKEY": Kind.CONFLICT,
    "SQLITE_CONSTRAINT_ROWID": Kind.CONFLICT,
    "SQLITE_CONSTRAINT_UNIQUE": Kind.CONFLICT,
    "SQLITE_MISMATCH": Kind.INVALID,
    "SQLITE_TOOBIG": Kind.INVALID,
    "SQLITE_RANGE": Kind.INVALID,
    "SQLITE_PERM": Kind.AUTH,
    "SQLITE_AUTH": Kind.AUTH,
}
_LOST = ("", "08", "57P", "25P03", "SQLITE_IOERR")
_PASSING = (Kind.UNAVAILABLE, Kind.TIMEOUT)


def meaning(code: str, words: str, kinds: Mapping[str, Kind], turn: Turn) -> ConnectorError:
    """The error that a call ends in; an empty `code` is that of a connection that is lost."""
    told = visible(words, _LONGEST) or code
    if any(code == each or (each and code.startswith(each)) for each in _LOST):
        return turn.silence(told, Kind.UNAVAILABLE)
    fitting = [each for each in kinds if code.startswith(each)]
    kind = kinds[max(fitting, key=len)] if fitting else Kind.INTERNAL
    message = f"{code}: {told}"
    if kind in _PASSING:
        return Unavailable(message, kind=kind, sent=True, vendor_code=code)
    return Refused(message, kind=kind, vendor_code=code)

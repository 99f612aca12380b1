"""What Tryton's actions promise beside their effect: one write at a time, and a busy database."""

from connectors.spec import JsonObject

# On SQLite its numbers collide under parallel writes, and on a server they wait for each other.
_ONE_AT_A_TIME: JsonObject = {"limits": {"concurrency": 1}, "timeout_s": 60.0}
# A database that was locked: the transaction was rolled back before this was said.
_BUSY: JsonObject = {"transactional_errors": [503]}
PUSHED: JsonObject = {"effect": "idempotent", **_BUSY, **_ONE_AT_A_TIME}


def made(find: str, undo: str | None) -> JsonObject:
    """A record that is made: found by the mark that it carries, taken back by another action."""
    lookup: JsonObject = {"action": find, "by": "reference"}
    return {
        "effect": "lookup",
        "lookup": lookup,
        "settle_s": 60.0,
        **(undone_by(undo) if undo else {}),
        **_BUSY,
        **_ONE_AT_A_TIME,
    }


def undone_by(action: str) -> JsonObject:
    """What takes the record of a result back."""
    return {"undo": {"action": action, "args": [{"ref": "result/id", "to": "id"}]}}

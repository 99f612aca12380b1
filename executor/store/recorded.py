"""What services answered before: the answers of the newest runs, for whoever rehearses a plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from sqlalchemy import Connection, select

from executor.store import blobs
from executor.store.blobs import Loaded
from executor.store.tables import attempts, events, runs
from executor.store.text import to_object

MOST_RUNS, MOST_ANSWERS = 200, 2_000
MOST_BYTES = 32 * 1024 * 1024  # of JSON: in memory it is ten times that
_Place = tuple[str, str, str, int]  # a run and one of its calls


@dataclass(frozen=True)
class RecordedAnswer:
    """One answer to one call of one definition, and how long it took."""

    tool_digest: str
    args_hash: str
    output: JsonValue
    took_s: float


def answers(
    c: Connection, tenant: str, digests: Mapping[str, str], most_bytes: int = MOST_BYTES
) -> list[RecordedAnswer]:
    """Answers to calls of these actions, as they are defined now (digest by name), newest first.

    Of answers that are more than so many bytes together, those that do not fit are left out.
    """
    newest = (
        select(runs.c.id)
        .where(runs.c.tenant == tenant)
        .order_by(runs.c.created_at.desc())
        .limit(MOST_RUNS)
    )
    made = c.execute(
        select(attempts)
        .where(attempts.c.tenant == tenant, attempts.c.run.in_(newest))
        .where(attempts.c.action.in_(digests), attempts.c.tool_digest.in_(digests.values()))
        .where(attempts.c.state == "applied")
        .order_by(attempts.c.started_at.desc())
        .limit(MOST_ANSWERS)
    ).all()
    wanted = [(row.run, row.step, row.iteration, row.n) for row in made]
    outputs = _outputs(c, tenant, wanted, most_bytes)
    return [
        RecordedAnswer(
            row.tool_digest,
            row.args_hash,
            outputs[row.run, row.step, row.iteration, row.n],
            max(0.0, (row.ended_at or row.started_at) - row.started_at),
        )
        for row in made
        if (row.run, row.step, row.iteration, row.n) in outputs
    ]


def _outputs(
    c: Connection, tenant: str, wanted: Sequence[_Place], most_bytes: int
) -> dict[_Place, JsonValue]:
    """What these calls were answered, as far as it fits; run by run, those of the first first."""
    found: dict[_Place, JsonValue] = {}
    loaded: Loaded = {}
    left, meant = most_bytes, {*wanted}
    for run in dict.fromkeys(run for run, *_ in wanted):
        rows = c.execute(
            select(events.c.data, events.c.large)
            .where(events.c.tenant == tenant, events.c.subject == run)
            .where(events.c.type == "attempt.ended")
        )
        for row in rows:
            data, large = to_object(row.data), blobs.read_refs(row.large)
            n = data["n"]
            call = (str(data["step"]), str(data["iteration"]), n if isinstance(n, int) else 0)
            new = [each.bytes for each in large.values() if each.digest not in loaded]
            size = len(row.data) + sum(new)
            if data["state"] != "applied" or (run, *call) not in meant or size > left:
                continue
            left -= size
            if large:
                data = blobs.joined(c, tenant, data, large, loaded)
            found[run, *call] = data["output"]
    return found

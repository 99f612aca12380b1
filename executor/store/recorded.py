"""What services answered before: the answers of the newest runs, for whoever rehearses a plan."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue
from sqlalchemy import Connection, select

from executor.store import blobs
from executor.store.blobs import Loaded
from executor.store.tables import attempts, events, runs
from executor.store.text import to_object

MOST_RUNS, MOST_ANSWERS = 200, 2_000


@dataclass(frozen=True)
class RecordedAnswer:
    """One answer to one call of one definition, and how long it took."""

    tool_digest: str
    args_hash: str
    output: JsonValue
    took_s: float


def answers(c: Connection, tenant: str, digests: Mapping[str, str]) -> list[RecordedAnswer]:
    """Answers to calls of these actions, as they are defined now (digest by name), newest first."""
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
    outputs = _outputs(c, tenant, {row.run for row in made})
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
    c: Connection, tenant: str, of_runs: set[str]
) -> dict[tuple[str, str, str, int], JsonValue]:
    """What calls of these runs were answered, by run and place."""
    rows = c.execute(
        select(events.c.subject, events.c.data, events.c.large)
        .where(events.c.tenant == tenant, events.c.subject.in_(of_runs))
        .where(events.c.type == "attempt.ended")
    )
    found: dict[tuple[str, str, str, int], JsonValue] = {}
    loaded: Loaded = {}
    for row in rows:
        data = to_object(row.data)
        if data["state"] != "applied":
            continue
        if large := blobs.read_refs(row.large):
            data = blobs.joined(c, tenant, data, large, loaded)
        n = data["n"]
        place = (str(data["step"]), str(data["iteration"]), n if isinstance(n, int) else 0)
        found[row.subject, *place] = data["output"]
    return found

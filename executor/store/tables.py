"""All tables. Times are seconds since the epoch; JSON is text in canonical form.

Everything that belongs to a tenant has the tenant first in its key. `facts` and `workers` are
about the database and the processes that use it, `pins` about connections, which tenants share.
"""

from sqlalchemy import (
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)

metadata = MetaData()
NORMAL = 1  # a lower number has its turn earlier, among those of its tenant


STUCK = "drive-stuck"  # the code of what can neither be driven nor put aside, while that is so
IS_STUCK = f"code = '{STUCK}'"
# What nobody drives and nobody has to wait for; an index has these in the order of their turns.
# "IS TRUE", or SQLite would rather look through all of these states.
FRESH = {
    "requests": "driver IS NULL AND (status IN ('received', 'planning')) IS TRUE",
    "runs": "driver IS NULL AND (status IN ('queued', 'cancelling')) IS TRUE",
}


def _few(name: str, *columns: str, where: str) -> Index:
    """An index of those few rows that something is under way with."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


_TURNS = ("tenant", "priority", "crashes", "updated_at")


def _drive_columns() -> list[Column[object]]:
    """What makes a row something that can be driven: claimed, fenced, woken."""
    columns: list[Column[object]] = [
        Column("priority", Integer, nullable=False, default=NORMAL),
        Column("status", Text, nullable=False),
        Column("waiting_for", Text),
        Column("code", Text),
        Column("wake_at", Double),
        Column("wake_seq", Integer, nullable=False, default=0),
        Column("epoch", Integer, nullable=False, default=0),
        Column("driver", Text),
        Column("recoveries", Integer, nullable=False, default=0),
        Column("crashes", Integer, nullable=False, default=0),
        Column("created_at", Double, nullable=False),
        Column("updated_at", Double, nullable=False),
    ]
    return columns


keys = Table(
    "keys",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("secret_hash", Text, nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("revoked_at", Double),
)

requests = Table(
    "requests",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("answers", Text, nullable=False),
    Column("model", Text),
    Column("start", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("plan", Text),
    Column("run", Text),
    *_drive_columns(),
    Index("requests_due", "status", "wake_at"),
    Index("requests_ended", "status", "updated_at"),
    Index("requests_newest", "tenant", "created_at", "id"),
    Index("requests_newest_as", "tenant", "status", "created_at", "id"),
    _few("requests_driven", "driver", where="driver IS NOT NULL"),
    _few("requests_fresh", *_TURNS, where=FRESH["requests"]),
    _few("requests_stuck", "tenant", "id", where=IS_STUCK),
)

plans = Table(
    "plans",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("request", Text),
    Column("words", Text, nullable=False),
    Column("accepted", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Index("plans_request", "tenant", "request"),
)

runs = Table(
    "runs",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("plan", Text, nullable=False),
    Column("request", Text),
    Column("requester", Text, nullable=False),
    Column("cancel_mode", Text),
    Column("result", Text),
    Column("large", Text),
    Column("left_under", Integer),  # the epoch under which it was left to a person alone
    *_drive_columns(),
    Index("runs_due", "status", "wake_at"),
    Index("runs_newest", "tenant", "created_at", "id"),
    Index("runs_newest_as", "tenant", "status", "created_at", "id"),
    _few("runs_driven", "driver", where="driver IS NOT NULL"),
    _few("runs_fresh", *_TURNS, where=FRESH["runs"]),
    _few("runs_stuck", "tenant", "id", where=IS_STUCK),
    _few("runs_waiting", "waiting_for", "tenant", "id", where="waiting_for IS NOT NULL"),
    Index("runs_ended", "status", "updated_at"),
    Index("runs_plan", "tenant", "plan"),
    ForeignKeyConstraint(["tenant", "plan"], ["plans.tenant", "plans.id"]),
)

events = Table(
    "events",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Double, nullable=False),
    Column("type", Text, nullable=False),
    Column("v", Integer, nullable=False),
    Column("data", Text, nullable=False),
    Column("large", Text),
)

blobs = Table(
    "blobs",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("bytes", Integer, nullable=False),
    Column("content", Text, nullable=False),
)

blob_uses = Table(
    "blob_uses",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Index("blob_uses_subject", "tenant", "subject", "digest"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    Column("iteration", Text, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("args_hash", Text, nullable=False),
    Column("tool_digest", Text, nullable=False),
    Column("policy_version", Text),
    Column("approvals", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("send_before", Double, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double),
    Index("attempts_key", "tenant", "key"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("run", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("steps", Text, nullable=False),
    Column("iteration", Text, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("action_digest", Text, nullable=False),
    Column("arguments", Text, nullable=False),
    Column("args_hash", Text, nullable=False),
    Column("policy_version", Text),
    Column("policies", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("quorum", Integer, nullable=False),
    Column("requester", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Index("approvals_oldest", "tenant", "created_at", "id"),
    Index("approvals_open", "tenant", "state", "created_at", "id"),
    Index("approvals_run", "tenant", "run", "created_at", "id"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("approval", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("decision", Text, nullable=False),
    Column("narrowing", Text),
    Column("reason", Text, nullable=False),
    Column("at", Double, nullable=False),
)

limits = Table(
    "limits",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("arrival", Double, nullable=False),
    Column("hold_until", Double, nullable=False),
    Column("queue_end", Double, nullable=False),
    Column("quota_left", Integer),
    Column("quota_until", Double),
    Column("passed", Integer, nullable=False, server_default=text("0")),
    Column("normal_off_s", Double, nullable=False, server_default=text("0")),
    Column("low_off_s", Double, nullable=False, server_default=text("0")),
)

reservations = Table(
    "reservations",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("turn", Double, nullable=False),
    Column("at", Double, nullable=False),  # less what its rank had been put off when it was written
    Column("rank", Integer, nullable=False, server_default=text(str(NORMAL))),
    Index("reservations_at", "tenant", "key", "rank", "at"),
    Index("reservations_turn", "tenant", "key", "rank", "turn"),
    Index("reservations_run", "tenant", "run", "key"),
)

breakers = Table(
    "breakers",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("connection", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("until", Double, nullable=False),
    Column("pause_s", Double, nullable=False),
    Column("changed_at", Double, nullable=False),
    Column("because", Text, nullable=False),
)

stops = Table(
    "stops",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("stopped_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("lifted_at", Double),
    Column("lifted_by", Text),
    Column("lift_reason", Text),
    Index("stops_standing", "lifted_at"),
)

wakes = Table(
    "wakes",
    metadata,
    Column("tenant", Text, primary_key=True),  # "": every tenant
    Column("waiting_for", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("after_tenant", Text, nullable=False),
    Column("after_id", Text, nullable=False),
)

deletions = Table(
    "deletions",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("plan", Text),
)

facts = Table(
    "facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("place", Text, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("lease_until", Double, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body_hash", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("answer", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Index("idempotency_oldest", "created_at"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("reason", Text),
    Column("expires_at", Double),
    Column("generation", Integer, nullable=False),
    Column("leased_until", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
)

consents = Table(
    "consents",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("ticket_hash", Text, primary_key=True),
    Column("credential", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("state_hash", Text, unique=True),
    Column("browser_hash", Text),
    Column("sealed", Text, nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("expires_at", Double, nullable=False),
)

audits = Table(
    "audits",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at", Double, nullable=False),
    Column("principal", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("audits_subject", "tenant", "subject"),
)

pins = Table(
    "pins",
    metadata,
    Column("connection", Text, primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("definitions", Text, nullable=False),
    Column("accepted_by", Text, nullable=False),
    Column("at", Double, nullable=False),
)

"""Indexes for what would look through a table that has grown for years."""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    """CREATE INDEX requests_newest_as ON requests (tenant, status, created_at, id)""",
    """CREATE INDEX requests_driven ON requests (driver) WHERE driver IS NOT NULL""",
    """CREATE INDEX runs_newest_as ON runs (tenant, status, created_at, id)""",
    """CREATE INDEX runs_driven ON runs (driver) WHERE driver IS NOT NULL""",
    """CREATE INDEX runs_waiting ON runs (waiting_for, tenant) WHERE waiting_for IS NOT NULL""",
    """CREATE INDEX reservations_run ON reservations (tenant, run, "key")""",
    """DROP INDEX approvals_run""",
    """CREATE INDEX approvals_run ON approvals (tenant, run, created_at, id)""",
    """DROP INDEX blob_uses_subject""",
    """CREATE INDEX blob_uses_subject ON blob_uses (tenant, subject, digest)""",
)


def upgrade() -> None:
    """Make them; of a large table that takes longer than a statement may otherwise."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")
    for statement in _STATEMENTS:
        op.execute(statement)

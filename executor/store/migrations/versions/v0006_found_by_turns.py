"""What waits is found in the order of its turns: for a rate by rank and time, or to be driven.

By how much a rank was put off that waits for a rate is a sum beside its rows.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

_STATEMENTS = (
    """ALTER TABLE limits ADD COLUMN normal_off_s DOUBLE PRECISION DEFAULT 0 NOT NULL""",
    """ALTER TABLE limits ADD COLUMN low_off_s DOUBLE PRECISION DEFAULT 0 NOT NULL""",
    """DROP INDEX reservations_at""",
    """CREATE INDEX reservations_at ON reservations (tenant, "key", rank, at)""",
    """CREATE INDEX reservations_turn ON reservations (tenant, "key", rank, turn)""",
    """
    CREATE INDEX requests_fresh ON requests (tenant, priority, crashes, updated_at)
    WHERE driver IS NULL AND (status IN ('received', 'planning')) IS TRUE
    """,
    """
    CREATE INDEX runs_fresh ON runs (tenant, priority, crashes, updated_at)
    WHERE driver IS NULL AND (status IN ('queued', 'cancelling')) IS TRUE
    """,
    """CREATE INDEX requests_stuck ON requests (tenant, id) WHERE code = 'drive-stuck'""",
    """CREATE INDEX runs_stuck ON runs (tenant, id) WHERE code = 'drive-stuck'""",
)


def upgrade() -> None:
    """Make them; nothing was put off yet but in the rows themselves."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")
    for statement in _STATEMENTS:
        op.execute(statement)

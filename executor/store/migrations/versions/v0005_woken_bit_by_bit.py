"""What is to be woken bit by bit is noted, and found by an index in the order of its names."""

from alembic import op

revision = "0005"
down_revision = "0004"

_STATEMENTS = (
    """
    CREATE TABLE wakes (
        tenant TEXT NOT NULL,
        waiting_for TEXT NOT NULL,
        reason TEXT NOT NULL,
        after_tenant TEXT NOT NULL,
        after_id TEXT NOT NULL,
        PRIMARY KEY (tenant, waiting_for)
    )
    """,
    """DROP INDEX runs_waiting""",
    """
    CREATE INDEX runs_waiting ON runs (waiting_for, tenant, id) WHERE waiting_for IS NOT NULL
    """,
)


def upgrade() -> None:
    """Make them; to look through a large table takes longer than a statement may otherwise."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")
    for statement in _STATEMENTS:
        op.execute(statement)

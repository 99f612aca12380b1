"""Permits are given by the ranks of the runs that wait for them."""

from alembic import op

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    """ALTER TABLE reservations ADD COLUMN rank INTEGER DEFAULT 1 NOT NULL""",
    """ALTER TABLE limits ADD COLUMN passed INTEGER DEFAULT 0 NOT NULL""",
)


def upgrade() -> None:
    """What was reserved without a rank has waited as a normal one."""
    for statement in _STATEMENTS:
        op.execute(statement)

"""Runs tell that they are left to a person; those that do not tell are woken as before."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make a column that holds nothing yet, which no row is written for."""
    op.execute("ALTER TABLE runs ADD COLUMN left_under INTEGER")

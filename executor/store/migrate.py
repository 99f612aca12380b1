"""Brings a database to the schema of this version, and refuses a newer one."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from executor.store.errors import NewerSchemaError


def migrate(connection: Connection) -> None:
    """Upgrade to the newest known schema; raises `NewerSchemaError`, and then touches nothing."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    if current is not None and current not in known:
        raise NewerSchemaError(
            f"the database has schema {current}, which this version does not know; "
            "run the version that wrote it, or a newer one"
        )
    command.upgrade(config, "head")
    connection.commit()

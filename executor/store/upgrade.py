"""The way from one revision of the tables to the next, which alembic goes.

Alembic is dear to load, and a database whose tables are of this version does without it.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def newest() -> str | None:
    """The revision that the last migration makes."""
    return _scripts().get_current_head()


def is_known(revision: str) -> bool:
    """Whether there is a migration that makes it."""
    return revision in {script.revision for script in _scripts().walk_revisions()}


def upgrade(connection: Connection, to: str = "head") -> None:
    """Make the newest tables, or those of a revision, of those that there are, or of none."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config

"""A connection to a database from its settings."""

from connectors.builtin.sql.connector import SqlConnector
from connectors.builtin.sql.database import database_at
from connectors.builtin.sql.statements import load_statements
from connectors.connector import Connector
from connectors.factories import ConnectionSettings, Given, Options, options_of


class _Options(Options):
    statements: str


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector that says the statements of a file; raises `ConfigurationError`."""
    options, reference = options_of(settings, _Options), settings.credential

    async def password() -> str | None:
        return None if reference is None else await given.reveal(reference)

    where, folder = f"connections.{settings.name}.base_url", settings.base_dir
    database = database_at(where, settings.base_url, folder, given.transport, password)
    return SqlConnector(settings.name, database, load_statements(folder / options.statements))

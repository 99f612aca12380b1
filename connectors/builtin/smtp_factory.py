"""An SMTP connection from its settings."""

from pydantic import Field

from connectors.builtin.smtp import SmtpConnector
from connectors.connector import Connector
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings, Given, Options, options_of, url_of


class _Options(Options):
    server: str = Field(pattern=r"^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$")
    sender: str = Field(pattern=r"^[!-;=?-~]+@[A-Za-z0-9.-]+$")
    mailbox_url: str | None = None
    domain: str = Field(default="lamgate.invalid", pattern=r"^[A-Za-z0-9.-]+$")


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector that sends mail through one server; raises `ConfigurationError`."""
    options = options_of(settings, _Options)
    if settings.credential is not None:
        raise ConfigurationError(
            f"connections.{settings.name}.credential: smtp does not sign in to a server yet"
        )
    host, _, port = options.server.rpartition(":")
    mailbox = options.mailbox_url
    return SmtpConnector(
        settings.name,
        host.strip("[]"),
        int(port),
        options.sender,
        given.transport,
        mailbox_url=None if mailbox is None else url_of(settings, "mailbox_url", mailbox),
        domain=options.domain,
    )

"""An SMTP connection from its settings."""

from pydantic import Field

from connectors.api import Api
from connectors.builtin.mailbox import Mailbox
from connectors.builtin.smtp import SMTP, Server, smtp
from connectors.connector import Connector
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings, Given, Options, options_of, url_of
from connectors.outcome import Dialect

_DIALECT = Dialect(message_at=("error",))


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
    mailbox = None
    if options.mailbox_url is not None:
        url = url_of(settings, "mailbox_url", options.mailbox_url)
        mailbox = Mailbox(Api(url, given.transport, dialect=_DIALECT), SMTP)
    server = Server(host.strip("[]"), int(port), options.sender, options.domain)
    return smtp(settings.name, server, mailbox)

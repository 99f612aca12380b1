"""An SMTP connection from its settings."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Literal

from pydantic import Field

from connectors.api import Api
from connectors.builtin.mailbox import Mailbox
from connectors.builtin.smtp import SMTP, Server, smtp
from connectors.builtin.smtp_wire import Host
from connectors.connector import Connector
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings, Given, Options, options_of, url_of
from connectors.outcome import Dialect

_DIALECT = Dialect(message_at=("error",))


class _Options(Options):
    server: str = Field(pattern=r"^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$")
    sender: str = Field(pattern=r"^[!-;=?-~]+@[A-Za-z0-9.-]+$")
    security: Literal["none", "starttls", "implicit"] = "none"
    ca: str | None = None
    user: str = Field(default="", pattern=r"^[!-~]{0,200}$")
    mailbox_url: str | None = None
    domain: str = Field(default="lamgate.invalid", pattern=r"^[A-Za-z0-9.-]+$")


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector that sends mail through one server; raises `ConfigurationError`."""
    options = options_of(settings, _Options)
    host, _, port = options.server.rpartition(":")
    mailbox = None
    if options.mailbox_url is not None:
        url = url_of(settings, "mailbox_url", options.mailbox_url)
        mailbox = Mailbox(Api(url, given.transport, dialect=_DIALECT), SMTP)
    server = Server(
        Host(
            host.strip("[]"),
            int(port),
            options.security,
            _tls(settings, options),
            options.user,
            hide=given.hide,
        ),
        given.transport.addresses,
        options.sender,
        options.domain,
        _password(settings, options, given),
    )
    return smtp(settings.name, server, mailbox)


def _password(
    settings: ConnectionSettings, options: _Options, given: Given
) -> Callable[[], Awaitable[str]] | None:
    """What asks for the password; raises `ConfigurationError` where it could be overheard."""
    reference, where = settings.credential, f"connections.{settings.name}"
    if (reference is None) != (options.user == ""):
        raise ConfigurationError(f"{where}: user and credential go together: say both or neither")
    if reference is None:
        return None
    if options.security == "none":
        raise ConfigurationError(
            f'{where}.security: a password goes over TLS alone: say "starttls" or "implicit"'
        )
    given.secret_of(reference)  # whether it is a reference at all is known at the start
    return lambda: given.reveal(reference)


def _tls(settings: ConnectionSettings, options: _Options) -> ssl.SSLContext | None:
    if options.security == "none":
        return None
    file = None if options.ca is None else str(settings.base_dir / options.ca)
    try:
        return ssl.create_default_context(cafile=file)
    except OSError as error:
        raise ConfigurationError(f"connections.{settings.name}.ca: {error}") from error

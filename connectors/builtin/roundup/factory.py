"""A Roundup connection from its settings."""

from dataclasses import replace

from pydantic import Field

from connectors.api import api_of
from connectors.builtin.roundup.fields import ROUNDUP
from connectors.builtin.roundup.rest import Rest
from connectors.builtin.roundup.tracker import Tracker
from connectors.connector import Connector
from connectors.errors import ConfigurationError, Kind
from connectors.factories import ConnectionSettings, Given, Options, options_of
from connectors.outcome import Dialect
from connectors.unified.vendor import UnifiedConnector
from connectors.url import read_address

DIALECT = Dialect(
    code_at=("error", "status"), message_at=("error", "msg"), kinds={"409": Kind.INVALID}
)


class _Options(Options):
    user: str = Field(pattern=r"^[!-~]{1,100}$")
    domain: str = Field(default="lamgate.invalid", pattern=r"^[A-Za-z0-9.-]+$")


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector for one tracker; raises `ConfigurationError`."""
    options = options_of(settings, _Options)
    if settings.credential is None:
        raise ConfigurationError(
            f"connections.{settings.name}: credential is missing; it is base64 of user:password, "
            f"such as a stored one of kind basic"
        )
    api = api_of(settings, given, form="Basic {secret}", dialect=DIALECT)
    address = read_address(api.base_url)
    # The tracker takes a call only from where its own pages are.
    own = {
        "origin": f"{address.scheme}://{address.authority}",
        "referer": f"{api.base_url}/",
        "x-requested-with": "rest",
    }
    there = replace(api, headers={**api.headers, **own})
    tracker = Tracker(Rest(there, options.user, options.domain))
    return UnifiedConnector(
        ROUNDUP,
        settings.name,
        {
            "ticket_create": tracker.create,
            "ticket_get": tracker.get,
            "ticket_list": tracker.search,
            "ticket_update": tracker.update,
            "ticket_withdraw": tracker.withdraw,
            "comment_create": tracker.comment,
            "comment_list": tracker.comments,
        },
    )

"""A CalDAV connection from its settings."""

from pydantic import Field

from connectors.api import api_of
from connectors.builtin.caldav.calendar import Calendar
from connectors.builtin.caldav.fields import CALDAV
from connectors.connector import Connector
from connectors.factories import ConnectionSettings, Given, Options, options_of
from connectors.unified.vendor import UnifiedConnector


class _Options(Options):
    domain: str = Field(default="lamgate.invalid", pattern=r"^[A-Za-z0-9.-]+$")


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """A connector for one calendar; raises `ConfigurationError`."""
    options = options_of(settings, _Options)
    calendar = Calendar(api_of(settings, given, form="Basic {secret}"), options.domain)
    return UnifiedConnector(
        CALDAV,
        settings.name,
        {
            "event_create": calendar.create,
            "event_get": calendar.get,
            "event_list": calendar.search,
            "event_update": calendar.update,
            "event_delete": calendar.delete,
        },
    )

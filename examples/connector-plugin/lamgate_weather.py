"""A complete connector: two actions of a weather office, and the factory that builds it."""

from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel

from connectors.connector import Connector
from connectors.errors import Kind, Refused
from connectors.factories import ConnectionSettings, Given, Options, options_of
from connectors.native import NativeAction, NativeConnector, action
from connectors.plugin import Plugin
from connectors.spec import CallContext, Sink


@dataclass
class Office:
    """Stands in for a service; a real connector would call one over `given.transport`."""

    celsius: dict[str, float] = field(default_factory=lambda: {"north": 4.5, "harbour": 9.0})
    reports: dict[str, str] = field(default_factory=dict)


class Reading(BaseModel):
    """What a station says."""

    station: str
    celsius: float


class Report(BaseModel):
    """A report that was filed."""

    report_id: str


class WeatherOptions(Options):
    """What the operator may say in `[connections.NAME]` beside the usual."""

    only_station: str | None = None


def actions_of(office: Office) -> list[NativeAction]:
    """The office's actions."""

    @action(effect="read", reads_as="trusted")
    async def temperature(station: str) -> Reading:
        """Read the temperature at a station."""
        if station not in office.celsius:
            raise Refused(f"there is no station {station}", kind=Kind.NOT_FOUND, vendor_code="W404")
        return Reading(station=station, celsius=office.celsius[station])

    @action(
        effect="keyed",
        idempotency={"in": "connector", "name": "key", "window_s": 86400},
    )
    async def file_report(text: Annotated[str, Sink.CONTENT], context: CallContext) -> Report:
        """File a report; under one key it is filed once."""
        office.reports.setdefault(context.idempotency_key, text)
        return Report(report_id=context.idempotency_key[:8])

    return [temperature, file_report]


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """Build the connector for `[connections.NAME] connector = "weather"`."""
    options = options_of(settings, WeatherOptions)
    office = Office()
    if options.only_station is not None:
        office.celsius = {options.only_station: office.celsius[options.only_station]}
    return NativeConnector("weather", settings.name, actions_of(office))


plugin = Plugin(connect, protocol=1)

"""A complete connector: two functions and a factory."""

from pydantic import BaseModel

from connectors.connector import Connector
from connectors.errors import Kind, Refused
from connectors.native import NativeConnector, action
from connectors.registry import ConnectionSettings, Given
from connectors.spec import CallContext

_STATIONS = {"north": 4.5, "harbour": 9.0}
_REPORTS: dict[str, str] = {}


class Reading(BaseModel):
    """What a station says."""

    station: str
    celsius: float


class Report(BaseModel):
    """A report that was filed."""

    report_id: str


@action(effect="read", reads_as="trusted")
async def temperature(station: str) -> Reading:
    """Read the temperature at a station."""
    if station not in _STATIONS:
        raise Refused(f"there is no station {station}", kind=Kind.NOT_FOUND, vendor_code="W404")
    return Reading(station=station, celsius=_STATIONS[station])


@action(
    effect="keyed",
    idempotency={"in": "connector", "name": "key", "window_s": 86400},
    sinks={"text": "content"},
)
async def file_report(text: str, context: CallContext) -> Report:
    """File a report; under one key it is filed once."""
    _REPORTS.setdefault(context.idempotency_key, text)
    return Report(report_id=context.idempotency_key[:8])


def filed() -> int:
    """How many reports there are."""
    return len(_REPORTS)


def connect(settings: ConnectionSettings, given: Given) -> Connector:
    """Build the connector for `[connections.NAME] connector = "weather"`."""
    return NativeConnector("weather", settings.name, [temperature, file_report])

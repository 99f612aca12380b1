"""The plugin meets what every connector promises."""

import time
from pathlib import Path

from lamgate_weather import connect, filed

from connectors.connector import Connector
from connectors.http import Transport
from connectors.registry import ConnectionSettings, Given
from connectors.testing import ConnectorConformance, Example


async def _filed() -> int:
    return filed()


class TestWeather(ConnectorConformance):
    def connector(self) -> Connector:
        settings = ConnectionSettings("sky", "weather", base_dir=Path())
        return connect(settings, Given(Transport(), lambda reference: ""))

    def example(self) -> Example:
        return Example(
            connection="sky",
            read=("sky.temperature", {"station": "north"}),
            keyed=("sky.file_report", {"text": f"calm at {time.time()}"}),
            refused=("sky.temperature", {"station": "nowhere"}),
        )

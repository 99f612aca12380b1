"""The plugin meets what every connector promises."""

from lamgate_weather import Office, actions_of

from connectors.connector import Connector
from connectors.native import NativeConnector
from connectors.testing import ConnectorConformance, Example


class TestWeather(ConnectorConformance):
    def setup_method(self) -> None:
        self.office = Office()

    def connector(self) -> Connector:
        return NativeConnector("weather", "sky", actions_of(self.office))

    def example(self) -> Example:
        async def filed() -> int:
            return len(self.office.reports)

        return Example(
            connection="sky",
            read=("sky.temperature", {"station": "north"}),
            keyed=("sky.file_report", {"text": "calm, and no rain"}),
            refused=("sky.temperature", {"station": "nowhere"}),
            effects=filed,
        )

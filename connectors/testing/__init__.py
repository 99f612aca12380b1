"""For authors of connectors: a fake, a service that can be spoiled, and the suite to subclass.

class TestWeather(ConnectorConformance):
    def connector(self) -> Connector: ...
    def example(self) -> Example: ...
"""

from connectors.testing.conformance import RULES, ConnectorConformance, HttpConformance
from connectors.testing.fake import FakeConnector, call_context
from connectors.testing.service import Asked, Fault, Said, Service
from connectors.testing.tiers import Broken, Report, Rule, Ruling, Tier
from connectors.testing.trial import AnyCall, Example, NamedCall

__all__ = [
    "RULES",
    "AnyCall",
    "Asked",
    "Broken",
    "ConnectorConformance",
    "Example",
    "FakeConnector",
    "Fault",
    "HttpConformance",
    "NamedCall",
    "Report",
    "Rule",
    "Ruling",
    "Said",
    "Service",
    "Tier",
    "call_context",
]

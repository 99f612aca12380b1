"""A payments connection from its settings, whichever vendor is behind it."""

from collections.abc import Callable

from connectors.connector import Connector
from connectors.factories import (
    ConnectionSettings,
    Factory,
    Given,
    Options,
    base_url_of,
    options_of,
    secret_of,
)
from connectors.unified.payments import PaymentsConnector, Vendor


def payments(name: str, vendor: Callable[[Callable[[], str]], Vendor]) -> Factory:
    """A factory for the payments of one vendor, with no options of their own."""

    def build_payments(settings: ConnectionSettings, given: Given) -> Connector:
        options_of(settings, Options)  # it has none
        return PaymentsConnector(
            name,
            settings.name,
            base_url_of(settings),
            given.transport,
            vendor(secret_of(settings, given)),
        )

    return build_payments

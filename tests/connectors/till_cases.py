"""The model `payments` over the two providers of the shop, as an operator configures it."""

import time
from dataclasses import dataclass

from connector_cases import Outside, end_of, host_of, registry_of
from pydantic import JsonValue
from the_shop import Service

from connectors.catalog import Catalog
from connectors.connector import Applied, Outcome
from connectors.errors import ConnectorError
from connectors.factories import ConnectionSettings
from connectors.registry import Registry
from connectors.spec import JsonObject
from connectors.unified.payments import PAYMENTS

VENDORS = ("minor", "decimal")
# What is the same with both; beside it each has its own words, times and whole object.
MODEL = {"id", *PAYMENTS.records["payment"], *PAYMENTS.records["refund"]} - {"status_raw"}
REFUNDS = {"minor": "/v1/refunds", "decimal": "/payments/"}
READS = {"minor": "/v1/charges/", "decimal": "/payments/"}


def euro(amount: str) -> JsonObject:
    return {"amount": amount, "currency": "EUR"}


@dataclass
class Till:
    """The model over one provider, as an operator configures it."""

    vendor: str
    service: Service
    registry: Registry
    catalog: Catalog

    async def call(
        self,
        operation: str,
        arguments: JsonObject,
        *,
        key: str = "",
        seconds: float = 10.0,
        attempt: int = 1,
    ) -> Outcome | ConnectorError:
        action = self.catalog.get(f"payments.{operation}")
        assert action is not None
        key = key or f"K{time.monotonic_ns()}"
        return await end_of(
            self.registry, action, arguments, key=key, seconds=seconds, attempt=attempt
        )

    async def paid(self, amount: str = "20.00") -> JsonValue:
        """The id of a new payment."""
        end = await self.call("payment_charge", {"source": "tok_card", "amount": euro(amount)})
        assert isinstance(end, Applied)
        assert isinstance(end.output, dict)
        return end.output["id"]


async def till_of(
    vendor: str, url: str, outside: Outside, credential: str | None = None
) -> tuple[Registry, Catalog]:
    settings = ConnectionSettings(
        "payments", f"payments-{vendor}", url, credential or f"env:{vendor.upper()}"
    )
    registry = registry_of(outside.to(host_of(url)), settings, WRONG="not-the-right-key")
    return registry, await registry.load()

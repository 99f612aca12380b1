"""What the providers of `payments` have in common: four operations, and what a refund is of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from pydantic import JsonValue

from connectors.api import Api, api_of
from connectors.connector import Connector, Outcome
from connectors.errors import Kind, Refused, Uncertain
from connectors.factories import (
    ConnectionSettings,
    Given,
    Options,
    options_of,
    secret_of,
)
from connectors.outcome import Dialect
from connectors.spec import ActionSpec, CallContext, JsonObject
from connectors.unified.vendor import UnifiedConnector, Vendor, value_at


class Provider(Protocol):
    """How one provider is asked for each operation of the model."""

    async def charge(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Charge a source."""

    async def get(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Read a payment."""

    async def refund(self, spec: ActionSpec, given: JsonObject, context: CallContext) -> Outcome:
        """Give back."""

    async def get_refund(
        self, spec: ActionSpec, given: JsonObject, context: CallContext
    ) -> Outcome:
        """Read a refund."""


@dataclass(frozen=True)
class Asking:
    """The service of one provider, its table, and the codes that it has for a call under way."""

    api: Api
    vendor: Vendor
    under_way: frozenset[str] = frozenset()

    async def __call__(
        self,
        record: str,
        spec: ActionSpec,
        context: CallContext,
        method: str,
        *path: str,
        body: JsonObject | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        mapped: Callable[[JsonValue], JsonValue] | None = None,
    ) -> Outcome:
        """Ask once; under a key that another call has right now, nobody knows yet."""
        told = mapped or partial(self.vendor.tell, record)
        try:
            return await self.api.ask(
                spec, context, method, *path, body=body, headers=headers, mapped=told
            )
        except Refused as error:
            if error.vendor_code not in self.under_way:
                raise
            raise Uncertain(
                error.message,
                kind=Kind.CONFLICT,
                vendor_code=error.vendor_code,
                request_id=error.request_id,
                status=error.status,
            ) from error

    def of_payment(self, given: JsonObject, body: JsonValue) -> JsonValue:
        """A refund, if it is of the payment that was asked about."""
        told = self.vendor.tell("refund", body)
        if told["payment_id"] != given["payment_id"]:
            message = f"no refund {given['refund_id']} of payment {given['payment_id']}"
            raise Refused(message, kind=Kind.NOT_FOUND)
        return told


@dataclass(frozen=True)
class Till:
    """How a connection to one provider is built."""

    vendor: Vendor
    provider: Callable[[Asking], Provider]
    dialect: Dialect
    header: str = "Authorization"
    form: str = "Bearer {secret}"
    under_way: frozenset[str] = field(default=frozenset())

    def connect(self, settings: ConnectionSettings, given: Given) -> Connector:
        """A connector for one account; raises `ConfigurationError`."""
        options_of(settings, Options)  # it has none
        secret_of(settings, given)  # nobody is paid by strangers
        api = api_of(settings, given, header=self.header, form=self.form, dialect=self.dialect)
        provider = self.provider(Asking(api, self.vendor, self.under_way))
        return UnifiedConnector(
            self.vendor,
            settings.name,
            {
                "payment_charge": provider.charge,
                "payment_get": provider.get,
                "refund_create": provider.refund,
                "refund_get": provider.get_refund,
            },
        )


def currency_of(record: JsonValue) -> JsonValue:
    """The currency of an amount in a record or in a call."""
    return value_at(record, "amount/currency")

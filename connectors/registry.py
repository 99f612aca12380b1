"""All connections of a gateway: their connectors, their actions, one way to call any of them."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from pydantic import JsonValue

from connectors.builtin.smtp import SmtpConnector
from connectors.catalog import Catalog
from connectors.connector import Applied, Connector, Outcome, Unreadable
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
)
from connectors.http import Transport
from connectors.openapi import OpenApiConnector, load_overlay
from connectors.spec import ActionSpec, CallContext, JsonObject, Limits
from connectors.unified.payments import PaymentsConnector, Vendor
from connectors.unified.payments_decimal import Decimals
from connectors.unified.payments_minor import MinorUnits
from connectors.validate import first_flaw

ENTRY_POINTS = "lamgate.connectors"


@dataclass(frozen=True)
class ConnectionSettings:
    """One `[connections.NAME]` of the operator's file; `options` are the connector's own."""

    name: str
    connector: str
    base_url: str = ""
    credential: str | None = None
    options: JsonObject = field(default_factory=dict)
    base_dir: Path = Path()


@dataclass(frozen=True)
class Given:
    """What a connector is handed: the way out, and secrets by reference."""

    transport: Transport
    secret_of: Callable[[str], str]


Factory = Callable[[ConnectionSettings, Given], Connector]


class Registry:
    """Connectors by connection."""

    def __init__(self, connectors: Mapping[str, Connector]) -> None:
        self._connectors = dict(connectors)

    async def load(self) -> Catalog:
        """Ask every connector for its actions; raises `ConfigurationError`."""
        found: list[ActionSpec] = []
        for connection, connector in self._connectors.items():
            for action in await connector.actions():
                if action.connection != connection:
                    raise ConfigurationError(
                        f"{connection}: {action.name} does not begin with {connection!r}"
                    )
                found.append(action)
        return Catalog(found)

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call once; raises `Refused`, `Unavailable` or `Uncertain`, whatever the plugin raises."""
        connector = self._connectors.get(action.connection)
        if connector is None:
            message = f"there is no connection {action.connection!r} any more"
            raise Refused(message, kind=Kind.NOT_FOUND)
        try:
            async with asyncio.timeout(max(0.0, context.deadline - time.monotonic()) + 1.0):
                outcome = await connector.call(action, arguments, context)
        except ConnectorError:
            raise
        except ConfigurationError as error:
            raise Refused(str(error), kind=Kind.AUTH) from error
        except TimeoutError as error:
            raise _in_doubt(action, "no answer before the deadline", Kind.TIMEOUT) from error
        except Exception as error:
            message = f"the connector failed: {type(error).__name__}"
            raise _in_doubt(action, message, Kind.INTERNAL) from error
        return _checked(action, outcome)


def _in_doubt(action: ActionSpec, message: str, kind: Kind) -> ConnectorError:
    if action.is_write:
        return Uncertain(message, kind=kind)
    return Unavailable(message, kind=kind, sent=True)


def _checked(action: ActionSpec, outcome: Outcome) -> Outcome:
    """An output that is not what the action promises is unusable: never passed on."""
    if not isinstance(outcome, Applied) or action.output_schema is None:
        return outcome
    flaw = first_flaw(action.output_schema, outcome.output)
    if flaw is None:
        return outcome
    reason = f"the answer is not what the action promises: {flaw}"
    if action.is_write:
        return Unreadable(reason, outcome.request_id)
    raise Refused(reason, kind=Kind.INTERNAL, request_id=outcome.request_id)


def build(settings: list[ConnectionSettings], given: Given) -> Registry:
    """Build every connection; raises `ConfigurationError`."""
    known = {**BUILT_IN, **_plugins()}
    connectors = {}
    for each in settings:
        factory = known.get(each.connector)
        if factory is None:
            names = ", ".join(sorted(known))
            raise ConfigurationError(
                f"connections.{each.name}: there is no connector {each.connector!r}; known: {names}"
            )
        connectors[each.name] = factory(each, given)
    return Registry(connectors)


def _plugins() -> dict[str, Factory]:
    return {each.name: each.load() for each in entry_points(group=ENTRY_POINTS)}


def _openapi(settings: ConnectionSettings, given: Given) -> Connector:
    overlay = settings.options.get("overlay")
    document = settings.options.get("document", "/openapi.json")
    return OpenApiConnector(
        settings.name,
        settings.base_url,
        given.transport,
        document=str(document),
        overlay=load_overlay(settings.base_dir / str(overlay)) if overlay else None,
        secret=_secret(settings, given) if settings.credential else None,
    )


def _payments(name: str, vendor: Callable[[Callable[[], str]], Vendor]) -> Factory:
    def build_payments(settings: ConnectionSettings, given: Given) -> Connector:
        limits = settings.options.get("limits")
        return PaymentsConnector(
            name,
            settings.name,
            settings.base_url,
            given.transport,
            vendor(_secret(settings, given)),
            Limits.model_validate(limits) if limits else None,
        )

    return build_payments


def _smtp(settings: ConnectionSettings, given: Given) -> Connector:
    mailbox = settings.options.get("mailbox_url")
    return SmtpConnector(
        settings.name,
        str(settings.options.get("server", "localhost:25")),
        str(settings.options.get("sender", "gateway@example.com")),
        given.transport,
        str(mailbox) if mailbox else None,
    )


def _secret(settings: ConnectionSettings, given: Given) -> Callable[[], str]:
    reference = settings.credential
    if reference is None:
        raise ConfigurationError(f"connections.{settings.name}: credential is missing")
    return lambda: given.secret_of(reference)


BUILT_IN: dict[str, Factory] = {
    "openapi": _openapi,
    "payments-minor": _payments("payments-minor", MinorUnits),
    "payments-decimal": _payments("payments-decimal", Decimals),
    "smtp": _smtp,
}

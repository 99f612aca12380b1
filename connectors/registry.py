"""All connections of a gateway: their connectors, their actions, one way to call any of them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from pydantic import JsonValue

from connectors.body import json_flaw
from connectors.catalog import Catalog
from connectors.connector import Applied, Closing, Connector, Outcome, Pending, Unreadable
from connectors.credentials import TENANT, Vault
from connectors.errors import (
    ConfigurationError,
    ConnectorError,
    Kind,
    Refused,
    Unavailable,
    Uncertain,
    Unreachable,
)
from connectors.factories import ConnectionSettings, Factory, Given
from connectors.http import Transport
from connectors.manifest import check_manifests
from connectors.outcome import in_doubt
from connectors.overlay import PluginOverlay, overlaid
from connectors.plugin import factory_of, overlay_of
from connectors.shelf import Shelf
from connectors.source import Connection, Pins, Review, Reviewed, Sourced
from connectors.spec import ActionSpec, CallContext
from connectors.validate import first_flaw

__all__ = ["ConnectionSettings", "Factory", "Given", "Registry", "build", "open_registry"]

_log = logging.getLogger("lamgate.catalog")
# A connector that keeps the deadline itself knows more about how a call ended than we do.
_GRACE_S = 0.5


class Registry:
    """Connectors by connection, and the frozen catalogue of what they offer together."""

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        vault: Vault | None = None,
        overlays: Mapping[str, PluginOverlay] | None = None,
        changed: asyncio.Event | None = None,
    ) -> None:
        self._connectors = dict(connectors)
        self._vault = vault
        self._changed = changed or asyncio.Event()
        self._asking = asyncio.Lock()
        self._overlays = dict(overlays or {})
        self._catalog: Catalog | None = None
        self._offered: dict[str, tuple[ActionSpec, ...]] = {}
        self._absent: dict[str, str] = {}

    @property
    def catalog(self) -> Catalog:
        """What is on offer now; whoever begins something keeps the one that they began with."""
        return self._catalog or Catalog(())

    async def load(self) -> Catalog:
        """Ask every connector for its actions; raises `ConfigurationError`.

        Those of a connection that cannot be asked now are absent, until `ask_again` has them.
        """
        for connection, connector in self._connectors.items():
            try:
                self._offered[connection] = await self._actions(connection, connector)
            except Unreachable as error:
                self._absent[connection] = str(error)
                _log.warning("connections.%s is absent for now: %s", connection, error)
            else:
                _warn_if_stale(connection, connector)
        self._catalog = _checked(self._offered)
        return self._catalog

    async def changed(self, within_s: float) -> None:
        """Wait until a connector says that its source has changed, or so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        self._changed.clear()

    async def ask_again(self, check: Callable[[Catalog], None], only: str | None = None) -> None:
        """Ask those that did not answer, and servers that may have changed what they offer.

        With `only` it is this connection alone. What they offer now is on offer if `check` lets
        it, which raises `ConfigurationError`. The old catalogue is not touched: a new one takes
        its place for all that begins from then on.
        """
        async with self._asking:
            await self._ask_again(check, only)

    async def _ask_again(self, check: Callable[[Catalog], None], only: str | None) -> None:
        for connection, connector in self._connectors.items():
            if only not in (None, connection):
                continue
            stale = connector.stale if isinstance(connector, Sourced) else None
            is_due = stale is not None or isinstance(connector, Reviewed)
            if not is_due and connection not in self._absent:
                continue
            try:
                found = await self._actions(connection, connector, again=True)
                if self._offered.get(connection) != found:
                    offered = self._offered | {connection: found}
                    catalog = await asyncio.to_thread(_checked, offered)
                    await asyncio.to_thread(check, catalog)
                    self._offered, self._catalog = offered, catalog
                self._absent.pop(connection, None)
            except Unreachable as error:
                self._absent[connection] = str(error)
            except ConfigurationError as error:
                self._withdraw(connection, str(error))

    def _withdraw(self, connection: str, reason: str) -> None:
        """Offer nothing of a connection whose actions are not fit to be offered."""
        self._absent[connection] = self._hidden(reason)
        self._offered = {name: each for name, each in self._offered.items() if name != connection}
        self._catalog = Catalog(action for each in self._offered.values() for action in each)

    def connections(self) -> tuple[Connection, ...]:
        """How each of them stands."""
        return tuple(
            Connection(
                name=name,
                connector=connector.name,
                actions=len(self._offered.get(name, ())),
                skipped=connector.skipped if isinstance(connector, Sourced) else (),
                stale=connector.stale if isinstance(connector, Sourced) else None,
                absent=self._absent.get(name),
                held=len(review.changes) if (review := _review(connector)) else 0,
            )
            for name, connector in self._connectors.items()
        )

    def review(self, connection: str) -> Review | None:
        """What there is to accept of a connection's server; None where there is nothing such."""
        return _review(self._connectors[connection]) if connection in self._connectors else None

    async def aclose(self) -> None:
        """Have every connector let go of what it holds open."""
        for connector in self._connectors.values():
            if isinstance(connector, Closing):
                await connector.aclose()

    async def call(
        self, action: ActionSpec, arguments: Mapping[str, JsonValue], context: CallContext
    ) -> Outcome:
        """Call once; raises `Refused`, `Unavailable` or `Uncertain`, whatever the plugin raises."""
        connector = self._connectors.get(action.connection)
        if connector is None:
            message = f"there is no connection {action.connection!r} any more"
            raise Refused(message, kind=Kind.NOT_FOUND)
        if action.connection in self._absent:
            raise Unavailable(f"{action.connection}: {self._absent[action.connection]}")
        if self._catalog is not None:
            now = self._catalog.get(action.name)
            if now is None or now.digest != action.digest:
                message = f"{action.name} is not what it was when the plan was accepted"
                raise Refused(message, kind=Kind.CONFLICT)
        token = TENANT.set(context.tenant)
        try:
            outcome = await _call(connector, action, arguments, context)
        except ConnectorError as error:
            # What it was raised from may tell anything, also a secret.
            raise self._retold(action, error) from None
        finally:
            TENANT.reset(token)
        return self._checked(action, outcome)

    async def _actions(
        self, connection: str, connector: Connector, *, again: bool = False
    ) -> tuple[ActionSpec, ...]:
        """What a connector offers, all of it under the connection's name."""
        found = tuple(await self._asked(connection, connector, again=again))
        for action in found:
            if action.connection != connection:
                raise ConfigurationError(
                    f"connections.{connection}: its action {action.name} does not begin with "
                    f"{connection!r}"
                )
        overlay = self._overlays.get(connection)
        return found if overlay is None else overlaid(connection, found, overlay)

    async def _asked(
        self, connection: str, connector: Connector, *, again: bool
    ) -> Sequence[ActionSpec]:
        try:
            if again and isinstance(connector, Sourced):
                await connector.ask_again()
            return await connector.actions()
        except Unreachable as error:
            raise Unreachable(self._hidden(str(error))) from None
        except Unavailable as error:
            raise Unreachable(self._hidden(error.message)) from None
        except ConfigurationError as error:
            raise ConfigurationError(self._hidden(str(error))) from None
        except Exception as error:  # noqa: BLE001 - a plugin raises what it likes, secrets in it
            told = self._hidden(f"{type(error).__name__}: {error}")
            raise ConfigurationError(
                f"connections.{connection}: the connector {connector.name!r} cannot say what it "
                f"offers: {told}"
            ) from None

    def _checked(self, action: ActionSpec, outcome: Outcome) -> Outcome:
        """An output that is not what the action promises is unusable: never passed on."""
        request_id = outcome.request_id and self._hidden(outcome.request_id)
        match outcome:
            case Unreadable(reason=reason):
                return Unreadable(self._hidden(reason), request_id)
            case Pending(handle=handle):
                return Pending(self._hidden(handle), request_id)
        # Before it is looked at: what is wrong with it is told with some of it.
        output = self._vault.hide_in(outcome.output) if self._vault else outcome.output
        flaw = json_flaw(output)
        if flaw is None and action.output_schema is not None:
            flaw = first_flaw(action.output_schema, output)
        if flaw is None:
            return Applied(output, request_id, outcome.replayed)
        reason = self._hidden(f"the answer is not what the action promises: {flaw[:500]}")
        if action.is_write:
            return Unreadable(reason, request_id)
        raise Refused(reason, kind=Kind.INTERNAL, request_id=request_id)

    def _retold(self, action: ActionSpec, error: ConnectorError) -> ConnectorError:
        """The same failure without secrets; a read is never in doubt, for it has no effect."""
        message = self._hidden(error.message)
        code = error.vendor_code and self._hidden(error.vendor_code)
        request_id = error.request_id and self._hidden(error.request_id)
        kind, status = error.kind, error.status
        after = error.retry_after_s if isinstance(error, Unavailable | Uncertain) else None
        if isinstance(error, Refused):
            return Refused(
                message, kind=kind, vendor_code=code, request_id=request_id, status=status
            )
        if isinstance(error, Unavailable) or not action.is_write:
            return Unavailable(
                message,
                kind=kind,
                retry_after_s=after,
                sent=error.sent if isinstance(error, Unavailable) else True,
                vendor_code=code,
                request_id=request_id,
                status=status,
            )
        return Uncertain(
            message,
            kind=kind,
            retry_after_s=after,
            vendor_code=code,
            request_id=request_id,
            status=status,
        )

    def _hidden(self, text: str) -> str:
        return self._vault.hide(text) if self._vault else text


def _checked(offered: Mapping[str, tuple[ActionSpec, ...]]) -> Catalog:
    """The catalogue of all of them; raises `ConfigurationError`."""
    try:
        catalog = Catalog(action for each in offered.values() for action in each)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
    check_manifests(catalog)
    return catalog


def _review(connector: Connector) -> Review | None:
    return connector.review if isinstance(connector, Reviewed) else None


def _warn_if_stale(connection: str, connector: Connector) -> None:
    stale = connector.stale if isinstance(connector, Sourced) else None
    if stale is not None:
        since = datetime.fromtimestamp(stale.since, UTC).isoformat(timespec="seconds")
        _log.warning("connections.%s offers what it did at %s: %s", connection, since, stale.reason)


async def _call(
    connector: Connector,
    action: ActionSpec,
    arguments: Mapping[str, JsonValue],
    context: CallContext,
) -> Outcome:
    """Call with a limit of time, and turn what no connector should raise into what it means."""
    left = context.deadline - time.monotonic()
    if left <= 0:
        raise Unavailable("the deadline had passed before the call", kind=Kind.CANCELLED)
    try:
        async with asyncio.timeout(left + _GRACE_S):
            return await connector.call(action, arguments, context)
    except ConnectorError:
        raise
    except ConfigurationError as error:
        raise Refused(str(error), kind=Kind.AUTH) from error
    except TimeoutError as error:
        raise in_doubt(action, "no answer before the deadline", Kind.TIMEOUT) from error
    except Exception as error:
        # Its words may be anything, also arguments or secrets: only its kind is passed on.
        message = f"the connector {connector.name!r} failed with {type(error).__name__}"
        raise in_doubt(action, message, Kind.INTERNAL) from error


@asynccontextmanager
async def open_registry(
    settings: Sequence[ConnectionSettings],
    vault: Vault,
    shelf: Shelf | None = None,
    pins: Pins | None = None,
) -> AsyncIterator[Registry]:
    """Every connection with a way out of its own, which reaches what it was allowed and no other.

    Raises `ConfigurationError`; the connectors and the ways out are closed at the end.
    """
    ways = {each.name: Transport(frozenset(each.allow_hosts)) for each in settings}
    try:
        registry = build(settings, vault, lambda each: ways[each.name], shelf, pins)
        try:
            yield registry
        finally:
            await registry.aclose()
    finally:
        for way in ways.values():
            await way.aclose()


def build(
    settings: Sequence[ConnectionSettings],
    vault: Vault,
    transport_of: Callable[[ConnectionSettings], Transport],
    shelf: Shelf | None = None,
    pins: Pins | None = None,
) -> Registry:
    """Build every connection; raises `ConfigurationError`."""
    changed = asyncio.Event()
    connectors: dict[str, Connector] = {}
    overlays: dict[str, PluginOverlay] = {}
    for each in settings:
        if each.name == "fn":
            raise ConfigurationError("connections.fn: `fn` is the plan language's own name")
        if each.name in connectors:
            raise ConfigurationError(f"connections.{each.name} is there twice")
        given = Given(
            transport_of(each).carrying(vault),
            vault.stand_in,
            shelf,
            reveal=vault.reveal,
            hide=vault.redactor.hide_bytes,
            pins=pins,
            changed=changed.set,
        )
        connectors[each.name] = factory_of(each)(each, given)
        if (overlay := overlay_of(each)) is not None:
            overlays[each.name] = overlay
    return Registry(connectors, vault, overlays, changed)

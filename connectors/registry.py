"""All connections of a gateway: what they offer together, and one way to call any of it."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from pydantic import JsonValue

from connectors.calling import Calling
from connectors.catalog import Catalog
from connectors.connector import Closing, Connector, Outcome
from connectors.credentials import Vault
from connectors.errors import ConfigurationError, Kind, Refused, Unavailable, Unreachable
from connectors.manifest import check_manifests
from connectors.overlay import SourceOverlay, overlaid
from connectors.source import Connection, Review, Reviewed, Sourced
from connectors.spec import ActionSpec, CallContext

_CALM_S = 5.0  # without a change, after which the next one is heard at once
_FIRST_PAUSE_S = 0.1
_log = logging.getLogger("lamgate.catalog")


class Registry:
    """Connectors by connection, and the frozen catalogue of what they offer together."""

    def __init__(
        self,
        connectors: Mapping[str, Connector],
        vault: Vault | None = None,
        overlays: Mapping[str, SourceOverlay] | None = None,
        changed: asyncio.Event | None = None,
    ) -> None:
        self._connectors = dict(connectors)
        self._calling = Calling(vault)
        self._changed = changed or asyncio.Event()
        self._pause_s = 0.0
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
        """Wait until a connector says that its source has changed, or so long.

        A source that says so whenever it is asked, and would be asked without end, waits longer
        each time.
        """
        began = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._changed.wait()
                pause_s, waited_s = self._pause_s, time.monotonic() - began
                self._pause_s = next_pause_s(pause_s, waited_s, within_s)
                await asyncio.sleep(pause_s)
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
        self._absent[connection] = self._calling.hidden(reason)
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
        """Call what the plan was admitted with, or nothing; raises what `Calling.call` raises."""
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
        return await self._calling.call(connector, action, arguments, context)

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
            raise Unreachable(self._calling.hidden(str(error))) from None
        except Unavailable as error:
            raise Unreachable(self._calling.hidden(error.message)) from None
        except ConfigurationError as error:
            told, name = self._calling.hidden(str(error)), f"connections.{connection}"
            raise ConfigurationError(told if told.startswith(name) else f"{name}: {told}") from None
        except Exception as error:  # noqa: BLE001 - a plugin raises what it likes, secrets in it
            told = self._calling.hidden(f"{type(error).__name__}: {error}")
            raise ConfigurationError(
                f"connections.{connection}: the connector {connector.name!r} cannot say what it "
                f"offers: {told}"
            ) from None


def next_pause_s(pause_s: float, waited_s: float, most_s: float) -> float:
    """How long the change after this one waits to be heard, where this one came after so long."""
    return 0.0 if waited_s > _CALM_S else min(max(_FIRST_PAUSE_S, 2 * pause_s), most_s)


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

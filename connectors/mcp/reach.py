"""How a server is reached: started here, or at an address; either way a session is opened."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from connectors.errors import ConfigurationError
from connectors.http import Transport
from connectors.mcp.carried import CARRIED, Carried
from connectors.mcp.outcome import not_begun
from connectors.mcp.overlay import HeaderCredential
from connectors.mcp.process import Command, started
from connectors.mcp.wire import LostError, Opening, Session, WireError

_OPENS_WITHIN_S = 20.0


class Reach(Protocol):
    """A way to a server."""

    @property
    def told(self) -> tuple[str, ...]:
        """The same for an operator: exactly what is started or called, without a secret."""

    @property
    def is_everybodys(self) -> bool:
        """Whether one session serves every tenant."""

    def opening(self, on_change: Callable[[], None]) -> Opening:
        """Open a session; raises `WireError`."""


@dataclass(frozen=True)
class Local:
    """A server that is started here, without a shell."""

    command: Command
    secrets: Mapping[str, str]
    reveal: Callable[[str], Awaitable[str]]
    hide: Callable[[bytes], bytes] = bytes

    @property
    def is_everybodys(self) -> bool:
        """There is one process, whoever's call it is."""
        return True

    @property
    def told(self) -> tuple[str, ...]:
        """The command word by word, and the names of what is in its environment."""
        names = sorted({*self.command.env, *self.secrets})
        directory = self.command.directory or "one of its own, empty"
        return (
            *(f"argv[{index}] = {word!a}" for index, word in enumerate(self.command.argv)),
            f"environment: {', '.join(names) or 'empty'}",
            f"directory: {directory}",
        )

    @asynccontextmanager
    async def opening(self, on_change: Callable[[], None]) -> AsyncIterator[Session]:
        """Start it and agree on a protocol."""
        from connectors.mcp.sdk import over_lines  # heavy: only a gateway that uses it pays

        try:
            secrets = {name: await self.reveal(given) for name, given in self.secrets.items()}
        except ConfigurationError as error:
            raise LostError(str(error)) from error
        command = replace(self.command, env={**self.command.env, **secrets})
        async with started(command, self.hide) as server:
            try:
                async with over_lines(server, on_change, _OPENS_WITHIN_S) as session:
                    yield session
            except LostError as error:
                raise LostError(f"{error}; {server.told}") from error


@dataclass(frozen=True)
class Address:
    """A server at an address, reached over the connection's way out."""

    url: str
    transport: Transport
    hide: Callable[[bytes], bytes] = bytes
    credential: HeaderCredential | None = None
    secret: Callable[[], str] | None = field(default=None, repr=False)

    @property
    def is_everybodys(self) -> bool:
        """A session is of whoever's credential opened it."""
        return False

    @property
    def told(self) -> tuple[str, ...]:
        """The address."""
        return (f"url: {self.url}",)

    @asynccontextmanager
    async def opening(self, on_change: Callable[[], None]) -> AsyncIterator[Session]:
        """Agree on a protocol."""
        from connectors.mcp.over_http import CheckedTransport
        from connectors.mcp.sdk import over_http

        way = CheckedTransport(self.transport, self.url, self._secret_headers, self.hide)
        carried = Carried(is_of_last=True)
        CARRIED.set(carried)  # of the task that holds the session
        try:
            async with over_http(self.url, way, on_change, _OPENS_WITHIN_S) as session:
                CARRIED.set(Carried())
                yield session
        except WireError as error:
            told: object = carried.failure or error
            if carried.status is not None and carried.status >= 300:
                told = f"it answered with status {carried.status}"
            raise LostError(str(told), because=not_begun(carried)) from error

    def _secret_headers(self) -> dict[str, str]:
        if self.secret is None:
            return {}
        credential = self.credential or HeaderCredential()
        return {credential.header: credential.form.replace("{secret}", self.secret())}

"""Serves a gateway: `lamgate serve`, and `plan` and `run` where none is running."""

import asyncio
import errno
import logging
import socket
import threading
from dataclasses import dataclass, field

import uvicorn

from gateway.app import create_app
from gateway.cli.bounded import bounded_http
from gateway.cli.problem import CliError
from gateway.settings import Settings
from gateway.wiring import Gateway, build

DRAIN_S = 10
PATIENCE_S = 10.0  # with a command that has the database, until it ends


@dataclass
class Running:
    """What whoever started a gateway learns of it, and how it is stopped."""

    ready: threading.Event = field(default_factory=threading.Event)
    address: str = ""
    operator_key: str = ""
    error: Exception | None = None
    server: uvicorn.Server | None = None
    is_stopping: bool = False
    is_passing: bool = False  # for one command, which ends by itself

    def stop(self) -> None:
        """Ask it to end, also while it still starts."""
        self.is_stopping = True
        if self.server is not None:
            self.server.should_exit = True


async def run_gateway(
    settings: Settings, running: Running, *, host: str | None = None, port: int | None = None
) -> None:
    """Build and serve until stopped; what goes wrong before is in `running.error`."""
    try:
        patience_s = 0.0 if running.is_passing else PATIENCE_S
        async with build(settings, patience_s=patience_s) as gateway:
            chosen = settings.server.port if port is None else port
            listener = _listen(host or settings.server.host, chosen)
            config = uvicorn.Config(
                create_app(gateway),
                log_config=None,
                log_level="error",  # strangers can provoke the warnings
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_keep_alive=10,
                timeout_graceful_shutdown=DRAIN_S,
                http=bounded_http(settings.server.connections),
                ws="none",
            )
            running.server = _Server(config, gateway)
            running.server.should_exit = running.is_stopping
            running.address = _address(listener)
            running.operator_key = gateway.operator_key
            gateway.store.publish_address(running.address, is_passing=running.is_passing)
            serving = asyncio.get_running_loop().create_task(
                running.server.serve(sockets=[listener])
            )
            while not running.server.started and not serving.done():
                await asyncio.sleep(0.01)
            running.ready.set()
            outdated = asyncio.create_task(_end_when_outdated(gateway, running))
            await serving
            outdated.cancel()
    except Exception as error:  # noqa: BLE001 - told by whoever started it, in its own words
        running.error = error
        running.ready.set()


class _Server(uvicorn.Server):
    """Ends streams and drives in good order while it waits for what else is under way."""

    def __init__(self, config: uvicorn.Config, gateway: Gateway) -> None:
        super().__init__(config)
        self._gateway = gateway

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let whoever watches go, and stop; slow clients take no time from calls under way."""
        self._gateway.notices.end()
        await asyncio.gather(super().shutdown(sockets), self._gateway.dispatcher.stop())


async def _end_when_outdated(gateway: Gateway, running: Running) -> None:
    """Make room for a newer version, which has begun on the same database."""
    await gateway.dispatcher.outdated.wait()
    running.stop()


def _address(listener: socket.socket) -> str:
    """Where this machine reaches it: a listener on every address is asked on loopback."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - no binding here
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CliError(
            "cannot-listen",
            f"{host}:{port}: {error.strerror or error}",
            "server.host, server.port",
            _elsewhere(error),
        ) from error
    return listener


def _elsewhere(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "Say an address of this machine as server.host; 0.0.0.0 is all of them."
    return "Say another --port; 0 takes any that is free."


def quiet_logs() -> None:
    """The journal is the record; only warnings are worth a line."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")

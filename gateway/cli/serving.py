"""`serve`: the gateway as a process, until Ctrl-C."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from typing import Annotated

import typer

from gateway.cli.leaving import leave, leave_within
from gateway.cli.options import AsJson, Config, Database
from gateway.cli.show import print_json, say_as_is


def serve(
    config: Config = None,
    database: Database = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Instead of the file's; 0 takes any.")
    ] = None,
    as_json: AsJson = False,
    until_stdin_ends: Annotated[
        bool, typer.Option("--until-stdin-ends", help="End with whoever started it.", hidden=True)
    ] = False,
) -> None:
    """Serve the gateway until Ctrl-C."""
    from gateway.cli.connect import settings_of
    from gateway.cli.garbage import look_rarely
    from gateway.cli.server import Running, quiet_logs, run_gateway

    quiet_logs()
    settings = settings_of(config, database)
    running = Running()

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            leave_within()
            running.stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        if until_stdin_ends:
            _when_stdin_ends(running.stop)
        serving = loop.create_task(run_gateway(settings, running, port=port))
        while not running.ready.is_set():
            await asyncio.sleep(0.02)
        if running.error is None:
            look_rarely()
            _say_ready(running.address, as_json=as_json)
        await serving

    asyncio.run(main())
    if running.error is not None:
        raise running.error
    leave()


def _say_ready(address: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"ready": address, "docs": f"{address}/docs"})
    else:
        say_as_is(f"ready {address}  (docs: {address}/docs)")


def _when_stdin_ends(then: Callable[[], None]) -> None:
    """A pipe ends with the process that holds its other side, however that ends."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        then()

    threading.Thread(target=wait, daemon=True).start()

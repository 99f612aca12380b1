"""`serve` and `demo`."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import AsJson, Config
from gateway.cli.show import print_json, say_as_is


def serve(
    config: Config = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Instead of the file's; 0 takes any.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve the gateway until Ctrl-C."""
    from gateway.cli.connect import settings_of
    from gateway.cli.server import Running, quiet_logs, run_gateway

    quiet_logs()
    settings = settings_of(config)
    running = Running()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.stop)
        serving = loop.create_task(run_gateway(settings, running, port=port))
        while not running.ready.is_set():
            await asyncio.sleep(0.02)
        if running.error is None:
            _say_ready(running.address, as_json=as_json)
        await serving

    asyncio.run(main())
    if running.error is not None:
        raise running.error


def demo(
    yes: Annotated[
        bool, typer.Option("--yes", help="Answer and approve by itself, saying so.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="Where to keep what it makes.")] = None,
    again: Annotated[
        Path | None,
        typer.Option("--open", help="Start shop and gateway on what an earlier demo left."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the main job end to end, on a small shop, without any key."""
    from gateway.demo.story import reopen, tell

    if again is not None:
        reopen(again)
    else:
        tell(is_yes=yes, data=data, as_json=as_json)


def _say_ready(address: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"ready": address, "docs": f"{address}/docs"})
    else:
        say_as_is(f"ready {address}  (docs: {address}/docs)")

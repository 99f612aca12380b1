"""`serve` and `demo`."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import Config
from gateway.cli.show import out


def serve(
    config: Config = None,
    port: Annotated[int | None, typer.Option(help="instead of the file's; 0 takes any")] = None,
) -> None:
    """Serve the gateway until Ctrl-C."""
    from gateway.cli.server import Running, quiet_logs, run_gateway
    from gateway.settings import load_settings

    quiet_logs()
    settings = load_settings(config)
    running = Running()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.stop)
        serving = loop.create_task(run_gateway(settings, running, port=port))
        while not running.ready.is_set():
            await asyncio.sleep(0.02)
        if running.error is None:
            out.print(f"ready {running.address}  (docs: {running.address}/docs)", markup=False)
        await serving

    asyncio.run(main())
    if running.error is not None:
        raise running.error


def demo(
    yes: Annotated[bool, typer.Option("--yes", help="answer and approve by itself")] = False,
    data: Annotated[Path | None, typer.Option(help="where to keep what it makes")] = None,
) -> None:
    """Show the main job end to end, on a small shop of real services, without any key."""
    from gateway.demo.story import tell

    tell(yes=yes, data=data)

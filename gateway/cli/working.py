"""`worker`: a process that drives what others have asked for, until Ctrl-C."""

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.leaving import leave, leave_within
from gateway.cli.options import AsJson, Config, Database
from gateway.cli.problem import CliError
from gateway.cli.show import print_json, say_as_is

if TYPE_CHECKING:
    from gateway.settings import Settings


def worker(
    config: Config = None,
    database: Database = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Drives at once, instead of the file's.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Drive what is due on a server's database until Ctrl-C; any number of workers may."""
    from gateway.cli.connect import settings_of
    from gateway.cli.server import quiet_logs

    quiet_logs()
    settings = settings_of(config, database)
    if settings.database_url.startswith("sqlite:"):
        raise CliError(
            "one-process", "a file is used by one process, which `lamgate serve` is",
            "database.url", "Name a server: postgresql://user@host/database.",
        )  # fmt: skip
    drives = concurrency or settings.workers.concurrency
    if drives == 0:
        raise CliError("bad-option", "a worker that drives nothing", "workers.concurrency",
                       "Say --concurrency.")  # fmt: skip
    workers = settings.workers.model_copy(update={"concurrency": drives})
    asyncio.run(_work(settings.model_copy(update={"workers": workers}), as_json=as_json))
    leave()


async def _work(settings: "Settings", *, as_json: bool) -> None:
    from gateway.cli.garbage import look_rarely
    from gateway.wiring import build

    stopping = asyncio.Event()

    def stop() -> None:
        leave_within()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    async with build(settings) as gateway:
        look_rarely()
        if as_json:
            print_json({"ready": "worker", "pid": os.getpid()})
        else:
            say_as_is(f"ready: worker {os.getpid()}, {settings.workers.concurrency} drives at once")
        outdated = gateway.dispatcher.outdated
        waits = [asyncio.create_task(each.wait()) for each in (stopping, outdated)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in waits:
            each.cancel()
    if outdated.is_set():
        raise CliError(
            "needs-newer-version", "a newer version has begun on this database",
            "database.url", "Start the newer version here too.",
        )  # fmt: skip

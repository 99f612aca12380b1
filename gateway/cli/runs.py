"""`runs`: list the newest, or delete those that ended long ago."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from connectors.spec import JsonObject
from gateway.cli.connect import Target, connect, settings_of
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.problem import CliError
from gateway.cli.show import print_json, say, say_row

if TYPE_CHECKING:
    from sqlalchemy import Connection


app = typer.Typer(invoke_without_command=True, no_args_is_help=False)
PAUSE_S = 0.02  # between two commits, for whoever works with the database


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only runs that stand so.")] = None,
    before: Annotated[str | None, typer.Option(help="Only those older than this run.")] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List the newest runs; or delete old ones."""
    if context.invoked_subcommand is not None:
        return
    with connect(Target(config, url, key)) as client:
        found = client.newest("/v1/runs", status=status, before=before)
    if as_json:
        print_json([*found])
        return
    for row in found:
        waits = f" for {row['waiting_for']}" if row["status"] == "waiting" else ""
        code = f" ({row['code']})" if row.get("code") else ""
        say_row(row, f"{row['status']}{waits}{code}", str(row["words"] or row["plan"]))
    if not found:
        say("no such runs" if status or before else "no runs yet")


@app.command("delete")
def delete(
    ended_before: Annotated[
        datetime,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="In UTC, as 2026-01-31."),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Delete runs that ended before a day, with all that belongs to them, of every tenant.

    It writes the database itself, beside whoever works with it.
    """
    from executor.store import retention
    from executor.store.beside import read_beside
    from executor.store.kept import LEAST_S

    url = settings_of(config).database_url
    before = ended_before.replace(tzinfo=UTC).timestamp()
    least = round(LEAST_S / 86400)
    if before > time.time() - LEAST_S:
        raise CliError(
            "bad-option", f"what ended less than {least} days ago is kept",
            "--ended-before", "Say an earlier day: clients may still ask by an Idempotency-Key.",
        )  # fmt: skip
    if dry_run:
        found = read_beside(url, partial(retention.may_go, before=before)) or retention.Deleted()
        runs, requests = found.runs, found.requests
    else:
        runs, requests = _delete(url, before)
    if as_json:
        told: JsonObject = {"runs": runs, "requests": requests, "ended_before": before}
        print_json(told | {"deleted": not dry_run})
        return
    done = "would be" if dry_run else "are"
    what = f"{runs:,} runs and {requests:,} requests that ended before"
    say(f"{what} {ended_before:%Y-%m-%d %H:%M}Z {done} deleted")


def _delete(url: str, before: float) -> tuple[int, int]:
    from executor.store.beside import write_beside
    from executor.store.retention import Deleted, delete_some

    def some(c: "Connection", _: float) -> Deleted:
        return delete_some(c, before, done.place)

    runs = requests = 0
    done = Deleted(goes_on=True)
    while done.goes_on:
        done = write_beside(url, some)
        runs, requests = runs + done.runs, requests + done.requests
        time.sleep(PAUSE_S)
    return runs, requests

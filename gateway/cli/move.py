"""`move`: what a file holds goes on on a server, or, where nothing happened there, in the file."""

import getpass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from connectors.spec import JsonObject
from executor.store import ids, stops
from executor.store.move import Moved, move_to_server, undo, undo_alone
from executor.store.store import database_path
from gateway.cli.connect import settings_of
from gateway.cli.options import AsJson, Config
from gateway.cli.problem import CliError
from gateway.cli.show import complain, print_json, say
from gateway.keyring import secret_file
from gateway.settings import Settings, require_known

PASSWORD = "A password is better said by PGPASSWORD or a ~/.pgpass than in the address."  # noqa: S105

UNTIL = "Until a gateway or a worker first starts there, `move --undo --to` takes it back exactly."


def move(
    to: Annotated[
        str | None,
        typer.Option("--to", help=f"postgresql://user@host/database, empty. {PASSWORD}"),
    ] = None,
    undone: Annotated[
        bool, typer.Option("--undo", help="Take it back, while no gateway has started there.")
    ] = False,
    lost: Annotated[
        bool,
        typer.Option("--lost", help="Take it back without the server; every call is stopped."),
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Move what the database's file holds to a server, on which everything goes on."""
    settings = settings_of(config)
    database = database_path(settings.database_url)
    if database is None:
        raise CliError(
            "bad-option", "only what a file holds is moved", "database.url",
            "Between servers: end all processes, then pg_dump and pg_restore.",
        )  # fmt: skip
    if (lost and not undone) or (to is None) != lost:
        fix = "Say --to postgresql://..., with --undo to take it back; or --undo --lost alone."
        raise CliError("bad-option", "what is to be moved, and where?", fix=fix)
    if to is not None:
        require_known(to, "--to")
    if undone:
        _undo(settings, to, as_json=as_json)
    else:
        moved = move_to_server(settings.database_url, str(to), _tell_on_the_way)
        _tell_moved(moved, database, as_json=as_json)


def _undo(settings: Settings, to: str | None, *, as_json: bool) -> None:
    told: JsonObject = {"file": str(database_path(settings.database_url))}
    if to is None:
        place = undo_alone(settings.database_url, partial(_stop_all, new := ids.new("stop")))
        told |= {"was": place, "stop": new}
    else:
        told |= {"was": undo(settings.database_url, to), "stop": None}
    if as_json:
        print_json(told)
        return
    say(f"{told['file']} goes on where it stood when it was moved to {told['was']}")
    if told["stop"]:
        say(f"No call begins: ask the services what happened since, then `resume {told['stop']}`.")


def _stop_all(stop: str, c: Connection, now: float) -> None:
    """A file that does not know what happened on the server calls nothing by itself."""
    by, reason = f"{getpass.getuser()} (at the machine)", "moved back without the server"
    stops.add(c, stops.StopRow(stops.ALL, stop, stops.ALL, by, reason, now))


def _tell_on_the_way(table: str, rows: int) -> None:
    if rows:
        complain(f"{table}: {rows:,}")


def _tell_moved(moved: Moved, database: Path, *, as_json: bool) -> None:
    secret, rows = secret_file(database), sum(moved.rows.values())
    if as_json:
        print_json(
            {
                "to": moved.to,
                "rows": {**moved.rows},
                "was_before": moved.was_before,
                "secret": str(secret),
                "undo": UNTIL,
            }
        )
        return
    if moved.was_before:
        say(f"{moved.to} has it already, by an earlier move; {database} is not used any more")
    else:
        say(f"{moved.to}  {rows:,} rows, read back and compared; {database} is not used any more")
    say(f"Set LAMGATE_SECRET to what {secret} holds, and database.url to the server, everywhere.")
    say(UNTIL)

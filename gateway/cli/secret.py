"""`secret`: the database's own secret, exchanged for another one while nobody uses the database."""

import secrets
from typing import Annotated

import typer

from executor.store.store import database_path
from gateway.cli.connect import settings_of
from gateway.cli.options import AsJson, Config
from gateway.cli.problem import CliError
from gateway.cli.show import print_json, say
from gateway.exchange import exchange_beside, exchange_on_server
from gateway.keyring import secret_file

app = typer.Typer(no_args_is_help=True)


@app.callback()
def secret() -> None:
    """What plans are sealed with, and keys of calls are made with."""


@app.command("exchange")
def exchange(
    new: Annotated[
        str | None, typer.Option("--new", help="On a server: where the new one is, env:NAME.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Seal everything with another secret; no gateway or worker may use the database."""
    settings = settings_of(config)
    database = database_path(settings.database_url)
    if (new is None) != (database is not None):
        what = "a file gets one that is made here" if database else "where is the new one?"
        fix = "Leave --new out." if database else "Say --new env:NAME, with 128 hexadecimal digits."
        raise CliError("bad-option", what, "--new", fix)
    if new is None:
        done = exchange_beside(settings, secrets.token_hex(64))
    else:
        done = exchange_on_server(settings, new)
    if as_json:
        print_json(
            {
                "plans": done.plans,
                "broken": [*done.broken],
                "credentials": done.credentials,
                "unopened": [*done.unopened],
                "was_before": done.was_before,
            }
        )
        return
    if done.was_before:
        say("An exchange that was begun before is at its end now.")
    else:
        say(f"{done.plans:,} plans and {done.credentials:,} credentials are sealed anew.")
    for each in done.broken:
        say(f"{each}: its seal was not right before, and is not now")
    for each in done.unopened:
        say(f"{each}: this credential cannot be opened; set it anew")
    if database is not None:
        say(f"{secret_file(database)} is another one now: keep it apart from the backups, too.")
    else:
        say(f"Give every process what {new} holds as database.secret.")
    say("Backups that were made before open with the old one alone.")

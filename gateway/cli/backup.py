"""`backup`: a copy of the database while the gateway works."""

from pathlib import Path
from typing import Annotated

import typer

from executor.store.backup import copy
from executor.store.store import database_path
from gateway.cli.connect import settings_of
from gateway.cli.options import AsJson, Config
from gateway.cli.problem import CliError
from gateway.cli.show import print_json, say
from gateway.keyring import secret_file


def backup(
    to: Annotated[Path, typer.Argument(help="A file that is not there yet.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Copy the database to a file, also while the gateway works."""
    settings = settings_of(config)
    database = database_path(settings.database_url)
    if database is None:
        fix = "Use pg_dump, or what your server has for it."
        raise CliError("bad-option", "only a database in a file is copied", "database.url", fix)
    try:
        size, secret = copy(database, to), secret_file(database)
    except FileExistsError as error:
        what = "something is there already, and a copy is never written over anything"
        raise CliError("file-exists", what, str(to), "Say a file that is not there.") from error
    if as_json:
        print_json({"file": str(to), "bytes": size, "secret": str(secret)})
        return
    say(f"{to}  {size:,} bytes")
    say(f"Keep {secret} too, and apart from it: without it nothing that is sealed can be opened.")

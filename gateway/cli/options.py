"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The operator's file; else lamgate.toml here."),
]
Url = Annotated[str | None, typer.Option("--url", help="A gateway's address; else LAMGATE_URL.")]
Key = Annotated[str | None, typer.Option("--key", help="An API key; else LAMGATE_KEY.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
Database = Annotated[
    str | None, typer.Option("--database", help="Its address, instead of the file's.")
]

"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="the operator's file; lamgate.toml here")
]
Url = Annotated[str | None, typer.Option("--url", help="a gateway's address")]
Key = Annotated[str | None, typer.Option("--key", help="an API key; or LAMGATE_KEY")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document")]

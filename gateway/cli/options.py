"""Options that many commands share."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.reason import MOST_REASON, says_something


def _why(said: str) -> str:
    """A reason that says something, whoever keeps it."""
    if not says_something(said):
        raise typer.BadParameter("say why: what is kept without a reason helps nobody later")
    if len(said) > MOST_REASON:
        raise typer.BadParameter(f"at most {MOST_REASON:,} characters")
    return said


Reason = Annotated[str, typer.Option("--reason", callback=_why, help="Why; it is kept.")]
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

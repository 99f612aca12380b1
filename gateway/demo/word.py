"""`demo`: the main job end to end, or what an earlier demonstration left."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import AsJson


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
        reopen(again, as_json=as_json)
    else:
        tell(is_yes=yes, data=data, as_json=as_json)

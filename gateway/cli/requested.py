"""`requests`: list the newest, show where one stands, have one planned again."""

from typing import Annotated

import typer

from connectors.spec import JsonObject
from gateway.cli.client import Client, named
from gateway.cli.connect import Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.requests import WAIT_S, goes_on, why_no_plan
from gateway.cli.show import print_json, say, say_as_is, say_row

app = typer.Typer(pretty_exceptions_enable=False)
RequestId = Annotated[str, typer.Argument(help="The request's id.")]


@app.callback(invoke_without_command=True)
def list_requests(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only requests that stand so.")] = None,
    before: Annotated[str | None, typer.Option(help="Only those older than this one.")] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List the newest requests, show one, or have one planned again."""
    if context.invoked_subcommand is not None:
        return
    with connect(Target(config, url, key)) as client:
        found = client.newest("/v1/requests", status=status, before=before)
    if as_json:
        print_json([*found])
        return
    for row in found:
        say_row(row, str(row["status"]), str(row["text"]))
    if not found:
        say("no such requests" if status or before else "no requests yet")


@app.command()
def show(
    request: RequestId,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show where a request stands, and what goes on from there."""
    with connect(Target(config, url, key)) as client:
        row = client.thing(f"/v1/requests/{named(request)}")
        _tell(client, row, as_json=as_json)


@app.command()
def retry(
    request: RequestId,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Have a request planned again after no model answered."""
    with connect(Target(config, url, key)) as client:
        row = client.post(f"/v1/requests/{named(request)}/retry", {}, wait_s=WAIT_S)
        _tell(client, row, as_json=as_json)


def _tell(client: Client, row: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    say_row(row, str(row["status"]), str(row["text"]))
    if row["status"] == "planned":
        say_as_is(goes_on(client, row))
    else:
        say(why_no_plan(client, row).as_text())

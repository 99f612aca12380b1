"""`keys`: make, list and revoke API keys; a secret is shown once."""

from typing import Annotated

import typer

from connectors.spec import JsonObject
from gateway.cli.client import named
from gateway.cli.connect import Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.show import given, print_json, say, say_as_is

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def create(
    principal: Annotated[str, typer.Argument(help="Whose key it is.")],
    role: Annotated[list[str], typer.Option("--role", help="requester, approver, operator, ...")],
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Of this tenant; else of the operator's own.")
    ] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a key; its secret is shown this once."""
    with connect(Target(config, url, key)) as client:
        body: JsonObject = {"principal": principal, "roles": [*role]}
        made = client.post("/v1/keys", body if tenant is None else body | {"tenant": tenant})
    if as_json:
        print_json(made)
    else:
        say_as_is(f"{made['id']}  {made['secret']}")


@app.command("list")
def list_keys(
    config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """List keys, never their secrets."""
    with connect(Target(config, url, key)) as client:
        found = client.all_things("/v1/keys")
    if as_json:
        print_json([*found])
        return
    for row in found:
        revoked = "  revoked" if row.get("revoked_at") is not None else ""
        say(f"{row['id']}  {row['principal']}  {', '.join(map(str, given(row, 'roles')))}{revoked}")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it.")],
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """End a key at once."""
    with connect(Target(config, url, key)) as client:
        ended = client.delete(f"/v1/keys/{named(key_id)}")
    if as_json:
        print_json(ended)
    else:
        say(f"{key_id} is revoked")

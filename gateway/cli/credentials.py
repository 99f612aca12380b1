"""`credentials`: set, list, connect, remove and seal anew what connections use; none is shown."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

import typer

from connectors.spec import JsonObject
from gateway.cli.client import named
from gateway.cli.connect import Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.problem import CliError
from gateway.cli.reading import read_text
from gateway.cli.show import print_json, say, say_as_is

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
Name = Annotated[str, typer.Argument(help="What `store:ID` names.")]


@app.command("set")
def set_credential(
    name: Name,
    kind: Annotated[
        str, typer.Option(help="api-key, basic, bearer, oauth-code or oauth-client.")
    ] = "api-key",
    file: Annotated[
        Path | None, typer.Option("--file", help="Where the secret is; else standard input.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="basic: who signs in.")] = None,
    client_id: Annotated[str | None, typer.Option(help="oauth: what we are there.")] = None,
    issuer: Annotated[str | None, typer.Option(help="oauth: the authorisation server.")] = None,
    authorize_url: Annotated[str | None, typer.Option(help="oauth: instead of an issuer.")] = None,
    token_url: Annotated[str | None, typer.Option(help="oauth: instead of an issuer.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="oauth: what for; repeatable.")] = None,
    resource: Annotated[str | None, typer.Option(help="oauth: whom the token is for.")] = None,
    public: Annotated[
        bool, typer.Option("--public", help="oauth-code: a client that has no secret.")
    ] = False,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Keep a secret, read from standard input or a file: never from an argument."""
    body: JsonObject = {"kind": kind}
    if user is not None:
        body["user"] = user
    if client_id is not None:
        told: JsonObject = {
            "client_id": client_id,
            "issuer": issuer,
            "authorize_url": authorize_url,
            "token_url": token_url,
            "resource": resource,
            "scopes": [*(scope or [])],
        }
        body["oauth"] = {name: value for name, value in told.items() if value is not None}
    if not public:
        body["secret"] = _secret(file)
    with connect(Target(config, url, key)) as client:
        done = client.put(f"/v1/credentials/{named(name)}", body)
        if as_json:
            print_json(done)
            return
        say(f"{name} is kept ({done['kind']}, {done['standing']})")
        if done.get("connect"):
            say_as_is(client.command("credentials", "connect", name))


@app.command("list")
def list_credentials(
    config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """List credentials and whether they can be used, never their secrets."""
    with connect(Target(config, url, key)) as client:
        found = client.all_things("/v1/credentials")
    if as_json:
        print_json([*found])
        return
    for row in found:
        why = f" ({row['reason']})" if row.get("reason") else ""
        old = "" if row["is_current"] else ", sealed with an older key"
        say(f"{row['id']}  {row['kind']}  {row['standing']}{why}{old}")
    if not found:
        say("no credential is stored")


@app.command("connect")
def connect_credential(
    name: Name, config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Print a link: whoever opens it in their browser gives the service's consent."""
    with connect(Target(config, url, key)) as client:
        if client.is_own:
            raise CliError(
                "no-gateway", "the service sends the browser back to a gateway, and none runs",
                fix="Start one with `lamgate serve`, then ask again.",
            )  # fmt: skip
        begun = client.post(f"/v1/credentials/{named(name)}/connect", {})
    if as_json:
        print_json(begun)
    else:
        say_as_is(str(begun["link"]))


@app.command()
def remove(
    name: Name, config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Delete one; calls that need it wait."""
    with connect(Target(config, url, key)) as client:
        done = client.delete(f"/v1/credentials/{named(name)}")
    if as_json:
        print_json(done)
    else:
        say(f"{name} is removed")


@app.command()
def rotate(
    config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Seal every credential anew under the newest master key of the settings."""
    with connect(Target(config, url, key)) as client:
        done = client.post("/v1/credentials/rotate", {})
    if as_json:
        print_json(done)
    else:
        say(f"{done['resealed']} sealed anew; the newest key is {done['key']}")


def _secret(file: Path | None) -> str:
    """The secret without the line end that files leave; a person at a terminal is asked."""
    if file is None and sys.stdin is not None and sys.stdin.isatty():
        return getpass.getpass("secret: ")
    return read_text(file or Path("-")).strip()

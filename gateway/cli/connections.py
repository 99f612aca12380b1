"""`connections`: how each stands, and the review of what a server says of itself."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.plan.render import one_line
from gateway.cli.client import named
from gateway.cli.connect import Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.show import given, print_json, say, say_as_is

app = typer.Typer(pretty_exceptions_enable=False)
Name = Annotated[str, typer.Argument(help="The connection.")]


@app.callback(invoke_without_command=True)
def list_connections(
    context: typer.Context,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List connections: is a service down, stopped or unknown; does a server wait for a review."""
    if context.invoked_subcommand is not None:
        return
    with connect(Target(config, url, key)) as client:
        found = client.all_things("/v1/connections", by="name")
    if as_json:
        print_json([*found])
        return
    for row in found:
        _say(row)
    if not found:
        say("no connection is configured: see [connections] in the settings")


@app.command()
def show(
    name: Name,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show one connection with what of it cannot be offered, and why."""
    with connect(Target(config, url, key)) as client:
        row = client.thing(f"/v1/connections/{named(name)}")
    if as_json:
        print_json(row)
        return
    _say(row)
    for each in given(row, "skipped"):
        if isinstance(each, dict):
            say(one_line(f"    {each['name']}: {each['reason']}"))


@app.command()
def review(
    name: Name,
    accept: Annotated[
        bool, typer.Option("--accept", help="Accept exactly what is shown; it is kept who did.")
    ] = False,
    digest: Annotated[
        str | None, typer.Option("--digest", help="Only if it is still what had this digest.")
    ] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show what a server says of its tools beside what was accepted, or accept it."""
    with connect(Target(config, url, key)) as client:
        found = client.thing(f"/v1/connections/{named(name)}/review")
        if not as_json:
            _say_review(name, found)
        if accept:
            exactly = digest or str(found["digest"])
            accepted = client.post(f"/v1/connections/{named(name)}/review", {"digest": exactly})
            if not as_json:
                say(f"accepted: {len(given(accepted, 'accepted'))} tools, as {exactly}")
        elif not as_json and given(found, "changes"):
            words = ("connections", "review", name, "--accept", "--digest", str(found["digest"]))
            say("accept exactly this:")
            say_as_is(f"    {client.command(*words)}")
    if as_json:
        print_json(found)


def _say(row: JsonObject) -> None:
    skipped, held = given(row, "skipped"), row.get("held")
    more = f"; {len(skipped)} skipped" if skipped else ""
    more += f"; {held} to review" if held else ""
    standing = one_line(_standing(row))  # with what services say
    say(f"{row['name']:<16} {row['connector']:<18} {standing}{more}")


def _say_review(name: str, found: JsonObject) -> None:
    """What is held, with each diff as it is: everything in it is written out in plain ASCII."""
    say(f"{name} is reached by")
    for line in given(found, "reached_by"):
        say_as_is(f"    {line}")
    for each in given(found, "changes"):
        if not isinstance(each, dict):
            continue
        say_as_is(f"{each['kind']}: {each['tool']}")
        for line in given(each, "notes"):
            say_as_is(f"  ! {line}")
        for line in given(each, "diff"):
            say_as_is(f"    {line}")
    for line in given(found, "notes"):
        say_as_is(f"! {line}")
    if not given(found, "changes"):
        say("everything is as it was accepted")


def _standing(row: JsonObject) -> str:
    breaker, told = row.get("breaker"), []
    if row.get("standing") == "stale":
        told.append(f"offers what it did at {row['stale_since']}: {row['reason']}")
    if row.get("standing") == "absent":
        told.append(f"absent: {row['reason']}")
    if isinstance(breaker, dict) and breaker["state"] != "closed":
        told.append(f"taken for down until {_clock(breaker['until'])}: {breaker['because']}")
    if row.get("hold_until") is not None:
        told.append(f"asks to be left alone until {_clock(row['hold_until'])}")
    if isinstance(quota := row.get("quota"), dict):
        told.append(f"takes {quota['left']} calls more until {_clock(quota['renews_at'])}")
    if stopped := given(row, "stops"):
        told.append(f"stopped: {', '.join(map(str, stopped))}")
    return "; ".join(told) or "ready"


def _clock(at: JsonValue) -> str:
    seconds = at if isinstance(at, int | float) else 0.0
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%SZ")

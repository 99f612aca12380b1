"""What operators do with runs and the catalogue: look, explain, cancel, find out."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import JsonValue

from connectors.spec import JsonObject
from gateway.cli.client import named
from gateway.cli.connect import Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.problem import CliError
from gateway.cli.reading import read_value
from gateway.cli.show import complain, given, print_json, say
from gateway.cli.watch import follow_and_tell

if TYPE_CHECKING:
    from connectors.source import Connection

RunId = Annotated[str, typer.Argument(help="The run's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept.")]


def runs(
    status: Annotated[str | None, typer.Option(help="Only runs that stand so.")] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List the newest runs."""
    with connect(Target(config, url, key)) as client:
        found = client.things("/v1/runs" + (f"?status={named(status)}" if status else ""))
    if as_json:
        print_json([*found])
        return
    for row in found:
        waits = f" for {row['waiting_for']}" if row["status"] == "waiting" else ""
        code = f" ({row['code']})" if row.get("code") else ""
        say(f"{row['id']}  {row['status']}{waits}{code}")
    if not found:
        say("no runs yet")


def trace(
    run_id: RunId,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Explain a run: what happened, why, did each effect happen."""
    with connect(Target(config, url, key)) as client:
        accept = "application/json" if as_json else "text/plain"
        found = client.get(f"/v1/runs/{named(run_id)}/trace", accept=accept)
    if as_json:
        print_json(found)
    else:
        say(str(found).rstrip("\n"))


def cancel(
    run_id: RunId,
    undo: Annotated[bool, typer.Option("--undo", help="Also undo what happened.")] = False,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Begin no new effects in a run, and undo those that happened if asked to."""
    with connect(Target(config, url, key)) as client:
        mode = "undo" if undo else "stop"
        found = client.post(f"/v1/runs/{named(run_id)}/cancel", {"mode": mode})
        if client.is_own:
            follow_and_tell(client, run_id, as_json=as_json)
            return
    if as_json:
        print_json(found)
    else:
        then = "; then what happened is undone" if undo else ""
        say(f"{run_id} begins no new effects; writes in flight are waited for{then}")


def reconcile(
    run_id: RunId,
    step: Annotated[str, typer.Argument(help="The step whose effect is uncertain.")],
    resolution: Annotated[
        Literal["happened", "send_again", "abandon"], typer.Argument(help="What was found out.")
    ],
    reason: Reason,
    iteration: Annotated[str, typer.Option(help="The item, of a step with each.")] = "",
    output: Annotated[str | None, typer.Option(help="What it answered, as JSON.")] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of an uncertain effect, having checked."""
    body: JsonObject = {"step": step, "resolution": resolution, "reason": reason}
    body["iteration"] = iteration
    if output is not None:
        body["output"] = read_value(output, "--output")
    with connect(Target(config, url, key)) as client:
        found = client.post(f"/v1/runs/{named(run_id)}/reconcile", body)
        if client.is_own:
            follow_and_tell(client, run_id, as_json=as_json)
            return
    if as_json:
        print_json(found)
    else:
        say(f"{step}: {resolution}; the run goes on")


def connections(
    name: Annotated[str | None, typer.Argument(help="One connection, with what it skips.")] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List connections: is a service down, stopped or unknown; or show one with what it skips."""
    with connect(Target(config, url, key)) as client:
        if name is not None:
            one = client.get(f"/v1/connections/{named(name)}")
            found = [one] if isinstance(one, dict) else []
        else:
            found = [*client.things("/v1/connections")]
    if as_json:
        print_json([*found] if name is None else found[0])
        return
    for row in found:
        skipped = given(row, "skipped")
        more = f"; {len(skipped)} skipped" if skipped else ""
        say(f"{row['name']:<16} {row['connector']:<18} {_standing(row)}{more}")
        for each in skipped if name is not None else ():
            if isinstance(each, dict):
                say(f"    {each['name']}: {each['reason']}")
    if not found:
        raise CliError("no-connections", "no connection is configured", fix="See [connections].")


def warn_of_absent(found: Iterable["Connection"]) -> None:
    """Say whose actions are missing, where a word does without a gateway."""
    for each in found:
        if each.absent is not None:
            complain(f"connections.{each.name} is absent: {each.absent}")


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
    if stopped := given(row, "stops"):
        told.append(f"stopped: {', '.join(map(str, stopped))}")
    return "; ".join(told) or "ready"


def _clock(at: JsonValue) -> str:
    seconds = at if isinstance(at, int | float) else 0.0
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%SZ")


def actions(
    name: Annotated[str | None, typer.Argument(help="One action, to be shown whole.")] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List what can be done, or show one action whole."""
    with connect(Target(config, url, key)) as client:
        if name is not None:
            print_json(client.get(f"/v1/actions/{named(name)}"))
            return
        found = client.things("/v1/actions")
    if as_json:
        print_json([*found])
        return
    if not found:
        raise CliError("no-actions", "no connection is configured", fix="See [connections].")
    for row in found:
        about = " ".join(str(row["description"]).split())
        say(f"{row['name']:<32} {row['effect']:<11} {about}")

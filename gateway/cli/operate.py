"""What operators do with runs and the catalogue: look, explain, cancel, find out."""

from typing import Annotated, Literal

import typer

from connectors.spec import JsonObject
from gateway.cli.client import named
from gateway.cli.connect import Target, connect
from gateway.cli.options import AsJson, Config, Key, Reason, Url
from gateway.cli.problem import CliError
from gateway.cli.reading import read_value
from gateway.cli.show import print_json, say
from gateway.cli.watch import follow_and_tell

RunId = Annotated[str, typer.Argument(help="The run's id.")]


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
    run_id: Annotated[str, typer.Argument(help="The run's id; or that of a request that waits.")],
    undo: Annotated[bool, typer.Option("--undo", help="Also undo what happened.")] = False,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Begin no new effects in a run, and undo those that happened if asked to.

    Of a request: give it up while it waits for an answer or for a model.
    """
    if run_id.startswith("req_"):
        _give_up(Target(config, url, key), run_id, undo=undo, as_json=as_json)
        return
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


def _give_up(target: Target, request: str, *, undo: bool, as_json: bool) -> None:
    if undo:
        raise CliError("bad-option", "of a request nothing has happened yet", "--undo")
    with connect(target) as client:
        found = client.post(f"/v1/requests/{named(request)}/cancel", {})
    if as_json:
        print_json(found)
    else:
        say(f"{request} is given up: nothing of it has run")


def reconcile(
    run_id: RunId,
    step: Annotated[str, typer.Argument(help="The step whose effect is uncertain.")],
    resolution: Annotated[
        Literal["happened", "send_again", "abandon", "answer"],
        typer.Argument(help="What was found out, or `answer` what a call asks."),
    ],
    reason: Reason,
    iteration: Annotated[str, typer.Option(help="The item, of a step with each.")] = "",
    output: Annotated[str | None, typer.Option(help="What it answered, as JSON.")] = None,
    answers: Annotated[
        str | None, typer.Option(help="What is answered, as JSON: {NAME: {action, content}}.")
    ] = None,
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
    if answers is not None:
        body["answers"] = read_value(answers, "--answers")
    with connect(Target(config, url, key)) as client:
        found = client.post(f"/v1/runs/{named(run_id)}/reconcile", body)
        if client.is_own:
            follow_and_tell(client, run_id, as_json=as_json)
            return
    if as_json:
        print_json(found)
    else:
        say(f"{step}: {resolution} is kept; lamgate trace {run_id} shows what follows")


def actions(
    name: Annotated[str | None, typer.Argument(help="One action, to be shown whole.")] = None,
    find: Annotated[
        str | None, typer.Option("--find", help="Those that these words mean, best first.")
    ] = None,
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
        if find is None:
            found = client.all_things("/v1/actions", by="name")
        else:
            found = client.things(f"/v1/actions?words={named(find)}")
    if as_json:
        print_json([*found])
        return
    if not found:
        nothing = "no action is on offer: `lamgate connections` says why"
        say("no action has one of these words" if find is not None else nothing)
    for row in found:
        about = " ".join(str(row["description"]).split())
        say(f"{row['name']:<32} {row['effect']:<11} {about}")

"""What approvers do: read what waits, with all its arguments, and decide with a reason."""

import json
from typing import Annotated

import typer

from connectors.spec import JsonObject
from gateway.cli.client import named
from gateway.cli.connect import Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.show import given, print_json, say, say_as_is
from gateway.cli.watch import follow_and_tell

ApprovalId = Annotated[str, typer.Argument(help="The approval's id.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept.")]


def approvals(
    config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """List what waits for an approval, with all arguments."""
    with connect(Target(config, url, key)) as client:
        found = client.things("/v1/approvals?state=open")
    if as_json:
        print_json([*found])
        return
    for row in found:
        show(row)
    if not found:
        say("nothing waits for an approval")


def approve(
    approval_id: ApprovalId,
    reason: Reason,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Approve exactly what an approval shows; never one's own."""
    _decide(Target(config, url, key), approval_id, "approve", reason, as_json=as_json)


def refuse(
    approval_id: ApprovalId,
    reason: Reason,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Refuse what an approval asks for."""
    _decide(Target(config, url, key), approval_id, "refuse", reason, as_json=as_json)


def show(row: JsonObject) -> None:
    """Print one approval: who asks for what, exactly, and why it needs somebody."""
    why = "; ".join(map(str, given(row, "reasons")))
    say(f"{row['id']}  step {row['step']} of {row['run']}")
    say(f"    {row['requester']} asks; {row['role']} decides: {why}")
    say_as_is(f"    {row['action']} {json.dumps(row['arguments'], ensure_ascii=False)}")


def _decide(target: Target, approval_id: str, decision: str, reason: str, *, as_json: bool) -> None:
    with connect(target) as client:
        body: JsonObject = {"decision": decision, "reason": reason}
        found = client.post(f"/v1/approvals/{named(approval_id)}/decision", body)
        if client.is_own:
            follow_and_tell(client, str(found["run"]), as_json=as_json)
            return
    if as_json:
        print_json(found)
    else:
        say(f"{approval_id} is {found['state']}; the run goes on")
        say_as_is(f"Explain it: {client.command('trace', str(found['run']))}")

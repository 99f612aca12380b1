"""What approvers do: read what waits, with all its arguments, and decide with a reason."""

import json
from typing import Annotated

import typer

from connectors.spec import JsonObject
from executor.plan.render import one_line
from gateway.cli.client import named
from gateway.cli.connect import Target, connect
from gateway.cli.narrowing import narrowing
from gateway.cli.options import AsJson, Config, Key, Reason, Url
from gateway.cli.show import given, print_json, say, say_as_is
from gateway.cli.watch import follow_and_tell

ApprovalId = Annotated[str, typer.Argument(help="The approval's id.")]

_WHAT = "STEP/PLACE=WHAT: a value, a JSON list of them, <=50.00 EUR, or * for anything."
Bands = Annotated[list[str] | None, typer.Option("--band", help=_WHAT)]
Calls = Annotated[list[str] | None, typer.Option("--calls", help="STEP=NUMBER at the most.")]
Without = Annotated[list[str] | None, typer.Option("--without", help="A step to leave out.")]
Sums = Annotated[list[str] | None, typer.Option("--sum", help="50.00 EUR: of the whole run.")]
_SAID = {"approve": "yes", "refuse": "no"}
ForSeconds = Annotated[float | None, typer.Option("--for", help="For so many seconds from now.")]


def approvals(
    config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """List what waits for an approval, with all arguments."""
    with connect(Target(config, url, key)) as client:
        found = client.all_things("/v1/approvals?state=open")
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
    band: Bands = None,
    calls: Calls = None,
    without: Without = None,
    most: Sums = None,
    for_s: ForSeconds = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Approve exactly what an approval shows, or of a whole plan less of it; never one's own."""
    narrow = narrowing(band or [], calls or [], without or [], most or [], for_s)
    _decide(Target(config, url, key), approval_id, "approve", reason, narrow, as_json=as_json)


def refuse(
    approval_id: ApprovalId,
    reason: Reason,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Refuse what an approval asks for."""
    _decide(Target(config, url, key), approval_id, "refuse", reason, None, as_json=as_json)


def show(row: JsonObject) -> None:
    """Print one approval: who asks for what, exactly, and why it needs somebody.

    What does not print is written out: a value looks like no other, and no text like a line.
    """
    if row["kind"] == "envelope":
        steps = ", ".join(map(str, given(row, "steps")))
        say(f"{row['id']}  {steps} of {row['run']}, all at once")
        _say_who(row)
        for line in str(row["rendered"]).splitlines():
            say_as_is(f"    {line}")
        return
    say(f"{row['id']}  step {row['step']} of {row['run']}")
    _say_who(row)
    arguments = json.dumps(row["arguments"], ensure_ascii=False)
    say_as_is(one_line(f"    {row['action']} {arguments}"))


def _say_who(row: JsonObject) -> None:
    """Who asks, who is to decide and why, and who has said yes already."""
    why = "; ".join(map(str, given(row, "reasons")))
    many = row["quorum"] != 1
    who = f"{row['quorum']} of {row['role']} decide" if many else f"{row['role']} decides"
    say(one_line(f"    {row['requester']} asks; {who}: {why}"))
    for each in given(row, "decisions"):
        if isinstance(each, dict):
            said = _SAID[str(each["decision"])]
            say(one_line(f"    {each['by']} said {said}: {each['reason']}"))


def _decide(
    target: Target,
    approval_id: str,
    decision: str,
    reason: str,
    narrow: JsonObject | None,
    *,
    as_json: bool,
) -> None:
    with connect(target) as client:
        body: JsonObject = {"decision": decision, "reason": reason}
        if narrow is not None:
            body["narrow"] = narrow
        found = client.post(f"/v1/approvals/{named(approval_id)}/decision", body)
        if client.is_own:
            follow_and_tell(client, str(found["run"]), as_json=as_json)
            return
    if as_json:
        print_json(found)
    else:
        counted = f"is open: {found['yes']} of {found['quorum']} have said yes, others are asked"
        goes_on = f"is {found['state']}; the run goes on"
        say(f"{approval_id} {counted if found['state'] == 'open' else goes_on}")
        say_as_is(f"Explain it: {client.command('trace', str(found['run']))}")

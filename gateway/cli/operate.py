"""What operators and approvers do: look, approve, cancel, find out, make keys."""

from typing import Annotated

import typer
from pydantic import JsonValue

from connectors.spec import JsonObject
from gateway.cli.client import CliError, Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.show import clean, out, print_json

RunId = Annotated[str, typer.Argument(help="the run's id")]
ApprovalId = Annotated[str, typer.Argument(help="the approval's id")]
Reason = Annotated[str, typer.Option("--reason", help="why; it is kept")]


def runs(config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the newest runs."""
    with connect(Target(config, url, key), may_start=True) as client:
        found = client.get("/v1/runs")
    if as_json:
        print_json(found)
        return
    for row in _objects(found):
        waits = f" for {row['waiting_for']}" if row.get("waiting_for") else ""
        out.print(f"{row['id']}  {row['status']}{waits}", markup=False)


def trace(
    run_id: RunId,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Explain a run: what happened, why, and whether each effect happened."""
    with connect(Target(config, url, key), may_start=True) as client:
        accept = "application/json" if as_json else "text/plain"
        found = client.get(f"/v1/runs/{run_id}/trace", accept=accept)
    if as_json:
        print_json(found)
    else:
        out.print(clean(str(found)), markup=False)


def approvals(
    config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """List what waits for an approval, with the full arguments."""
    with connect(Target(config, url, key), may_start=True) as client:
        found = client.get("/v1/approvals?state=open")
    if as_json:
        print_json(found)
        return
    for row in _objects(found):
        reasons = row.get("reasons")
        why = "; ".join(map(str, reasons)) if isinstance(reasons, list) else ""
        out.print(
            clean(f"{row['id']}  {row['action']} for {row['requester']}: {why}"), markup=False
        )
        out.print(clean(f"    {row['arguments']}"), markup=False)


def approve(
    approval_id: ApprovalId,
    reason: Reason,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Approve exactly what an approval shows; never one's own request."""
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


def cancel(
    run_id: RunId, config: Config = None, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Begin no new effects in a run."""
    with connect(Target(config, url, key)) as client:
        found = client.post(f"/v1/runs/{run_id}/cancel", {"mode": "stop"})
    _tell(found, f"{run_id} begins nothing new", as_json=as_json)


def reconcile(
    run_id: RunId,
    step: Annotated[str, typer.Argument(help="the step whose effect is uncertain")],
    resolution: Annotated[str, typer.Argument(help="happened, send_again or abandon")],
    reason: Reason,
    iteration: Annotated[str, typer.Option(help="the item, in a step over a list")] = "",
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Say what you found out at the service about an uncertain effect."""
    body: JsonObject = {
        "step": step,
        "iteration": iteration,
        "resolution": resolution,
        "reason": reason,
    }
    with connect(Target(config, url, key)) as client:
        found = client.post(f"/v1/runs/{run_id}/reconcile", body)
    _tell(found, f"{step}: {resolution}; the run goes on", as_json=as_json)


def actions(
    name: Annotated[str | None, typer.Argument(help="one action, whole")] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List what can be done, or show one action with its manifest."""
    with connect(Target(config, url, key), may_start=True) as client:
        found = client.get(f"/v1/actions/{name}" if name else "/v1/actions")
    if as_json or name:
        print_json(found)
        return
    for row in _objects(found):
        about = " ".join(str(row["description"]).split())
        out.print(clean(f"{row['name']:<32} {row['effect']:<11} {about}"), markup=False)


def keys(
    what: Annotated[str, typer.Argument(help="create, list or revoke")],
    subject: Annotated[str | None, typer.Argument(help="whose key; or the key to revoke")] = None,
    role: Annotated[
        list[str] | None, typer.Option("--role", help="requester, approver, ...")
    ] = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make, list and revoke API keys; a secret is shown once."""
    with connect(Target(config, url, key), may_start=True) as client:
        match what:
            case "create" if subject and role:
                made = client.post("/v1/keys", {"principal": subject, "roles": [*role]})
                _tell(made, f"{made['id']}  {made['secret']}", as_json=as_json)
            case "list":
                print_json(client.get("/v1/keys"))
            case "revoke" if subject:
                _tell(client.delete(f"/v1/keys/{subject}"), f"{subject} revoked", as_json=as_json)
            case _:
                raise CliError(
                    "say: keys create PRINCIPAL --role ROLE, keys list, or keys revoke KEY"
                )


def _decide(target: Target, approval_id: str, decision: str, reason: str, *, as_json: bool) -> None:
    with connect(target) as client:
        body: JsonObject = {"decision": decision, "reason": reason}
        found = client.post(f"/v1/approvals/{approval_id}/decision", body)
    _tell(found, f"{approval_id}  {found['state']}", as_json=as_json)


def _tell(found: JsonValue, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        out.print(clean(text), markup=False)


def _objects(found: JsonValue) -> list[JsonObject]:
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []

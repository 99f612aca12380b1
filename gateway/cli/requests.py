"""`plan`, `run` and `answer`: from words to a plan, and from a plan to a run."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.strict_json import Flaw, read_json
from gateway.cli.client import Client, CliError, Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.show import Progress, clean, out, plan_text, print_json

WAIT_S = 60
Words = Annotated[str, typer.Argument(help="what is wanted, in plain words")]
Model = Annotated[str | None, typer.Option("--model", help="a name of [models], or playbooks")]
Answer = Annotated[
    list[str] | None, typer.Option("--answer", help="ABOUT=TEXT, for what would be asked")
]


def plan(
    text: Words,
    model: Model = None,
    answer: Answer = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Plan a request and show its certificate; nothing runs."""
    with connect(Target(config, url, key), may_start=True) as client:
        row = _planned(client, text, model, answer, start="manual", quiet=as_json)
        shown = _plan_of(client, row)
        if as_json:
            print_json({"request": row, "plan": shown})
            return
        out.print(plan_text(shown), markup=False)
        out.print(f"\nrun it with: lamgate run --plan {row['plan']}", markup=False)


def run(
    text: Annotated[str | None, typer.Argument(help="what is wanted, in plain words")] = None,
    plan_id: Annotated[str | None, typer.Option("--plan", help="a plan that was accepted")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="a plan written elsewhere")] = None,
    model: Model = None,
    answer: Answer = None,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Plan and run a request, or run a plan; shows progress until it ends or waits for somebody."""
    if sum(each is not None for each in (text, plan_id, file)) != 1:
        raise CliError("say what to run: words, --plan ID or --file PLAN.json")
    with connect(Target(config, url, key), may_start=True) as client:
        if text is not None:
            row = _planned(client, text, model, answer, start="auto", quiet=as_json)
            if not as_json:
                out.print(plan_text(_plan_of(client, row)) + "\n", markup=False)
            run_id = str(row["run"])
        else:
            chosen = plan_id or str(_submitted(client, file)["id"])
            run_id = str(client.post(f"/v1/plans/{chosen}/runs", {})["id"])
        finish(client, run_id, as_json=as_json)


def answer(
    request: Annotated[str, typer.Argument(help="the request's id")],
    answers: Annotated[list[str], typer.Argument(help="ABOUT=TEXT")],
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Answer what a request asked."""
    with connect(Target(config, url, key)) as client:
        given: JsonObject = dict(_pairs(answers))
        row = client.post(f"/v1/requests/{request}/answers", {"answers": given}, wait=WAIT_S)
        if as_json:
            print_json(row)
        else:
            out.print(f"{row['id']}  {row['status']}  run {row.get('run')}", markup=False)


def finish(client: Client, run_id: str, *, as_json: bool) -> None:
    """Follow a run and say how it ended."""
    progress = Progress()
    events = client.events(f"/v1/runs/{run_id}/events")
    if as_json:
        for event in events:
            data = event["data"]
            waits = isinstance(data, dict) and data.get("waiting_for") in ("approval", "reconcile")
            if event["type"] == "wait.started" and waits:
                break
        row = client.get(f"/v1/runs/{run_id}")
        print_json(row)
        status = row.get("status") if isinstance(row, dict) else None
        raise typer.Exit(1 if status == "failed" else 0)
    progress.follow(events, until_wait=True)
    if progress.waiting_for == "approval":
        waiting = client.get(f"/v1/approvals?state=open&run={run_id}")
        for each in waiting if isinstance(waiting, list) else []:
            if isinstance(each, dict):
                out.print(
                    f"\napprove with: lamgate approve {each['id']} --reason ... --key ...",
                    markup=False,
                )
    out.print(f"\nexplain it with: lamgate trace {run_id}", markup=False)
    if progress.status == "failed":
        raise typer.Exit(1)


def _planned(
    client: Client,
    text: str,
    model: str | None,
    answers: list[str] | None,
    *,
    start: str,
    quiet: bool,
) -> JsonObject:
    """Have a request planned, asking the person what it asks."""
    body: JsonObject = {"text": text, "start": start}
    if model is not None:
        body["model"] = model
    given = dict(_pairs(answers or []))
    row = client.post("/v1/requests", body, wait=WAIT_S)
    while row["status"] == "needs_answer":
        asked = row.get("questions")
        told = {about: reply for about, reply in _ask(asked, given, quiet=quiet)}
        reply: JsonObject = {**told}
        row = client.post(f"/v1/requests/{row['id']}/answers", {"answers": reply}, wait=WAIT_S)
    if row["status"] != "planned":
        raise CliError(_why(row), 1, row)
    return row


def _ask(asked: JsonValue, given: dict[str, str], *, quiet: bool) -> list[tuple[str, str]]:
    replies = []
    for question in asked if isinstance(asked, list) else []:
        if not isinstance(question, dict):
            continue
        about, ask = str(question["about"]), clean(str(question["ask"]))
        options = question.get("options")
        offered = (
            f" ({', '.join(map(str, options))})" if isinstance(options, list) and options else ""
        )
        if about in given:
            replies.append((about, given.pop(about)))
        elif quiet or not sys.stdin.isatty():
            raise CliError(f"{ask}{offered}\n  answer with --answer {about}=...", 1, asked)
        else:
            replies.append((about, typer.prompt(f"{ask}{offered}")))
    return replies


def _pairs(answers: list[str]) -> list[tuple[str, str]]:
    pairs = []
    for each in answers:
        about, found, text = each.partition("=")
        if not found or not text:
            raise CliError(f"{each!r} is no answer; write ABOUT=TEXT")
        pairs.append((about, text))
    return pairs


def _why(row: JsonObject) -> str:
    if row.get("unable"):
        return clean(str(row["unable"]))
    violations = row.get("violations")
    lines = [f"{row['status']}: nothing has run"]
    if row.get("message"):
        lines.append(clean(str(row["message"])))
    for each in violations if isinstance(violations, list) else []:
        if isinstance(each, dict):
            lines.append(clean(f"  {each['code']} at {each['at']}: {each['message']}"))
    return "\n".join(lines)


def _plan_of(client: Client, row: JsonObject) -> JsonObject:
    found = client.get(f"/v1/plans/{row['plan']}")
    return found if isinstance(found, dict) else {}


def _submitted(client: Client, file: Path | None) -> JsonObject:
    assert file is not None  # noqa: S101 - `run` checked that one of the three is given
    try:
        found = read_json(file.read_bytes())
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}") from error
    except Flaw as flaw:
        raise CliError(f"{file}: {flaw.code}: {flaw.message}") from flaw
    if not isinstance(found, dict):
        raise CliError(f"{file} holds no plan")
    wrapped = found if "plan" in found and "language" not in found else {"plan": found}
    return client.post("/v1/plans", wrapped)

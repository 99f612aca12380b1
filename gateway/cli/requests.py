"""`plan`, `run` and `answer`: from words to a plan, and from a plan to a run."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from connectors.spec import JsonObject
from executor.plan.render import one_line
from gateway.cli.client import Client, named
from gateway.cli.connect import Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.problem import NO, WAITS, CliError, violations_of
from gateway.cli.reading import read_answers, read_object, read_plan
from gateway.cli.show import given, plan_text, print_json, say, say_as_is
from gateway.cli.watch import follow_and_tell

WAIT_S = 60
_OPEN = ("received", "planning")
Model = Annotated[
    str | None, typer.Option("--model", help="A model by its name in the settings, or playbooks.")
]
Answers = Annotated[
    list[str] | None, typer.Option("--answer", help="ABOUT=TEXT, for what would be asked.")
]
Given = Annotated[
    str | None, typer.Option("--inputs", help="What input/NAME stands for, as JSON: {NAME: VALUE}.")
]
Rank = Annotated[
    Literal["high", "normal", "low"], typer.Option("--priority", help="Among what is due.")
]


def plan(
    text: Annotated[str, typer.Argument(help="What is wanted, in plain words.")],
    model: Model = None,
    answer: Answers = None,
    inputs: Given = None,
    priority: Rank = "normal",
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Plan a request and show its certificate; nothing runs."""
    body = _asking(text, "manual", model, inputs, priority)
    with connect(Target(config, url, key)) as client:
        row = planned(client, body, answer, is_quiet=as_json)
        shown = client.thing(f"/v1/plans/{row['plan']}")
        if as_json:
            print_json({"request": row, "plan": shown})
            return
        say(plan_text(shown))
        say_as_is(f"\nRehearse it: {client.command('rehearse', str(row['plan']))}")
        say_as_is(goes_on(client, row))


def run(
    text: Annotated[str | None, typer.Argument(help="What is wanted, in plain words.")] = None,
    plan_id: Annotated[str | None, typer.Option("--plan", help="A plan that was accepted.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="A plan written elsewhere.")] = None,
    model: Model = None,
    answer: Answers = None,
    inputs: Given = None,
    priority: Rank = "normal",
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Plan and run a request, or run a plan, and follow it."""
    if sum(each is not None for each in (text, plan_id, file)) != 1:
        raise CliError("bad-option", "say one of: words, --plan ID, --file PLAN.json")
    if plan_id is not None and inputs is not None:
        raise CliError("bad-option", "an accepted plan has its inputs", "--inputs", "Leave it out.")
    document = None if file is None else read_plan(file)
    if document is not None and inputs is not None:
        document["inputs"] = read_object(inputs, "--inputs")
    body = _asking(text or "", "auto", model, inputs, priority)
    with connect(Target(config, url, key)) as client:
        if text is not None:
            row = planned(client, body, answer, is_quiet=as_json)
            if not as_json:
                say(plan_text(client.thing(f"/v1/plans/{row['plan']}")) + "\n")
            run_id = str(row["run"])
        else:
            chosen = plan_id or ""
            if document is not None:
                chosen = str(client.post("/v1/plans", document)["id"])
            started = client.post(f"/v1/plans/{named(chosen)}/runs", {"priority": priority})
            run_id = str(started["id"])
        follow_and_tell(client, run_id, as_json=as_json)


def answer(
    request: Annotated[str, typer.Argument(help="The request's id.")],
    answers: Annotated[list[str], typer.Argument(help="ABOUT=TEXT, one or more.")],
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Answer what a request was asked."""
    told = read_answers(answers)
    with connect(Target(config, url, key)) as client:
        row = client.post(
            f"/v1/requests/{named(request)}/answers", {"answers": {**told}}, wait_s=WAIT_S
        )
        _stop_unless_planned(client, row)
        if row.get("run") is not None:
            follow_and_tell(client, str(row["run"]), as_json=as_json)
        elif as_json:
            print_json(row)
        else:
            say(plan_text(client.thing(f"/v1/plans/{row['plan']}")))
            say_as_is(f"\n{goes_on(client, row)}")


def _asking(
    text: str, start: str, model: str | None, inputs: str | None, priority: str
) -> JsonObject:
    body: JsonObject = {"text": text, "start": start, "priority": priority}
    if model is not None:
        body["model"] = model
    if inputs is not None:
        body["inputs"] = read_object(inputs, "--inputs")
    return body


def planned(
    client: Client, body: JsonObject, answers: list[str] | None, *, is_quiet: bool
) -> JsonObject:
    """Have a request planned, asking the person what it asks; raises `CliError`."""
    ready = read_answers(answers or [])
    may_ask = not is_quiet and sys.stdin.isatty()
    row = client.post("/v1/requests", body, wait_s=WAIT_S)
    while row["status"] == "needs_answer":
        told: JsonObject = {}
        for question in given(row, "questions"):
            if not isinstance(question, dict):
                continue
            about = str(question["about"])
            if about in ready:
                told[about] = ready.pop(about)
            elif may_ask:
                told[about] = typer.prompt(one_line(asked(question)))
        if not told:
            break
        row = client.post(f"/v1/requests/{row['id']}/answers", {"answers": told}, wait_s=WAIT_S)
    _stop_unless_planned(client, row)
    return row


def asked(question: JsonObject) -> str:
    """A question with what it offers."""
    options = ", ".join(map(str, given(question, "options")))
    return f"{question['ask']} ({options})" if options else str(question["ask"])


def goes_on(client: Client, row: JsonObject) -> str:
    """The command that goes on with a request that is planned."""
    if row.get("run") is not None:
        return f"Explain it: {client.command('trace', str(row['run']))}"
    return f"Run it: {client.command('run', '--plan', str(row['plan']))}"


def _stop_unless_planned(client: Client, row: JsonObject) -> None:
    if row["status"] != "planned":
        raise why_no_plan(client, row)


def why_no_plan(client: Client, row: JsonObject) -> CliError:
    """Why there is none: a question, a refusal, violations, no model that answers, or not yet."""
    if row["status"] == "needs_answer":
        questions = [each for each in given(row, "questions") if isinstance(each, dict)]
        what = "; ".join(asked(each) for each in questions)
        answers = [f"{each['about']}=..." for each in questions]
        fix = client.command("answer", str(row["id"]), *answers)
        return CliError("needs-answer", what, str(row["id"]), fix, WAITS, row)
    return CliError(
        str(row.get("code") or row["status"]).replace("_", "-"),
        _why(row),
        str(row["id"]),
        _fix(client, row),
        WAITS if row["status"] in _OPEN else NO,
        row,
    )


def _fix(client: Client, row: JsonObject) -> str:
    if row["status"] in _OPEN:
        return client.command("requests", "show", str(row["id"]))
    wait = row.get("retry_after_s")
    match row.get("code"):
        case "planner-unavailable" | "internal":
            again = client.command("requests", "retry", str(row["id"]))
            return f"after {wait:g} s: {again}" if isinstance(wait, int | float) else again
        case "planner-refused":
            return "Say it differently, or see to [models] in the settings."
        case "plan-rejected":
            return "Say more, or write a playbook."
        case _:
            return "Say it differently; `lamgate actions` lists what can be done."


def _why(row: JsonObject) -> str:
    if row["status"] in _OPEN:
        return "no plan yet; it goes on where the gateway runs"
    if row.get("unable"):
        return str(row["unable"])
    count = len(violations_of(row))
    told = str(row.get("message") or (f"{count} violations" if count else row["status"]))
    return f"{told}; nothing has run"

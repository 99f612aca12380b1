"""Shows a run to its end, and says what a person can do about it then."""

import json
from collections.abc import Iterator

import typer

from connectors.spec import JsonObject
from gateway.cli.client import Client
from gateway.cli.problem import NO, WAITS
from gateway.cli.progress import follow, waits_for_somebody
from gateway.cli.show import complain, divert, given, print_json, say, say_as_is

_DOUBTFUL = ("uncertain", "applied_unreadable")


def follow_and_tell(client: Client, run: str, *, as_json: bool = False) -> None:
    """Follow a run; exits with 0 if it succeeded, 1 if not, 3 if it waits for somebody."""
    if as_json:
        divert()
    try:
        row = follow(client, run)
    except KeyboardInterrupt:
        goes_on = "with the next gateway here" if client.is_own else "without being watched"
        complain(f"\n{run} is not cancelled: it goes on {goes_on}.")
        complain(f"Explain it: {client.command('trace', run)}")
        raise
    if as_json:
        print_json(row)
    else:
        tell_end(client, row)
    if waits_for_somebody(row):
        raise typer.Exit(WAITS)
    if row["status"] != "succeeded":
        raise typer.Exit(NO)


def tell_end(client: Client, row: JsonObject) -> None:
    """What comes next, as commands."""
    if row["status"] == "waiting" and row["waiting_for"] == "approval":
        for each in client.things(f"/v1/approvals?state=open&run={row['id']}"):
            what = each["step"] or ", ".join(map(str, given(each, "steps")))
            say(f"\n{what} waits for an approval by {each['role']}, not by who asked.")
            words = ("approve", str(each["id"]), "--reason", "WHY", "--key", "KEY")
            say_as_is(f"Approve it: {client.command(*words)}")
    elif row["status"] == "waiting":
        found = client.thing(f"/v1/runs/{row['id']}/trace")
        say(f"\nNext: {found['next']}")
        for place in dict.fromkeys(_in_doubt(found)):
            said = client.command(
                "reconcile", str(row["id"]), *place, "--reason", "WHY", "--key", "KEY"
            )
            say_as_is(f"It happened (or send_again, or abandon): {said}")
    elif isinstance(large := row.get("large"), dict):
        say_as_is(f"result of {large['bytes']} bytes: GET /v1/blobs/{large['digest']}")
    elif row.get("result"):
        say(f"result {json.dumps(row['result'], ensure_ascii=False)}")
    say_as_is(f"\nExplain it: {client.command('trace', str(row['id']))}")


def _in_doubt(found: JsonObject) -> Iterator[tuple[str, ...]]:
    """The calls of a trace that somebody has to find out about, as `reconcile` takes them."""
    for step in given(found, "steps"):
        if not isinstance(step, dict) or step["state"] != "waiting":
            continue
        for each in given(step, "attempts"):
            if isinstance(each, dict) and each["state"] in _DOUBTFUL:
                item = ("--iteration", str(each["iteration"])) if each["iteration"] else ()
                yield (str(step["step"]), "happened", *item)

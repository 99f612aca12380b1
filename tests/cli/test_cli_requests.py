"""Requests from the command line: asked with inputs and a priority, listed, shown, tried again."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from commands import MUG, STATUS, TAG, Lamgate, error_of

from executor.store.drives import RANKS


def test_requests_are_listed_newest_first_and_on_from_any_of_them(requester: Lamgate) -> None:
    first = requester("plan", STATUS, "--json").document["request"]["id"]
    asked = requester("plan", MUG, "--json").document["id"]
    listed = requester("requests")
    rows = requester("requests", "--json").document
    waiting = requester("requests", "--status", "needs_answer", "--json").document
    older = requester("requests", "--before", asked, "--json").document
    nowhere = requester("requests", "--before", "req_none", "--json")
    strange = requester("requests", "--status", "lost", "--json")

    assert [row["id"] for row in rows[:2]] == [asked, first]
    assert asked in [row["id"] for row in waiting]
    assert first not in [row["id"] for row in waiting]
    assert [row["id"] for row in older[:1]] == [first]
    assert f"{asked} " in listed.out
    assert f"requester-1: {MUG}" in " ".join(listed.out.split())
    assert (nowhere.code, nowhere.document["code"]) == (2, "bad-parameter")
    assert (strange.code, strange.document["code"]) == (2, "bad-parameter")


def test_a_request_is_shown_with_what_it_asks_and_the_command_that_goes_on(
    requester: Lamgate,
) -> None:
    asked = requester("plan", MUG, "--json").document["id"]
    planned = requester("plan", STATUS, "--json").document
    ran = requester("run", STATUS, "--json").document["id"]
    of_run = requester("requests", "--json").document[0]["id"]
    shown = requester("requests", "show", asked)
    of_plan = requester("requests", "show", planned["request"]["id"])
    unknown = requester("requests", "show", "req_none", "--json")

    assert shown.code == 0
    assert f"answer {asked} remedy=..." in " ".join(shown.out.split())
    assert f"run --plan {planned['plan']['id']}" in of_plan.out
    assert f"trace {ran}" in requester("requests", "show", of_run).out
    assert requester("requests", "show", asked, "--json").document["questions"]
    assert (unknown.code, unknown.document["code"]) == (2, "not-found")


def test_inputs_and_a_priority_come_with_what_is_asked(requester: Lamgate, tmp_path: Path) -> None:
    file = tmp_path / "tag.json"
    order = {**TAG["steps"][0], "args": [{"value": "looked-at", "to": "tag"}]}
    order["args"].append({"ref": "input/order", "to": "order_id"})
    file.write_text(json.dumps({"plan": {**TAG, "steps": [order]}, "request": "tag it looked-at"}))
    given = requester("run", "--file", str(file), "--inputs", '{"order": "1043"}', "--json")
    without = requester("run", "--file", str(file), "--json")
    words = requester("plan", STATUS, "--inputs", '{"order_id": "1044"}', "--json").document
    ranked = requester("run", STATUS, "--priority", "low", "--json")
    again = requester("run", "--plan", words["plan"]["id"], "--priority", "high", "--json")
    runs = [given.document, ranked.document, again.document]

    assert (given.code, given.document["status"]) == (0, "succeeded"), given
    assert (without.code, without.document["code"]) == (1, "plan-rejected")
    assert words["plan"]["inputs"]["values"]["order_id"] == "1044"
    assert ranked.code == 0, ranked
    with closing(sqlite3.connect(requester.folder / "var" / "lamgate.db")) as database:
        asked = "SELECT priority FROM runs WHERE id = ?"
        ranks = [database.execute(asked, (each["id"],)).fetchone()[0] for each in runs]
    assert ranks == [RANKS["normal"], RANKS["low"], RANKS["high"]]


def test_inputs_that_are_none_are_told_before_anything_is_asked(requester: Lamgate) -> None:
    before = len(requester("requests", "--json").document)
    no_json = requester("plan", STATUS, "--inputs", "{order: 1}")
    no_object = requester("run", STATUS, "--inputs", "[1]")
    of_a_plan = requester("run", "--plan", "pln_1", "--inputs", "{}")
    after = len(requester("requests", "--json").document)

    assert "--inputs" in error_of(no_json, "malformed-json")
    assert "--inputs" in error_of(no_object, "malformed-json")
    assert "--inputs" in error_of(of_a_plan, "bad-option")
    assert (no_json.code, no_object.code, of_a_plan.code) == (2, 2, 2)
    assert after == before


def test_a_request_that_no_model_answered_is_planned_again_by_a_command(alone: Lamgate) -> None:
    nobody = '[models.far]\nadapter = "openai-compatible"\nmodel = "any"\n'
    lines = f'{nobody}base_url = "http://127.0.0.1:9/v1"\n'
    alone.config.write_text(alone.config.read_text() + lines)
    models = [" ".join(line.split()) for line in alone("models").out.splitlines()]
    failed = alone("plan", STATUS, "--model", "far", "--json")
    told = " ".join(alone("requests", "show", failed.document["id"]).out.split())
    again = alone("requests", "retry", failed.document["id"])
    planned = alone("plan", STATUS, "--json").document["request"]["id"]
    over = alone("requests", "retry", planned, "--json")

    assert models == [
        "far openai-compatible any ready",
        "playbooks needs no model ready; plans what names none",
    ]
    assert (failed.code, failed.document["code"]) == (1, "planner-unavailable"), failed
    assert f"requests retry {failed.document['id']}" in told
    assert again.code == 0
    assert "planner-unavailable" in again.out
    assert (over.code, over.document["code"]) == (1, "not-retryable")

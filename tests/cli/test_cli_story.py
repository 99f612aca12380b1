"""The whole story from the command line: ask, answer, approve, follow, explain."""

import json
import os
import pty
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from commands import BOWL, MUG, PATIENCE_S, STATUS, TAG, Lamgate, ledger


def test_a_request_is_asked_about_answered_approved_by_somebody_else_and_explained(
    requester: Lamgate, approver: Lamgate
) -> None:
    asked = requester("run", MUG, "--json")
    request = asked.document["id"]
    waiting = requester("answer", request, "remedy=refund")
    shown = approver("approvals")
    approval = shown.out.split()[0]
    own = requester("approve", approval, "--reason", "mine", "--json")
    approved = approver("approve", approval, "--reason", "checked", "--json")
    run = approved.document["run"]
    requester.until_status(run, "succeeded")
    told = requester("trace", run)
    listed = requester("runs").out
    document = requester("trace", run, "--json").document

    assert asked.code == 3
    assert [each["about"] for each in asked.document["questions"]] == ["remedy"]
    assert f"answer {request} remedy=..." in " ".join(asked.err.split())
    assert waiting.code == 3, waiting
    assert "refunds over 10.00 need an approver" in waiting.out
    assert f"approve {approval} --reason WHY" in waiting.out
    assert '"payment_id": "pay_1042"' in shown.out
    assert (own.code, own.document["code"]) == (1, "own-request")
    assert approved.document["state"] == "granted"
    assert "granted by approver-1: checked" in told.out
    assert f": {MUG}" in " ".join(told.out.split())
    assert document["words"] == MUG
    began = datetime.fromtimestamp(document["created_at"], UTC).strftime("%Y-%m-%d %H:%MZ")
    assert f"{run} {began} succeeded {document['requester']}: {MUG}" in " ".join(listed.split())
    assert {each["step"]: each["state"] for each in document["steps"]}["refund"] == "done"
    assert approver("approvals").out == "nothing waits for an approval\n"


def test_a_plan_is_shown_before_anything_runs_and_run_when_it_is_said(requester: Lamgate) -> None:
    before = len(requester("runs", "--json").document)
    planned = requester("plan", STATUS, "--json").document
    after = len(requester("runs", "--json").document)
    run = requester("run", "--plan", planned["plan"]["id"], "--json")

    assert planned["request"]["run"] is None
    assert planned["plan"]["digest"].startswith("sha256:")
    assert after == before
    assert run.code == 0
    assert run.document["result"]["status"] == "delivered"


def test_words_that_need_no_approval_run_to_their_end_and_say_what_to_do_next(
    requester: Lamgate,
) -> None:
    done = requester("run", BOWL, "--config", "lamgate.toml")

    assert done.code == 0, done
    assert "refund = payments.refund_create" in done.out
    assert "✓ refund" in done.out
    assert "run: succeeded" in done.out
    assert "trace run_" in done.out
    assert "--config lamgate.toml" in done.out
    assert done.err == ""


def test_on_a_terminal_the_steps_are_a_tree_that_lives(requester: Lamgate) -> None:
    ours, theirs = pty.openpty()
    process = requester.start("run", STATUS, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = _read_all(ours)

    assert process.wait(PATIENCE_S) == 0, said
    assert "run: succeeded" in said
    assert "└── " in said
    assert "✓ order" in said


def test_what_is_refused_is_not_done(requester: Lamgate, approver: Lamgate, shop: Any) -> None:
    before = ledger(shop, "pay_minor")
    waiting = requester("run", MUG, "--answer", "remedy=refund", "--json")
    approval = approver("approvals", "--json").document[0]["id"]
    refused = approver("refuse", approval, "--reason", "too much")
    run = waiting.document["id"]
    requester.until_status(run, "failed")

    assert (waiting.code, refused.code) == (3, 0)
    assert "refused by approver-1: too much" in requester("trace", run).out
    assert run in requester("runs", "--status", "failed").out
    assert ledger(shop, "pay_minor") == before


def test_a_run_that_is_cancelled_begins_nothing_more(requester: Lamgate) -> None:
    run = requester("run", MUG, "--answer", "remedy=refund", "--json").document["id"]
    cancelled = requester("cancel", run)
    requester.until_status(run, "cancelled")
    again = requester("cancel", run, "--json")

    assert cancelled.code == 0
    assert "begins no new effects" in cancelled.out
    assert (again.code, again.document["code"]) == (1, "already-over")


def test_an_effect_that_nobody_can_know_of_waits_until_somebody_has_looked(
    operator: Lamgate, requester: Lamgate, shop: Any, tmp_path: Path
) -> None:
    file = tmp_path / "tag.json"
    file.write_text(json.dumps({"plan": TAG, "request": "tag order 1043 as looked-at"}))
    match = {"method": "POST", "path_prefix": "/orders/1043/tags"}
    _spoil(shop, {"kind": "drop_after", "match": match})
    waiting = requester("run", "--file", str(file), "--json")
    run = waiting.document["id"]
    hint = " ".join(requester("trace", run).out.split())
    words = ("reconcile", run, "tag", "happened", "--reason", "the tag is there")
    may_not = requester(*words, "--json")
    told = operator(*words)
    requester.until_status(run, "succeeded")

    assert (waiting.code, waiting.document["waiting_for"]) == (3, "reconcile"), waiting
    assert "an operator other than requester-1 then says so: lamgate reconcile" in hint
    assert (may_not.code, may_not.document["code"]) == (1, "role-missing")
    assert told.code == 0, told
    assert len([row for row in ledger(shop, "orders") if row["kind"] == "tag"]) == 1


def test_the_catalogue_is_listed_and_one_action_is_shown_whole(requester: Lamgate) -> None:
    listed = requester("actions")
    action = requester("actions", "orders.get_order", "--json").document
    unknown = requester("actions", "orders.get_ordr", "--json")
    found = requester("actions", "--find", "give money back", "--json").document
    nothing = requester("actions", "--find", "xyzzy", "--json")

    assert found[0]["name"] == "payments.refund_create"
    assert len(found) < len(listed.out.splitlines())
    assert (nothing.code, nothing.document) == (0, [])
    assert "payments.refund_create" in listed.out
    assert action["effect"] == "read"
    assert "input_schema" in action
    assert (unknown.code, unknown.document["code"]) == (2, "unknown-action")
    assert "orders.get_order" in unknown.document["fix"]


def test_the_connections_are_listed_with_how_they_stand(requester: Lamgate) -> None:
    listed = requester("connections")
    orders = requester("connections", "show", "orders", "--json").document
    told = requester("connections", "show", "orders").out
    unknown = requester("connections", "show", "order", "--json")

    assert [line.split()[2].strip(";") for line in listed.out.splitlines()] == ["ready"] * 3
    assert (orders["standing"], orders["stale_since"], orders["reason"]) == ("ready", None, None)
    assert orders["actions"] > 5
    (skipped,) = orders["skipped"]
    assert "Idempotency-Key" in skipped["name"]
    assert skipped["reason"] == "the header is not a plan's to set"
    assert f"{skipped['name']}: {skipped['reason']}" in " ".join(told.split())
    assert (unknown.code, unknown.document["code"]) == (2, "unknown-connection")


def _spoil(shop: Any, fault: dict[str, Any]) -> None:
    answer = httpx2.post(f"{shop.urls['orders']}/faults", json=fault, trust_env=False)
    assert answer.status_code == 200, answer.text


def _read_all(descriptor: int) -> str:
    said = b""
    while True:
        try:
            content = os.read(descriptor, 65536)
        except OSError:  # what Linux says once the other side is closed
            content = b""
        if not content:
            os.close(descriptor)
            return said.decode()
        said += content

"""Which gateway is meant: one that runs, one in this process, or none; and who may use it."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commands import MUG, PATIENCE_S, PROGRAM, STATUS, Lamgate, error_of, new_key

from executor.store.lock import FileLock, address_in_lock


def test_without_a_gateway_the_whole_story_runs_in_the_commands_own_processes(
    alone: Lamgate,
) -> None:
    approver = alone.under(new_key(alone, "approver-1", "approver"))
    planned = alone("plan", STATUS)
    waiting = alone("run", MUG, "--answer", "remedy=refund")
    approval = next(word for word in waiting.out.split() if word.startswith("apr_"))
    approved = approver("approve", approval, "--reason", "checked", "--json")

    assert planned.code == 0
    assert "orders.get_order" in planned.out
    assert waiting.code == 3
    assert "refund waits for an approval by approver" in waiting.out
    assert (approved.code, approved.document["status"]) == (0, "succeeded"), approved
    assert approved.document["result"]["refund"]["amount"]["amount"] == "18.50"


def test_a_second_gateway_on_the_same_database_is_refused_and_says_who_has_it(
    operator: Lamgate,
) -> None:
    second = operator("serve", "--port", "0")
    by_lock = operator("runs", "--json")
    by_url = operator("runs", "--url", "http://127.0.0.1:9", "--json")

    complaint = error_of(second, "storage-locked")
    assert second.code == 2
    assert "is used by process" in complaint
    assert "Stop the other process, or use its gateway." in complaint
    assert (by_lock.code, by_lock.document) == (0, []), "the one that runs is found by its lock"
    assert (by_url.code, by_url.document["code"]) == (2, "no-key"), "its key is for it alone"


def test_a_gateway_is_meant_by_the_environment_too_and_less_than_by_a_file_that_is_said(
    operator: Lamgate, tmp_path: Path
) -> None:
    address = address_in_lock(operator.folder / "var" / "lamgate.db")
    key = new_key(operator, "elsewhere-1", "operator")
    there = Lamgate(tmp_path, key, {"LAMGATE_URL": str(address)})
    listed = there("runs", "--json")
    stopped = there("stop", "--reason", "looked at", "--json")
    lifted = there("resume", stopped.document["id"], "--reason", "done", "--json")
    nowhere = {"LAMGATE_URL": "http://127.0.0.1:9"}
    by_file = Lamgate(tmp_path, key, nowhere)("runs", "--config", str(operator.config), "--json")
    by_url = Lamgate(tmp_path, key, nowhere)("runs", "--url", str(address), "--json")

    assert (listed.code, listed.document) == (0, [])
    assert (stopped.code, lifted.code) == (0, 0), "no file stands here that could be meant"
    assert (by_file.code, by_file.document) == (0, [])
    assert (by_url.code, by_url.document) == (0, [])


def test_a_stop_says_whose_calls_it_holds(operator: Lamgate) -> None:
    by_gateway = operator("stop", "--all-tenants", "--reason", "a drill")
    beside = operator("stop", "--all-tenants", "--config", str(operator.config), "--reason", "two")
    own = operator("stop", "--reason", "a drill")
    for each in (by_gateway, beside, own):
        operator("resume", each.out.split()[0], "--reason", "over")

    assert "no call of any connection, of every tenant, begins any more" in by_gateway.out
    assert "no call of any connection, of every tenant, begins any more" in beside.out
    assert "no call of any connection begins any more" in own.out


def test_one_tenant_is_stopped_at_the_machine_and_nobody_else(operator: Lamgate) -> None:
    make = ("keys", "create", "ann", "--role", "requester", "--json", "--tenant")
    ann, bea = (
        operator.under(operator(*make, tenant).document["secret"]) for tenant in ("two", "three")
    )
    here = ("--config", str(operator.config), "--reason", "why")
    stopped = operator("stop", "--tenant", "two", *here)
    stop = stopped.out.split()[0]
    held, free = ann("run", STATUS), bea("run", STATUS)
    listed = operator("stops", "--config", str(operator.config)).out
    by_program = operator("stops", "--config", str(operator.config), "--json").document
    unknown = operator("stop", "--tenant", "tow", *here)
    both = operator("stop", "--tenant", "two", "--all-tenants", *here)
    over_http = operator("stop", "--tenant", "two", "--reason", "why", "--url", "http://x")
    lifted = operator("resume", stop, *here)

    assert "no call of any connection, of the tenant two, begins any more" in stopped.out
    assert (held.code, free.code) == (3, 0)
    assert f"{stop}  every connection, tenant two, by " in listed
    assert [(each["id"], each["tenant"]) for each in by_program] == [(stop, "two")]
    assert "no key is of a tenant 'tow'" in error_of(unknown, "bad-option")
    assert "--tenant" in error_of(both, "bad-option")
    assert "ask with a key of that tenant" in error_of(over_http, "bad-option")
    assert f"{stop} is lifted; 1 that waited for a stop look again" in lifted.out


def test_a_stop_says_which_database_it_wrote_and_if_nobody_uses_that(
    operator: Lamgate, tmp_path: Path
) -> None:
    used = str(operator.folder / "var" / "lamgate.db")
    known = operator("stop", "--config", str(operator.config), "--reason", "two")
    stop = known.out.split()[0]
    lifted = operator("resume", stop, "--config", str(operator.config), "--reason", "over")
    old = Lamgate(tmp_path, "")
    old.config.write_text("")
    old("keys", "list")
    unseen = old("stop", "--reason", "why")
    by_program = old("stop", "--reason", "why", "--json").document

    assert f"written in {used}" in known.out
    assert f"written in {used}" in lifted.out
    assert "nobody uses" not in known.out + lifted.out
    assert "which nobody uses now: a gateway that was given another --database" in unseen.out
    assert by_program["database"] == str(old.folder / "var" / "lamgate.db")
    assert by_program["at_work"] is False


def test_whoever_follows_a_run_that_is_stopped_is_let_go_and_told_who_has_to_act(
    operator: Lamgate,
) -> None:
    requester = operator.under(new_key(operator, "requester-1", "requester"))
    stop = operator("stop", "--reason", "a drill", "--json").document["id"]
    said = requester("run", STATUS)
    (row,) = operator("runs", "--json").document
    operator("resume", stop, "--reason", "over")

    assert said.code == 3
    assert "Next: an operator has stopped these calls (lamgate stops)" in said.out
    assert row["waiting_for"] == "stop"
    requester.until_status(row["id"], "succeeded")


def test_a_request_that_asks_is_given_up_by_the_word_that_cancels(operator: Lamgate) -> None:
    asked = operator("plan", MUG, "--json")
    request = asked.document["id"]
    undo = operator("cancel", request, "--undo", "--json")
    given_up = operator("cancel", request)
    again = operator("cancel", request, "--json")

    assert asked.code == 3
    assert (undo.code, undo.document["code"]) == (2, "bad-option")
    assert (given_up.code, given_up.out) == (0, f"{request} is given up: nothing of it has run\n")
    assert (again.code, again.document["code"]) == (1, "already-over")


def test_a_gateway_waits_for_a_command_that_has_its_database(alone: Lamgate) -> None:
    (alone.folder / "var").mkdir()
    command = FileLock(alone.folder / "var" / "lamgate.db")
    command.describe("http://127.0.0.1:9", is_passing=True)
    gateway = alone.start("serve", "--port", "0", "--json")
    assert gateway.stderr is not None
    assert gateway.stdout is not None
    said = gateway.stderr.readline()
    command.release()
    ready = gateway.stdout.readline() + gateway.stdout.readline()
    gateway.terminate()
    gateway.communicate(timeout=PATIENCE_S)

    assert said.startswith("WARNING lamgate.database: waiting up to 10 s, for ")
    assert f"is used by process {os.getpid()}" in said
    assert '"ready": "http://' in ready
    assert gateway.returncode == 0


def test_a_key_that_is_wrong_revoked_or_of_another_role_is_told_apart(
    operator: Lamgate,
) -> None:
    made = operator("keys", "create", "requester-2", "--role", "requester", "--json").document
    holder = operator.under(made["secret"])
    role = holder("keys", "list", "--json")
    before = holder("runs", "--json")
    operator("keys", "revoke", made["id"])
    listed = operator("keys", "list")
    revoked = holder("runs", "--json")
    wrong = operator.under("lam_wrong")("runs", "--json")
    odd = operator("runs", "--key", "lam_x\nhost: elsewhere")
    kept = Lamgate(operator.folder, f"{made['secret']}\n")("runs", "--json")

    assert before.code == 0
    assert (role.code, role.document["code"]) == (1, "role-missing")
    assert (revoked.code, revoked.document["code"]) == (2, "key-revoked")
    assert (wrong.code, wrong.document["code"]) == (2, "unauthenticated")
    assert "this key holds what no key can hold" in error_of(odd, "bad-option")
    assert kept.document["code"] == "key-revoked", "the end of a line is no part of a key"
    assert made["secret"] not in listed.out
    assert f"{made['id']}  requester-2  requester  revoked" in listed.out


def test_where_no_gateway_answers_it_is_said_with_what_to_do(alone: Lamgate) -> None:
    nobody = alone.under("lam_x")("run", STATUS, "--url", "http://127.0.0.1:9", "--json")
    no_url = alone.under("lam_x")("runs", "--url", "nowhere")

    assert (nobody.code, nobody.document["code"]) == (2, "no-gateway")
    assert "lamgate serve" in nobody.document["fix"]
    assert no_url.code == 2
    assert "no-gateway" in no_url.err


def test_where_nothing_is_on_offer_it_is_said_where_to_look(tmp_path: Path) -> None:
    toml = '[connections.desk]\nconnector = "openapi"\nbase_url = "http://127.0.0.1:9"\n'
    (tmp_path / "lamgate.toml").write_text(toml + 'allow_hosts = ["127.0.0.1:9"]\n')
    said = Lamgate(tmp_path)("actions")
    for_programs = Lamgate(tmp_path)("actions", "--json")

    assert (said.code, for_programs.code, for_programs.document) == (0, 0, [])
    assert said.err.count("connections.desk is absent") == 1
    assert said.out == "no action is on offer: `lamgate connections` says why\n"


def test_what_answers_but_is_no_gateway_is_told_apart(operator: Lamgate, shop: Any) -> None:
    said = operator.under("lam_x")("runs", "--url", shop.urls["orders"], "--json")

    assert (said.code, said.document["code"]) == (2, "no-gateway")


@pytest.mark.parametrize(
    "words",
    [
        ("trace", "run_nothing"),
        ("trace", "../../v1/keys"),
        ("cancel", "run_nothing"),
        ("run", "--plan", "pln_nothing"),
        ("answer", "req_nothing", "remedy=refund"),
        ("approve", "apr_nothing", "--reason", "checked"),
        ("keys", "revoke", "key_nothing"),
    ],
    ids=lambda words: "-".join(words[:2]),
)
def test_what_does_not_exist_is_not_found(operator: Lamgate, words: tuple[str, ...]) -> None:
    said = operator(*words, "--json")

    assert (said.code, said.document["code"]) == (2, "not-found"), said


def test_a_command_whose_output_is_closed_does_its_work_all_the_same(operator: Lamgate) -> None:
    shell = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *PROGRAM]
    done = subprocess.run(
        [*shell, "keys", "create", "silent-1", "--role", "requester"],
        cwd=operator.folder,
        env=operator.environment,
        timeout=PATIENCE_S,
        check=False,
    )

    assert done.returncode == 0
    assert "silent-1" in operator("keys", "list").out


def test_a_reader_who_goes_away_ends_a_command_without_a_word(operator: Lamgate) -> None:
    writer = operator.start("actions", "--json", stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.close()
    _, complaints = writer.communicate(timeout=PATIENCE_S)

    assert complaints == ""
    assert writer.returncode in (0, 1)


def test_a_port_that_is_taken_is_a_clear_error(operator: Lamgate, shop: Any) -> None:
    other = Lamgate(operator.folder, more={"LAMGATE_DATABASE__URL": "sqlite:///other.db"})
    said = other("serve", "--port", shop.urls["orders"].rpartition(":")[2])

    assert said.code == 2
    assert "Say another --port" in error_of(said, "cannot-listen")

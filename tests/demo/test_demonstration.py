"""`lamgate demo --yes` in an empty environment does what it says, and what it says next works."""

import json
import os
import re
import shlex
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from demonstration import (
    OTHER_SETTINGS,
    PATIENCE_S,
    PROGRAM,
    empty_environment,
    new_mark,
    nothing_is_left,
)


@dataclass(frozen=True)
class Told:
    """One demonstration: its one JSON document, and what it said to people."""

    code: int
    document: Any
    words: str
    mark: str

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command as it was printed, in a shell."""
        return subprocess.run(
            command,
            shell=True,
            env=empty_environment(self.mark),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    mark = new_mark()
    folder = tmp_path_factory.mktemp("demo of a shop")  # with blanks, as folders have
    done = subprocess.run(
        [*PROGRAM, "demo", "--yes", "--json", "--data", str(folder)],
        env=empty_environment(mark) | OTHER_SETTINGS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return Told(done.returncode, json.loads(done.stdout), done.stderr, mark)


def test_the_demonstration_is_over_within_a_minute_and_leaves_no_process(told: Told) -> None:
    nothing_is_left(told.mark)

    assert told.document["seconds"] < 60


def test_it_shows_neither_a_traceback_nor_a_warning(told: Told) -> None:
    assert not re.search(r"Traceback|Warning|ERROR", told.words), told.words


def test_act_one_asks_one_question_and_says_who_answered_and_approved(told: Told) -> None:
    act = told.words.partition("Act one")[2].partition("Act two")[0]

    assert told.document["acts"][0]["questions"] == ["What should the customer get?"]
    assert "requester-1 answers: refund" in act
    assert "[YES=1 answered]" in act
    assert "refused: own-request" in act
    assert "refunds over 10.00 need an approver" in act
    assert "[YES=1 approved]" in act
    assert act.index("digest sha256:") < act.index("payments.refund_create {")
    assert "run: succeeded" in act


def test_act_two_is_labelled_as_recorded_and_shows_why_the_first_draft_was_refused(
    told: Told,
) -> None:
    act = told.words.partition("Act two")[2].partition("Act three")[0]

    assert "A RECORDED REPLY plays the model" in act
    refused = act.partition("draft 1 is refused")[2].partition("draft 2 is accepted")[0]
    assert "unknown-action" in refused
    assert "payments.issue_refund is not in the catalog" in refused
    assert "payments.refund_create" in refused.partition("known:")[2]
    assert told.document["acts"][1]["status"] == "succeeded"


def test_act_three_says_which_step_what_became_of_the_money_and_what_was_not_repeated(
    told: Told,
) -> None:
    trace = told.words.partition("The trace:")[2].partition("What changed")[0]

    assert re.search(r"refund +payments.refund_create\s+done; effect: applied, found by its", trace)
    assert "call 2" in trace
    assert re.search(r"not repeated: .*\bwrite_off\b", trace)
    assert "the process ended in the middle once" in trace
    assert "the refund had happened before the gateway was killed" in trace


def test_each_payment_went_back_once_by_the_providers_own_ledger(told: Told) -> None:
    before, after = told.document["before"], told.document["after"]

    assert before["refunds"] == []
    assert after["refunds"] == ["pay_1042: 18.50 EUR", "pay_1043: 64.00 EUR", "pay_1044: 39.90 EUR"]
    assert sorted(after["mails"]) == [
        f"customer-{number}@example.com: Your refund for order {number}"
        for number in (1042, 1043, 1044)
    ]
    changed = {sku for sku, count in after["stock"].items() if count != before["stock"][sku]}
    assert changed == {"MUG-BLUE", "PLATE-SET", "TEAPOT"}


def test_the_first_command_to_try_next_judges_the_draft_with_the_invented_action(
    told: Told,
) -> None:
    done = told.run(told.document["try_next"][0])

    assert done.returncode == 1, done.stderr
    assert "unknown-action" in done.stdout
    assert "payments.issue_refund" in done.stdout


def test_the_second_command_to_try_next_plans_other_words_while_nothing_is_running(
    told: Told,
) -> None:
    done = told.run(told.document["try_next"][1])

    assert done.returncode == 0, done.stderr
    assert "payments.refund_create" in done.stdout
    assert re.search(r"Run it: .* run --plan pln_\w+ --config", done.stdout)


def test_the_third_command_to_try_next_opens_shop_and_gateway_until_ctrl_c(told: Told) -> None:
    opened = subprocess.Popen(
        shlex.split(told.document["try_next"][2]),
        env=empty_environment(told.mark),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert opened.stdout is not None
    said = [opened.stdout.readline()]
    while said[-1] and not said[-1].startswith("    export "):
        said.append(opened.stdout.readline())
    ready = said[0].split()
    assert ready[:1] == ["ready"], opened.communicate()
    keys = json.loads((Path(told.document["folder"]) / "keys.json").read_text())
    caller = {"authorization": f"Bearer {keys['requester']}"}
    runs = httpx2.get(f"{ready[1]}/v1/runs", headers=caller, trust_env=False).json()
    run = told.document["try_next"][1].replace(" plan ", " run ", 1)
    done = told.run(f"{run} --json")
    shown = f"{said[-1].strip()}; echo $LAMGATE_URL $LAMGATE_KEY"
    exported = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True)
    _interrupt(opened)

    assert {each["id"] for each in runs} == {act["run"] for act in told.document["acts"]}
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "succeeded"
    assert "Ctrl-C ends them" in "".join(said)
    assert exported.stdout.split() == [ready[1], keys["requester"]]
    nothing_is_left(told.mark)


def test_a_used_folder_is_not_told_another_story_in(told: Told) -> None:
    done = subprocess.run(
        [*PROGRAM, "demo", "--yes", "--data", told.document["folder"]],
        env=empty_environment(told.mark),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "folder-not-empty" in done.stderr
    assert "--open" in done.stderr


def _interrupt(process: "subprocess.Popen[str]") -> None:
    """Ctrl-C, which ends it without a word."""
    os.killpg(process.pid, signal.SIGINT)
    said, complaints = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said, complaints) == (0, "", "")

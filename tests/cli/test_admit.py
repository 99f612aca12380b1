"""`lamgate admit` as a process of its own: neither a gateway nor a database is near."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from forked import lamgate

CATALOG = {
    "lamgate_catalog": 1,
    "actions": [
        {
            "name": "shop.order",
            "description": "One order.",
            "effect": "read",
            "input_schema": {
                "type": "object",
                "properties": {"id": {"type": "string"}},
                "required": ["id"],
                "additionalProperties": False,
            },
        },
        {
            "name": "shop.note",
            "description": "Writes a note.",
            "effect": "idempotent",
            "approval": None,
            "sinks": {"order_id": "resource_id"},
            "input_schema": {
                "type": "object",
                "properties": {
                    "order_id": {"type": "string"},
                    "size": {"type": "integer", "maximum": 9223372036854775807},
                },
                "required": ["order_id"],
            },
        },
    ],
}
GET = {"id": "order", "action": "shop.order", "args": [{"value": "1042", "to": "id"}]}
NOTE = {"id": "note", "action": "shop.note", "args": [{"ref": "order/deep/id", "to": "order_id"}]}
GOOD = {"id": "good", "plan": {"steps": [GET, NOTE]}, "request": "order 1042", "extra": "ignored"}
BAD = {"id": 2, "plan": {"steps": [{"id": "a", "action": "shop.ordre"}]}}


@pytest.fixture
def admit(tmp_path: Path) -> Any:
    """Runs `lamgate admit` in an empty folder; files are given by name and content."""

    def run(*arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
        for name, content in files.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content.encode("utf-8", "surrogateescape"))
        return lamgate(["admit", *arguments], cwd=tmp_path)

    return run


def lines(*plans: dict[str, Any]) -> str:
    return "".join(json.dumps(each) + "\n" for each in plans)


BULK = ("--catalog", "tools.json", "--plans", "plans.jsonl", "--json")


def test_verdicts_come_one_a_line_in_the_order_of_the_plans(admit: Any) -> None:
    asking = {"id": "asks", "plan": {"questions": [{"about": "id", "ask": "Which order?"}]}}
    answer = admit(
        *BULK, tools_json=json.dumps(CATALOG), plans_jsonl=lines(GOOD, BAD) + "\n" + lines(asking)
    )
    good, bad, asks = map(json.loads, answer.stdout.splitlines())

    assert answer.returncode == 1
    assert good.keys() == {"id", "accepted", "policy", "violations", "certificate"}
    assert good["id"] == "good"
    assert good["accepted"] is True
    assert good["policy"] == "not-evaluated"
    assert good["violations"] == []
    assert [each["standing"] for each in good["certificate"]["steps"]] == [
        "allowed",
        "needs_approval",
    ]
    assert bad.keys() == {"id", "accepted", "policy", "violations"}
    assert bad["id"] == 2
    assert bad["accepted"] is False
    assert bad["violations"] == [
        {
            "code": "unknown-action",
            "at": "/steps/0/action",
            "step": "a",
            "message": "shop.ordre is not in the catalog; did you mean shop.order?",
        }
    ]
    assert asks["accepted"] is False
    assert asks["questions"][0]["ask"] == "Which order?"


def test_without_an_output_schema_a_path_is_a_guard(admit: Any) -> None:
    answer = admit(*BULK, tools_json=json.dumps(CATALOG), plans_jsonl=lines(GOOD))
    note = json.loads(answer.stdout)["certificate"]["steps"][1]

    assert answer.returncode == 0
    assert answer.stderr == ""
    assert [(each["kind"], each["at"]) for each in note["guards"]] == [("type", "order_id")]


READS = {"id": "reads", "plan": {"steps": [{"id": "a", "action": "fn.extract", "args": [
    {"value": "Ann, in May", "to": "text"},
    {"json": '{"type": "string", "maxLength": 9}', "to": "schema"}]}]}}  # fmt: skip


def test_a_model_that_reads_is_there_where_one_is_named(admit: Any) -> None:
    files = {"tools_json": json.dumps(CATALOG), "plans_jsonl": lines(READS)}
    off, on = admit(*BULK, **files), admit(*BULK, "--extract", "reader", **files)
    alone = admit("--extract", "reader", "plan.json", plan_json="{}")

    assert [each["code"] for each in json.loads(off.stdout)["violations"]] == ["unknown-action"]
    assert on.returncode == 0
    (step,) = json.loads(on.stdout)["certificate"]["steps"]
    assert step["note"] == "model call at run time"
    assert alone.returncode == 2
    assert "--catalog" in alone.stderr


def test_a_policy_is_evaluated_where_one_is_given(admit: Any) -> None:
    forbids = 'permit (principal, action == Action::"read", resource);'
    answer = admit(
        *BULK, "--policy", "rules",
        tools_json=json.dumps(CATALOG), plans_jsonl=lines(GOOD), rules__a_cedar=forbids,
    )  # fmt: skip
    verdict = json.loads(answer.stdout)

    assert answer.returncode == 1
    assert verdict["policy"] == "evaluated"
    assert [(each["code"], each["at"]) for each in verdict["violations"]] == [
        ("policy-denied", "/steps/1/action")
    ]


TOOLS = json.dumps(CATALOG)


def test_a_line_that_names_a_plan_which_is_no_strict_json_has_a_verdict(admit: Any) -> None:
    twice = '{"id": "twice", "plan": {"steps": [], "steps": []}}\n'
    answer = admit(*BULK, tools_json=TOOLS, plans_jsonl=twice + lines(GOOD))
    first, second = map(json.loads, answer.stdout.splitlines())

    assert answer.returncode == 1
    assert [each["code"] for each in first["violations"]] == ["duplicate-key"]
    assert second["accepted"] is True


def test_unusable_input_is_said_and_is_exit_code_2(admit: Any) -> None:
    no_catalog = admit(*BULK, tools_json="{", plans_jsonl=lines(GOOD))
    no_line = admit(*BULK, tools_json=TOOLS, plans_jsonl=lines(GOOD) + "no json\n")
    no_text = admit(*BULK, tools_json=TOOLS, plans_jsonl="\udcff\n")

    assert [each.returncode for each in (no_catalog, no_line, no_text)] == [2, 2, 2]
    assert no_catalog.stdout == ""
    assert "the catalogue is unusable" in no_catalog.stderr
    assert [json.loads(each)["id"] for each in no_line.stdout.splitlines()] == ["good"]
    assert "line 2 is no plan line" in no_line.stderr
    assert "no UTF-8" in no_text.stderr
    assert "Traceback" not in no_catalog.stderr + no_line.stderr + no_text.stderr


def test_a_file_or_a_policy_that_is_not_there_is_unusable_input(admit: Any) -> None:
    missing = admit(*BULK, plans_jsonl=lines(GOOD))
    no_folder = admit(*BULK, "--policy", "rules", tools_json=TOOLS, plans_jsonl=lines(GOOD))
    empty = admit(
        *BULK, "--policy", "rules", tools_json=TOOLS, plans_jsonl=lines(GOOD), rules__notes_txt=""
    )
    broken = admit(
        *BULK, "--policy", "rules", tools_json=TOOLS, plans_jsonl=lines(GOOD), rules__a_cedar="no"
    )

    assert [each.returncode for each in (missing, no_folder, empty, broken)] == [2, 2, 2, 2]
    assert "tools.json" in missing.stderr
    assert "no such folder" in no_folder.stderr
    assert "no *.cedar file" in empty.stderr
    assert "a.cedar" in broken.stderr


def test_people_read_the_same_without_json(admit: Any) -> None:
    answer = admit(*BULK[:-1], tools_json=TOOLS, plans_jsonl=lines(GOOD, BAD))

    assert answer.returncode == 1
    assert "good: accepted" in answer.stdout
    assert "note: needs approval" in answer.stdout
    assert "unknown-action" in answer.stdout


def test_the_schema_of_a_plan_is_printed(admit: Any) -> None:
    published = Path(__file__).parents[2] / "docs" / "reference" / "plan.schema.json"
    answer = admit("--schema")

    assert answer.returncode == 0
    assert json.loads(answer.stdout) == json.loads(published.read_text(encoding="utf-8"))

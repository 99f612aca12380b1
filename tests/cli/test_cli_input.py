"""What the command line is given and cannot use: the code, what, where, and what to do."""

import json
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from commands import PATIENCE_S, PROGRAM, Lamgate, error_of

GOOD = '{"understanding": "x", "steps": [], "answer": [], "unable": "nothing to do"}'


@pytest.fixture
def nowhere(tmp_path: Path) -> Lamgate:
    """A folder without an operator's file."""
    return Lamgate(tmp_path)


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b'{"steps": [{"id": "a", "id": "b"}]}', "duplicate-key", "the member 'id' stands twice"),
        (b'{"steps": [NaN]}', "malformed-json", "NaN"),
        (b'{"steps": [1e999]}', "number-out-of-range", ""),
        (b'{"steps": [', "malformed-json", "plan.json"),
        (b"", "malformed-json", "there is nothing to read"),
        (b'{"steps": "\xff"}', "not-utf-8", "plan.json"),
        (b"[]", "malformed-json", "not an object"),
        (b"[" * 5000 + b"]" * 5000, "too-large", "plan.json"),
    ],
    ids=["twice", "NaN", "huge", "cut", "empty", "bytes", "list", "deep"],
)
def test_a_plan_file_that_is_no_plan_says_what_and_where(
    nowhere: Lamgate, content: bytes, code: str, told: str
) -> None:
    file = nowhere.folder / "plan.json"
    file.write_bytes(content)
    said = nowhere("run", "--file", "plan.json")

    assert said.code == 2
    assert told in error_of(said, code)


def test_a_plan_may_come_from_standard_input_and_is_read_as_strictly(nowhere: Lamgate) -> None:
    said = nowhere("run", "--file", "-", "--json", stdin='{"a": 1, "a": 2}')

    assert (said.code, said.document["code"]) == (2, "duplicate-key")


def test_standard_input_that_is_closed_is_read_as_an_empty_one(nowhere: Lamgate) -> None:
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *PROGRAM]
    done = subprocess.run(
        [*shell, "run", "--file", "-"],
        cwd=nowhere.folder,
        env=nowhere.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )

    assert (done.returncode, done.stderr.split("\n")[0]) == (2, "malformed-json")


@pytest.mark.parametrize("word", ["run", "admit"])
def test_a_file_that_is_not_there_is_named(nowhere: Lamgate, word: str) -> None:
    option = ("--file", "none.json") if word == "run" else ("none.json", "--catalog", "no.json")
    said = nowhere(word, *option)

    assert said.code == 2
    assert ".json" in error_of(said, "file-system")
    assert "No such file" in said.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x00\x01garbage", "lamgate.toml"),
        (b"\xff\xfe", "lamgate.toml"),
        (b"[server]\nport = 'many'", "server.port"),
        (b"[sever]\nport = 1", "sever: there is no such setting, did you mean server?"),
        (b"[server]\nprot = 1", "server.prot: there is no such setting, did you mean port?"),
        (b"[database]\nurl = 'mysql://a:b@c/d'", "database.url: 'mysql' is not known; write"),
        (b"[database]\nurl = 'sqlite:///'", "database.url: it names no file; write sqlite:///path"),
        (
            b"[connections.orders]\nconnector = 'openapi'",
            "connections.orders.base_url: it is missing",
        ),
        (b"planner = 'nobody'", "neither `playbooks` nor one of"),
        (b"[connections.orders]\nconnector = 'telex'", "telex"),
        (b"[policy]\npath = 'nowhere'", "policy.path"),
    ],
    ids=[
        "bytes",
        "no-text",
        "type",
        "unknown",
        "member",
        "database",
        "no-file",
        "no-address",
        "planner",
        "connector",
        "folder",
    ],
)
def test_an_operators_file_that_cannot_be_used_is_a_configuration_error(
    nowhere: Lamgate, content: bytes, told: str
) -> None:
    nowhere.config.write_bytes(content)
    said = nowhere("runs")

    assert said.code == 2
    assert told in error_of(said, "configuration-error")


def test_without_any_operators_file_it_is_said_how_to_name_one(nowhere: Lamgate) -> None:
    none = nowhere("runs", "--json")
    alone = nowhere("serve", "--json")
    missing = nowhere("serve", "--config", "none.toml", "--json")

    assert (none.code, none.document["code"]) == (2, "no-configuration")
    assert "--config FILE, or --url and --key" in none.document["fix"]
    assert (alone.code, alone.document["code"]) == (2, "no-configuration")
    assert "--url" not in alone.document["fix"], "it is no option of this word"
    for words, may in ((("policy", "check"), "--policy DIR and --catalog FILE"),
                       (("admit", "plan.json"), "--catalog FILE")):  # fmt: skip
        assert f"--config FILE, or {may}." in nowhere(*words).err
    folder = nowhere("connectors", "check", "./desk", "--json")
    assert (folder.code, folder.document["at"]) == (2, "./desk")
    assert (missing.code, missing.document["code"]) == (2, "configuration-error")
    assert missing.document["at"] == "none.toml"
    assert "--config FILE" in missing.document["fix"]


def test_what_a_gateway_says_of_its_calls_is_said_of_commands(nowhere: Lamgate) -> None:
    (nowhere.folder / "lamgate.toml").write_text("")
    status = nowhere("runs", "--status", "fine", "--json")
    said = nowhere("runs", "--status", "fine")
    unknown = nowhere("connections", "show", "desk")

    assert status.document["at"] == "/query/status", "programs are told what the API said"
    assert "  where: --status\n  fix:   See what --help says of this word." in said.err
    assert "  fix:   See `lamgate connections`." in unknown.err


def test_a_database_to_move_to_that_there_cannot_be_is_named_as_it_was_said(
    nowhere: Lamgate,
) -> None:
    (nowhere.folder / "lamgate.toml").write_text("")
    said = nowhere("move", "--to", "foo")

    assert said.code == 2
    assert "--to: 'foo' is not known; write" in error_of(said, "configuration-error")


def test_a_folder_is_no_operators_file_and_nothing_is_made_beside_it(nowhere: Lamgate) -> None:
    said = nowhere("runs", "--config", ".")

    assert said.code == 2
    assert "this is no file" in error_of(said, "configuration-error")
    assert [*nowhere.folder.iterdir()] == []


def test_a_database_that_is_no_database_is_told_without_touching_it(nowhere: Lamgate) -> None:
    nowhere.config.write_text("[database]\nurl = 'sqlite:///notes.txt'\n")
    notes = nowhere.folder / "notes.txt"
    notes.write_text("these are notes, and no database at all " * 50)
    (nowhere.folder / "notes.txt.secret").write_text("ab" * 64)
    said = nowhere("runs")

    assert said.code == 2
    assert "Restore the newest backup" in error_of(said, "storage-damaged")
    assert notes.read_text().startswith("these are notes")


@pytest.mark.parametrize(
    "words",
    [
        ("stop", "--reason", "why"),
        ("runs", "delete", "--ended-before", "2020-01-01"),
        ("move", "--to", "postgresql://me@127.0.0.1:9/there"),
        ("keys", "list"),
    ],
    ids=" ".join,
)
def test_a_database_of_another_version_is_told_apart_by_whatever_works_on_it(
    nowhere: Lamgate, words: tuple[str, ...]
) -> None:
    nowhere.config.write_text("")
    absent = nowhere("stop", "--reason", "why")
    nowhere("keys", "list")
    with closing(sqlite3.connect(nowhere.folder / "var" / "lamgate.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    said = nowhere(*words)

    assert "there is no database" in error_of(absent, "storage-unavailable")
    assert "database.url" in absent.err
    assert (absent.code, said.code) == (2, 2)
    assert "schema 9999" in error_of(said, "needs-newer-version")


def test_a_server_that_cannot_be_used_is_told_with_its_own_words(nowhere: Lamgate) -> None:
    sealing = replace(nowhere, more={"LAMGATE_SECRET": "ab" * 64})
    sealing.config.write_text("")
    url = "postgresql://somebody:quite-secret@127.0.0.1:1/none"
    said = [sealing(word, "--database", url) for word in ("serve", "worker")]

    assert {each.code for each in said} == {2}
    for each in said:
        told = error_of(each, "storage-unavailable")
        assert "Connection refused" in told
        assert "database.url" in told
        assert "goes on by itself" not in told
        assert "quite-secret" not in told


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("run", "words", "--plan", "pln_1"),
        ("admit",),
        ("answer", "req_1", "remedy"),
        ("run", "words", "--answer", "remedy"),
    ],
    ids=" ".join,
)
def test_words_that_do_not_go_together_are_a_bad_option(
    nowhere: Lamgate, words: tuple[str, ...]
) -> None:
    nowhere.config.write_text("")
    said = nowhere(*words)

    assert said.code == 2
    error_of(said, "bad-option")


@pytest.mark.parametrize(
    "words", [("runs", "--colour"), ("fly",), ("keys", "create"), ("serve", "--port", "70000")]
)
def test_an_unknown_option_or_word_shows_how_the_command_is_used(
    nowhere: Lamgate, words: tuple[str, ...]
) -> None:
    said = nowhere(*words)

    assert said.code == 2
    assert "fix: Usage:" in error_of(said, "bad-option")
    assert "--help" in said.err


def test_a_value_that_cannot_be_one_is_told_with_its_option(nowhere: Lamgate) -> None:
    said = nowhere("serve", "--port", "70000", "--json")

    assert (said.code, said.document["code"]) == (2, "bad-option")
    assert "--port" in said.document["detail"]


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--calls", "pay=²"),
        ("--calls", f"pay={'9' * 5000}"),
        ("--band", "pay/amount=[1e999]"),
        ("--band", f"pay/amount={'[' * 5000}"),
        ("--for", "nan"),
        ("--for", "inf"),
    ],
    ids=["a digit of another kind", "huge", "out of range", "deep", "nan", "inf"],
)
def test_a_narrowing_that_cannot_be_one_is_told_before_anybody_is_asked(
    nowhere: Lamgate, option: str, text: str
) -> None:
    words = ("approve", "apr_1", "--reason", "why", option, text)
    said = nowhere(*words, "--url", "http://127.0.0.1:9", "--key", "lam_key", "--json")

    assert said.code == 2
    assert said.document["code"] in ("bad-option", "number-out-of-range", "too-large")
    assert option in said.document["at"]


def test_a_word_that_was_said_alone_shows_its_help(nowhere: Lamgate) -> None:
    said = nowhere("keys")

    assert (said.code, said.err) == (2, "")
    assert "Make, list and revoke API keys." in said.out


def test_bytes_that_are_no_text_are_refused_before_anything_is_sent(alone: Lamgate) -> None:
    done = subprocess.run(
        [*PROGRAM, "plan", "caf\udce9 \udcff"],
        cwd=alone.folder,
        env=alone.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )

    assert done.returncode == 2
    assert (done.stdout, done.stderr.split("\n")[0]) == ("", "not-utf-8")


@pytest.mark.parametrize(
    "words", [("stop", "--reason", "caf\udce9"), ("resume", "stop_\udce9", "--reason", "why")],
    ids=["stop", "resume"],
)  # fmt: skip
def test_bytes_that_are_no_text_are_no_mistake_of_ours_where_a_database_is_written(
    alone: Lamgate, words: tuple[str, ...]
) -> None:
    assert alone("runs").code == 0  # a database is there
    said = alone(*words)

    assert said.code == 2
    error_of(said, "not-utf-8")


def test_every_error_with_json_is_one_document_with_its_code(nowhere: Lamgate) -> None:
    (nowhere.folder / "plan.json").write_text(GOOD)
    (nowhere.folder / "catalog.json").write_text("{}")
    said = nowhere("admit", "plan.json", "--catalog", "catalog.json", "--json")

    assert said.code == 2
    assert json.loads(said.out)["code"] == "unusable-input"

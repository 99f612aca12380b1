"""A connector that was just begun passes its own tests, and nothing is ever overwritten."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forked import lamgate

from connectors.errors import ConfigurationError
from connectors.scaffold import scaffold

ROOT = Path(__file__).parents[2]


def run(*command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run Python as an author would, with this checkout's Lamgate."""
    own = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env={**os.environ, **own, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_a_connector_over_a_library_passes_its_tests_and_is_bronze(tmp_path: Path) -> None:
    made = lamgate(["connectors", "new", "front_desk", "--kind", "python"], cwd=tmp_path)
    place = tmp_path / "lamgate-front-desk"
    tests = run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=place)
    checked = lamgate(["connectors", "check", ".", "--json"], cwd=place)
    silver = lamgate(["connectors", "check", ".", "--least", "silver"], cwd=place)

    assert made.stdout.splitlines() == [
        "lamgate-front-desk/pyproject.toml",
        "lamgate-front-desk/README.md",
        "lamgate-front-desk/lamgate_front_desk/__init__.py",
        "lamgate-front-desk/lamgate_front_desk/connector.py",
        "lamgate-front-desk/tests/test_front_desk.py",
    ]
    assert tests.returncode == 0, tests.stdout
    assert "failed" not in tests.stdout
    (report,) = json.loads(checked.stdout).values()
    assert report["tier"] == "bronze"
    assert report["missing"] == ["silence_ends_at_the_deadline_and_is_called_what_it_is"]
    assert (checked.returncode, silver.returncode) == (0, 1)
    assert "missing for silver:" in silver.stdout


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    files = scaffold("desk", tmp_path)
    files[0].write_text("mine")

    with pytest.raises(ConfigurationError, match="there already; nothing was written"):
        scaffold("desk", tmp_path, "python")
    assert files[0].read_text() == "mine"
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {*files}


@pytest.mark.parametrize(
    "name", ["", "Desk", "1desk", "desk-top", "desk__top", "_desk", "desk_", "../desk", "class",
             "a" * 31, "dësk", "desk\n"]
)  # fmt: skip
def test_a_name_that_python_or_the_operators_file_could_not_say_is_none(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="no connector's name"):
        scaffold(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_would_never_be_found_beside_our_own_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is already"):
        scaffold("openapi", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_connection_of_the_operators_file_is_looked_at_without_a_call(tmp_path: Path) -> None:
    (tmp_path / "lamgate.toml").write_text(
        '[connections.mail]\nconnector = "smtp"\nserver = "127.0.0.1:1"\nsender = "a@example.com"\n'
    )
    checked = lamgate(["connectors", "check", "mail", "--json"], cwd=tmp_path)
    unknown = lamgate(["connectors", "check", "male"], cwd=tmp_path)
    report = json.loads(checked.stdout)["mail"]
    standing = {each["name"]: each["standing"] for each in report["rules"]}

    assert standing["names_begin_with_the_connection_and_are_unique"] == "kept"
    assert standing["what_manifests_say_of_one_another_holds"] == "kept"
    assert standing["no_secret_is_told"] == "untried"
    assert (checked.returncode, unknown.returncode) == (1, 2)
    assert "no folder and no connection is called male; known: mail" in unknown.stderr


def test_a_folder_without_a_suite_is_told_what_to_write(tmp_path: Path) -> None:
    done = lamgate(["connectors", "check", "."], cwd=tmp_path)
    option = lamgate(["connectors", "new", "desk", "--kind", "soap"], cwd=tmp_path)

    assert (done.returncode, option.returncode) == (2, 2)
    assert "no class there is a ConnectorConformance" in done.stderr
    assert "there are http and python" in option.stderr

"""What the operator's file and the environment say wrongly: all of it at once, and where."""

from pathlib import Path

import pytest

from connectors.errors import ConfigurationError
from gateway.settings import load_settings


def flaws(file: Path, content: str) -> str:
    """What is said of a file that cannot be used."""
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as told:
        load_settings(file)
    return str(told.value)


def test_all_that_is_wrong_is_told_at_once_with_what_was_meant(tmp_path: Path) -> None:
    file = tmp_path / "lamgate.toml"
    told = flaws(
        file,
        """
        plannner = "playbooks"
        [server]
        prot = 1
        host = 3
        [connections.desk]
        allow_hosts = "127.0.0.1:80"
        [models.fast]
        adapter = "litellm"
        modell = "x"
        """,
    )

    assert set(told.removeprefix(f"{file}: ").split("; ")) == {
        "plannner: there is no such setting, did you mean planner?",
        "server.prot: there is no such setting, did you mean port?",
        "server.host: Input should be a valid string",
        "connections.desk.connector: it is missing",
        "connections.desk.allow_hosts: write a list, [...]",
        "models.fast.model: it is missing",
        "models.fast.modell: there is no such setting, did you mean model?",
    }


def test_what_the_environment_says_wrongly_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lamgate.toml"
    monkeypatch.setenv("LAMGATE_SERVER__PORT", "many")
    port = flaws(file, "[server]\nprot = 1")
    monkeypatch.setenv("LAMGATE_BUDGETS", "5")
    monkeypatch.setenv("LAMGATE_SERVER", "{")
    json = flaws(file, "")

    assert "the environment: LAMGATE_SERVER__PORT: Input should be a valid integer" in port
    assert f"{file}: server.prot: there is no such setting" in port
    assert json.startswith("LAMGATE_SERVER: this is no JSON; one member of it is said as ")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "[server]\npublic_url = 'lamgate'",
            "server.public_url: 'lamgate'",
        ),
        ("[models.m]\nadapter = 'litellm'\nmodel = 'x'\ntimeout_s = 0", "models.m.timeout_s: "),
    ],
    ids=["address", "no-time"],
)
def test_a_value_that_nothing_could_work_with_stops_the_start(
    tmp_path: Path, content: str, told: str
) -> None:
    assert told in flaws(tmp_path / "lamgate.toml", content)

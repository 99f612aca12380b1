"""What models' libraries say is told without keys: ours, and those of the environment."""

import pytest

from planner.models.redact import told, without_keys

OURS = "key4of_8"


@pytest.mark.parametrize("name", ["A_KEY", "ANOTHERS_KEYS", "its_token", "The_Secrets", "PASSWORD"])
def test_a_key_of_the_environment_is_told_nowhere(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "8letters")
    monkeypatch.setenv("A_TOKEN", "8letters-and-more")
    monkeypatch.setenv("SHELL_KEY", "short")

    assert without_keys("8letters 8letters-and-more short") == "*** *** short"


def test_our_own_key_and_who_is_in_an_address_are_told_nowhere() -> None:
    said = f"no {OURS} at https://ann:hunter2@models.example/v1"

    assert without_keys(said, OURS) == "no *** at https://***@models.example/v1"
    assert without_keys("as it is", None) == "as it is"


def test_of_a_key_at_the_end_of_what_is_shown_no_part_is_told() -> None:
    key = "k" * 40

    assert "kk" not in told(f"{'word ' * 57}key {key} and more", key)

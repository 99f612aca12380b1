"""The reference is complete: what the code knows, the documents say."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

from connectors.spec import ActionSpec, Effect
from executor.run.events import Event
from gateway.app import KEYED, OPEN
from gateway.cli.main import WORDS
from gateway.settings import Connection, ModelEntry, Settings

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")


def routes() -> Iterator[str]:
    for each in (*KEYED, *OPEN):
        for route in each.router.routes:
            assert isinstance(route, APIRoute)
            if not route.include_in_schema:
                continue
            for method in sorted(route.methods):
                yield f"{method} {route.path}"


def settings() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from (f"{name}.{member}" for member in kind.model_fields)
        elif name not in ("models", "connections"):
            yield name


@pytest.mark.parametrize("route", [*routes()])
def test_every_call_of_the_api_is_in_the_reference(route: str) -> None:
    assert f"`{route}`" in page("http.md")


def test_the_reference_names_no_call_that_does_not_exist() -> None:
    named = set(re.findall(r"^\| `([A-Z]+ /v1/[^`]+)` \|", page("http.md"), re.MULTILINE))

    assert named == set(routes())


def test_every_problem_that_a_route_raises_is_in_the_reference() -> None:
    code = r"""ProblemError\(\s*\d{3},\s*"([a-z-]+)\""""
    files = [*(ROOT / "gateway").glob("*.py"), *(ROOT / "gateway" / "routes").glob("*.py")]
    raised = {found for file in files for found in re.findall(code, file.read_text())}

    assert len(raised) > 20
    assert sorted(each for each in raised if f"`{each}`" not in page("http.md")) == []


@pytest.mark.parametrize("event", [*get_args(Event)])
def test_every_event_is_in_the_reference(event: type[BaseModel]) -> None:
    kind = event.model_fields["type"].default

    assert f"`{kind}`" in page("events.md")


@pytest.mark.parametrize("event", [*get_args(Event)])
def test_every_member_of_an_event_is_in_its_row(event: type[BaseModel]) -> None:
    members = set(event.model_fields) - {"type"}
    kind = f"`{event.model_fields['type'].default}`"
    rows = (each.split("|") for each in page("events.md").splitlines() if each.startswith("| "))
    (row,) = [each for each in rows if kind in each[1]]
    told = {each.strip() for each in row[-2].split(",")}

    assert members - told == set()


def test_every_problem_of_the_command_line_is_in_the_reference() -> None:
    code = r"""CliError\(\s*"([a-z0-9-]+)\""""
    files = [*(ROOT / "gateway" / "cli").glob("*.py"), *(ROOT / "gateway" / "demo").glob("*.py")]
    raised = {found for file in files for found in re.findall(code, file.read_text())}
    told = page("cli.md") + page("http.md") + page("errors.md")

    assert len(raised) > 20
    assert sorted(each for each in raised if f"`{each}`" not in told) == []


@pytest.mark.parametrize("name", [*settings()])
def test_every_setting_is_in_the_reference(name: str) -> None:
    assert f"| `{name}` |" in page("settings.md")


@pytest.mark.parametrize("model", [ModelEntry, Connection])
def test_every_member_of_a_model_or_connection_is_in_the_reference(model: type[BaseModel]) -> None:
    missing = [name for name in model.model_fields if f"| `{name}` |" not in page("settings.md")]

    assert missing == []


@pytest.mark.parametrize("word", [*ActionSpec.model_fields, *Effect])
def test_every_word_of_a_manifest_is_in_the_reference(word: str) -> None:
    assert f"`{word}`" in page("manifest.md")


@pytest.mark.parametrize("word", [*WORDS])
def test_every_word_of_the_command_line_is_in_the_reference(word: str) -> None:
    assert f"| `{word}` |" in page("cli.md")

"""The how-to pages of models and playbooks: every block can be read, and does what is said."""

import asyncio
import json
import re
from pathlib import Path

import pytest
import yaml
from planner_cases import Drafts, a_request
from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.admit import Inputs, Questions, Rejected
from executor.check.certificate import Options
from executor.check.playbook import Playbook, read_playbook
from executor.plan.model import Plan
from gateway.schemas import NewRequest
from gateway.settings import load_settings
from planner.embedded import EmbeddedPlanner
from planner.models.build import ModelSettings
from planner.propose import SHORTLIST
from planner.request import MAX_CHARACTERS

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to"
MODELS, PLAYBOOKS = "models.md", "playbooks.md"


def text(page: str) -> str:
    return (HOW_TO / page).read_text(encoding="utf-8")


def blocks(page: str, *languages: str) -> list[str]:
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text(page), re.DOTALL | re.MULTILINE)
    return [block for language, block in found if language in languages]


def the_playbook() -> Playbook:
    return read_playbook(yaml.safe_load(blocks(PLAYBOOKS, "yaml")[0]), PLAYBOOKS)


def the_cases() -> list[JsonObject]:
    found: list[JsonObject] = json.loads(blocks(PLAYBOOKS, "json")[0])
    return found


@pytest.mark.parametrize("page", [MODELS, PLAYBOOKS])
def test_every_block_is_of_a_kind_that_is_checked(page: str) -> None:
    kinds = set(re.findall(r"^```(\w+)$", text(page), re.MULTILINE))

    assert kinds <= {"toml", "yaml", "json", "sh"}
    assert text(page).count("\n```") % 2 == 0
    assert len(text(page).splitlines()) <= 115


@pytest.mark.parametrize("block", [*blocks(MODELS, "toml"), *blocks(PLAYBOOKS, "toml")])
def test_every_setting_of_the_pages_can_be_loaded(block: str, tmp_path: Path) -> None:
    file = tmp_path / "lamgate.toml"
    file.write_text(block, encoding="utf-8")
    settings = load_settings(file)

    assert settings.models or settings.playbooks.path


def test_the_variables_that_switch_a_model_do_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lamgate.toml"
    file.write_text(blocks(MODELS, "toml")[0], encoding="utf-8")
    said = dict(re.findall(r"(LAMGATE_\w+)=(\S+)", "\n".join(blocks(MODELS, "sh"))))
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(file)

    assert len(said) == 3
    assert settings.planner == "playbooks"
    assert settings.models["planner"].model == "openai/gpt-4.1"
    assert settings.models["planner"].api_key == "env:OPENAI_API_KEY"


def test_the_request_that_names_a_model_is_one() -> None:
    for block in blocks(MODELS, "json"):
        assert NewRequest.model_validate_json(block).model == "local"


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"at most {SHORTLIST} actions" in text(MODELS)
    assert f"at most {MAX_CHARACTERS:,} characters" in text(MODELS)
    assert f"timeout_s = {ModelSettings('m', 'litellm', 'm').timeout_s:g} " in text(MODELS)


def test_every_input_of_the_pages_has_a_schema_and_a_question_or_options() -> None:
    whole, *parts = blocks(PLAYBOOKS, "yaml")
    content = yaml.safe_load(whole)
    for part in parts:
        inputs = yaml.safe_load(part)["inputs"]
        playbook = read_playbook({**content, "inputs": inputs}, PLAYBOOKS)

        assert playbook.inputs.keys() == {"reason", "remedy", "price", "due"}
        assert all(isinstance(each, dict) for each in playbook.inputs.values())


@pytest.mark.parametrize("case", the_cases(), ids=lambda case: case["text"])
def test_a_request_of_the_page_becomes_what_the_page_says(case: JsonObject) -> None:
    seen: list[JsonValue] = []

    def check(plan: Plan, inputs: Inputs, options: Options) -> Rejected:
        seen.append(inputs.values)
        return Rejected(())

    planner = EmbeddedPlanner([the_playbook()])
    proposal = asyncio.run(planner.propose(a_request(str(case["text"])), check, Drafts().note))
    verdict = proposal.verdict
    asked = [each.about for each in verdict.questions] if isinstance(verdict, Questions) else None

    assert asked == case.get("asks")
    assert seen == ([case["inputs"]] if "inputs" in case else [])

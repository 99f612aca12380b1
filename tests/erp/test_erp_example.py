"""The example over an ERP holds together where no server of it is: plans, policies, cases."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from forked import lamgate
from served import ask, serving

ROOT = Path(__file__).parents[2]
SECRETS = {"ERP_KEY": "of-nobody", "TRACKER_LOGIN": "bm9ib2R5Og==", "PAYMENTS_KEY": "of-nobody"}
STORIES = (
    "Take back 1 MON-27 of order 7, payment pay_1042",
    "Enter invoice INV-118 of 10100.00 USD for purchase order 3 and pay it on 2026-12-30",
)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)
    shutil.copytree(ROOT / "examples" / "erp", tmp_path / "own")
    return tmp_path / "own" / "lamgate.toml"


@pytest.mark.parametrize("words", STORIES)
async def test_a_story_is_planned_from_its_words_and_one_step_of_it_needs_somebody_else(
    config: Path, words: str
) -> None:
    async with serving(config) as running:
        person = await running.person("requester-1", "requester")
        asked: Any = await ask(person, words, start="manual")
        assert asked["status"] == "planned", asked
        shown: Any = (await person.get(f"/v1/plans/{asked['plan']}")).json()
    standing = {each["step"]: each["standing"] for each in shown["certificate"]["steps"]}

    assert [step for step, how in standing.items() if how == "needs_approval"] == ["approved"]
    assert {*standing.values()} <= {"allowed", "conditional", "needs_approval"}


def test_the_cases_of_its_policies_come_out_as_they_are_meant(config: Path) -> None:
    told = lamgate(["policy", "test", "-c", str(config)], cwd=config.parent)

    assert told.returncode == 0, told.stdout + told.stderr
    assert "6" in told.stdout

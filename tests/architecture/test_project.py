"""What the repository says of itself is true."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from executor.check.violation import CODES

ROOT = Path(__file__).parents[2]


def _text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_changelog_knows_the_version() -> None:
    version = tomllib.loads(_text("pyproject.toml"))["project"]["version"]

    assert "## [Unreleased]" in _text("CHANGELOG.md")
    assert version == "0.1.0" or f"## [{version}]" in _text("CHANGELOG.md")


def test_the_readme_fits_on_150_lines() -> None:
    assert len(_text("README.md").splitlines()) <= 150


def test_the_service_tells_its_story_on_one_screen() -> None:
    assert len(_text("gateway/service.py").splitlines()) <= 80


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_violation_code_is_explained(code: str) -> None:
    assert f"`{code}`" in _text("docs/reference/errors.md")


def test_only_admission_builds_what_the_machine_runs() -> None:
    builders = [
        str(path.relative_to(ROOT))
        for package in ("gateway", "planner", "executor", "connectors")
        for path in (ROOT / package).rglob("*.py")
        if any(
            isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Accepted"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]

    assert builders == ["executor/check/admit.py"]


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for package in ("gateway", "planner", "executor", "connectors", "tests", "examples")
        for path in (ROOT / package).rglob("*.py")
        if not path.read_text(encoding="utf-8").startswith('"""')
    ]

    assert silent == []


def test_requirements_name_no_place_to_fetch_from() -> None:
    for name in ("requirements/runtime.txt", "requirements/dev.txt"):
        assert "://" not in _text(name)
        assert "--index" not in _text(name)


def test_every_link_of_the_documents_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md")]
    for folder in ("docs", "examples", "benchmarks"):
        pages += (ROOT / folder).rglob("*.md")
    broken = [
        f"{page.relative_to(ROOT)}: {target}#{heading}"
        for page in pages
        for target, heading in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text("utf-8"))
        if not target.startswith(("http:", "https:"))
        and not _leads(page.parent / target if target else page, heading)
    ]

    assert broken == []


def _leads(page: Path, heading: str) -> bool:
    """Whether a page is there, and with the heading that a link names."""
    if not heading or not page.exists():
        return page.exists()
    told = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return heading in (re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in told)


def test_no_two_files_of_tests_share_a_name() -> None:
    """They are imported by their names alone, from whichever folder comes first."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]

    assert sorted({name for name in names if names.count(name) > 1}) == []

"""One shop and one process to fork from for all trials; the figures are told at the end."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trials

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "shop"))
from start import start_shop


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with start_shop(tmp_path_factory.mktemp("shop"), which=("orders", "pay_minor")) as running:
        yield running


@pytest.fixture(scope="session")
def crashes(shop: Any) -> Iterator[trials.Crashes]:
    with trials.crashes(shop) as found:
        yield found


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the trials came to, wherever they ran."""
    made = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "crash" and report.when == "call"
    ]
    if made:
        classes, twice, lost, unsure = (
            len({each[0] for each in made}),
            *(sum(each[place] for each in made) for place in (1, 2, 3)),
        )
        terminalreporter.write_line(
            f"crash matrix: {len(made)} trials over {classes} classes of calls: "
            f"{twice} duplicates, {lost} silent losses, {unsure} blind calls shown as uncertain"
        )

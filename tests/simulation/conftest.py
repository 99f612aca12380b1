"""Tells at the end what the histories came by, from whichever process they were played in."""

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many histories, and how often each fault, state and wait among them."""
    reached: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "histories" and getattr(report, "when", "") == "call":
                    reached.update(value)
    if not reached:
        return
    terminalreporter.section(f"{reached['run.started']:,} simulated histories came by")
    told = [f"{name} {count:,}" for name, count in sorted(reached.items())]
    line = ""
    for each in told:
        if len(line) + len(each) > 150:
            terminalreporter.write_line(line.rstrip())
            line = ""
        line += f"{each}; "
    terminalreporter.write_line(line.rstrip("; "))

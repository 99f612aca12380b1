"""Hypothesis profiles: the everyday one, `nightly` with twenty times the examples, and `few`.

Every day the same examples are tried, so that a change is judged by what it changed; the nightly
ones are new each time, and what they find becomes an example of its test.
"""

import signal
from typing import Any

from hypothesis import HealthCheck, settings

# What a shell starts in the background does not hear Ctrl-C, nor do its children; ours must.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "nightly", settings.get_profile("default"), max_examples=2000, derandomize=False
)
settings.register_profile("few", settings.get_profile("default"), max_examples=5)
settings.load_profile("default")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what trials of faults came to, wherever they ran."""
    told = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", "") == "call"
        for name, value in report.user_properties
        if name == "fault"
    ]
    if told:
        from benchmarks import faults  # not there where the executor is tested alone

        for line in faults.table(map(faults.Told.model_validate_json, told)):
            terminalreporter.write_line(line)

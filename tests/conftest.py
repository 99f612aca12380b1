"""Hypothesis profiles, the shop, and what comes first and last of a run of the tests.

The profiles: the everyday one, `nightly` with twenty times the examples, and `few`.

Every day the same examples are tried, so that a change is judged by what it changed; the nightly
ones are new each time, and what they find becomes an example of its test.
"""

import gc
import importlib.util
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

# What a shell starts in the background does not hear Ctrl-C, nor do its children; ours must.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What is loaded stays to the end. Python would look through all of it again and again for cycles,
# which was a tenth to a third of the time of tests.
gc.set_threshold(50_000, *gc.get_threshold()[1:])

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


@pytest.fixture(scope="session")
def opened_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The shop's services, each a process of its own: dear to start, and so there once."""
    file = Path(__file__).parents[1] / "examples" / "shop" / "start.py"
    spec = importlib.util.spec_from_file_location("shop_start", file)
    assert spec is not None
    assert spec.loader is not None
    start = importlib.util.module_from_spec(spec)
    sys.modules["shop_start"] = start
    spec.loader.exec_module(start)
    with start.start_shop(tmp_path_factory.mktemp("shop")) as running:
        yield running


@pytest.fixture(scope="module")
def shop(opened_shop: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same services for every file of tests, which leaves them as it found them."""
    import httpx2

    kept = tmp_path_factory.mktemp("kept")
    for name in opened_shop.urls:
        _copy(opened_shop.data / f"{name}.db", kept / name)
    yield opened_shop
    for name, url in opened_shop.urls.items():
        httpx2.delete(f"{url}/faults", trust_env=False, verify=False)
        _copy(kept / name, opened_shop.data / f"{name}.db")


def _copy(source: Path, target: Path) -> None:
    """Copy a database that is in use: SQLite's own backup, in one transaction."""
    with closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


ALONE = ("plan", "fn", "check", "run", "store")  # the rooms of what works by itself
ABOVE = ("planner", "gateway")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Where the executor is tested, planner and gateway are not there."""
    if item.path.parent.name not in ALONE:
        return (yield)
    with _without_above():
        return (yield)


class _NotThere:
    """Finds that there is no planner and no gateway."""

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] in ABOVE:
            raise ModuleNotFoundError(f"{name} is not there for this test", name=name)


@contextmanager
def _without_above() -> Iterator[None]:
    known = [each for each in sys.modules if each.startswith(ABOVE)]
    hidden = {each: sys.modules.pop(each) for each in known if each.partition(".")[0] in ABOVE}
    sys.meta_path.insert(0, nobody := _NotThere())
    try:
        yield
    finally:
        sys.meta_path.remove(nobody)
        sys.modules.update(hidden)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What says that it may take long begins first: in the end no core waits for one file."""
    patience: dict[Path, float] = {}
    for item in items:
        mark = item.get_closest_marker("timeout")
        asked = mark.args[0] if mark is not None and mark.args else 0
        patience[item.path] = max(asked, patience.get(item.path, 0))
    items.sort(key=lambda item: -patience[item.path])


# Rooms whose tests have something so dear to start that one process plays them all.
WHOLE = ("tests/erp",)


class _ByFile(LoadScopeScheduling):
    """Hands out files, and some rooms whole."""

    def _split_scope(self, nodeid: str) -> str:
        room = nodeid.partition("::")[0].rpartition("/")[0]
        return room if room in WHOLE else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Where files are handed out, as `make test` has it."""
    return _ByFile(config, log) if config.getvalue("dist") == "loadscope" else None


def pytest_collection_finish() -> None:
    """Look through what stands from here on no more."""
    gc.freeze()


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

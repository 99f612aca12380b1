"""The example plugin is a distribution of its own: installed, tested and loaded as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "examples" / "connector-plugin"
# In a process of its own: what it does, it does as an operator's gateway would.
LOADED = """
import asyncio, json
from connectors.credentials import Vault
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings, Given
from connectors.http import Transport
from connectors.opening import build
from connectors.testing import call_context

async def main():
    settings = ConnectionSettings("sky", "weather", options={"only_station": "north"})
    outside = Transport()
    registry = build([settings], Vault(str), lambda _: outside)
    catalog = await registry.load()
    outcome = await registry.call(
        catalog.get("sky.temperature"), {"station": "north"}, call_context()
    )
    try:
        wrong = ConnectionSettings("sky", "weather", options={"colour": 1})
        build([wrong], Vault(str), lambda _: outside)
    except ConfigurationError as error:
        told = str(error)
    print(json.dumps([[action.name for action in catalog], outcome.output, told]))

asyncio.run(main())
"""


def run(folder: Path, *command: str, cwd: Path) -> str:
    """Run Python with the plugin installed, and without its source in reach."""
    paths = os.pathsep.join([str(folder), str(ROOT)])
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation")
    more = ("--no-index", "--disable-pip-version-check", "--no-compile")
    run(folder, *install, *more, "--target", str(folder), str(PLUGIN), cwd=folder)
    return folder


def test_it_installs_one_module_and_an_entry_point(installed: Path) -> None:
    (info,) = installed.glob("lamgate_weather-*.dist-info")

    assert sorted(path.name for path in installed.glob("*.py")) == ["lamgate_weather.py"]
    assert "weather = lamgate_weather:plugin" in (info / "entry_points.txt").read_text()


def test_its_own_tests_pass_where_it_is_installed(installed: Path, tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    tests.mkdir()
    for each in (PLUGIN / "tests").glob("*.py"):
        (tests / each.name).write_text(each.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")

    said = run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests), cwd=tmp_path)

    assert "passed" in said
    assert "failed" not in said


def test_the_registry_loads_it_by_its_entry_point(installed: Path, tmp_path: Path) -> None:
    names, output, told = json.loads(run(installed, "-c", LOADED, cwd=tmp_path))

    assert names == ["sky.temperature", "sky.file_report"]
    assert output == {"station": "north", "celsius": 4.5}
    assert told.startswith("connections.sky.colour: ")
    assert told.endswith("the options of weather are: only_station")


SPOKEN = """
import sys
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings
from connectors.plugin import factory_of
for speaks in (1, 2, 3):
    for name in ("one", "two", "three", "bare"):
        try:
            print(name, speaks, callable(factory_of(ConnectionSettings("own", name), speaks)))
        except ConfigurationError as error:
            print(name, speaks, error)
"""


def test_a_plugin_for_this_protocol_or_the_one_before_is_loaded_and_no_other(
    tmp_path: Path,
) -> None:
    info = tmp_path / "spoken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: spoken\nVersion: 1\n")
    names = ("one", "two", "three", "bare")
    entries = "\n".join(f"{name} = spoken:{name}" for name in names)
    (info / "entry_points.txt").write_text(f"[lamgate.connectors]\n{entries}\n")
    (tmp_path / "spoken.py").write_text(
        "from connectors.plugin import Plugin\n"
        "def bare(settings, given): ...\n"
        "one, two, three = (Plugin(bare, protocol=each) for each in (1, 2, 3))\n"
    )
    said = run(tmp_path, "-c", SPOKEN, cwd=tmp_path).splitlines()
    loaded = {tuple(line.split()[:2]) for line in said if line.endswith(" True")}

    assert loaded == {("one", "1"), ("one", "2"), ("two", "2"), ("two", "3"), ("three", "3")}
    assert "written for version 3 of the connector protocol, known: 1 and 2; upgrade lamgate" in (
        "\n".join(said)
    )
    assert "known: 2 and 3; upgrade the plugin" in "\n".join(said)
    assert "spoken:bare is no plugin; write plugin = Plugin(connect, protocol=1)" in "\n".join(said)


def test_a_plugin_that_cannot_be_loaded_is_named_only_where_it_is_used(tmp_path: Path) -> None:
    info = tmp_path / "broken-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[lamgate.connectors]\nbroken = nobody:connect\n")
    code = """
from connectors.errors import ConfigurationError
from connectors.factories import ConnectionSettings
from connectors.plugin import factory_of
factory_of(ConnectionSettings("own", "openapi"))
for name in ("broken", "nothing"):
    try:
        factory_of(ConnectionSettings("own", name))
    except ConfigurationError as error:
        print(error)
"""
    broken, unknown = run(tmp_path, "-c", code, cwd=tmp_path).splitlines()

    assert "the plugin nobody:connect cannot be loaded: ModuleNotFoundError" in broken
    assert "no connector 'nothing'; known: " in unknown
    assert "broken" in unknown
    assert ", openapi, " in unknown

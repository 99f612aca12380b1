"""The deterministic side stands alone: it loads and drives runs where planner and gateway are not.

All of its tests run as if they were not there (`tests/conftest.py`); here they really are not.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ("executor", "connectors", "tests/run", "tests/store", "tests/conftest.py", "pyproject.toml")
# The checkout is on the path of this environment: it is taken off, and what is left is checked.
ALONE = """
import importlib.util, os, pathlib, pkgutil, sys
others = [each for each in sys.path if not os.path.isdir(os.path.join(each, "planner"))]
sys.path[:] = [os.getcwd(), *others]
assert importlib.util.find_spec("planner") is None
try:
    import gateway.service
    sys.exit("the gateway is still there")
except ModuleNotFoundError:
    pass
import executor, pytest
assert executor.__file__.startswith(os.getcwd()), executor.__file__
found = [each.name for each in pkgutil.walk_packages(executor.__path__, "executor.")]
assert len(found) + 1 == len([*pathlib.Path("executor").rglob("*.py")])
for each in found:
    if ".migrations." not in each:  # Alembic loads them when a store is opened
        importlib.import_module(each)
options = ["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile", "few"]
sys.exit(pytest.main([*options, "tests/run/test_run_alone.py", "tests/run/test_drive.py"]))
"""


def test_the_executor_loads_and_drives_runs_with_planner_and_gateway_removed(
    tmp_path: Path,
) -> None:
    for name in KEPT:
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)  # with what is compiled already
        else:
            shutil.copy(source, target)
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    answer = subprocess.run(
        [sys.executable, "-c", ALONE],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-2000:]
    assert " passed" in answer.stdout or "100%" in answer.stdout

"""The deterministic side stands alone: its tests pass where planner and gateway are not there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEPT = ("executor", "connectors", "tests/run", "tests/store", "tests/conftest.py", "pyproject.toml")
# The checkout is on the path of this environment: it is taken off, and what is left is checked.
ALONE = """
import importlib.util, os, sys
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
options = ["-q", "-x", "-p", "no:cacheprovider", "--hypothesis-profile", "few"]
# The same code, on files: what needs a server is tested beside it, and so are random histories.
options += [
    "-k", "not postgresql and not on_a_server and not test_store_processes and not histories "
    "and not test_store_silence and not test_store_bells"
]
sys.exit(pytest.main([*options, "tests"]))
"""


@pytest.mark.timeout(600)
def test_the_executor_s_tests_pass_with_planner_and_gateway_removed(tmp_path: Path) -> None:
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

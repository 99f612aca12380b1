"""Heavy packages load when they are used, not when the gateway is imported."""

import subprocess
import sys

import pytest

HEAVY = ("litellm", "langchain_core", "composio", "openai", "boto3", "mcp")


@pytest.mark.parametrize(
    "module", ["gateway.service", "gateway.app", "gateway.__main__", "planner.propose"]
)
def test_importing_it_loads_no_model_library(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == ""


def test_a_connector_is_loaded_when_a_connection_names_it_and_no_other() -> None:
    code = """
import sys, gateway.app
from connectors.built_in import BUILT_IN, built_in

homes = {place.partition(":")[0] for place in BUILT_IN.values()}
print("before:", *homes & {*sys.modules})
built_in("smtp")
print("after:", *homes & {*sys.modules})
"""
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.split() == ["before:", "after:", "connectors.builtin.smtp_factory"]


def test_the_executor_imports_neither_planner_nor_gateway() -> None:
    code = (
        "import sys, executor.run.machine, executor.check.admit, executor.trace;"
        "print(*[name for name in sys.modules if name.split('.')[0] in ('planner', 'gateway')])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == ""

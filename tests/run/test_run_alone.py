"""Where the executor is tested, planner and gateway are not there (`tests/conftest.py`)."""

from importlib import import_module

import pytest


@pytest.mark.parametrize("module", ["planner", "planner.prompt", "gateway", "gateway.service"])
def test_what_is_above_the_executor_is_not_there_in_its_tests(module: str) -> None:
    with pytest.raises(ModuleNotFoundError):
        import_module(module)

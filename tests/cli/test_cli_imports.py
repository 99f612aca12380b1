"""What a command loads: no more than it needs, for each is a process of its own."""

import subprocess
import sys

import pytest

HEAVY = ("fastapi", "sqlalchemy", "alembic", "cedarpy", "litellm", "langchain_core", "uvicorn")
_LIST = "import sys, {module}; print(*(name for name in sys.modules if '.' not in name))"


@pytest.mark.parametrize(
    ("module", "may"),
    [
        ("gateway.cli.main", ()),
        ("gateway.cli.operate", ()),
        ("gateway.cli.approve", ()),
        ("gateway.cli.requests", ()),
        ("gateway.demo.story", ()),
        ("gateway.settings", ()),
        ("gateway.cli.server", ("fastapi", "sqlalchemy", "cedarpy", "uvicorn")),
    ],
)
def test_a_client_loads_no_server_and_a_server_loads_no_model(
    module: str, may: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIST.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert set(done.stdout.split()) & set(HEAVY) <= set(may)


_INTERRUPTED = """
import sys

class Interrupts:
    def find_spec(self, name, *more):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
sys.argv = ["lamgate", "runs"]
from gateway.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["gateway.cli.main", "gateway.cli.runs"])
def test_ctrl_c_ends_a_command_without_a_word_while_it_is_still_loaded(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED.format(module=module)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")

"""`lamgate`: its words, and how errors are told."""

import sys
from collections.abc import Callable

import typer

from connectors.errors import ConfigurationError
from executor.check.bulk import UnusableInputError
from executor.check.cedar import PolicyError
from executor.playbook import PlaybookError
from executor.store.errors import StoreError
from gateway.cli import admission, operate, requests, serving
from gateway.cli.client import CliError
from gateway.cli.show import err, print_json

app = typer.Typer(
    name="lamgate",
    help="Turn requests into plans, admit them under policy, and run them deterministically.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_COMMANDS: tuple[tuple[str, Callable[..., None]], ...] = (
    ("serve", serving.serve),
    ("demo", serving.demo),
    ("plan", requests.plan),
    ("run", requests.run),
    ("answer", requests.answer),
    ("runs", operate.runs),
    ("trace", operate.trace),
    ("approvals", operate.approvals),
    ("approve", operate.approve),
    ("refuse", operate.refuse),
    ("cancel", operate.cancel),
    ("reconcile", operate.reconcile),
    ("actions", operate.actions),
    ("keys", operate.keys),
    ("admit", admission.admit),
)
for _name, _command in _COMMANDS:
    app.command(_name)(_command)


def run() -> None:
    """Run; every expected error is one message and an exit code, never a traceback."""
    try:
        app(standalone_mode=True)
    except CliError as error:
        if "--json" in sys.argv:
            print_json(error.body if error.body is not None else {"error": str(error)})
        err.print(str(error), markup=False)
        sys.exit(error.exit_code)
    except (
        ConfigurationError, StoreError, PolicyError, PlaybookError, UnusableInputError
    ) as error:  # fmt: skip
        if "--json" in sys.argv:
            print_json({"error": str(error)})
        err.print(str(error), markup=False)
        sys.exit(2)

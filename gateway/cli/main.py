"""`lamgate`: its words, each loaded when it is said, and the one place where errors are told."""

import io
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.garbage import look_hardly

# word: where it is, and its one line of help. A place is imported by its name when its word is
# said, so that a word may live above this package, as the demonstration does.
WORDS: dict[str, tuple[str, str]] = {
    "demo": ("demo.word:demo", "Show the main job end to end, on a small shop, without any key."),
    "serve": ("cli.serving:serve", "Serve the gateway until Ctrl-C."),
    "worker": ("cli.working:worker", "Drive what is due on a server's database, until Ctrl-C."),
    "plan": ("cli.requests:plan", "Plan a request and show its certificate; nothing runs."),
    "run": ("cli.requests:run", "Plan and run a request, or run a plan, and follow it."),
    "rehearse": ("cli.rehearsing:rehearse", "Tell what a plan would do; nothing is called."),
    "requests": ("cli.requested:app", "List the newest requests; show one, or plan it again."),
    "answer": ("cli.requests:answer", "Answer what a request was asked."),
    "runs": ("cli.runs:app", "List the newest runs; delete old ones."),
    "trace": ("cli.operate:trace", "Explain a run: what happened, why, did each effect happen."),
    "approvals": ("cli.approve:approvals", "List what waits for an approval, with all arguments."),
    "approve": ("cli.approve:approve", "Approve exactly what an approval shows; never one's own."),
    "refuse": ("cli.approve:refuse", "Refuse what an approval asks for."),
    "cancel": ("cli.operate:cancel", "Begin no new effects in a run."),
    "reconcile": (
        "cli.operate:reconcile",
        "Say what became of an uncertain effect, having checked.",
    ),
    "stop": ("cli.stops:stop", "Let no call begin any more, at once; writes the database itself."),
    "resume": ("cli.stops:resume", "Lift a stop; what waits for it goes on by itself."),
    "stops": ("cli.stops:list_stops", "List what is stopped, by whom and why."),
    "connections": (
        "cli.connections:app",
        "List connections, and review what servers say.",
    ),
    "connectors": (
        "cli.connectors:app",
        "Begin a connector of one's own; see which rules of the kit one keeps.",
    ),
    "models": ("cli.models:models", "List what plans, by the names that --model takes."),
    "actions": ("cli.operate:actions", "List what can be done, or show one action whole."),
    "backup": ("cli.backup:backup", "Copy the database to a file, also while it is used."),
    "move": ("cli.move:move", "Move what the database's file holds to a server."),
    "admit": ("cli.admission:admit", "Judge plans against a catalogue and a policy; nothing runs."),
    "policy": ("cli.policy:app", "Check policies, test them by cases, explain what they decide."),
    "keys": ("cli.keys:app", "Make, list and revoke API keys."),
    "secret": ("cli.secret:app", "Exchange the database's own secret for another one."),
    "credentials": ("cli.credentials:app", "Keep what connections sign in with; none is shown."),
}
UNUSABLE = 2
EPILOG = "Exit codes: 0 done, 1 the answer is no, 2 unusable input, 3 somebody has to act first."


def run() -> None:
    """Run; every error is a few lines and an exit code, never a traceback."""
    look_hardly()
    _prepare_streams()
    words = sys.argv[1:]
    as_json = "--json" in words
    try:
        ended = build(words)(standalone_mode=False)  # what Typer cannot use is told here as well
    except Exception as error:  # noqa: BLE001 - whatever it was, a person is told in words
        from gateway.cli.problem import has_shown_help, of_exception, tell

        if has_shown_help(error):
            sys.exit(UNUSABLE)
        sys.exit(tell(of_exception(error), error, as_json=as_json))
    sys.exit(ended)


def build(words: Sequence[str]) -> typer.Typer:
    """The command line, of which only the word that is said is loaded."""
    app = typer.Typer(
        name="lamgate",
        help="Turn requests into plans, admit them under policy, run exactly what was accepted.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_any_word)
    said = next((word for word in words if not word.startswith("-")), None)
    for word, (place, line) in WORDS.items():
        if word != said:
            app.command(word, help=line)(_unsaid)
            continue
        found = load(place)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=word, help=line)
        else:
            app.command(word)(found)
    return app


def _prepare_streams() -> None:
    """What a stream cannot write is escaped; where whoever started this closed one, it is empty."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        elif stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115


def load(place: str) -> typer.Typer | Callable[..., None]:
    """Load a word from its module."""
    module, _, name = place.partition(":")
    found: typer.Typer | Callable[..., None] = getattr(import_module(f"gateway.{module}"), name)
    return found


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"lamgate {version('lamgate')}")
        raise typer.Exit


def _any_word(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell which it is."),
    ] = False,
) -> None:
    """What may be said before any word."""


def _unsaid() -> None:
    """Stands in the list for a word that was not said."""

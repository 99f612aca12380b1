"""`connectors`: begin a connector of one's own, and see which rules of the kit it keeps."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connectors.spec import JsonObject
from gateway.cli.options import AsJson, Config
from gateway.cli.problem import NO, CliError
from gateway.cli.show import print_json, say, say_as_is

if TYPE_CHECKING:
    from connectors.testing import ConnectorConformance, Report

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
_KINDS = "http: over a service; python: over a library."
_TIERS = ("bronze", "silver", "gold")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Its name, as the operator's file will say it.")],
    path: Annotated[Path, typer.Option("--path", help="The folder to write it in.")] = Path(),
    kind: Annotated[str, typer.Option("--kind", help=_KINDS)] = "http",
    as_json: AsJson = False,
) -> None:
    """Write a connector as a distribution of its own, whose tests pass at once."""
    from connectors.scaffold import scaffold

    match kind:
        case "http" | "python":
            files = scaffold(name, path, kind)
        case _:
            raise CliError("bad-option", f"--kind {kind}: there are http and python")
    if as_json:
        print_json([str(each) for each in files])
        return
    for each in files:
        say_as_is(str(each))


@app.command()
def check(
    what: Annotated[str, typer.Argument(help="A connection, or the folder of a distribution.")],
    least: Annotated[str, typer.Option("--least", help="bronze, silver or gold.")] = "bronze",
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say which rules of the kit a connector keeps, its tier, and what is missing for the next.

    Exit code 1: it is below --least, or breaks a rule of it.
    """
    if least not in _TIERS:
        raise CliError("bad-option", f"--least {least}: there are {', '.join(_TIERS)}")
    suites = _suites(Path(what)) if Path(what).exists() else {what: _of_connection(what, config)}
    reports = {name: suite() for name, suite in suites.items()}
    if as_json:
        print_json({name: _document(report) for name, report in reports.items()})
    else:
        for name, report in reports.items():
            _say(name, report)
    reached = (_TIERS.index(each.tier) if each.tier else -1 for each in reports.values())
    if min(reached) < _TIERS.index(least):
        raise typer.Exit(NO)


def _suites(path: Path) -> "dict[str, Callable[[], Report]]":
    """The suites in a file or below a folder's tests; raises `CliError`."""
    from connectors.testing import ConnectorConformance

    folder = path if path.is_dir() else path.parent.parent
    files = sorted((path / "tests").glob("test_*.py")) if path.is_dir() else [path]
    sys.path[:0] = [str(folder.absolute()), str((folder / "tests").absolute())]
    found: dict[str, Callable[[], Report]] = {
        each.__name__: each().report for file in files for each in _classes(file)
    }
    if not found:
        name = ConnectorConformance.__name__
        raise CliError(
            "no-suite", f"no class there is a {name}", str(path), "Write one, as the tutorial does."
        )
    return found


def _classes(file: Path) -> "Iterator[type[ConnectorConformance]]":
    from connectors.testing import ConnectorConformance

    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise CliError("bad-option", "this is no file of Python", str(file))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for each in vars(module).values():
        is_suite = isinstance(each, type) and issubclass(each, ConnectorConformance)
        if is_suite and each.__module__ == module.__name__:
            yield each


def _of_connection(name: str, config: Path | None) -> "Callable[[], Report]":
    """What can be looked at of a connection of the operator's file without calling its service."""
    from connectors.connector import Connector
    from connectors.credentials import Vault
    from connectors.factories import Given
    from connectors.http import Transport
    from connectors.plugin import factory_of
    from connectors.testing import ConnectorConformance, Example
    from gateway.cli.connect import settings_of
    from gateway.pins import pins_beside
    from gateway.wiring import connections

    if os.sep in name:
        raise CliError(
            "not-found", "there is no such folder", name, "Say a folder or a connection."
        )
    ours = settings_of(config)
    known = {each.name: each for each in connections(ours)}
    if name not in known:
        told = ", ".join(sorted(known)) or "none"
        raise CliError("not-found", f"no folder and no connection is called {name}; known: {told}")
    settings, vault = known[name], Vault()

    class Configured(ConnectorConformance):
        def __init__(self) -> None:
            self.ways: list[Transport] = []

        def connector(self) -> Connector:
            self.ways.append(Transport(frozenset(settings.allow_hosts)))
            way = self.ways[-1].carrying(vault)
            given = Given(way, vault.stand_in, reveal=vault.reveal, pins=pins_beside(ours))
            return factory_of(settings)(settings, given)

        async def close(self) -> None:
            while self.ways:
                await self.ways.pop().aclose()

        def example(self) -> Example:
            return Example(connection=name)

    return Configured().report


def _say(name: str, report: "Report") -> None:
    reached = report.tier or "none"
    say(f"{name}: {reached}")
    for tier in _TIERS:
        rulings = [each for each in report.rulings if each.rule.tier == tier]
        fine = sum(each.is_fine for each in rulings)
        say(f"  {tier}: {fine} of {len(rulings)} rules")
        for each in rulings:
            if not each.is_fine:
                say(f"    {each.standing} {each.rule.name}: {each.why}")
    if report.missing:
        say(f"  missing for {report.missing[0].rule.tier}:")
        for each in report.missing:
            say(f"    {each.rule.name}: {each.rule.sentence}")


def _document(report: "Report") -> JsonObject:
    return {
        "tier": report.tier,
        "rules": [
            {
                "name": each.rule.name,
                "tier": each.rule.tier,
                "standing": each.standing,
                "why": each.why,
            }
            for each in report.rulings
        ],
        "missing": [each.rule.name for each in report.missing],
    }

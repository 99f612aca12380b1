"""`admit`: judge plans without running anything, one or many, against files."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from connectors.spec import JsonObject
from executor.check.bulk import Bulk, UnusableInputError, read_catalog
from executor.check.cedar import Policy
from executor.check.strict_json import Flaw, read_json
from executor.plan.schema import published_schema
from gateway.cli.client import CliError
from gateway.cli.options import AsJson
from gateway.cli.show import clean, out, print_json


def admit(
    plan: Annotated[Path | None, typer.Argument(help="one plan; - reads standard input")] = None,
    catalog: Annotated[Path | None, typer.Option(help="the catalogue, as JSON")] = None,
    plans: Annotated[Path | None, typer.Option(help="many plans, one JSON line each")] = None,
    policy: Annotated[Path | None, typer.Option(help="a folder of *.cedar files")] = None,
    request: Annotated[str, typer.Option(help="the words that literals may come from")] = "",
    schema: Annotated[bool, typer.Option("--schema", help="print the plan's schema")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge plans against a catalogue. Exit 0: all accepted; 1: some not; 2: unusable input."""
    if schema:
        print_json(published_schema())
        return
    if catalog is None or (plan is None) == (plans is None):
        raise CliError("say --catalog FILE, and one PLAN or --plans FILE")
    bulk = Bulk(
        catalog=read_catalog(_text(catalog)),
        policy=_policy(policy),
        today=datetime.now(UTC).date().isoformat(),
        seal_key=b"not stored",
    )
    accepted = True
    for verdict in bulk.verdicts(_lines(plan, plans, request)):
        accepted = accepted and verdict["accepted"] is True
        _print(verdict, as_json=as_json)
    if not accepted:
        raise typer.Exit(1)


def _lines(plan: Path | None, plans: Path | None, request: str) -> Iterator[str]:
    if plans is not None:
        try:
            with plans.open(encoding="utf-8") as lines:
                yield from lines
        except (OSError, UnicodeDecodeError) as error:
            raise UnusableInputError(f"{plans}: {error}") from error
    elif plan is not None:
        text = sys.stdin.read() if str(plan) == "-" else _text(plan)
        try:
            yield json.dumps({"id": str(plan), "plan": read_json(text), "request": request})
        except Flaw as flaw:
            raise UnusableInputError(f"{plan}: {flaw.code}: {flaw.message}") from flaw


def _print(verdict: JsonObject, *, as_json: bool) -> None:

    if as_json:
        sys.stdout.write(json.dumps(verdict, ensure_ascii=False) + "\n")
        return
    out.print(
        f"{verdict['id']}: {'accepted' if verdict['accepted'] else 'not accepted'}", markup=False
    )
    violations = verdict.get("violations")
    for each in violations if isinstance(violations, list) else []:
        if isinstance(each, dict):
            out.print(clean(f"  {each['code']} at {each['at']}: {each['message']}"), markup=False)


def _policy(folder: Path | None) -> Policy | None:
    if folder is None:
        return None
    if not folder.is_dir():
        raise UnusableInputError(f"{folder} is no folder")
    return Policy.parse({each.name: _text(each) for each in sorted(folder.glob("*.cedar"))})


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableInputError(f"{path}: {error}") from error

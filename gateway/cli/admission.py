"""`admit`: judge plans, one or many, without a gateway and without running anything."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from connectors.catalog import Catalog
from connectors.spec import JsonObject
from executor.check.bulk import Bulk, UnusableInputError, read_catalog
from executor.check.cedar import Policy
from executor.check.cedar_validation import require_valid
from executor.check.expand import Playbooks
from executor.fn.extract import extract_action
from executor.plan.schema import published_schema
from gateway.cli.configured import catalog_of, policy_texts
from gateway.cli.options import AsJson, Config
from gateway.cli.problem import NO, CliError, violation_lines, violations_of
from gateway.cli.reading import read_plan, read_text
from gateway.cli.show import given, print_json, print_json_line, say

# A row of the store is sealed with the gateway's key; what is judged here is not stored.
NO_SEAL = b"judged, never stored"


def admit(
    plan: Annotated[Path | None, typer.Argument(help="One plan; - reads standard input.")] = None,
    catalog: Annotated[
        Path | None, typer.Option(help="A catalogue as JSON; else the configured connections'.")
    ] = None,
    plans: Annotated[Path | None, typer.Option(help="Many plans, one JSON line each.")] = None,
    policy: Annotated[
        Path | None, typer.Option(help="A folder of *.cedar; else the configured one.")
    ] = None,
    playbooks: Annotated[
        Path | None, typer.Option(help="A folder of playbooks; else the configured one.")
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="The words that the plan's literals may come from.")
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the plan's schema.")] = False,
    extract: Annotated[
        str | None,
        typer.Option(help="With --catalog: the model that fn.extract asks; else it is off."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Judge plans against a catalogue and a policy; nothing runs.

    With --plans, --json prints one verdict a line, in the order of the plans. Exit codes: 0 all
    accepted, 1 some not, 2 unusable input.
    """
    if schema:
        print_json(published_schema())
        return
    if (plan is None) == (plans is None):
        raise CliError("bad-option", "say one of: PLAN, --plans PLANS.jsonl")
    try:
        bulk = bulk_of(catalog, policy, config, extract)
        bulk = replace(bulk, playbooks=playbooks_of(playbooks, catalog, config))
    except UnusableInputError as error:
        fix, in_stream = "Repair what is named.", plans is not None
        where = str(catalog)
        raise CliError("unusable-input", str(error), where, fix, in_stream=in_stream) from error
    if plans is not None:
        accepted = _judge_many(bulk, plans, as_json=as_json)
    else:
        assert plan is not None  # noqa: S101 - checked above
        accepted = _judge_one(bulk, plan, request, as_json=as_json)
    if not accepted:
        raise typer.Exit(NO)


def _judge_one(bulk: Bulk, plan: Path, request: str | None, *, as_json: bool) -> bool:
    line = {"id": str(plan), **read_plan(plan)}
    if request is not None:
        line["request"] = request
    verdict = bulk.verdict(json.dumps(line), 1)
    if as_json:
        print_json(verdict)
    else:
        say_verdict(verdict)
    return verdict["accepted"] is True


def _judge_many(bulk: Bulk, plans: Path, *, as_json: bool) -> bool:
    accepted = True
    try:
        for verdict in bulk.verdicts(_lines(plans)):
            accepted = accepted and verdict["accepted"] is True
            if as_json:
                print_json_line(verdict)
            else:
                say_verdict(verdict)
    except UnusableInputError as error:
        fix = "Repair the line; the verdicts before it stand."
        raise CliError("unusable-input", str(error), str(plans), fix, in_stream=as_json) from error
    return accepted


def _lines(plans: Path) -> Iterator[str]:
    try:
        with plans.open(encoding="utf-8") as lines:
            yield from lines
    except UnicodeDecodeError as error:
        raise UnusableInputError(f"this is no UTF-8 text: {error}") from error


def say_verdict(verdict: JsonObject) -> None:
    """Print one verdict for people."""
    if verdict["accepted"]:
        say(f"{verdict['id']}: accepted, policy {str(verdict['policy']).replace('-', ' ')}")
        certificate = verdict.get("certificate")
        for each in given(certificate, "steps") if isinstance(certificate, dict) else []:
            if isinstance(each, dict):
                say(f"  {each['step']}: {str(each['standing']).replace('_', ' ')}")
        return
    found = violations_of(verdict)
    questions = given(verdict, "questions")
    why = f"{len(found)} violation{'' if len(found) == 1 else 's'}"
    if not found:
        why = "it asks a question" if questions else f"it says: {verdict.get('unable')}"
    say(f"{verdict['id']}: not accepted, {why}")
    for each in found:
        say("\n".join([f"  {each.get('code')}", *violation_lines(each, "    ")]))


def bulk_of(
    catalog: Path | None, policy: Path | None, config: Path | None, extract: str | None
) -> Bulk:
    """Files alone where a catalogue is named; else what the operator configured."""
    if extract is not None and catalog is None:
        raise CliError("bad-option", "--extract goes with --catalog; the file says it otherwise")
    if catalog is not None:
        known = read_catalog(read_text(catalog))
        known = known if extract is None else Catalog([*known, extract_action(extract)])
        return _held(Bulk(catalog=known, policy=None, today=_today(), seal_key=NO_SEAL), policy)
    from gateway.cli.connect import settings_of
    from gateway.wiring import load_policy

    settings = settings_of(config, or_say="--catalog FILE")
    connectors = {name: each.connector for name, each in settings.connections.items()}
    bulk = Bulk(
        catalog=catalog_of(settings),
        policy=load_policy(settings) if policy is None else None,
        today=_today(),
        seal_key=NO_SEAL,
        lift_role=settings.policy.lift_role,
        budgets=settings.budgets,
        options=settings.runs,
    )
    return _held(bulk, policy, connectors)


def _held(bulk: Bulk, policy: Path | None, connectors: Mapping[str, str] | None = None) -> Bulk:
    """The same under the policy of a folder, where one is named; raises if it does not fit."""
    if policy is not None:
        bulk = replace(bulk, policy=Policy.parse(policy_texts(policy), connectors=connectors))
    if bulk.policy is not None:
        require_valid(bulk.policy, bulk.catalog)
    return bulk


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def playbooks_of(folder: Path | None, catalog: Path | None, config: Path | None) -> Playbooks:
    """Those of a folder; else those that the operator configured, beside their catalogue."""
    from gateway.cli.connect import settings_of
    from gateway.playbooks import load_playbooks, playbooks_in

    if folder is None:
        return load_playbooks(settings_of(config)) if catalog is None else {}
    if not folder.is_dir():
        raise CliError("unusable-input", "there is no such folder", str(folder))
    return playbooks_in(folder)

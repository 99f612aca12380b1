"""`policy`: check the texts against a catalogue, test them by cases, explain one decision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, JsonObject, Principal
from executor.check.bulk import UnusableInputError, read_catalog
from executor.check.cedar import Policy, PolicyError, PolicyQuestion
from executor.check.cedar_cases import CasesError, question_of, read_cases, run_case
from executor.check.cedar_explain import explain
from executor.check.cedar_schema import Find
from executor.check.cedar_validation import validate
from gateway.cli.configured import catalog_of, policy_texts
from gateway.cli.options import AsJson, Config
from gateway.cli.policy_told import (
    explanation_as_json,
    outcome_as_json,
    say_check,
    say_explanation,
    say_failed,
)
from gateway.cli.problem import NO, CliError
from gateway.cli.reading import read_text, read_value
from gateway.cli.show import print_json, say

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Folder = Annotated[
    Path | None,
    typer.Option("--policy", help="A folder of *.cedar; else the configured one."),
]
CatalogFile = Annotated[
    Path | None,
    typer.Option("--catalog", help="A catalogue as JSON; else the configured connections'."),
]


@dataclass(frozen=True)
class _Given:
    """What the words of this file work on; `connectors` are by connection."""

    folder: Path
    catalog: Catalog
    connectors: dict[str, str]

    def texts(self, pattern: str) -> dict[str, str]:
        """The files of the folder, by name."""
        return {each.name: read_text(each) for each in sorted(self.folder.glob(pattern))}

    def policy(self) -> Policy:
        """The policies; raises `PolicyError`."""
        return Policy.parse(self.texts("*.cedar"), connectors=self.connectors)


@app.command()
def check(
    policy: Folder = None,
    catalog: CatalogFile = None,
    strict: Annotated[bool, typer.Option("--strict", help="Hints count as flaws.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Parse the policies, and hold each against the operations that it covers.

    Exit codes: 0 nothing is wrong, 1 something is, 2 unusable input.
    """
    given = _given(policy, catalog, config)
    try:
        rules = given.policy()
    except PolicyError as error:
        say_check((), (), broken=error.flaws, as_json=as_json)
        raise typer.Exit(NO) from None
    found = validate(rules, given.catalog)
    say_check(found.flaws, found.hints, broken=(), as_json=as_json)
    if not as_json and not found.flaws:
        say(f"{len(rules.rules)} policies fit {len(given.catalog)} operations")
    if found.flaws or (strict and found.hints):
        raise typer.Exit(NO)


@app.command("test")
def run_cases(
    policy: Folder = None,
    catalog: CatalogFile = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Run every case of the *.cases.json beside the policies.

    Exit codes: 0 all as expected, 1 some not, 2 unusable input.
    """
    given = _given(policy, catalog, config)
    texts = given.texts("*.cases.json")
    if not texts:
        raise CliError(
            "unusable-input", "this folder holds no *.cases.json file", str(given.folder)
        )
    try:
        cases = read_cases(texts, given.catalog)
    except CasesError as error:
        raise CliError(
            "unusable-input", str(error), str(given.folder), "Repair what is named."
        ) from error
    rules = given.policy()
    outcomes = [run_case(case, rules) for case in cases]
    failed = [each for each in outcomes if each.wrong]
    if as_json:
        print_json(
            {"passed": len(outcomes) - len(failed), "failed": [*map(outcome_as_json, failed)]}
        )
    else:
        for each in failed:
            say_failed(each)
        say(f"{len(outcomes) - len(failed)} of {len(outcomes)} cases are as expected")
    if failed:
        raise typer.Exit(NO)


@app.command("explain")
def explain_call(
    action: Annotated[str, typer.Argument(help="The operation, CONNECTION.OPERATION.")],
    arguments: Annotated[str, typer.Option(help="The arguments, a JSON object.")] = "{}",
    principal: Annotated[str, typer.Option("--as", help="Who asks.")] = "somebody",
    role: Annotated[list[str] | None, typer.Option("--role", help="A role of theirs.")] = None,
    tenant: Annotated[str, typer.Option(help="Their tenant.")] = "main",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="PLACE=LABEL; else `request`, as if they had said it."),
    ] = None,
    approved: Annotated[
        list[str] | None, typer.Option("--approved", help="A role that has approved it.")
    ] = None,
    unknown: Annotated[
        list[str] | None, typer.Option("--unknown", help="A place not known yet, as at admission.")
    ] = None,
    run: Annotated[str, typer.Option(help='What the run did so far: {"writes": 2}.')] = "{}",
    read: Annotated[str, typer.Option(help='What it read of these objects: {"a.b": {…}}.')] = "{}",
    stale: Annotated[str, typer.Option(help="The same, outdated by a write since.")] = "{}",
    policy: Folder = None,
    catalog: CatalogFile = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Explain one call: which policies decide, why, and what would lift it.

    Exit codes: 0 it may go, 1 it may not or not yet, 2 unusable input.
    """
    given = _given(policy, catalog, config)
    found = given.catalog.get(action)
    if found is None:
        known = ", ".join(given.catalog.candidates(action))
        fix = f"There are: {known}." if known else ""
        raise CliError("unknown-action", f"there is no operation {action}", fix=fix)
    who = Principal(principal, tenant, frozenset(role or ("requester",)))
    question = _question(
        found, who, arguments, label or [], frozenset(approved or ()), tuple(unknown or ()), run,
        read, stale, given.catalog.get,
    )  # fmt: skip
    told = explain(given.policy(), question)
    if as_json:
        print_json(explanation_as_json(told))
    else:
        say_explanation(told, question)
    if told.judgement.verdict != "allow":
        raise typer.Exit(NO)


def _question(
    action: ActionSpec,
    who: Principal,
    arguments: str,
    labels: list[str],
    approved: frozenset[str],
    unknown: tuple[str, ...],
    run: str,
    read: str,
    stale: str,
    find: Find,
) -> PolicyQuestion:
    try:
        return question_of(
            action,
            who,
            _object(arguments, "--arguments"),
            labels=dict(map(_label, labels)),
            run=_object(run, "--run"),
            read=_object(read, "--read"),
            stale=_object(stale, "--stale"),
            find=find,
            approvals=approved,
            unknown=unknown,
        )
    except ValueError as error:
        raise CliError("bad-option", str(error), fix="Repair what is named.") from error


def _object(text: str, option: str) -> JsonObject:
    value = read_value(text, option)
    if not isinstance(value, dict):
        raise CliError("bad-option", f"{option} is no JSON object", fix='Write {"name": value}.')
    return value


def _label(text: str) -> tuple[str, Integrity]:
    place, _, name = text.partition("=")
    if name not in [*Integrity]:
        fix = f"Write PLACE=LABEL, with one of: {', '.join(Integrity)}."
        raise CliError("bad-option", f"{text!r} is no label", fix=fix)
    return place, Integrity(name)


def _given(policy: Path | None, catalog: Path | None, config: Path | None) -> _Given:
    """Files alone where a catalogue is named; else what the operator configured."""
    if catalog is None:
        return _configured(policy, config)
    if policy is None:
        fix = "Say --policy DIR beside --catalog."
        raise CliError("bad-option", "it is not said where the policies are", fix=fix)
    try:
        known = read_catalog(read_text(catalog))
    except UnusableInputError as error:
        raise CliError(
            "unusable-input", str(error), str(catalog), "Repair what is named."
        ) from error
    policy_texts(policy)
    return _Given(policy, known, {})


def _configured(policy: Path | None, config: Path | None) -> _Given:
    from gateway.cli.connect import settings_of

    settings = settings_of(config, or_say="--policy DIR and --catalog FILE")
    place = policy or (settings.policy.path and settings.at(settings.policy.path))
    if place is None:
        fix = "Set [policy] path, or say --policy DIR."
        raise CliError("configuration-error", "no folder of policies is configured", fix=fix)
    policy_texts(place)  # before anybody is asked what there is to call
    names = {name: each.connector for name, each in settings.connections.items()}
    return _Given(place, catalog_of(settings), names)

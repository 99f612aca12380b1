"""`policy`: check the texts against a catalogue, test them by cases, explain one decision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Integrity, JsonObject, Principal
from executor.check.bulk import UnusableInputError, read_catalog
from executor.check.cedar import Judgement, Policy, PolicyError, PolicyQuestion
from executor.check.cedar_cases import CasesError, Outcome, question_of, read_cases, run_case
from executor.check.cedar_explain import Explanation, explain
from executor.check.cedar_schema import Find
from executor.check.cedar_validation import Finding, validate
from gateway.cli.options import AsJson, Config
from gateway.cli.problem import NO, CliError
from gateway.cli.reading import read_text, read_value
from gateway.cli.show import print_json, say, say_as_is

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
        _say_check((), (), broken=str(error), as_json=as_json)
        raise typer.Exit(NO) from None
    found = validate(rules, given.catalog)
    _say_check(found.flaws, found.hints, broken="", as_json=as_json)
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
            "unusable-input", str(error), str(given.folder), "Repair the case."
        ) from error
    rules = given.policy()
    outcomes = [run_case(case, rules) for case in cases]
    failed = [each for each in outcomes if each.wrong]
    if as_json:
        print_json({"passed": len(outcomes) - len(failed), "failed": [*map(_outcome, failed)]})
    else:
        for each in failed:
            _say_failed(each)
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
        print_json(_explanation(told))
    else:
        _say_explanation(told, question)
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
    return _Given(_checked(policy), known, {})


def _configured(policy: Path | None, config: Path | None) -> _Given:
    import asyncio

    from connectors.credentials import Vault
    from connectors.opening import open_registry
    from gateway.cli.connect import settings_of
    from gateway.cli.connections import warn_of_absent
    from gateway.offering import with_extract
    from gateway.pins import pins_beside
    from gateway.planners import extractor_of
    from gateway.wiring import connections, shelf_of

    settings, vault = settings_of(config), Vault()
    place = policy or (settings.policy.path and settings.at(settings.policy.path))
    if place is None:
        fix = "Set [policy] path, or say --policy DIR."
        raise CliError("configuration-error", "no folder of policies is configured", fix=fix)
    folder = _checked(place)

    async def load() -> Catalog:
        pins = pins_beside(settings)
        async with open_registry(
            connections(settings), vault, shelf_of(settings), pins
        ) as registry:
            found = with_extract(await registry.load(), extractor_of(settings, vault))
            warn_of_absent(registry.connections())
            return found

    names = {name: each.connector for name, each in settings.connections.items()}
    return _Given(folder, asyncio.run(load()), names)


def _checked(folder: Path) -> Path:
    if not folder.is_dir():
        raise CliError("unusable-input", "there is no such folder", str(folder))
    if not any(folder.glob("*.cedar")):
        raise CliError("unusable-input", "this folder holds no *.cedar file", str(folder))
    return folder


def _say_check(
    flaws: tuple[Finding, ...], hints: tuple[Finding, ...], *, broken: str, as_json: bool
) -> None:
    if as_json:
        unread: list[JsonValue] = [{"message": broken}] if broken else []
        print_json({"flaws": [*unread, *map(_finding, flaws)], "hints": [*map(_finding, hints)]})
        return
    for kind, lines in (("flaw", [broken] if broken else [*map(str, flaws)]), ("hint", hints)):
        for line in lines:
            say(f"{kind}: {line}")


def _finding(found: Finding) -> JsonObject:
    return {
        "file": found.file,
        "policy": found.policy,
        "message": found.message,
        "operations": [*found.operations],
    }


def _judgement(found: Judgement) -> JsonObject:
    return {
        "verdict": found.observed or found.verdict,
        "role": found.role,
        "quorum": found.quorum,
        "expires_s": found.expires_s,
        "policies": [*found.policies],
        "messages": [*found.messages],
        "code": found.code,
        "needs": [*found.needs],
    }


def _outcome(outcome: Outcome) -> JsonObject:
    case = outcome.case
    told: JsonObject = {"file": case.file, "name": case.name, "wrong": outcome.wrong}
    return told | _judgement(outcome.judgement)


def _say_failed(outcome: Outcome) -> None:
    say(f"{outcome.case.file}: {outcome.case.name}")
    say(f"    {outcome.wrong}")
    say(f"    {outcome.judgement.told}")


def _explanation(found: Explanation) -> JsonObject:
    rules: list[JsonValue] = [
        {
            "file": each.rule.file,
            "policy": each.rule.name,
            "effect": "forbid" if each.rule.forbids else "permit",
            "says": each.says,
            "about": each.about,
            "text": each.text,
        }
        for each in found.rules
    ]
    return _judgement(found.judgement) | {"lifts": [*found.lifts], "considered": rules}


def _say_explanation(found: Explanation, question: PolicyQuestion) -> None:
    say(f"{question.action.name} ({question.action.effect}): {found.judgement.told}")
    for lift in found.lifts:
        say(f"  what would lift it: {lift}")
    for each in found.rules:
        about = f": {each.about}" if each.about else ""
        effect = "forbid" if each.rule.forbids else "permit"
        say(f"  {effect} {each.rule.where} {each.says}{about}")
        if each.rule.name in found.judgement.policies:
            for line in each.text.splitlines():
                say_as_is(f"      {line}")

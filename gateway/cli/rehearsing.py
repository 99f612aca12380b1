"""`rehearse`: what a plan would do, asked of a gateway, or worked out here from files alone."""

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from connectors.spec import JsonObject
from gateway.cli.client import named
from gateway.cli.connect import Target, connect
from gateway.cli.options import AsJson, Config, Key, Url
from gateway.cli.problem import NO, CliError
from gateway.cli.reading import read_plan
from gateway.cli.show import plan_text, print_json, say

if TYPE_CHECKING:
    from executor.rehearse.lanes import LimitsOf

Size = Annotated[int, typer.Option("--size", min=1, max=10, help="Elements of made-up lists.")]
Most = Annotated[int, typer.Option("--scenarios", min=1, max=50, help="Scenarios at the most.")]


def rehearse(
    plan_id: Annotated[str | None, typer.Argument(help="An accepted plan's id.")] = None,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="A plan as a file; - reads standard input.")
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option(help="With --plan: a catalogue as JSON; else the configured.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="With --plan: a folder of *.cedar; else the configured.")
    ] = None,
    playbooks: Annotated[
        Path | None, typer.Option(help="With --plan: a folder of playbooks.")
    ] = None,
    request: Annotated[
        str | None, typer.Option(help="With --plan: the words its literals may come from.")
    ] = None,
    size: Size = 2,
    scenarios: Most = 12,
    recorded: Annotated[
        bool, typer.Option(help="Answer calls that were made before as they were then.")
    ] = True,
    config: Config = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a plan would do: effects, messages, money, calls, time; nothing is called.

    An id is asked of a gateway, which knows what services answered before. With --plan the plan is
    judged and rehearsed here, as `admit` judges it. Exit codes: 0 rehearsed, 1 not accepted.
    """
    if (plan_id is None) == (plan is None):
        raise CliError("bad-option", "say one of: PLAN_ID, --plan PLAN.json")
    if plan is not None:
        found = _here(plan, catalog, policy, playbooks, request, config, size, scenarios)
        _tell(found, as_json=as_json)
        return
    if any(each is not None for each in (catalog, policy, playbooks, request)):
        raise CliError(
            "bad-option", "--catalog, --policy, --playbooks and --request go with --plan"
        )
    with connect(Target(config, url, key)) as client:
        path = f"/v1/plans/{named(plan_id or '')}"
        body: JsonObject = {"size": size, "scenarios": scenarios, "recorded": recorded}
        found = client.post(f"{path}/rehearse", body)
        if not as_json:
            say(plan_text(client.thing(path)) + "\n")
    _tell(found, as_json=as_json)


def _tell(found: JsonObject, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        say(str(found["rendered"]))


def _here(
    plan: Path,
    catalog: Path | None,
    policy: Path | None,
    playbooks: Path | None,
    request: str | None,
    config: Path | None,
    size: int,
    scenarios: int,
) -> JsonObject:
    """Judge and rehearse without a gateway: every answer is made up."""
    from executor.check.admit import Accepted
    from executor.check.bulk import UnusableInputError
    from executor.check.cedar import Policy
    from executor.rehearse.explore import Bounds
    from executor.rehearse.rehearse import rehearse as rehearsed
    from executor.rehearse.render import told
    from executor.rehearse.stage import Terms
    from gateway.cli.admission import bulk_of, playbooks_of

    try:
        bulk = bulk_of(catalog, policy, config, None)
        bulk = replace(bulk, playbooks=playbooks_of(playbooks, catalog, config))
    except UnusableInputError as error:
        raise CliError("unusable-input", str(error), str(catalog), "Repair it.") from error
    line = {"id": str(plan), **read_plan(plan)}
    if request is not None:
        line["request"] = request
    _, verdict = bulk.judged(json.dumps(line), 1)
    if not isinstance(verdict, Accepted):
        document = bulk.verdict(json.dumps(line), 1)
        what = "it is not accepted, so there is nothing to rehearse"
        raise CliError("plan-rejected", what, str(plan), exit_code=NO, document=document)
    rules = bulk.policy or Policy.parse({"not-evaluated": "permit (principal, action, resource);"})
    terms = Terms(rules, _limits_of(catalog, config), time.time())
    bounds = Bounds(size=size, scenarios=scenarios)
    return told(rehearsed(verdict, terms, bounds=bounds))


def _limits_of(catalog: Path | None, config: Path | None) -> "LimitsOf":
    """What the operator says of each connection, where their catalogue is meant."""
    if catalog is not None:
        return lambda action: action.limits
    from gateway.cli.connect import settings_of
    from gateway.wiring import limits_of

    return partial(limits_of, settings_of(config))

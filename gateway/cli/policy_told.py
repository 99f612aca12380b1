"""How the words of `policy` tell what they found, to people and to programs."""

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.check.cedar import Judgement, PolicyQuestion
from executor.check.cedar_cases import Outcome
from executor.check.cedar_explain import Explanation
from executor.check.cedar_validation import Finding
from gateway.cli.show import print_json, say, say_as_is


def say_check(
    flaws: tuple[Finding, ...],
    hints: tuple[Finding, ...],
    *,
    broken: tuple[str, ...],
    as_json: bool,
) -> None:
    """Tell what `policy check` found; `broken` is why the texts could not be read at all."""
    if as_json:
        unread: list[JsonValue] = [{"message": each} for each in broken]
        print_json({"flaws": [*unread, *map(_finding, flaws)], "hints": [*map(_finding, hints)]})
        return
    for kind, lines in (("flaw", broken or [*map(str, flaws)]), ("hint", hints)):
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


def outcome_as_json(outcome: Outcome) -> JsonObject:
    """One case of `policy test`."""
    case = outcome.case
    told: JsonObject = {"file": case.file, "name": case.name, "wrong": outcome.wrong}
    return told | _judgement(outcome.judgement)


def say_failed(outcome: Outcome) -> None:
    """Tell a case that is not as expected."""
    say(f"{outcome.case.file}: {outcome.case.name}")
    say(f"    {outcome.wrong}")
    say(f"    {outcome.judgement.told}")


def explanation_as_json(found: Explanation) -> JsonObject:
    """What `policy explain` found, whole."""
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


def say_explanation(found: Explanation, question: PolicyQuestion) -> None:
    """Tell the verdict, what would lift it, and what each policy says."""
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

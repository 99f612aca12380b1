"""One call explained: which policies have a say, what each says, and what would lift a no."""

from dataclasses import dataclass, replace
from typing import Literal

from executor.check import cedar_engine as engine
from executor.check.cedar import Judgement, Policy, PolicyQuestion
from executor.check.cedar_engine import PolicySet
from executor.check.cedar_request import Request, entities_around
from executor.check.cedar_rules import Rule
from executor.check.cedar_values import UnmappableError

Says = Literal["applies", "does not apply", "depends", "fails"]


@dataclass(frozen=True)
class RuleSays:
    """What one policy says of the call, taken alone; `about` is an error, or what it depends on."""

    rule: Rule
    says: Says
    about: str = ""

    @property
    def text(self) -> str:
        """The policy as Cedar writes it."""
        return engine.text_of(self.rule.body)


@dataclass(frozen=True)
class Explanation:
    """The judgement with its reasons; `lifts` says what would have to be otherwise."""

    judgement: Judgement
    rules: tuple[RuleSays, ...]
    lifts: tuple[str, ...]


def explain(policy: Policy, question: PolicyQuestion) -> Explanation:
    """Explain one call."""
    judgement = policy.judge(question)
    judgement = replace(judgement, verdict=judgement.observed or judgement.verdict)
    rules = _rules(policy, question)
    return Explanation(judgement, rules, _lifts(policy, question, judgement, rules))


def _rules(policy: Policy, question: PolicyQuestion) -> tuple[RuleSays, ...]:
    connector = policy.connectors.get(question.action.connection)
    found = policy.slice_of(question.action)
    try:
        entities = entities_around(question.principal, question.action, connector)
        request = found.request(question, entities)
    except UnmappableError:
        return ()
    return tuple(_alone(rule, request) for rule in found.rules.values())


def _alone(rule: Rule, request: Request) -> RuleSays:
    only = PolicySet({rule.name: rule.body})
    found = only.partial(request.request, request.entities)
    if found.errors:
        return RuleSays(rule, "fails", "; ".join(found.errors))
    if rule.name in found.left:
        return RuleSays(rule, "depends", ", ".join(found.left[rule.name]))
    return RuleSays(rule, "applies" if found.reasons else "does not apply")


def _lifts(
    policy: Policy, question: PolicyQuestion, judgement: Judgement, rules: tuple[RuleSays, ...]
) -> tuple[str, ...]:
    match judgement.verdict:
        case "allow":
            return ()
        case "approval":
            return tuple(_approvals(policy, question, judgement))
        case "unknown":
            needs = ", ".join(judgement.needs) or "the real values"
            return (f"nothing yet: it is decided once {needs} can be seen",)
    if judgement.code == "policy-value-unmappable":
        return ("another value: policy cannot see this one exactly",)
    if failing := [each for each in rules if each.says == "fails"]:
        return tuple(f"a repair of {each.rule.where}, which fails" for each in failing)
    forbidding = [each.rule for each in rules if each.rule.forbids and each.says == "applies"]
    lifts = tuple(_of_forbid(rule) for rule in sorted(forbidding, key=lambda each: not each.role))
    permits = [each for each in rules if not each.rule.forbids]
    if any(each.says == "applies" for each in permits):
        return lifts
    if permits:
        names = ", ".join(each.rule.where for each in permits)
        return (*lifts, f"a permit that applies; these do not: {names}")
    return (*lifts, f"a permit that covers {question.action.name}; there is none")


def _approvals(policy: Policy, question: PolicyQuestion, judgement: Judgement) -> list[str]:
    """The approvals that lift it, one after the other, as the run asks for them."""
    told: list[str] = []
    approvals = question.approvals
    while judgement.verdict == "approval":  # by a role that is missing yet, so it ends
        people = "one person" if judgement.quorum == 1 else f"{judgement.quorum} people"
        expiry = f", within {judgement.expires_s:g} s" if judgement.expires_s else ""
        then = "then " if told else ""
        told.append(f"{then}an approval by {people} of role {judgement.role}{expiry}")
        approvals = approvals | {judgement.role or ""}
        judgement = policy.judge(replace(question, approvals=approvals))
        judgement = replace(judgement, verdict=judgement.observed or judgement.verdict)
    return told


def _of_forbid(rule: Rule) -> str:
    if rule.role:
        return f"an approval by {rule.role} lifts {rule.where}, and nothing else"
    return f"no approval: {rule.where} forbids it as long as its conditions hold"

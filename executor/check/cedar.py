"""Policy: the operator's Cedar texts, read once, of which each call is judged by its own slice.

The files beside this one say the rest: `cedar_rules.py` the texts, `cedar_request.py` and
`cedar_values.py` what Cedar is asked, `cedar_decision.py` what its answer means,
`cedar_engine.py` Cedar itself, `cedar_schema.py` and `cedar_validation.py` whether the texts fit
the catalogue.

With no policy at all, reads are allowed and nothing writes, whatever the mode. A forbid annotated
`@approval("role")` asks for an approval by that role when granting it would let the call through;
`@quorum("2")` asks for several approvers, `@expires("3600")` says for how many seconds the
question stands, `@message("...")` tells people why.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from connectors.canonical import digest
from connectors.spec import ActionSpec, Effect, JsonObject
from executor.check.cedar_decision import Code, Judgement, Slice, Verdict
from executor.check.cedar_request import PolicyQuestion
from executor.check.cedar_rules import PolicyError, Rule, read_rules
from executor.check.certificate import Mode

__all__ = [
    "Code", "Judgement", "Mode", "Policy", "PolicyError", "PolicyQuestion", "Rule", "Slice",
    "Verdict",
]  # fmt: skip


class Policy:
    """All policy texts of a tenant; `version` is the digest of all that a judgement depends on.

    `connectors` names the connector behind each connection, for policies over a group of them.
    In mode `observe` every verdict is to allow, and says what it would have been.
    """

    def __init__(
        self,
        rules: tuple[Rule, ...],
        version: str,
        mode: Mode,
        connectors: Mapping[str, str],
    ) -> None:
        self.rules = rules
        self.version = version
        self.mode = mode
        self.connectors = connectors
        self._by_name = _index(rules)
        # Both only ever grow to one entry an action, and hold what follows from the texts alone.
        self._slices: dict[tuple[str, Effect], Slice] = {}
        self._parsed: dict[tuple[str, ...], Slice] = {}

    @classmethod
    def parse(
        cls,
        texts: Mapping[str, str],
        mode: Mode = "enforce",
        connectors: Mapping[str, str] | None = None,
    ) -> "Policy":
        """Read policy files by name; raises `PolicyError`."""
        said: JsonObject = {"texts": {**texts}, "mode": mode, "connectors": {**(connectors or {})}}
        return cls(read_rules(texts), digest(said), mode, dict(connectors or {}))

    def judge(self, question: PolicyQuestion) -> Judgement:
        """Decide one call."""
        if not self.rules:
            if not question.action.is_write:
                return Judgement("allow")
            message = "no policy is configured, so nothing writes"
            return Judgement("deny", messages=(message,), code="policy-denied")
        connector = self.connectors.get(question.action.connection)
        found = self.slice_of(question.action).judge(question, connector)
        if self.mode == "enforce" or found.verdict == "allow":
            return found
        return replace(found, verdict="allow", observed=found.verdict)

    def slice_of(self, action: ActionSpec) -> Slice:
        """The policies that may have a say in calls of this action."""
        key = (action.name, action.effect)
        if key not in self._slices:
            rules = self._covering(action)
            ids = tuple(rule.key for rule in rules)
            if ids not in self._parsed:
                self._parsed[ids] = Slice(rules)
            self._slices[key] = self._parsed[ids]
        return self._slices[key]

    @cached_property
    def whole(self) -> Slice:
        """All policies as one slice: slower, and never of another opinion."""
        return Slice(self.rules)

    def _covering(self, action: ActionSpec) -> tuple[Rule, ...]:
        connector = self.connectors.get(action.connection)
        names = (None, action.name, action.connection)
        found = [rule for name in names for rule in self._by_name.get(name, ())]
        return tuple(rule for rule in found if rule.scope.covers(action, connector))


def _index(rules: tuple[Rule, ...]) -> Mapping[str | None, tuple[Rule, ...]]:
    """Rules by the operation or connection that their heads name; None: by neither."""
    found: dict[str | None, list[Rule]] = {}
    for rule in rules:
        found.setdefault(rule.scope.operation or rule.scope.connection, []).append(rule)
    return {name: tuple(each) for name, each in found.items()}

"""The decision: what the policies of one slice say of one call.

A matching forbid wins; otherwise a permit is needed; an error denies; a forbid that an
approval would lift waits for it.

Cedar itself skips a policy that fails to evaluate, so a broken forbid would *allow*: any error
therefore denies here. Partial evaluation (some arguments not known yet) is a preview for the
certificate. It can only be less sure; the full decision on real values comes before every effect.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final, Literal

from executor.check.cedar_engine import Entities, Partial, PolicySet
from executor.check.cedar_paths import Path, members, roots, uses
from executor.check.cedar_request import (
    PolicyQuestion,
    Request,
    entities_around,
    request_of,
)
from executor.check.cedar_rules import Rule
from executor.check.cedar_values import UnmappableError

Code = Literal["policy-denied", "policy-error", "policy-value-unmappable"]
Verdict = Literal["allow", "deny", "approval", "unknown"]
MOST_KEPT: Final = 256  # answers of one slice


@dataclass(frozen=True)
class Judgement:
    """The answer; `unknown` comes only where leaves are, and `role` may then still be needed.

    `needs` are the places whose values an `unknown` waits for; `texts` are the roles that are
    asked, each with the digest of a policy that asks it, `asks` the same with why, the role that
    is asked now before the others. `observed` is what the verdict
    would have been where policy only observes: the verdict is then to allow.
    """

    verdict: Verdict
    role: str | None = None
    quorum: int = 1
    policies: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    code: Code | None = None
    expires_s: float | None = None
    needs: tuple[str, ...] = ()
    texts: frozenset[tuple[str, str]] = field(default=frozenset(), compare=False)
    observed: Verdict | None = None
    asks: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def reasons(self, role: str | None) -> tuple[str, ...]:
        """What whoever is asked in a role is told: why, and who is asked afterwards and why."""
        return tuple(why if by == role else f"{why} (and then by {by})" for by, why in self.asks)

    @property
    def told(self) -> str:
        """What it says, in one line."""
        what = {
            "allow": "allowed",
            "deny": "denied",
            "approval": f"waits for {self.quorum} of {self.role}",
            "unknown": f"depends on {', '.join(self.needs) or 'the real values'}",
        }[self.observed or self.verdict]
        link = "for" if (self.observed or self.verdict) == "unknown" else "by"
        names = f" {link} {', '.join(self.policies)}" if self.policies else ""
        why = f": {'; '.join(self.messages)}" if self.messages else ""
        return f"{what}{names}{why}"


class Slice:
    """The policies whose heads cover one call, parsed once."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: Mapping[str, Rule] = {rule.key: rule for rule in rules}
        self._set = PolicySet({key: rule.body for key, rule in self.rules.items()})

    @cached_property
    def paths(self) -> frozenset[Path]:
        """Every path into the context that they look at."""
        return frozenset(path for rule in self.rules.values() for path in uses(rule.body))

    @property
    def asks_of_run(self) -> bool:
        """Whether any of them may look at what the run did so far."""
        return bool(self.run_members)

    @cached_property
    def run_members(self) -> frozenset[str]:
        """Which members of what the run did they look at; "" where it is all of them."""
        return self._members("run")

    @cached_property
    def reads(self) -> frozenset[str]:
        """Of which operations they look at what was read; "" where it is of all of them."""
        return self._members("read") | self.stale_reads

    @cached_property
    def stale_reads(self) -> frozenset[str]:
        """Of which they look at it though a write has outdated it."""
        return self._members("stale")

    def _members(self, root: str) -> frozenset[str]:
        found = members(self.paths, root)
        return frozenset({""}) if found is None else found

    def texts_asking(self, role: str) -> frozenset[str]:
        """The digests of the policies that may ask this role."""
        return frozenset(rule.text for rule in self.rules.values() if rule.role == role)

    @cached_property
    def asks_early(self) -> bool:
        """Whether any may ask for an approval, and all look at nothing but the call itself."""
        asks_people = any(rule.role for rule in self.rules.values())
        return asks_people and not (self.run_members or self.reads)

    def quorum(self, role: str, texts: Collection[str] | None = None) -> int:
        """How many of a role these of its policies, or any of them, may want."""
        asking = (rule for rule in self.rules.values() if rule.role == role)
        return max(
            (each.quorum for each in asking if texts is None or each.text in texts), default=1
        )

    @cached_property
    def each_call(self) -> frozenset[str]:
        """The roles whose yes to a whole plan does not count here."""
        return frozenset(each.role for each in self.rules.values() if each.each_call and each.role)

    def judge(self, question: PolicyQuestion, connector: str | None = None) -> Judgement:
        """Decide one call."""
        try:
            entities = entities_around(question.principal, question.action, connector)
            request = self.request(question, entities)
        except UnmappableError as error:
            return Judgement("deny", messages=(str(error),), code="policy-value-unmappable")
        if request.is_partial:
            return self._preview(request, question.approvals)
        decide = self._decide if self._sees_values else self._decided
        return decide(request, question.approvals)

    @cached_property
    def _sees_values(self) -> bool:
        """Whether they look at what is another with every call; else few answers are given."""
        return not roots(self.paths) <= {"labels", "approvals"}

    @cached_property
    def _decided(self) -> Callable[[Request, frozenset[str]], Judgement]:
        """Decide, but of the same once."""
        return lru_cache(MOST_KEPT)(self._decide)

    def request(self, question: PolicyQuestion, entities: Entities) -> Request:
        """What Cedar is asked of one call; raises `UnmappableError`."""
        return request_of(question, entities, self.paths)

    def _decide(self, request: Request, approvals: frozenset[str]) -> Judgement:
        found = self._set.full(request.request, request.entities)
        if found.errors:
            return self._failed(found.errors)
        if found.allowed:
            return Judgement("allow", policies=self._names(found.reasons))
        deciding = self._forbidding(found.reasons)
        roles = _roles(deciding)
        again = self._set.full(request.with_approvals(approvals | roles), request.entities)
        if again.allowed and not again.errors:
            return _asking("approval", deciding, approvals)
        return _denied(deciding)

    def _preview(self, request: Request, approvals: frozenset[str]) -> Judgement:
        """Say what is certain whatever the unknown values turn out to be; else `unknown`."""
        found = self._set.partial(request.request, request.entities)
        if found.errors:
            return self._open(found, approvals)
        if found.allowed is None or (found.allowed and found.left):
            return self._open(found, approvals)  # what is left may fail, and an error denies
        if found.allowed:
            return Judgement("allow", policies=self._names(found.reasons))
        deciding = self._forbidding(found.reasons)
        roles = _roles([*deciding, *self._forbidding(found.left)])
        again = self._set.partial(request.with_approvals(approvals | roles), request.entities)
        if again.errors:
            return self._open(found, approvals)
        if again.allowed is False and self._is_denied_under_any(request, roles):
            return _denied(deciding)
        if again.allowed and not again.left:
            return _asking("approval", deciding, approvals)
        return self._open(found, approvals)

    def _is_denied_under_any(self, request: Request, roles: frozenset[str]) -> bool:
        """Of several roles nobody knows yet which will be asked for, so any may have said yes."""
        if len(roles) <= 1:
            return True
        found = self._set.partial(request.with_approvals(None), request.entities)
        return found.allowed is False and not found.errors

    def _open(self, found: Partial, approvals: frozenset[str]) -> Judgement:
        """Name the policies that still depend on something, and on what."""
        permitted = any(not self.rules[key].forbids for key in found.reasons)
        left = [key for key in found.left if self.rules[key].forbids or not permitted]
        forbidding = self._forbidding([*found.reasons, *left])
        asking = _asking("unknown", forbidding, approvals)
        return Judgement(
            verdict="unknown",
            role=asking.role,
            quorum=asking.quorum,
            policies=tuple(sorted({*self._names(left), *_names(forbidding)})),
            messages=asking.messages,
            expires_s=asking.expires_s,
            needs=tuple(sorted({name for key in left for name in found.left[key]})),
            asks=asking.asks,
        )

    def _failed(self, errors: tuple[str, ...]) -> Judgement:
        """Say which policy failed, by the name that people gave it."""
        told = sorted(_renamed(error, self.rules) for error in errors)
        names = tuple(name for name, _ in told if name)
        return Judgement(
            "deny", policies=names, messages=tuple(text for _, text in told), code="policy-error"
        )

    def _forbidding(self, keys: Iterable[str]) -> list[Rule]:
        return [self.rules[key] for key in keys if self.rules[key].forbids]

    def _names(self, keys: Iterable[str]) -> tuple[str, ...]:
        return _names(self.rules[key] for key in keys)


def _renamed(error: str, rules: Mapping[str, Rule]) -> tuple[str, str]:
    for key, rule in rules.items():
        if f"`{key}`" in error:
            return rule.name, error.replace(f"`{key}`", f"`{rule.name}`")
    return "", error


def _denied(deciding: list[Rule]) -> Judgement:
    messages = _messages(deciding) or (() if deciding else ("no policy permits it",))
    return Judgement("deny", None, 1, _names(deciding), messages, "policy-denied")


def _asking(
    verdict: Literal["approval", "unknown"], rules: list[Rule], approvals: frozenset[str]
) -> Judgement:
    """Name the first role that is still missing; the others are asked for after it."""
    roles = sorted(_roles(rules) - approvals)
    if not roles:
        return Judgement("unknown", policies=_names(rules))
    asking = [rule for rule in rules if rule.role == roles[0]]
    expiries = [rule.expires_s for rule in asking if rule.expires_s is not None]
    return Judgement(
        verdict,
        roles[0],
        max(rule.quorum for rule in asking),
        _names(rules),
        _messages(rules),
        expires_s=min(expiries, default=None),
        texts=_texts(rules),
        asks=tuple(_asks(rules, roles)),
    )


def _asks(rules: Iterable[Rule], roles: Sequence[str]) -> Iterator[tuple[str, str]]:
    for role in roles:
        own = [rule for rule in rules if (rule.role or roles[0]) == role]
        for why in _messages(own) or (f"policy {', '.join(_names(own))}",):
            yield role, why


def _texts(rules: Iterable[Rule]) -> frozenset[tuple[str, str]]:
    return frozenset((rule.role, rule.text) for rule in rules if rule.role)


def _roles(rules: Iterable[Rule]) -> frozenset[str]:
    return frozenset(rule.role for rule in rules if rule.role)


def _names(rules: Iterable[Rule]) -> tuple[str, ...]:
    return tuple(sorted(rule.name for rule in rules))


def _messages(rules: Iterable[Rule]) -> tuple[str, ...]:
    """In the order of the names: Cedar has none of its own."""
    found = sorted(rules, key=lambda rule: rule.name)
    return tuple(rule.message for rule in found if rule.message)

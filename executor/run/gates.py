"""Whether a call may be made: policy on the real values, and every approval that is asked for.

An approval covers exactly the arguments that were shown. For `each` it is one approval of the
whole list, so that nobody has to say yes a hundred times, or sees the items one by one. An envelope
(`envelopes.py`) covers what lies in its bands; what does not is asked for by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from connectors.spec import ActionSpec, JsonObject
from executor.check.admit import Accepted
from executor.check.cedar import Judgement, PolicyQuestion, Slice
from executor.check.certificate import ApprovalNeed
from executor.check.grant import Grant
from executor.run import events as e
from executor.run.commands import OpenGate
from executor.run.envelopes import Envelopes
from executor.run.keys import args_hash
from executor.run.state import Gate, RunState
from executor.run.tally import Tally
from executor.run.verdicts import Failed, Next, Outside, Waiting

SAID_NO = ("approval-refused", "approval-expired")  # the codes of `said_no`


@dataclass(frozen=True)
class Asked:
    """What an approver is shown of a step: all of it, and its hash."""

    arguments: JsonObject
    args_hash: str

    @classmethod
    def of(cls, arguments: JsonObject) -> "Asked":
        """One call."""
        return cls(arguments, args_hash(arguments))

    @classmethod
    def of_items(cls, calls: Sequence[JsonObject]) -> "Asked":
        """Every call of an each-step."""
        return cls.of({"items": [*calls]})


@dataclass(frozen=True)
class Passage:
    """The call may be made; `grants` are what allows it where approvals were needed.

    `observed` tells what policy would have said, had it not been told only to observe.
    """

    grants: tuple[Grant, ...] = ()
    observed: tuple[str, ...] = ()


class Gatekeeper(NamedTuple):
    """Decides on the calls of one step."""

    accepted: Accepted
    state: RunState
    outside: Outside
    tally: Tally
    step: str
    iteration: str
    action: ActionSpec

    def judge(
        self, calls: Sequence[JsonObject], asked: Callable[[], Asked]
    ) -> Failed | Next | Waiting | Passage:
        """Say whether these calls may be made; `asked` is what an approver would be shown."""
        certified = self.accepted.certificate.of(self.step).approval
        known = self.state.gates.get((self.step, ""), ())
        shown = asked() if certified or known else None
        gates = [each for each in known if shown and each.opened.args_hash == shown.args_hash]
        gates = self._standing(gates, calls)
        granted = {gate.opened.role: _grant(gate) for gate in gates if self._is_granted(gate)}
        enveloped, outside = self._enveloped(calls, frozenset(granted))
        granted = enveloped | granted
        judgements = [self.judgement(call, frozenset(granted)) for call in calls]
        for judgement in judgements:
            if judgement.verdict in ("deny", "unknown"):
                return denied(judgement, self.outside.policy.slice_of(self.action))
        for need in _needs(certified, judgements):
            if need.role not in granted:
                why = outside.get(need.role)
                need = need.told(why) if why else need
                return self._ask(need, shown or asked(), gates, is_outside=why is not None)
        observed = tuple(dict.fromkeys(each.told for each in judgements if each.observed))
        return Passage(tuple(granted.values()), observed)

    def _enveloped(
        self, calls: Sequence[JsonObject], granted: frozenset[str]
    ) -> tuple[dict[str, Grant], dict[str, str]]:
        """The roles whose yes to the plan covers these calls; of the others why it does not."""
        grants, outside = dict[str, Grant](), dict[str, str]()
        if not self.accepted.certificate.envelopes:
            return grants, outside
        each_call = self.outside.policy.slice_of(self.action).each_call
        place = (self.step, self.iteration)
        for found in self._envelopes.granted():
            role = found.envelope.role
            why = self._envelopes.departure(found, place, self.action, calls, self.outside.now)
            if role in each_call:
                why = "policy wants each call approved by itself"
            elif why is None and not self._is_as_asked(found.gate, calls, granted | {role}):
                why = "what asks is not what it was when the plan was approved"
            if why is None:
                grants[role] = found.grant
            elif self._envelopes.lists(role, self.step):
                outside[role] = f"{why} ({found.gate.opened.approval})"
        return grants, outside

    @property
    def _envelopes(self) -> Envelopes:
        return Envelopes(self.accepted, self.state, self.tally.so_far)

    def _is_granted(self, gate: Gate) -> bool:
        return gate.is_granted and gate.opened.expires_at > self.outside.now

    def _standing(self, gates: Sequence[Gate], calls: Sequence[JsonObject]) -> list[Gate]:
        """Those that a change of policy leaves as they are; a no stays a no."""
        roles = frozenset(gate.opened.role for gate in gates if self._is_granted(gate))
        return [each for each in gates if said_no(each) or self._is_as_asked(each, calls, roles)]

    def _is_as_asked(
        self, gate: Gate, calls: Sequence[JsonObject], granted: frozenset[str]
    ) -> bool:
        """Whether what asks for the role now stood there, word for word, when it was asked.

        It may ask only now, for the run has gone on since; then it may want more people.
        """
        opened, policies = gate.opened, self.outside.policy.slice_of(self.action)
        is_same = opened.policy_version == self.outside.policy.version
        if is_same and policies.quorum(opened.role) <= opened.quorum:
            return True
        asking = {
            text
            for call in calls
            for role, text in self.judgement(call, granted - {opened.role}).texts
            if role == opened.role
        }
        if policies.quorum(opened.role, asking) > opened.quorum:
            return False
        return is_same or asking <= set(opened.policy_texts)

    def _ask(
        self, need: ApprovalNeed, shown: Asked, gates: list[Gate], *, is_outside: bool
    ) -> Failed | Next | Waiting:
        if not is_outside and self._envelopes.lists(need.role, self.step):
            whole = self._envelopes.gate(need.role)
            if whole is None or whole.is_open:  # it is asked for in this very round
                return Waiting("approval", None if whole is None else whole.opened.expires_at)
            if (refusal := said_no(whole)) is not None:
                return refusal
        for gate in gates:
            if gate.opened.role == need.role and gate.is_open:
                return Waiting("approval", gate.opened.expires_at)
            if gate.opened.role == need.role and (refusal := said_no(gate)) is not None:
                return refusal
        return Next(
            OpenGate(
                self.step, "", self.action, shown.arguments, shown.args_hash,
                need.role, need.quorum, need.reasons, need.policies, need.expires_s,
            )
        )  # fmt: skip

    def judgement(self, arguments: JsonObject, approvals: frozenset[str]) -> Judgement:
        """What policy says of one call, by what the run did and read before it."""
        read, stale = self._read(arguments)
        return self.outside.policy.judge(
            PolicyQuestion(
                principal=self.accepted.principal,
                action=self.action,
                arguments=arguments,
                labels=self.accepted.certificate.of(self.step).labelled,
                run=self._so_far(arguments),
                read=read,
                stale=stale,
                approvals=approvals,
            )
        )

    def _so_far(self, arguments: JsonObject) -> JsonObject:
        if not self.outside.policy.slice_of(self.action).asks_of_run:
            return {}
        place = (self.step, self.iteration)
        return self.tally.so_far.besides(place, self.action, arguments)

    def _read(self, arguments: JsonObject) -> tuple[JsonObject, JsonObject]:
        if not self.outside.policy.slice_of(self.action).reads:
            return {}, {}
        place = (self.step, self.iteration)
        return self.tally.so_far.read_of(place, self.action, arguments)


def said_no(gate: Gate) -> Failed | None:
    """What becomes of a step whose approval was refused, or came to nothing."""
    match gate.ruling:
        case e.ApprovalRefused(by=by, reason=reason):
            return Failed("approval-refused", f"{by}: {reason}")
        case e.ApprovalExpired():
            return Failed("approval-expired", "nobody answered in time")
        case _:
            return None


def standing(gate: Gate) -> Failed | Waiting | Passage:
    """Where one question stands."""
    if gate.is_open:
        return Waiting("approval", gate.opened.expires_at)
    return said_no(gate) or Passage((_grant(gate),))


def _grant(gate: Gate) -> Grant:
    return Grant(gate.opened.approval, gate.opened.args_hash)


def denied(judgement: Judgement, policies: Slice) -> Failed:
    """What becomes of a call that policy does not let pass."""
    message = "; ".join(judgement.messages) or ", ".join(judgement.policies) or "forbidden"
    may_change = policies.asks_of_run or bool(policies.reads)
    return Failed(judgement.code or "policy-denied", message, may_change=may_change)


def _needs(certified: ApprovalNeed | None, judgements: Sequence[Judgement]) -> list[ApprovalNeed]:
    """Whom to ask: of several needs of one role the most people, for the shortest time."""
    needs = [] if certified is None else [certified]
    for judgement in judgements:
        if judgement.verdict == "approval" and judgement.role is not None:
            needs.append(
                ApprovalNeed(
                    role=judgement.role,
                    quorum=judgement.quorum,
                    reasons=judgement.reasons(judgement.role),
                    policies=judgement.policies,
                    expires_s=judgement.expires_s,
                )
            )
    asked: dict[str, ApprovalNeed] = {}
    for need in needs:
        asked[need.role] = asked[need.role].with_(need) if need.role in asked else need
    return [*asked.values()]

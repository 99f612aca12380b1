"""What an approver is asked: exactly these arguments, or these bands, for a while."""

from secrets import token_hex

from executor.check.admit import Accepted
from executor.check.cedar import Policy
from executor.run import events as e
from executor.run.commands import OpenEnvelope, OpenGate
from executor.store import ids
from executor.store.approvals import ApprovalRow
from executor.store.drives import Claim

GATE_EXPIRES_S = 24 * 3600.0  # unless the policy that asks says otherwise


def question(
    accepted: Accepted, claim: Claim, gate: OpenGate | OpenEnvelope, policy: Policy, now: float
) -> tuple[ApprovalRow, e.GateOpened]:
    """The approval as a row, and the event that tells of it; neither is written yet."""
    if isinstance(gate, OpenGate):
        row = _of_step(accepted, claim, gate, policy, now)
    else:
        row = _of_envelope(accepted, claim, gate, policy, now)
    actions = {each.id: accepted.actions[each.action] for each in accepted.plan.steps
               if each.id in row.steps}  # fmt: skip
    texts = {
        text for each in actions.values() for text in policy.slice_of(each).texts_asking(row.role)
    }
    event = e.GateOpened(
        approval=row.id,
        step=row.step,
        iteration=row.iteration,
        role=row.role,
        quorum=row.quorum,
        args_hash=row.args_hash,
        reasons=list(row.reasons),
        policies=list(row.policies),
        expires_at=row.expires_at,
        policy_version=policy.version,
        policy_texts=sorted(texts),
        kind=row.kind,
        steps=[*row.steps] if row.kind == "envelope" else [],
    )
    return row, event


def _of_step(
    accepted: Accepted, claim: Claim, gate: OpenGate, policy: Policy, now: float
) -> ApprovalRow:
    return ApprovalRow(
        tenant=claim.tenant,
        id=ids.new("apr"),
        run=claim.id,
        kind="step",
        step=gate.step,
        steps=(gate.step,),
        iteration=gate.iteration,
        plan_digest=accepted.digest,
        action=gate.action.name,
        action_digest=gate.action.digest,
        arguments=gate.arguments,
        args_hash=gate.args_hash,
        policy_version=policy.version,
        policies=gate.policies,
        reasons=gate.reasons,
        role=gate.role,
        quorum=gate.quorum,
        requester=accepted.principal.id,
        nonce=token_hex(16),
        state="open",
        created_at=now,
        expires_at=now + (gate.expires_s or GATE_EXPIRES_S),
    )


def _of_envelope(
    accepted: Accepted, claim: Claim, gate: OpenEnvelope, policy: Policy, now: float
) -> ApprovalRow:
    """Its actions and their digests are in the envelope, step by step."""
    envelope = gate.envelope
    return ApprovalRow(
        tenant=claim.tenant,
        id=ids.new("apr"),
        run=claim.id,
        kind="envelope",
        step="",
        steps=tuple(each.step for each in envelope.steps),
        iteration="",
        plan_digest=accepted.digest,
        action="",
        action_digest="",
        arguments=envelope.model_dump(mode="json"),
        args_hash=envelope.digest,
        policy_version=policy.version,
        policies=envelope.policies,
        reasons=envelope.reasons,
        role=envelope.role,
        quorum=envelope.quorum,
        requester=accepted.principal.id,
        nonce=token_hex(16),
        state="open",
        created_at=now,
        expires_at=now + (envelope.expires_s or GATE_EXPIRES_S),
    )

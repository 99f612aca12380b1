"""What an approver is asked: exactly these arguments, for a while."""

from secrets import token_hex

from executor.check.admit import Accepted
from executor.check.cedar import Policy
from executor.run import events as e
from executor.run.commands import OpenGate
from executor.store import ids
from executor.store.approvals import ApprovalRow
from executor.store.drives import Claim

GATE_EXPIRES_S = 24 * 3600.0  # unless the policy that asks says otherwise


def question(
    accepted: Accepted, claim: Claim, gate: OpenGate, policy: Policy, now: float
) -> tuple[ApprovalRow, e.GateOpened]:
    """The approval as a row, and the event that tells of it; neither is written yet."""
    row = ApprovalRow(
        tenant=claim.tenant,
        id=ids.new("apr"),
        run=claim.id,
        step=gate.step,
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
    event = e.GateOpened(
        approval=row.id,
        step=gate.step,
        iteration=gate.iteration,
        role=gate.role,
        quorum=gate.quorum,
        args_hash=gate.args_hash,
        reasons=list(gate.reasons),
        policies=list(gate.policies),
        expires_at=row.expires_at,
        policy_version=policy.version,
        policy_texts=sorted(policy.slice_of(gate.action).texts_asking(gate.role)),
    )
    return row, event

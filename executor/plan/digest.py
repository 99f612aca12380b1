"""The plan digest: what approvals, receipts and replays are bound to."""

from collections.abc import Iterable, Mapping

from connectors.canonical import canonical, canonical_object, digest_of
from connectors.spec import ActionSpec, JsonObject
from executor.plan.model import LANGUAGE


def plan_digest(
    plan: bytes,
    inputs_schema: JsonObject,
    actions: Mapping[str, ActionSpec],
    playbooks: Iterable[str] = (),
) -> str:
    """SHA-256 over language, plan, inputs' schema, action and playbook digests, as canonical JSON.

    The plan comes written. The prose counts too: people approved it. Integers are written as
    RFC 8785 writes numbers, so that 1 and 1.0 give one digest.
    """
    content = {
        "language": canonical(LANGUAGE),
        "plan": plan,
        "inputs": canonical(inputs_schema),
        "actions": canonical({name: action.digest for name, action in actions.items()}),
        "playbooks": canonical(sorted(playbooks)),
    }
    return digest_of(canonical_object(content))

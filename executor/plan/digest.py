"""The plan digest: what approvals, receipts and replays are bound to."""

from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from connectors.canonical import digest
from connectors.spec import ActionSpec, JsonObject
from executor.plan.model import LANGUAGE, Plan


def plan_digest(
    plan: Plan,
    inputs_schema: JsonObject,
    actions: Mapping[str, ActionSpec],
    playbooks: Iterable[str] = (),
) -> str:
    """SHA-256 over language, plan, inputs' schema, action and playbook digests, as canonical JSON.

    The prose counts too: people approved it. Integers are written as RFC 8785 writes numbers,
    so that 1 and 1.0 give one digest.
    """
    content: dict[str, JsonValue] = {
        "language": LANGUAGE,
        "plan": plan.stored()["plan"],
        "inputs": inputs_schema,
        "actions": {name: action.digest for name, action in sorted(actions.items())},
        "playbooks": [*sorted(playbooks)],
    }
    return digest(content)

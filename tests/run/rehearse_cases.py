"""Plans around one order that are rehearsed, and what is looked at in a rehearsal."""

from typing import Any

from run_cases import NOW, PERMIT, accept, action, policy, step

from connectors.spec import ActionSpec
from executor.check.admit import Accepted
from executor.rehearse.explore import Bounds
from executor.rehearse.rehearse import rehearse
from executor.rehearse.report import Rehearsal, Scenario, Way
from executor.rehearse.stage import Terms

MONEY = {
    "type": "object",
    "properties": {
        "amount": {"type": "string", "pattern": "^[0-9]+\\.[0-9]{2}$"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    },
    "required": ["amount", "currency"],
}
LINE = {
    "type": "object",
    "properties": {
        "sku": {"type": "string"}, "state": {"enum": ["whole", "broken"]}, "price": MONEY,
    },
    "required": ["sku", "state", "price"],
}  # fmt: skip
ORDER = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "open": {"type": "boolean"},
        "state": {"enum": ["paid", "sent", "lost"]},
        "day": {"type": "string", "format": "date"},
        "count": {"type": "integer", "minimum": 0},
        "email": {"type": "string", "format": "email"},
        "note": {"type": "string"},
        "total": MONEY,
        "lines": {"type": "array", "items": LINE},
        "stock": {"type": "object", "additionalProperties": {"type": "integer"}},
    },
    "required": ["id", "open", "state", "day", "count", "email", "total", "lines", "stock"],
}
GET = action("shop.order", output_schema=ORDER, timeout_s=5.0)
PAY = action(
    "shop.pay", "keyed", sinks={"amount": "amount"}, output_schema=ORDER, timeout_s=20.0,
)  # fmt: skip
MAIL = action("shop.mail", "blind", sinks={"to": "recipient", "text": "content"})
KNOWN = (GET, PAY, MAIL)


def rehearsed(accepted: Accepted, rules: str = PERMIT, **more: Any) -> Rehearsal:
    limits = more.pop("limits", None)
    recorded = more.pop("recorded", None)
    terms = Terms(policy(rules), lambda each: limits or each.limits, NOW)
    return rehearse(accepted, terms, recorded, Bounds(**more))


def planned(*steps: dict[str, Any], more: tuple[ActionSpec, ...] = (), **rest: Any) -> Accepted:
    return accept(step("order", "shop.order"), *steps, more=(*KNOWN, *more), **rest)


def way(found: Rehearsal, name: str, kind: str) -> Way:
    return next(each for each in found.ways if (each.step, each.kind) == (name, kind))


def ended(scenario: Scenario) -> dict[str, str]:
    return {each.step: each.ended for each in scenario.steps}

"""What the planner's tests speak of: a small catalogue, a request, a plan, real admission."""

import json
import urllib.request
from dataclasses import dataclass

from pydantic import JsonValue

from connectors.catalog import Catalog
from connectors.spec import ActionSpec, Effect, JsonObject, Principal, Sink
from executor.check.admit import AdmissionContext, Inputs, Verdict, admit
from executor.check.certificate import Options
from executor.plan.model import Plan
from planner.request import Check, Draft, PlanRequest

TODAY = "2026-11-24"
WORDS = "Refund the vase of order 1042 and say how it stands."


def an_object(properties: JsonObject, *required: str) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": [*(required or properties)],
        "additionalProperties": False,
    }


TEXT: JsonObject = {"type": "string"}
MONEY: JsonObject = an_object({"amount": TEXT, "currency": TEXT})
LINE: JsonObject = an_object({"name": TEXT, "sku": TEXT, "price": MONEY})
GET_ORDER = ActionSpec(
    name="orders.get_order",
    description="one order with its lines",
    input_schema=an_object({"order_id": TEXT}),
    output_schema=an_object(
        {"id": TEXT, "status": TEXT, "payment_id": TEXT, "lines": {"type": "array", "items": LINE}}
    ),
    effect=Effect.READ,
    reads_as="trusted",
)
REFUND = ActionSpec(
    name="payments.refund_create",
    description="gives money back",
    input_schema=an_object({"payment_id": TEXT, "amount": MONEY, "reason": TEXT}),
    output_schema=an_object({"id": TEXT, "status": {"enum": ["pending", "succeeded", "failed"]}}),
    effect=Effect.IDEMPOTENT,
    approval=None,
    sinks={"amount": Sink.AMOUNT, "payment_id": Sink.RESOURCE_ID},
)
CATALOG = Catalog([GET_ORDER, REFUND])


def a_plan(refund: str = "payments.refund_create") -> JsonObject:
    """A whole plan for the words, as a model writes it; `refund` names the action that refunds."""
    nothing: JsonObject = {"each": None, "when": [], "expect": [], "after": []}
    where: list[JsonValue] = [
        {"ref": "order/lines", "to": "list"},
        {"value": "name", "to": "where/0/field"},
        {"value": "==", "to": "where/0/op"},
        {"value": "vase", "to": "where/0/value"},
    ]
    given: list[JsonValue] = [
        {"ref": "order/payment_id", "to": "payment_id"},
        {"ref": "line/price", "to": "amount"},
        {"value": "as asked", "to": "reason"},
    ]
    return {
        "understanding": "Give back the price of the vase.",
        "assumptions": [],
        "questions": [],
        "unable": None,
        "steps": [
            {"id": "order", "why": "its lines", "action": "orders.get_order",
             "args": [{"value": "1042", "to": "order_id"}], **nothing},
            {"id": "line", "why": "the vase", "action": "fn.select", "args": where, **nothing},
            {"id": "refund", "why": "as asked", "action": refund, "args": given, **nothing},
        ],
        "answer": [{"ref": "order/status", "to": "status"}],
    }  # fmt: skip


def a_request(text: str = WORDS, **more: JsonObject) -> PlanRequest:
    answers = {key: str(value) for key, value in more.get("answers", {}).items()}
    return PlanRequest(
        text=text, catalog=CATALOG, today=TODAY, answers=answers, inputs=more.get("inputs", {})
    )


def a_check(request: PlanRequest) -> Check:
    """Real admission over the request's catalogue."""

    def check(plan: Plan, inputs: Inputs, options: Options) -> Verdict:
        context = AdmissionContext(
            request=request.text,
            inputs=inputs,
            catalog=request.catalog,
            policy=None,
            principal=Principal("requester-1", "tenant-1"),
            today=request.today,
            seal_key=b"k" * 32,
            history=tuple(request.answers.values()),
            options=options,
        )
        return admit(plan, context)

    return check


class Drafts(list[Draft]):
    """Keeps the drafts as they are told."""

    async def note(self, draft: Draft) -> None:
        self.append(draft)


@dataclass
class Scripted:
    """A scripted model that is being served."""

    url: str

    def asked(self) -> list[JsonObject]:
        """Every request body so far."""
        with urllib.request.urlopen(f"{self.url.removesuffix('/v1')}/requests") as answer:
            found: list[JsonObject] = json.load(answer)
        return found

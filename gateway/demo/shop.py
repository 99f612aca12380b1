"""The shop as the demonstration sees it: its own records, and what goes wrong in it on demand."""

from dataclasses import dataclass
from decimal import Decimal

import httpx2
from pydantic import JsonValue

from connectors.spec import JsonObject
from gateway.cli.show import given

TIMEOUT_S = 10.0
SKUS = ("MUG-BLUE", "PLATE-SET", "TEAPOT", "BOWL")


@dataclass(frozen=True)
class Records:
    """What the services' own records say at one moment."""

    stock: dict[str, int]
    refunds: tuple[str, ...]
    notes: tuple[str, ...]
    mails: tuple[str, ...]

    def as_json(self) -> JsonObject:
        """The records as one object."""
        return {
            "stock": {**self.stock},
            "refunds": [*self.refunds],
            "notes": [*self.notes],
            "mails": [*self.mails],
        }


@dataclass(frozen=True)
class ShopWindow:
    """Looks at the shop's services by their addresses; nothing of it goes through the gateway."""

    urls: dict[str, str]

    def records(self) -> Records:
        """Everything that may have changed, from the services themselves."""
        stock = {}
        for sku in SKUS:
            found = self._get("orders", f"/stock/{sku}")
            stock[sku] = int(str(found["on_hand"])) if isinstance(found, dict) else 0
        return Records(
            stock=stock,
            refunds=tuple(_refund(body) for body in self._applied("pay_minor", "refund")),
            notes=tuple(
                f"order {body['order_id']}: {body['text']}"
                for body in self._applied("orders", "note")
            ),
            mails=tuple(
                f"{body['to']}: {body['subject']}" for body in self._applied("mail", "mail")
            ),
        )

    def document(self) -> JsonObject:
        """The document that the orders service gives of itself."""
        found = self._get("orders", "/openapi.json")
        return found if isinstance(found, dict) else {}

    def effects_of(self, order: str) -> dict[str, int]:
        """How often each kind of thing happened for an order, by the services' own ledgers."""
        payment, customer = f"pay_{order}", f"customer-{order}@example.com"
        return {
            "refund": sum(
                body["charge"] == payment for body in self._applied("pay_minor", "refund")
            ),
            "write_off": sum(
                body["order_id"] == order for body in self._applied("orders", "write_off")
            ),
            "mail": sum(body["to"] == customer for body in self._applied("mail", "mail")),
        }

    def lose_next_refund_answer(self) -> None:
        """Have the provider take the next refund, and then say nothing."""
        match: JsonObject = {"method": "POST", "path_prefix": "/v1/refunds"}
        self._send("POST", "pay_minor", "/faults", {"kind": "hang_after", "match": match})

    def is_answer_lost(self) -> bool:
        """Whether the fault has struck: the refund is applied, and no answer left."""
        faults: JsonObject = {"all": self._get("pay_minor", "/faults")}
        return any(isinstance(each, dict) and each["fired"] for each in given(faults, "all"))

    def mend(self) -> None:
        """Have everything work again."""
        self._send("DELETE", "pay_minor", "/faults")

    def _applied(self, service: str, kind: str) -> list[JsonObject]:
        ledger: JsonObject = {"rows": self._get(service, "/ledger")}
        return [
            each["body"]
            for each in given(ledger, "rows")
            if isinstance(each, dict) and each["kind"] == kind and isinstance(each["body"], dict)
        ]

    def _get(self, service: str, path: str) -> JsonValue:
        found: JsonValue = self._send("GET", service, path).json()
        return found

    def _send(
        self, method: str, service: str, path: str, body: JsonObject | None = None
    ) -> httpx2.Response:
        url = f"{self.urls[service]}{path}"
        with httpx2.Client(trust_env=False, timeout=TIMEOUT_S) as http:
            return http.request(method, url, json=body)


def _refund(body: JsonObject) -> str:
    amount = Decimal(int(str(body["amount"]))) / 100
    return f"{body['charge']}: {amount:.2f} EUR"

"""People who have money charged and given back, two of whom have to agree, all at once."""

import json
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from shop_world import http
from storm import TO_FIND_OUT, Person, Storm

KEY = {"SHOP_KEY": "sk_shop_minor"}
OVERLAY = """
version: 1
only: [create_charge, get_charge, create_refund]
actions:
  get_charge: {{egress: false, reads_as: trusted, timeout_s: 10}}
  create_charge:
    {effect}
    egress: false
    approval: null
    irreversible: false
    reads_as: trusted
    timeout_s: 5
    sinks: {{amount: amount, source: plain, currency: plain, metadata: plain}}
    undo:
      action: {name}.create_refund
      args: [{{ref: result/id, to: charge}}, {{ref: input/amount, to: amount}}]
  create_refund:
    effect: keyed
    idempotency: {{in: header, name: Idempotency-Key, window_s: 86400}}
    egress: false
    approval: null
    reads_as: trusted
    timeout_s: 5
    sinks: {{amount: amount, charge: resource_id, reason: plain}}
"""
KEYED = "effect: keyed\n    idempotency: {in: header, name: Idempotency-Key, window_s: 86400}"
CONNECTIONS = {"pay": KEYED, "card": KEYED, "till": "effect: blind"}  # one service, by three names
SEEDED = {"pay_1042": 8250, "pay_1043": 10390, "pay_1044": 4890, "pay_1045": 2750}
GATED, MOST = 5000, 24000
FAULTS = (
    "refuse", "error_500", "error_503", "rate_limit", "drop_before", "drop_after", "garbage",
    "hang_after", "hang_before",
)  # fmt: skip
POLICY = f"""
permit (principal, action, resource);

@id("large-ones-need-two")
@approval("manager")
@quorum("2")
@message("two managers approve a large charge")
forbid (principal, action, resource)
when {{ context.args has source && context.args has amount && context.args.amount > {GATED} }}
unless {{ context.approvals.contains("manager") }};
"""


def configure(folder: Path, service: str) -> None:
    """Three connections to one till; a run may move so much and no more."""
    (folder / "policies" / "all.cedar").write_text(POLICY)
    connections = ""
    for name, effect in CONNECTIONS.items():
        overlay = OVERLAY.format(effect=effect, name=name)
        (folder / f"overlay-{name}.yaml").write_text(overlay, "utf-8")
        connections += f"""
[connections.{name}]
connector = "openapi"
base_url = "{service}"
overlay = "overlay-{name}.yaml"
credential = "env:SHOP_KEY"
allow_hosts = ["{service.removeprefix("http://")}"]
limits = {{ rate = 30, per_s = 1, burst = 5, concurrency = 4 }}
"""
    budgets = f'[budgets]\ncalls = 12\nmoney = {{ EUR = "{MOST}" }}\n'
    (folder / "lamgate.toml").write_text(f'[policy]\npath = "policies"\n{budgets}{connections}')


@dataclass
class Booked:
    """A charge, and how much of it was given back, by the service's own ledger."""

    id: str
    step: str
    amount: int
    given_back: int = 0

    @property
    def stands(self) -> bool:
        return self.given_back < self.amount


@dataclass
class MoneyStorm(Storm):
    """What is known of it by all who take part; of the managers each has a key at each gateway.

    The last of them is who asks, and may not say yes.
    """

    yes: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))  # by approval
    asked: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    rows: dict[str, Any] = field(default_factory=dict)

    def books(self) -> dict[str, list[Booked]]:
        """Every charge of this storm, by the mark of its run."""
        found: dict[str, Booked] = {}
        by_mark: dict[str, list[Booked]] = defaultdict(list)
        for row in http("GET", f"{self.shop}/ledger"):
            body = row["body"]
            if row["kind"] == "charge" and self.name in body["source"]:
                step, _, mark = body["source"].partition(" ")
                booked = Booked(body["id"], step, body["amount"])
                found[body["id"]] = booked
                by_mark[mark].append(booked)
            elif row["kind"] == "refund" and body["charge"] in found:
                found[body["charge"]].given_back += body["amount"]
        return by_mark

    def has_come_by_enough(self) -> bool:
        """Whether somebody was refused, and money given back and agreed on."""
        charges = [each for found in self.books().values() for each in found]
        gives_back = any(not each.stands for each in charges)
        return bool(self.broken) and gives_back and any(each.amount > GATED for each in charges)

    def find_out(self, gateway: httpx2.Client, manager: httpx2.Client) -> None:
        """Say what the service's ledger says, of all that is to be found out."""
        for run, mark, step in self.in_doubt(gateway):
            if any(words in step["told"] for words in TO_FIND_OUT):
                self._settle(run, mark, step["step"], manager)
            if any(TO_FIND_OUT[0] in undo["told"] for undo in step["undo"]):
                self._settle(run, mark, step["step"], manager, "undo/")

    def _settle(self, run: str, mark: str, step: str, manager: httpx2.Client, of: str = "") -> None:
        found = next((each for each in self.books()[mark] if each.step == step), None)
        body: dict[str, Any] = {"step": of + step, "reason": "looked"}
        if found is None or (of and found.stands):
            body["resolution"] = "send_again"
        else:
            body["resolution"] = "happened"
            if not of and random.random() < 0.7:
                body["output"] = self._charge(found.id)
        self.ask(manager, "POST", f"/v1/runs/{run}/reconcile", body)

    def _charge(self, charge: str) -> Any:
        headers = {"authorization": f"Bearer {KEY['SHOP_KEY']}"}
        with httpx2.Client(trust_env=False, headers=headers, timeout=60) as client:
            while True:
                try:
                    answer = client.get(f"{self.shop}/v1/charges/{charge}")
                    if answer.is_success:
                        return answer.json()
                except (httpx2.TransportError, json.JSONDecodeError):
                    pass

    def decide(self, which: int, gate: Any, said: str) -> None:
        """One manager says so; who says yes and is heard is known from then on."""
        body = {"decision": said, "reason": "storm"}
        path = f"/v1/approvals/{gate['id']}/decision"
        for step in gate["steps"]:
            self.asked[gate["run"], step].add(gate["id"])
        if self.ask(self.managers[which], "POST", path, body) and said == "approve":
            self.yes[gate["id"]].add(which // len(self.gateways))

    def approvers(self, run: str, step: str) -> set[int]:
        """The most that have said yes to one question about a step."""
        return max((self.yes[each] for each in self.asked[run, step]), key=len, default=set())

    def calm(self) -> None:
        """Nothing goes wrong or is stopped any more, some are cancelled, and others approved."""
        http("DELETE", f"{self.shop}/faults")
        gateway, manager = self.gateways[0], self.managers[0]
        for stop in self.ask(gateway, "GET", "/v1/stops"):
            self.ask(gateway, "POST", f"/v1/stops/{stop['id']}/lift", {"reason": "calm"})
        for run in [*self.open][::2]:
            self.ask(gateway, "POST", f"/v1/runs/{run}/cancel", {"mode": "undo"})
        while self.open:
            for gate in self.ask(gateway, "GET", "/v1/approvals?state=open"):
                for which in (0, len(self.gateways)):
                    self.decide(which, gate, "approve")
            self.find_out(gateway, manager)
            self.look()
            time.sleep(0.2)

    def hear(self) -> None:
        """How every run has ended."""
        for run in self.marks:
            self.rows[run] = self.ask(self.gateways[0], "GET", f"/v1/runs/{run}")


class Payer(Person):
    """Does one thing after the other, whichever comes to mind, until the storm is over."""

    def _plan(self, mark: str) -> tuple[Any, str]:
        """One to five charges, of amounts that are known, or that another one had."""
        steps: list[dict[str, Any]] = []
        known = 0
        for number in range(self._dice.randint(1, 5)):
            name = self._dice.choice([*CONNECTIONS])
            step: dict[str, Any] = {
                "id": f"s{number}",
                "action": f"{name}.create_charge",
                "args": [
                    {"value": f"s{number} {mark}", "to": "source"},
                    {"value": "eur", "to": "currency"},
                ],
                "after": [each["id"] for each in steps if self._dice.random() < 0.3],
            }
            if self._dice.random() < 0.5:
                amount = self._dice.choice((1200, 3000, 6000))
                amount = amount if known + amount <= MOST else 100
                known += amount
                step["args"].append({"value": amount, "to": "amount"})
            else:
                of = self._dice.choice([*SEEDED])
                args = [{"value": of, "to": "charge"}]
                steps.append({"id": f"r{number}", "action": "pay.get_charge", "args": args})
                step["args"].append({"ref": f"r{number}/amount", "to": "amount"})
            steps.append(step)
        said = ", ".join(
            str(arg["value"]) for each in steps for arg in each["args"] if "value" in arg
        )
        return {"steps": steps, "answer": []}, f"Charge: {said}."

    def _decide(self, gateway: httpx2.Client, _: httpx2.Client) -> None:
        storm = self._storm
        assert isinstance(storm, MoneyStorm)
        gates = storm.ask(gateway, "GET", "/v1/approvals?state=open")
        for gate in self._dice.sample(gates, min(3, len(gates))):
            (said,) = self._dice.choices(("approve", "refuse"), (12, 1))
            storm.decide(self._dice.randrange(len(storm.managers)), gate, said)

    def _stop(self, gateway: httpx2.Client, _: httpx2.Client) -> None:
        of = self._dice.choice((*CONNECTIONS, None))
        self._storm.ask(gateway, "POST", "/v1/stops", {"connection": of, "reason": "storm"})

    def _break(self, *_: httpx2.Client) -> None:
        path = self._dice.choice(("/v1/charges", "/v1/charges", "/v1/refunds"))
        fault = {
            "kind": self._dice.choice(FAULTS),
            "times": self._dice.randint(1, 4),
            "seconds": 2,
            "match": {"method": "POST", "path_prefix": path},
        }
        http("POST", f"{self._storm.shop}/faults", fault)

"""People who ask, approve, refuse, cancel, stop, lift and look, all at once, at any gateway."""

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
from shop_world import effects, http

OVER = ("succeeded", "failed", "undone", "compensation_incomplete", "cancelled", "quarantined")
CONNECTIONS = ("orders", "packing", "desk")  # one service, by three names
ACTIONS = {"create_note": "text", "add_tag": "tag"}
FAULTS = (
    "refuse", "error_500", "error_503", "rate_limit", "drop_before", "drop_after", "garbage",
    "hang_after",
)  # fmt: skip
MOST_OPEN = 60
CALM_WITHIN_S = 300.0  # that all is over; a breaker pauses for as long at the most
TO_FIND_OUT = ("took effect", "cannot be used")  # how a trace tells what a person is to find out


@dataclass
class Storm:
    """What is known of it by all who take part."""

    gateways: Sequence[httpx2.Client]
    managers: Sequence[httpx2.Client]
    shop: str
    name: str = field(default_factory=lambda: secrets.token_hex(4))  # in all that happens in it
    database_may_be_away: bool = False
    comes_by: Sequence[str] = ("POST stops",)  # which answers at the least
    is_over: threading.Event = field(default_factory=threading.Event)
    marks: dict[str, str] = field(default_factory=dict)  # of every run that was begun
    open: set[str] = field(default_factory=set)
    told: dict[str, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)  # but that somebody else was faster

    def has_come_by_enough(self) -> bool:
        """Whether it has seen what it is to be judged by."""
        return all(self.answers[each] for each in self.comes_by)

    def ask(self, client: httpx2.Client, method: str, path: str, body: Any = None) -> Any:
        """Ask until there is an answer; what is refused is counted, and what fails is kept."""
        key = {"idempotency-key": secrets.token_hex(8)} if method == "POST" else {}
        while True:
            try:
                answer = client.request(method, path, json=body, headers=key)
                if answer.status_code != 503 or not self.database_may_be_away:
                    break
                self.answers["503"] += 1
            except httpx2.TransportError:  # the gateway has died, and another one is starting
                self.answers["none"] += 1
            time.sleep(0.1)
        said = answer.json()
        if answer.is_success:
            self.answers[f"{method} {path.split('/')[2].split('?')[0]}"] += 1
            return said
        self.answers[said["code"]] += 1
        if answer.status_code not in (404, 409):
            self.broken.append(f"{method} {path}: {answer.text}")
        return None

    def begun(self, run: str, mark: str, plan: Any) -> None:
        """Somebody has begun a run of this plan."""
        self.marks[run] = mark
        self.open.add(run)

    def look(self) -> None:
        """Find out which runs are over."""
        for run in [*self.open]:
            if self.ask(self.gateways[0], "GET", f"/v1/runs/{run}")["status"] in OVER:
                self.open.discard(run)

    def find_out(self, gateway: httpx2.Client, manager: httpx2.Client) -> None:
        """Say what the service's ledger says, of all that is to be found out."""
        for run, mark, step in self.in_doubt(gateway):
            if any(words in step["told"] for words in TO_FIND_OUT):
                is_there = f"{step['step']} {mark}" in effects(self.shop, mark)
                found = "happened" if is_there else "send_again"
                body = {"step": step["step"], "resolution": found, "reason": "looked"}
                self.ask(manager, "POST", f"/v1/runs/{run}/reconcile", body)

    def in_doubt(self, gateway: httpx2.Client) -> Iterator[tuple[str, str, Any]]:
        """Every step of the runs that wait for a finding, with its run and the run's mark."""
        for row in self.ask(gateway, "GET", "/v1/runs?status=waiting&limit=100"):
            mark = self.marks.get(row["id"])
            if row["waiting_for"] == "reconcile" and mark is not None:
                for step in self.ask(gateway, "GET", f"/v1/runs/{row['id']}/trace")["steps"]:
                    yield row["id"], mark, step

    def calm(self) -> None:
        """Nothing goes wrong any more, nothing is stopped, and whoever is asked says yes."""
        self.end_faults()
        gateway = self.gateways[0]
        for stop in self.ask(gateway, "GET", "/v1/stops"):
            self.ask(gateway, "POST", f"/v1/stops/{stop['id']}/lift", {"reason": "calm"})
        self.come_to_an_end()

    def end_faults(self) -> None:
        """The services do what they are asked for, and at once."""
        http("DELETE", f"{self.shop}/faults")

    def come_to_an_end(self) -> None:
        """Go on with what waits for somebody until every run is over."""
        gateway, manager = self.gateways[0], self.managers[0]
        deadline = time.monotonic() + CALM_WITHIN_S
        while self.open:
            assert time.monotonic() < deadline, [self._left(run) for run in self.open]
            for gate in self.ask(gateway, "GET", "/v1/approvals?state=open"):
                said = {"decision": "approve", "reason": "calm"}
                self.ask(manager, "POST", f"/v1/approvals/{gate['id']}/decision", said)
            self.find_out(gateway, manager)
            self.look()
            time.sleep(0.2)

    def _left(self, run: str) -> Any:
        """What is known of a run that does not come to its end."""
        row = self.ask(self.gateways[0], "GET", f"/v1/runs/{run}")
        return row, self.ask(self.gateways[0], "GET", f"/v1/runs/{run}/events")[-6:]

    def hear(self) -> None:
        """What the traces say of every effect that was wanted."""
        for run, mark in self.marks.items():
            for step in self.ask(self.gateways[0], "GET", f"/v1/runs/{run}/trace")["steps"]:
                self.told[f"{step['step']} {mark}"] = step["effect"]


class Person:
    """Does one thing after the other, whichever comes to mind, until the storm is over."""

    def __init__(self, storm: Storm, number: int) -> None:
        self._storm = storm
        self._number = number
        self._dice = random.Random(number)
        self._begun = 0

    def live(self) -> None:
        """Go on until it is over."""
        does = self._habits()
        while not self._storm.is_over.is_set():
            (what,) = self._dice.choices([*does], [*does.values()])
            what(self._dice.choice(self._storm.gateways), self._dice.choice(self._storm.managers))

    def _habits(self) -> Mapping[Callable[[httpx2.Client, httpx2.Client], None], int]:
        """What comes to mind, and how often."""
        return {
            self._begin: 6, self._decide: 7, self._cancel: 2, self._stop: 1, self._lift: 2,
            self._watch: 1, self._storm.find_out: 2, self._break: 2,
        }  # fmt: skip

    def _begin(self, gateway: httpx2.Client, _: httpx2.Client) -> None:
        if len(self._storm.open) >= MOST_OPEN:
            time.sleep(0.05)
            return
        self._begun += 1
        mark = f"of {self._storm.name}-{self._number}-{self._begun}"
        plan, words = self._plan(mark)
        made = self._storm.ask(gateway, "POST", "/v1/plans", {"plan": plan, "request": words})
        assert made, self._storm.broken
        body = {"priority": self._dice.choice(("high", "normal", "low"))}
        run = self._storm.ask(gateway, "POST", f"/v1/plans/{made['id']}/runs", body)["id"]
        self._storm.begun(run, mark, made)

    def _plan(self, mark: str) -> tuple[Any, str]:
        """Two to seven notes and tags in some order, over connections in some other."""
        steps: list[dict[str, Any]] = []
        for number in range(self._dice.randint(2, 7)):
            (action,) = self._dice.choices([*ACTIONS], (3, 1))
            args = {"order_id": "1043", ACTIONS[action]: f"s{number} {mark}"}
            steps.append(
                {
                    "id": f"s{number}",
                    "action": f"{self._dice.choice(CONNECTIONS)}.{action}",
                    "args": [{"value": value, "to": name} for name, value in args.items()],
                    "after": [each["id"] for each in steps if self._dice.random() < 0.3],
                }
            )
        said = ", ".join(f"{each['id']} {mark}" for each in steps)
        return {"steps": steps, "answer": []}, f"At order 1043: {said}."

    def _decide(self, gateway: httpx2.Client, manager: httpx2.Client) -> None:
        gates = self._storm.ask(gateway, "GET", "/v1/approvals?state=open")
        for gate in self._dice.sample(gates, min(3, len(gates))):
            (said,) = self._dice.choices(("approve", "refuse"), (8, 1))
            body = {"decision": said, "reason": "storm"}
            self._storm.ask(manager, "POST", f"/v1/approvals/{gate['id']}/decision", body)

    def _cancel(self, gateway: httpx2.Client, _: httpx2.Client) -> None:
        if runs := [*self._storm.open]:
            path = f"/v1/runs/{self._dice.choice(runs)}/cancel"
            self._storm.ask(gateway, "POST", path, {"mode": self._dice.choice(("stop", "undo"))})

    def _stop(self, gateway: httpx2.Client, _: httpx2.Client) -> None:
        of = self._dice.choice((*CONNECTIONS, None))
        self._storm.ask(gateway, "POST", "/v1/stops", {"connection": of, "reason": "storm"})

    def _lift(self, gateway: httpx2.Client, _: httpx2.Client) -> None:
        for stop in self._storm.ask(gateway, "GET", "/v1/stops"):
            self._storm.ask(gateway, "POST", f"/v1/stops/{stop['id']}/lift", {"reason": "storm"})

    def _watch(self, gateway: httpx2.Client, _: httpx2.Client) -> None:
        self._storm.ask(gateway, "GET", "/v1/connections")
        self._storm.look()

    def _break(self, *_: httpx2.Client) -> None:
        match = {"method": self._dice.choice(("POST", "GET")), "path_prefix": "/orders"}
        fault = {
            "kind": self._dice.choice(FAULTS),
            "times": self._dice.randint(1, 4),
            "seconds": 2,
            "match": match,
        }
        http("POST", f"{self._storm.shop}/faults", fault)

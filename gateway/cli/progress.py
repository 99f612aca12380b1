"""Follows a run's journal: a live tree on a terminal, a line an event elsewhere."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from connectors.spec import JsonObject
from executor.plan.render import one_line
from gateway.cli.client import Client
from gateway.cli.show import given, out, say

_SIGNS = {
    "pending": ("·", "dim"),
    "calling": ("▶", "cyan"),
    "waiting": ("…", "yellow"),
    "done": ("✓", "green"),
    "skipped": ("-", "dim"),
    "failed": ("✗", "red"),
}
_ANSWERED, _REPLAYED = "answered", "answered: done before, under this key"
# What ends only when somebody acts; the rest goes on by itself.
PEOPLE = ("approval", "reconcile", "credentials", "tool_review", "stop")
_RULED = {
    "approval.granted": "granted",
    "approval.counted": "more are asked; yes",
    "approval.refused": "refused",
    "approval.expired": "expired",
}
_WAITS = {
    "stop": "an operator to lift a stop",
    "service": "a service that is taken for down",
    "retry": "the next try of a call",
    "reconcile": "what became of a call",
}
SETTLES_WITHIN_S = 2.0
LOOK_S = 0.05


@dataclass
class _Shown:
    state: str = "pending"
    told: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass
class Progress:
    """What is known of a run, event by event."""

    steps: dict[str, _Shown] = field(default_factory=dict)
    status: str = "running"
    last_seq: int = 0
    _granted: dict[str, str] = field(default_factory=dict)  # approval: step

    def follow(self, events: Iterable[JsonObject], is_over: Callable[[JsonObject], bool]) -> None:
        """Show events as they come, until they end or one is the last that matters."""
        if not out.is_terminal:
            for event in events:
                for line in self.take(event):
                    say(line)
                if is_over(event):
                    return
            return
        # Long lines are folded under their step; the console of everything else would cut them.
        folding = Console(file=out.file, width=out.width, highlight=False)
        with Live(self.tree(), console=folding, refresh_per_second=10) as live:
            for event in events:
                self.take(event)
                live.update(self.tree())
                if is_over(event):
                    return

    def tree(self) -> Tree:
        """The steps so far, each with what happened on the way."""
        root = Tree(Text(f"run: {self.status}"), guide_style="dim")
        for step, shown in self.steps.items():
            sign, style = _SIGNS[shown.state]
            branch = root.add(Text(f"{sign} {step:<16} {shown.told}", style=style))
            for note in shown.notes:
                if note != shown.told:
                    branch.add(Text(note, style="dim"))
        return root

    def take(self, event: JsonObject) -> list[str]:
        """Learn from an event; returns what a reader is told of it, if anything."""
        data = event["data"]
        assert isinstance(data, dict)  # noqa: S101 - the gateway's own envelope
        self.last_seq = int(str(event["seq"]))
        kind, step = str(event["type"]), str(data.get("step", ""))
        match kind:
            case "gate.opened":
                self._granted[str(data["approval"])] = step
                if data.get("kind") == "envelope":
                    steps = ", ".join(map(str, given(data, "steps")))
                    return [one_line(f"… {steps}: need approval by {data['role']}, all at once")]
            case "approval.granted" | "approval.counted" | "approval.refused" | "approval.expired":
                return self._ruled(kind, data)
            case "wait.started":
                waits = str(data["waiting_for"])
                self.status = f"waiting for {_WAITS.get(waits, waits.replace('_', ' '))}"
                return [f"… {self.status}"]
            case "wait.ended":
                self.status = "running"
                return []
            case "cancel.requested":
                return [one_line(f"  cancelled by {data['by']}: no new effects")]
            case "run.finished":
                self.status = str(data["status"])
                code = f" ({data['code']})" if data.get("code") else ""
                return [one_line(f"run: {self.status}{code}")]
        state, told = _told(kind, data)
        if not (state and step):
            return []
        item = f"[{data['iteration']}]" if data.get("iteration") else ""
        shown = self.steps.setdefault(step, _Shown())
        shown.state, shown.told = state, f"{item} {told}".strip()
        if state == "waiting":
            shown.notes.append(shown.told)
        if told == _ANSWERED:
            return []  # a line for the step's result follows
        return [f"{_SIGNS[state][0]} {step + item:<16} {told}"]

    def _ruled(self, kind: str, data: JsonObject) -> list[str]:
        step = self._granted.get(str(data.get("approval")), "")
        told = _RULED[kind]
        if "by" in data:
            told += f" by {data['by']}: {data.get('reason')}"
        told = one_line(told)
        if step in self.steps:
            self.steps[step].notes.append(told)
        return [f"  {step + ' ' if step else ''}{told}"]


def of_run(client: Client, run: str) -> Progress:
    """A run of which nothing has been told yet, with the steps of its plan."""
    return Progress(_steps_of(client, run))


def follow(client: Client, run: str, progress: Progress | None = None) -> JsonObject:
    """Follow a run until it has ended or somebody has to act; returns how it stands.

    With a `progress` of before, only what came since is told.
    """
    known = progress or of_run(client, run)
    known.follow(
        client.events(f"/v1/runs/{run}/events", known.last_seq),
        lambda event: _needs_somebody(client, run, event),
    )
    return client.thing(f"/v1/runs/{run}")


def _steps_of(client: Client, run: str) -> dict[str, _Shown]:
    plan = client.thing(f"/v1/plans/{client.thing(f'/v1/runs/{run}')['plan']}").get("plan")
    steps = given(plan, "steps") if isinstance(plan, dict) else []
    return {
        str(each["id"]): _Shown(told=one_line(str(each["action"])))
        for each in steps
        if isinstance(each, dict)
    }


def _needs_somebody(client: Client, run: str, event: JsonObject) -> bool:
    """Whether the run stands still until a person acts, and did not just wait long ago."""
    data = event["data"]
    if event["type"] != "wait.started" or not isinstance(data, dict):
        return False
    if data.get("waiting_for") not in PEOPLE:
        return False
    until = time.monotonic() + SETTLES_WITHIN_S
    while time.monotonic() < until:
        if client.things(f"/v1/runs/{run}/events?after={event['seq']}"):
            return False
        row = client.thing(f"/v1/runs/{run}")
        if row["status"] == "waiting":
            return waits_for_somebody(row)
        time.sleep(LOOK_S)
    return False


def waits_for_somebody(row: JsonObject) -> bool:
    """Whether a run waits for a person; a look-up that is due later goes on by itself."""
    if row["status"] != "waiting" or row["waiting_for"] not in PEOPLE:
        return False
    return row["waiting_for"] != "reconcile" or row["wake_at"] is None


def _told(kind: str, data: JsonObject) -> tuple[str, str]:
    match kind:
        case "intent.recorded":
            again = f", call {data['n']}" if data["n"] != 1 else ""
            return "calling", one_line(f"{data['action']}{again}")
        case "attempt.ended":
            return _ended(data)
        case "gate.opened":
            why = "; ".join(map(str, given(data, "reasons")))
            return "waiting", one_line(f"needs approval by {data['role']}: {why}")
        case "reconcile.resolved":
            known = {"applied": "it had happened", "absent": "it had not happened"}
            resolution = str(data["resolution"])
            by = {"key": "its key", "lookup": "a look-up", "repetition": "repeating it"}
            who = by.get(str(data["by"]), str(data["by"]))
            return "calling", one_line(f"{known.get(resolution, resolution)}, found by {who}")
        case "step.done":
            return "done", "done"
        case "step.skipped":
            return "skipped", one_line(f"skipped: {data['because']}")
        case "step.failed":
            told = f"failed ({data['code']}): {data['message']}; effect: {data['effect']}"
            return "failed", one_line(told)
        case _:
            return "", ""


def _ended(data: JsonObject) -> tuple[str, str]:
    if data["state"] == "applied":
        return "calling", _REPLAYED if data["replayed"] else _ANSWERED
    failure = data.get("failure")
    why = failure.get("message", "") if isinstance(failure, dict) else ""
    return "waiting", one_line(f"{str(data['state']).replace('_', ' ')}: {why}")

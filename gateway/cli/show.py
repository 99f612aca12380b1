"""How the command line shows plans, certificates and progress."""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import JsonValue
from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from connectors.spec import JsonObject

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
_SIGNS = {
    "waiting": ("…", "yellow"),
    "calling": ("▶", "cyan"),
    "done": ("✓", "green"),
    "skipped": ("-", "dim"),
    "failed": ("✗", "red"),
    "pending": ("·", "dim"),
}


def print_json(value: JsonValue) -> None:
    """Print one JSON document and nothing else."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def clean(text: str) -> str:
    """Take out control characters: what a service says must not drive a terminal."""
    return "".join(char for char in text if char.isprintable() or char in "\n\t")


def plan_text(shown: JsonObject) -> str:
    """A plan as people read it, with what the certificate says of each step."""
    certificate = shown.get("certificate")
    steps = certificate.get("steps") if isinstance(certificate, dict) else None
    standing = {
        str(each["step"]): _standing(each)
        for each in (steps if isinstance(steps, list) else [])
        if isinstance(each, dict)
    }
    lines = [f"plan digest {shown.get('digest')}"]
    for line in str(shown.get("rendered", "")).splitlines():
        name = line.partition(" = ")[0]
        lines.append(f"  {line}")
        if name in standing:
            lines.append(f"      {standing[name]}")
    return clean("\n".join(lines))


def _standing(decision: JsonObject) -> str:
    text = f"{str(decision['standing']).replace('_', ' ')} ({decision['effect']})"
    approval = decision.get("approval")
    if isinstance(approval, dict):
        reasons = approval.get("reasons")
        why = "; ".join(str(each) for each in reasons) if isinstance(reasons, list) else ""
        text += f", by {approval['role']}: {why}"
    guards = decision.get("guards")
    whys = (
        [str(each["why"]) for each in guards or [] if isinstance(each, dict)]
        if isinstance(guards, list)
        else []
    )
    return f"{text}: {'; '.join(dict.fromkeys(whys))}" if whys else text


@dataclass
class Progress:
    """Follows a run's events: a live tree on a terminal, one line an event elsewhere."""

    steps: dict[str, tuple[str, str]] = field(default_factory=dict)
    status: str = "running"
    waiting_for: str | None = None
    last_seq: int = 0

    def follow(self, events: Iterable[JsonObject], *, until_wait: bool) -> None:
        """Show events as they come; ends with the run, or when it waits for a person."""
        if out.is_terminal:
            with Live(self.tree(), console=out, refresh_per_second=8) as live:
                for event in events:
                    self._take(event)
                    live.update(self.tree())
                    if until_wait and self.waiting_for:
                        return
        else:
            for event in events:
                if line := self._take(event):
                    out.print(line, markup=False)
                if until_wait and self.waiting_for:
                    return

    def tree(self) -> Tree:
        """The steps so far."""
        root = Tree(Text(f"run {self.status}"))
        for step, (state, told) in self.steps.items():
            sign, style = _SIGNS[state]
            root.add(Text(f"{sign} {step:<18} {told}", style=style))
        return root

    def _take(self, event: JsonObject) -> str:
        data = event["data"]
        assert isinstance(data, dict)  # noqa: S101 - the gateway's own envelope
        self.last_seq = int(str(event["seq"]))
        kind, step = str(event["type"]), str(data.get("step", ""))
        state, told = _told(kind, data)
        if state and step:
            self.steps[step] = (state, told)
            return f"{_SIGNS[state][0]} {step:<18} {told}"
        if kind == "wait.started" and data.get("waiting_for") in ("approval", "reconcile"):
            self.waiting_for = str(data["waiting_for"])
            return f"… waits for {self.waiting_for}"
        if kind == "wait.ended":
            self.waiting_for = None
        if kind == "approval.granted":
            return clean(f"  approved by {data['by']}: {data['reason']}")
        if kind == "approval.refused":
            return clean(f"  refused by {data['by']}: {data['reason']}")
        if kind == "run.finished":
            self.status = str(data["status"])
            return f"run {self.status}"
        return ""


def _told(kind: str, data: JsonObject) -> tuple[str, str]:
    match kind:
        case "intent.recorded":
            return "calling", f"{data['action']}, call {data['n']}"
        case "attempt.ended":
            failure = data.get("failure")
            if data["state"] == "applied":
                return "calling", "answered" + (
                    ", done before under this key" if data["replayed"] else ""
                )
            why = failure.get("message", "") if isinstance(failure, dict) else ""
            return "waiting", clean(f"{str(data['state']).replace('_', ' ')}: {why}")
        case "gate.opened":
            reasons = data["reasons"]
            why = "; ".join(map(str, reasons)) if isinstance(reasons, list) else ""
            return "waiting", clean(f"needs approval by {data['role']}: {why}")
        case "reconcile.resolved":
            return "calling", f"{data['resolution']}, found by {data['by']}"
        case "step.done":
            return "done", "done"
        case "step.skipped":
            return "skipped", clean(f"skipped: {data['because']}")
        case "step.failed":
            return "failed", clean(
                f"failed ({data['code']}): {data['message']}; effect: {data['effect']}"
            )
        case _:
            return "", ""

"""People who book, take back, find out, give up and go on at a hall that fails, all at once."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from hall import SHOWN_AFTER_S, SLOW, UNWELCOME, WORKS_S, Booked, Hall
from storm import OVER, Person, Storm
from storm_processes import SECONDS

TIMEOUT_S, SETTLE_S = 2.0, WORKS_S + SHOWN_AFTER_S
LONG_S = 30.0  # how long a storm rages that has to come by everything
CLOCKS_S = 0.5  # how well people know the time of the journal
OVERLAY = """
version: 1
only: [{operation}, find, names, cancel, release]
actions:
  names: {{egress: false, reads_as: trusted, timeout_s: 10}}
  find: {{egress: false, reads_as: trusted, timeout_s: 10}}
  {operation}:
    {promises}
    egress: false
    approval: null
    reads_as: trusted
    timeout_s: {timeout}
    settle_s: {settle}
    sinks: {{text: plain, beside: plain}}
  cancel:
    {keyed}
    egress: false
    approval: null
    reads_as: trusted
    timeout_s: {timeout}
    sinks: {{id: plain}}
  release:
    effect: idempotent
    egress: false
    approval: null
    reads_as: trusted
    timeout_s: {timeout}
    sinks: {{text: plain}}
"""
KEYED = "effect: keyed\n    idempotency: {in: header, name: Idempotency-Key, window_s: 86400}"
LOOKED = (
    "effect: lookup\n    lookup: {action: find, by: reference, key_at: reference,"
    " reference: reference}"
)
CANCELS = "undo: {action: cancel, args: [{ref: result/id, to: id}]"
RELEASES = "undo: {action: release, args: [{ref: input/text, to: text}], safe_when_absent: true"
# One hall by six names: the operation, and what is promised of it.
NAMES = {
    "keyed": ("book", f"{KEYED}\n    {CANCELS}}}"),
    "looked": ("book", f"{LOOKED}\n    {RELEASES}}}"),
    "idem": ("put", f"effect: idempotent\n    {RELEASES}, parallel: true}}"),
    "blind": ("book", f"effect: blind\n    {CANCELS}, parallel: true}}"),
    "kept": ("book", f"{KEYED}\n    transactional_errors: [503]\n    {CANCELS}}}"),
    "final": ("book", f"{KEYED}\n    pivot: true"),
}
LIKELY = (3, 4, 3, 2, 1, 2)
LIMITED = ("looked", "blind")
POLICY = """
permit (principal, action, resource);

@id("gated-ones-need-a-manager")
@approval("manager")
@message("a manager agrees")
forbid (principal, action, resource)
when { context.args has text && context.args.text like "* gated *" }
unless { context.approvals.contains("manager") };
"""


def configure(folder: Path, hall: Hall) -> None:
    """Six connections to one hall, two of them with a rate and few places."""
    (folder / "policies" / "all.cedar").write_text(POLICY)
    connections = ""
    for name, (operation, promises) in NAMES.items():
        overlay = OVERLAY.format(
            operation=operation, promises=promises, keyed=KEYED, timeout=TIMEOUT_S, settle=SETTLE_S
        )
        (folder / f"overlay-{name}.yaml").write_text(overlay, "utf-8")
        connections += f"""
[connections.{name}]
connector = "openapi"
base_url = "{hall.url(name)}"
overlay = "overlay-{name}.yaml"
allow_hosts = ["127.0.0.1:{hall.port}"]
"""
        if name in LIMITED:
            connections += "limits = { rate = 30, per_s = 1, burst = 5, concurrency = 4 }\n"
    (folder / "lamgate.toml").write_text(f'[policy]\npath = "policies"\n{connections}')


@dataclass(frozen=True)
class Wanted:
    """A run: how its plan goes, and what it does after a failure."""

    mark: str
    on_failure: str
    steps: dict[str, Any]  # those that book, by their names
    before: dict[str, frozenset[str]]  # what each of them comes after, near and far


@dataclass
class HallStorm(Storm):
    """What is known of it by all who take part."""

    hall: Hall = field(default_factory=Hall)
    wanted: dict[str, Wanted] = field(default_factory=dict)  # by run
    rows: dict[str, Any] = field(default_factory=dict)  # of those that are over
    traces: dict[str, Any] = field(default_factory=dict)
    said: Counter[str] = field(default_factory=Counter)  # what was found out
    given_up: set[tuple[str, str]] = field(default_factory=set)  # by run and step

    def begun(self, run: str, mark: str, plan: Any) -> None:
        """Somebody has begun a run of this plan."""
        steps = {each["id"]: each for each in plan["plan"]["steps"]}
        self.wanted[run] = Wanted(
            mark,
            plan["certificate"]["options"]["on_failure"],
            {name: each for name, each in steps.items() if name.startswith("s")},
            before_each(steps),
        )
        super().begun(run, mark, plan)

    def look(self) -> None:
        """Find out which runs are over, and how."""
        for run in [*self.open]:
            row = self.ask(self.gateways[0], "GET", f"/v1/runs/{run}")
            if row["status"] in OVER:
                self.rows[run] = row
                self.open.discard(run)

    def books(self) -> dict[str, dict[str, list[Booked]]]:
        """Everything that was booked, by the mark of its run and its step or item."""
        found: dict[str, dict[str, list[Booked]]] = {}
        for each in [*self.hall.booked]:
            words, _, item = each.text.partition(" #")
            step, _, mark = words.replace(" gated ", " ").replace(f"{SLOW} ", " ").partition(" ")
            place = f"{step}[{item}]" if item else step
            found.setdefault(mark, {}).setdefault(place, []).append(each)
        return found

    def has_come_by_enough(self) -> bool:
        """Whether it has seen what it is to be judged by: all of it, or of a short storm half."""
        seen = [*map(bool, self.came_by().values())]
        return sum(seen) >= (len(seen) // 2 if SECONDS < LONG_S else len(seen))

    def came_by(self) -> dict[str, int]:
        """How often it has come by what."""
        answered, rows = self.hall.answered, [*self.rows.items()]
        went = Counter(of for run, row in rows for of in self._went(run, row))
        return {
            "a search found it": answered["searched, found"],
            "a search did not find it": answered["searched, not found"],
            "nothing was there to take back": answered["released nothing"],
            "asked to be left alone": answered["429 busy_429"] + answered["503 busy_503"],
            **{each: self.said[each] for each in FOUND_OUT},
            **{each: went[each] for each in WAYS},
        }

    def _went(self, run: str, row: Any) -> Iterator[str]:
        """Which of all the ways a run has gone."""
        way, wanted = self.wanted[run].on_failure, self.wanted[run]
        final = any(wanted.steps[each]["action"] == "final.book" for each in
                    {_step_of(each) for each in row["standing"]})  # fmt: skip
        if any("[" in each for each in row["undone"]):
            yield "an item was taken back"
        if row["status"] == "failed" and way == "undo" and final:
            yield "forward after a pivot"
        if row["status"] == "failed" and way == "continue" and row["standing"]:
            yield "on after a failure"
        if row["status"] == "compensation_incomplete" and row["undone"]:
            yield "taken back but for some"
        if row["code"] == "cancelled" and row["undone"]:
            yield "taken back for a cancel"

    def find_out(self, gateway: httpx2.Client, manager: httpx2.Client) -> None:
        """Say what the hall's books say of all that is in doubt, or that it is given up."""
        for run, _, step in self.in_doubt(gateway):
            if step["step"] in self.wanted[run].steps:
                self._settle(run, step["step"], step["attempts"], manager)
            for undo in step["undo"]:
                self._settle(run, f"undo/{step['step']}", undo["attempts"], manager)

    def _settle(self, run: str, step: str, attempts: Any, manager: httpx2.Client) -> None:
        doubts = {each["iteration"]: each for each in attempts
                  if each["state"] in ("uncertain", "applied_unreadable")}  # fmt: skip
        for item, last in doubts.items():
            place = step.removeprefix("undo/") + (f"[{item}]" if item else "")
            found = self._found(run, step, place, last)
            if found["resolution"] == "wait":
                continue
            if found["resolution"] != "abandon" and random.random() < 0.5:
                self._hear_of(last["key"], found, manager)
                continue
            body = {"step": step, "iteration": item, "reason": "looked", **found}
            if self.ask(manager, "POST", f"/v1/runs/{run}/reconcile", body) is not None:
                self.said[found["resolution"]] += 1
                if found["resolution"] == "abandon":
                    self.given_up.add((run, place))

    def _hear_of(self, key: str, found: dict[str, Any], manager: httpx2.Client) -> None:
        """The hall itself tells what became of a call."""
        output = {"output": found["output"]} if "output" in found else {}
        body = {"key": key, "happened": found["resolution"] == "happened", "source": "hall"}
        if self.ask(manager, "POST", "/v1/evidence", {**body, **output}) is not None:
            self.said["told by the hall"] += 1

    def _found(self, run: str, step: str, place: str, last: Any) -> dict[str, Any]:
        """What a person finds at the hall, who looks for a no once nothing is on its way."""
        if random.random() < 0.2:
            return {"resolution": "abandon"}
        over_at = max(last["ended_at"] or 0.0, last["at"] + TIMEOUT_S) + SETTLE_S + CLOCKS_S
        is_through = time.time() > over_at
        found = self.books().get(self.marks[run], {}).get(place, [])
        if step.startswith("undo/"):
            is_gone = bool(found) and not any(each.stands for each in found)
            return {"resolution": "happened" if is_gone else _no(is_through=is_through)}
        if not found:
            return {"resolution": _no(is_through=is_through)}
        output = {"output": found[0].told()} if random.random() < 0.7 else {}
        return {"resolution": "happened", **output}

    def end_faults(self) -> None:
        self.hall.clear()

    def come_to_an_end(self) -> None:
        """Some runs are cancelled on the way."""
        for run in [*self.open][::3]:
            self.ask(self.gateways[0], "POST", f"/v1/runs/{run}/cancel", {"mode": "undo"})
        super().come_to_an_end()

    def hear(self) -> None:
        """How every run has ended, and what its trace says."""
        for run in self.marks:
            self.rows[run] = self.ask(self.gateways[0], "GET", f"/v1/runs/{run}")
            self.traces[run] = self.ask(self.gateways[0], "GET", f"/v1/runs/{run}/trace")


FOUND_OUT = ("happened", "send_again", "abandon", "told by the hall")
WAYS = (
    "an item was taken back", "forward after a pivot", "on after a failure",
    "taken back but for some", "taken back for a cancel",
)  # fmt: skip


def _no(*, is_through: bool) -> str:
    return "send_again" if is_through else "wait"


def _step_of(place: str) -> str:
    return place.partition("[")[0]


def before_each(steps: dict[str, Any]) -> dict[str, frozenset[str]]:
    """What each step comes after, near and far; steps are listed after what they come after."""
    found: dict[str, frozenset[str]] = {}
    for name, step in steps.items():
        refs = [arg["ref"] for arg in step["args"] if "ref" in arg] + [step.get("each") or ""]
        near = {ref.partition("/")[0] for ref in refs} & steps.keys() | {*step.get("after", [])}
        found[name] = frozenset(near).union(*(found[each] for each in near))
    return found


class Booker(Person):
    """Does one thing after the other, whichever comes to mind, until the storm is over."""

    def _plan(self, mark: str) -> tuple[Any, str]:
        """One to five bookings, of one thing or of each of some, in some order."""
        steps: list[dict[str, Any]] = []
        for number in range(self._dice.randint(1, 5)):
            (odd,) = self._dice.choices(("", " gated", SLOW, UNWELCOME), (5, 1, 2, 1))
            steps += self._booking(number, f"s{number}{odd} {mark}", steps)
        if self._dice.random() < 0.4:  # it ends badly
            number = len(steps)
            last = self._booking(number, f"s{number}{UNWELCOME} {mark}", steps)
            is_last = self._dice.random() < 0.5  # else beside what is in doubt, it may be
            last[-1]["after"] = [each["id"] for each in steps] if is_last else []
            steps += last
        said = {
            arg["value"]
            for step in steps
            for arg in step["args"]
            if arg.get("value") and arg["to"] in ("text", "of")
        }
        return {"steps": steps, "answer": []}, f"Book 2, 3 or 4 of each: {', '.join(sorted(said))}."

    def _booking(self, number: int, text: str, steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A step that books, and what it reads before."""
        (name,) = self._dice.choices([*NAMES], LIKELY)
        step: dict[str, Any] = {"id": f"s{number}", "action": f"{name}.{NAMES[name][0]}"}
        args, before = [{"value": text, "to": "text"}], []
        if self._dice.random() < 0.3:
            of = [{"value": text, "to": "of"}, {"value": self._dice.randint(2, 4), "to": "count"}]
            before = [{"id": f"n{number}", "action": f"{name}.names", "args": of, "after": []}]
            step["each"], args = f"n{number}", [{"ref": "each/text", "to": "text"}]
        single = [each["id"] for each in steps if each["id"][0] == "s" and "each" not in each]
        if single and self._dice.random() < 0.4:
            args.append({"ref": f"{self._dice.choice(single)}/id", "to": "beside"})
        after = [each["id"] for each in steps if self._dice.random() < 0.3]
        return [*before, {**step, "args": args, "after": after}]

    def _habits(self) -> dict[Any, int]:
        return {**super()._habits(), self._begin: 8, self._break: 5, self._cancel: 3}

    def _stop(self, gateway: httpx2.Client, _: httpx2.Client) -> None:
        of = self._dice.choice((*NAMES, None))
        self._storm.ask(gateway, "POST", "/v1/stops", {"connection": of, "reason": "storm"})

    def _break(self, *_: httpx2.Client) -> None:
        assert isinstance(self._storm, HallStorm)
        (things,) = self._dice.choices(("bookings", "cancels", "releases"), (5, 1, 1))
        self._storm.hall.spoil(things, self._dice.randint(1, 3))

"""Who acts in the demonstration: somebody asks and answers, and somebody else approves."""

import json
import time
from dataclasses import dataclass, field

import typer

from connectors.spec import JsonObject
from gateway.cli.problem import CliError
from gateway.cli.progress import Progress, follow, of_run
from gateway.cli.show import given, plan_text, say
from gateway.demo.process import failed
from gateway.demo.stage import LOOK_S, Stage

WAIT_S = 60
PLANNED_WITHIN_S = 180.0
MOST_ROUNDS = 10
_OPEN = ("received", "planning")
NO_OPTION = "a full refund"


@dataclass(frozen=True)
class Planned:
    """A request as it stands, its plan if there is one, and what was asked on the way."""

    request: JsonObject
    plan: JsonObject
    questions: tuple[str, ...] = ()

    @property
    def run(self) -> str:
        """The run that began with the plan."""
        return str(self.request["run"])

    @property
    def remedy(self) -> str:
        """What the customer gets, as the plan has it."""
        inputs = self.plan.get("inputs")
        values = inputs.get("values") if isinstance(inputs, dict) else None
        return str(values.get("remedy", "")) if isinstance(values, dict) else ""


@dataclass
class People:
    """Requester and approver; with `is_yes` they act by themselves, and it is said so."""

    stage: Stage
    is_yes: bool
    refused: set[str] = field(default_factory=set)  # runs in which a person said no
    has_tried_own: bool = False

    def ask(self, text: str, model: str) -> Planned:
        """Ask for something in plain words, and answer what is asked back."""
        say(f'requester-1 asks: "{text}"')
        client, questions, rounds = self.stage.requester, dict[str, str](), 0
        body: JsonObject = {"text": text, "model": model}
        row = client.post("/v1/requests", body, wait_s=WAIT_S)
        deadline = time.monotonic() + PLANNED_WITHIN_S
        while row["status"] in (*_OPEN, "needs_answer") and time.monotonic() < deadline:
            path = f"/v1/requests/{row['id']}"
            if row["status"] in _OPEN:
                time.sleep(LOOK_S)
                row = client.thing(path)
                continue
            rounds += 1
            if rounds > MOST_ROUNDS:
                break
            answers: JsonObject = {}
            for question in given(row, "questions"):
                if isinstance(question, dict):
                    questions.setdefault(str(question["about"]), str(question["ask"]))
                    answers[str(question["about"])] = self._answer(question)
            row = client.post(f"{path}/answers", {"answers": answers}, wait_s=WAIT_S)
        plan = client.thing(f"/v1/plans/{row['plan']}") if row["status"] == "planned" else {}
        return Planned(row, plan, tuple(questions.values()))

    def follow(self, run: str) -> JsonObject:
        """Follow a run to its end, approving on the way; returns how it stands."""
        progress = of_run(self.stage.requester, run)
        while True:
            row = follow(self.stage.requester, run, progress)
            if row["status"] != "waiting" or row["waiting_for"] != "approval":
                return row
            self.decide(run)

    def follow_to_approval(self, run: str) -> Progress:
        """Follow a run until it asks for an approval, and answer that."""
        progress = of_run(self.stage.requester, run)
        follow(self.stage.requester, run, progress)
        self.decide(run)
        return progress

    def decide(self, run: str) -> None:
        """Say yes or no, as somebody else than who asked, to exactly what is shown."""
        for each in self.stage.approver.things(f"/v1/approvals?state=open&run={run}"):
            say()
            self._try_own(str(each["id"]))
            why = "; ".join(map(str, given(each, "reasons")))
            say(f"approver-1 is shown what would be done, exactly: {why}")
            say(f"    {each['action']} {json.dumps(each['arguments'], ensure_ascii=False)}")
            decision = "approve"
            if self.is_yes:
                say("approver-1, with a key of their own, approves.        [YES=1 approved]")
            elif not typer.confirm("Approve, as approver-1?", default=True):
                decision = "refuse"
                self.refused.add(run)
            body: JsonObject = {"decision": decision, "reason": "checked in the demonstration"}
            self.stage.approver.post(f"/v1/approvals/{each['id']}/decision", body)
            say()

    def _try_own(self, approval: str) -> None:
        """Have who asked try to approve it, once in a story: the answer is a problem."""
        if self.has_tried_own:
            return
        self.has_tried_own = True
        body: JsonObject = {"decision": "approve", "reason": "my own"}
        try:
            self.stage.requester.post(f"/v1/approvals/{approval}/decision", body)
        except CliError as error:
            say(f"requester-1 tries to approve it and is refused: {error.code}, {error.what}")
        else:
            raise failed("somebody approved their own request", self.stage.data)

    def _answer(self, question: JsonObject) -> str:
        offered = [str(each) for each in given(question, "options")]
        say(f"the gateway asks: {question['ask']} ({' or '.join(offered) or 'in your words'})")
        if not self.is_yes:
            return str(typer.prompt("requester-1 answers"))
        chosen = offered[0] if offered else NO_OPTION
        say(f"requester-1 answers: {chosen}        [YES=1 answered]")
        return chosen


def show_plan(planned: Planned) -> None:
    """Show a plan with what its certificate says of each step."""
    say("\nThe plan, fixed before anything is read or done, with its certificate:")
    say(plan_text(planned.plan) + "\n")

"""The demonstration's three acts, told as they happen."""

import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import typer
from pydantic import JsonValue

from connectors.spec import JsonObject
from gateway.cli.client import CliError
from gateway.cli.show import Progress, clean, out, plan_text, say
from gateway.demo.stage import Stage, stage, wait_until

MUG = "A mug from order 1042 arrived broken. Please make it right and let the customer know."
PLATES = (
    "The plate set of order 1043 arrived cracked. Refund it in full and tell the customer by mail."
)
TEAPOT = "A customer got a broken teapot in order 1044, they want their money back."


def tell(*, yes: bool, data: Path | None, stay: bool) -> None:
    """Tell the whole story; `yes` answers and approves, and says so."""
    if not yes and not sys.stdin.isatty():
        raise CliError("nobody can answer here: say --yes (make demo YES=1)")
    started = time.monotonic()
    folder = (data or Path(tempfile.mkdtemp(prefix="lamgate-demo-"))).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    say("Starting a small shop (orders, two payment providers, mail) and a gateway ...")
    with stage(folder) as running:
        story = _Story(running, yes)
        before = story.shop_now()
        story.act_one()
        story.act_two()
        story.act_three()
        _changes(before, story.shop_now())
        story.keep_files()
        _commands(folder)
        say(f"\nThe demo took {time.monotonic() - started:.0f} s. Everything it made: {folder}")
        if stay:
            _stay(running)


@dataclass
class _Story:
    stage: Stage
    yes: bool
    drafted: JsonValue = None
    planned: JsonValue = None

    def act_one(self) -> None:
        """An ambiguous request, one question, a plan, an approval, a run."""
        _title("Act one: an ambiguous request, without any model")
        row = self._ask(MUG, "playbooks")
        self._run(row)

    def act_two(self) -> None:
        """A model plans; what it invents is refused with the reason."""
        kind = f"live: {self.stage.model}" if self.stage.model_is_live else "a recorded reply"
        _title(f"Act two: the same with a model ({kind}), through litellm")
        if not self.stage.model_is_live:
            say("No provider's key is set, so an OpenAI-compatible server on loopback plays a")
            say(
                "RECORDED reply. Nothing else is staged: parsing, checks and repair are the real ones."
            )
        row = self._ask(PLATES, "planner")
        drafts = row.get("drafts")
        for draft in drafts if isinstance(drafts, list) else []:
            if isinstance(draft, dict):
                self._show_draft(draft)
        self._run(row)

    def act_three(self) -> None:
        """The payment is sent, its answer never comes, and the gateway is killed."""
        _title("Act three: the answer of a payment is lost, and the gateway is killed")
        fault: dict[str, JsonValue] = {
            "kind": "hang_after",
            "match": {"method": "POST", "path_prefix": "/v1/refunds"},
        }
        self.stage.spoil("pay_minor", fault)
        say("The payment provider will take the next refund and then say nothing.")
        row = self._ask(TEAPOT, "playbooks")
        run = str(row["run"])
        self._approve(run)
        wait_until(self._fault_fired, "the refund reaches the provider")
        refunds = len(self._refunds())
        say("The refund is with the provider, no answer has come. Killing the gateway (SIGKILL).")
        self.stage.stop_gateway(kill=True)
        say("Its process is gone. The provider answers again, and the gateway is started again.\n")
        self.stage.mend("pay_minor")
        self.stage.start_gateway()
        self._follow(run)
        self._trace(run)
        say(
            f"Refunds at the provider when the gateway was killed: {refunds}, and now:",
        )
        say(f"  {len(self._refunds())}. The money went back once.")
        if len(self._refunds()) != refunds:
            raise CliError("the refund was repeated: this must never happen", 1)

    def shop_now(self) -> JsonObject:
        """What the shop's own records say."""
        stock = {}
        for sku in ("MUG-BLUE", "TEAPOT"):
            found = self.stage.ask_shop("orders", f"/stock/{sku}")
            stock[sku] = found["on_hand"] if isinstance(found, dict) else None
        mails = self.stage.ask_shop("mail", "/messages")
        received: list[JsonValue] = [
            f"{each['recipient']}: {each['subject']}"
            for each in (mails if isinstance(mails, list) else [])
            if isinstance(each, dict)
        ]
        return {"stock": dict(stock), "refunds": [*self._refunds()], "mails": received}

    def keep_files(self) -> None:
        """Leave a catalogue and two plans to try `lamgate admit` on."""
        actions = self.stage.client.get("/v1/actions")
        catalog: JsonObject = {"lamgate_catalog": 1, "actions": actions}
        folder = self.stage.data
        (folder / "catalog.json").write_text(json.dumps(catalog, indent=1))
        (folder / "plan.json").write_text(json.dumps(self.planned, indent=1))
        (folder / "draft.json").write_text(str(self.drafted or json.dumps(self.planned)))

    def _ask(self, text: str, model: str) -> JsonObject:
        client = self.stage.client
        say(f'requester-1 asks: "{text}"')
        row = client.post("/v1/requests", {"text": text, "model": model}, wait=60)
        while row["status"] == "needs_answer":
            answers: JsonObject = {}
            asked = row.get("questions")
            for question in asked if isinstance(asked, list) else []:
                if isinstance(question, dict):
                    answers[str(question["about"])] = self._answer(question)
            row = client.post(f"/v1/requests/{row['id']}/answers", {"answers": answers}, wait=60)
        if row["status"] != "planned":
            raise CliError(f"the request is {row['status']}: {row.get('message', '')}", 1)
        return row

    def _answer(self, question: JsonObject) -> str:
        options = question.get("options")
        offered = [str(each) for each in options] if isinstance(options, list) else []
        say(f"the gateway asks: {question['ask']} ({' or '.join(offered)})")
        if self.yes:
            say(f"requester-1 answers: {offered[0]}   (YES=1 answers)")
            return offered[0]
        return str(typer.prompt("requester-1 answers"))

    def _run(self, row: JsonObject) -> None:
        shown = self.stage.client.get(f"/v1/plans/{row['plan']}")
        if isinstance(shown, dict):
            self.planned = shown["plan"]
            say("\nThe plan, fixed before anything is read, with its certificate:")
            say(plan_text(shown))
        run = str(row["run"])
        say("")
        self._approve(run)
        self._follow(run)
        self._trace(run)

    def _approve(self, run: str) -> None:
        waiting: list[JsonObject] = []

        def asked() -> bool:
            found = self.stage.approver.get(f"/v1/approvals?state=open&run={run}")
            waiting[:] = (
                [each for each in found if isinstance(each, dict)]
                if isinstance(found, list)
                else []
            )
            return bool(waiting)

        wait_until(asked, "the run asks for an approval")
        for each in waiting:
            reasons = each["reasons"]
            why = "; ".join(map(str, reasons)) if isinstance(reasons, list) else ""
            say(f"{each['step']} waits for an approval: {why}")
            say(f"  {each['action']} {json.dumps(each['arguments'])}")
            if self.yes:
                say("approver-1, with a key of their own, approves.   (YES=1 approves)")
                decision = "approve"
            else:
                is_yes = typer.confirm("Approve as approver-1?", default=True)
                decision = "approve" if is_yes else "refuse"
            body: JsonObject = {"decision": decision, "reason": "checked in the demo"}
            self.stage.approver.post(f"/v1/approvals/{each['id']}/decision", body)

    def _follow(self, run: str) -> None:
        Progress().follow(self.stage.client.events(f"/v1/runs/{run}/events"), until_wait=False)

    def _trace(self, run: str) -> None:
        told = self.stage.client.get(f"/v1/runs/{run}/trace", accept="text/plain")
        say(f"\nThe trace:\n{told}")

    def _show_draft(self, draft: JsonObject) -> None:
        violations = draft["violations"]
        found = violations if isinstance(violations, list) else []
        say(f"draft {draft['round']}: {'refused' if found else 'accepted'}")
        if found:
            self.drafted = draft["text"]
        for each in found:
            if isinstance(each, dict):
                say(f"  {each['code']} at {each['at']}: {each['message']}")
                candidates = each.get("candidates")
                if isinstance(candidates, list) and candidates:
                    say(f"  candidates: {', '.join(map(str, candidates))}")

    def _fault_fired(self) -> bool:
        faults = self.stage.ask_shop("pay_minor", "/faults")
        return isinstance(faults, list) and any(
            isinstance(each, dict) and each["fired"] == 1 for each in faults
        )

    def _refunds(self) -> list[str]:
        ledger = self.stage.ask_shop("pay_minor", "/ledger")
        return [
            f"{each['body']['charge']}: {each['body']['amount']} cents"
            for each in (ledger if isinstance(ledger, list) else [])
            if isinstance(each, dict) and isinstance(each["body"], dict)
        ]


def _title(text: str) -> None:
    out.print()
    out.rule(clean(text), align="left")


def _changes(before: JsonObject, after: JsonObject) -> None:
    _title("What changed in the shop, by its own records")
    for name in ("stock", "refunds", "mails"):
        say(f"{name}:")
        say(f"  before: {before[name] or 'none'}")
        found = after[name]
        if isinstance(found, list):
            for each in found:
                say(f"  now:    {each}")
        else:
            say(f"  now:    {found}")


def _commands(folder: Path) -> None:
    _title("Try next")
    program = Path(sys.argv[0])
    lamgate = str(program) if program.name == "lamgate" else f"{sys.executable} -m gateway"
    say(f"{lamgate} admit {folder}/draft.json --catalog {folder}/catalog.json")
    say("    why the plan with the invented action may not run")
    say(
        f"{lamgate} admit {folder}/plan.json --catalog {folder}/catalog.json --policy {folder}/policies"
    )
    say("    the plan that may, under the shop's policy (add --json for the certificate)")
    say(f"{lamgate} demo --stay")
    say("    the same once more; afterwards everything keeps running for you to explore")


def _stay(running: Stage) -> None:
    say(f"\nStill running: the gateway's API at {running.client.url}/docs")
    say(f"Its keys are in {running.data}/keys.json; Ctrl-C ends everything.")
    try:
        while running.gateway.poll() is None:
            time.sleep(0.5)
    except KeyboardInterrupt:
        say("")

"""The demonstration's three acts; what each claims, it has looked up in the shop's records."""

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.spec import JsonObject
from gateway.cli.problem import violation_lines
from gateway.cli.progress import follow
from gateway.cli.show import given, say
from gateway.demo.claims import Claims
from gateway.demo.people import People, Planned, show_plan
from gateway.demo.stage import LIVE, RECORDED, wait_until

MUG = "A mug from order 1042 arrived broken. Please make it right and let the customer know."
PLATES = (
    "The plate set of order 1043 arrived cracked. Refund it in full and tell the customer by mail."
)
TEAPOT = "A customer got a broken teapot in order 1044, they want their money back."
ONCE = {"refund": 1, "write_off": 1, "mail": 1}
NOTHING_PAID = {**ONCE, "refund": 0}


@dataclass(frozen=True)
class Act:
    """What an act leaves for whoever reads on."""

    title: str
    planned: Planned
    run: JsonObject
    claims: tuple[str, ...]

    def as_json(self) -> JsonObject:
        """The act in figures."""
        return {
            "title": self.title,
            "request": self.planned.request["id"],
            "questions": [*self.planned.questions],
            "plan": self.planned.request["plan"],
            "plan_digest": self.planned.plan["digest"],
            "run": self.run["id"],
            "status": self.run["status"],
            "claims": [*self.claims],
        }


ACT_ONE = "Act one: an ambiguous request, and no model at all"
ACT_TWO = "Act two: the same with a model, through litellm"
ACT_THREE = "Act three: a payment's answer is lost, and then the gateway is killed"


def act_one(people: People, claims: Claims) -> Act:
    """What the customer should get is not said: it is asked, planned, approved and run."""
    planned = people.ask(MUG, "playbooks")
    claims.need_plan(planned)
    show_plan(planned)
    run = people.follow(planned.run)
    claims.holds("one question was asked instead of a guess", len(planned.questions) == 1)
    expected = ONCE if planned.remedy == "refund" else NOTHING_PAID
    _expect_outcome(people, run, "1042", expected, claims)
    return Act(ACT_ONE, planned, run, tuple(claims.made))


def act_two(people: People, claims: Claims) -> Act:
    """A model plans; what it invents is refused with the reason, and it repairs it."""
    planned = _live(people)
    is_live = planned is not None
    if planned is None:
        say("A RECORDED REPLY plays the model, from an OpenAI-compatible server on this machine.")
        say("Only the words are recorded: litellm, parsing, checks and repair are the real ones.\n")
        planned = people.ask(PLATES, RECORDED)
    drafts = [each for each in given(planned.request, "drafts") if isinstance(each, dict)]
    for draft in drafts:
        _show_draft(draft)
    claims.need_plan(planned)
    show_plan(planned)
    run = people.follow(planned.run)
    if not is_live:
        _expect_repair(drafts, claims)
        _expect_outcome(people, run, "1043", ONCE, claims)
    else:
        say(f"The plan was the live model's own; its run: {run['status']}.")
    return Act(ACT_TWO, planned, run, tuple(claims.made))


def act_three(people: People, claims: Claims) -> Act:
    """The refund is sent, its answer never comes, and the gateway dies before it knows."""
    stage = people.stage
    stage.shop.lose_next_refund_answer()
    say("The payment provider is told to take the next refund, and then to say nothing.")
    planned = people.ask(TEAPOT, "playbooks")
    claims.need_plan(planned)
    progress = people.follow_to_approval(planned.run)
    refunds = 0
    is_approved = planned.run not in people.refused
    if is_approved:
        progress.follow(_events_after(people, planned.run, progress.last_seq), _is_refund_sent)
        refunds = _kill_in_the_middle(people, planned.run)
    run = follow(stage.requester, planned.run, progress)
    stage.shop.mend()
    say("\nThe trace:")
    path = f"/v1/runs/{planned.run}/trace"
    say(str(stage.requester.get(path, accept="text/plain")).rstrip() + "\n")
    _expect_outcome(people, run, "1044", ONCE, claims)
    if is_approved:
        claims.holds("the refund had happened before the gateway was killed", refunds == 1)
        _expect_found_by_key(stage.requester.thing(path), claims)
    return Act(ACT_THREE, planned, run, tuple(claims.made))


def _kill_in_the_middle(people: People, run: str) -> int:
    """Kill the gateway while it waits for the answer; how often money had gone back by then."""
    stage = people.stage
    wait_until(lambda: _is_in_the_middle(people, run), "the refund is sent", stage.data)
    refunds = stage.shop.effects_of("1044")["refund"]
    say("\nThe refund is with the provider, and no answer comes. The gateway is killed: kill -9.")
    stage.kill_gateway()
    say("The provider answers again, and the gateway is started again on the same database.\n")
    stage.shop.mend()
    stage.start_gateway()
    return refunds


def _expect_outcome(
    people: People, run: JsonObject, order: str, expected: dict[str, int], claims: Claims
) -> None:
    """The run ended well, and its effects happened just as often as they should."""
    found = people.stage.shop.effects_of(order)
    if str(run["id"]) in people.refused:
        claims.holds("you refused, and no money went back", found["refund"] == 0, found)
        return
    claims.holds("the run succeeded", run["status"] == "succeeded", run)
    times = ", ".join(f"{name.replace('_', '-')} {count}" for name, count in expected.items())
    claims.holds(f"by the services' own ledgers, order {order}: {times}", found == expected, found)


def _live(people: People) -> Planned | None:
    """Plan with the provider's model, or say why the recorded reply has to stand in."""
    model = people.stage.live_model
    if model is None:
        say("No provider's key is in the environment.")
        return None
    say(f"The environment holds a provider's key: {model} plans, live.\n")
    planned = people.ask(PLATES, LIVE)
    if planned.request["status"] == "planned":
        return planned
    row = planned.request
    why = row.get("message") or row.get("unable") or "see its drafts; nothing has run"
    say(f"The live model gave no plan ({row['status']}): {why}")
    for draft in given(row, "drafts"):
        if isinstance(draft, dict):
            _show_draft(draft)
    say()
    return None


def _show_draft(draft: JsonObject) -> None:
    violations = [each for each in given(draft, "violations") if isinstance(each, dict)]
    say(f"the model's draft {draft['round']} is {'refused' if violations else 'accepted'}")
    for each in violations:
        say(f"    {each['code']}")
        say("\n".join(violation_lines(each, "      ")))


def _expect_repair(drafts: list[JsonObject], claims: Claims) -> None:
    """The first draft names an action that does not exist, and hears which ones do."""
    found = [each for draft in drafts[:1] for each in given(draft, "violations")]
    invented = [
        each for each in found if isinstance(each, dict) and each["code"] == "unknown-action"
    ]
    candidates = [name for each in invented for name in given(each, "candidates")]
    claims.holds(
        "the invented action was refused, and the model was told which one exists",
        "payments.refund_create" in candidates,
        found,
    )
    is_repaired = len(drafts) == 2 and not given(drafts[-1], "violations")
    claims.holds("its second draft was accepted", is_repaired, drafts)


def _events_after(people: People, run: str, seq: int) -> Iterator[JsonObject]:
    return people.stage.requester.events(f"/v1/runs/{run}/events", seq)


def _is_refund_sent(event: JsonObject) -> bool:
    data = event["data"]
    is_refund = isinstance(data, dict) and data.get("step") == "refund"
    return event["type"] == "intent.recorded" and is_refund


def _is_in_the_middle(people: People, run: str) -> bool:
    """The refund's answer is lost, and what does not depend on it is done."""
    done = [
        each["data"]["step"]
        for each in people.stage.requester.things(f"/v1/runs/{run}/events")
        if each["type"] == "step.done" and isinstance(each["data"], dict)
    ]
    return "write_off" in done and people.stage.shop.is_answer_lost()


def _expect_found_by_key(trace: JsonObject, claims: Claims) -> None:
    """The trace says which step it was, what became of the money, and what was not repeated."""
    steps = {str(each["step"]): each for each in given(trace, "steps") if isinstance(each, dict)}
    effect = str(steps["refund"]["effect"])
    claims.holds(f"the trace says of the refund: {effect}", "found by its key" in effect, effect)
    calls = {name: len(given(each, "attempts")) for name, each in steps.items()}
    claims.holds("what had been done was not called again", calls["write_off"] == 1, calls)

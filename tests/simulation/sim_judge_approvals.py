"""The verdict on approvals: each call was shown as it was made, to as many people as are asked."""

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from sim_judge import BESIDE_S, CLOCKS_DIFFER_S, must
from sim_process import WALL
from sim_wide import RULED, Rules, Variant

from executor.run.state import Place, undoes
from executor.store.journal import StoredEvent

if TYPE_CHECKING:
    from sim_history import History

_APPROVALS = (
    "SELECT id, kind, steps, arguments, action_digest, role, quorum, requester, expires_at"
    " FROM approvals WHERE run = ?"
)
_YES = "SELECT approval, principal FROM decisions WHERE decision = 'approve'"


class _Approval(NamedTuple):
    kind: str
    steps: str
    arguments: str
    action_digest: str
    role: str
    quorum: int
    requester: str
    expires_at: float


def judge_approvals(history: "History", rules: Rules | None) -> None:
    """Every call that was begun."""
    _judge_answers(history)
    approvals = {name: _Approval(*rest) for name, *rest in history.ask(_APPROVALS)}
    people: defaultdict[str, set[str]] = defaultdict(set)
    for name, principal in history.database.ask(_YES):
        people[name].add(principal)
    _judge_told(history, people)
    granted = {x.data["approval"]: x.seq for x in history.stored if x.type == "approval.granted"}
    places: defaultdict[tuple[str, str], set[Place]] = defaultdict(set)  # by approval and step
    for each in (x for x in history.stored if x.type == "intent.recorded"):
        data: Any = each.data
        place = (data["step"], data["iteration"])
        for name in data["approvals"]:
            found = approvals[name]
            must(granted.get(name, each.seq) < each.seq, f"{place} relies on what nobody granted")
            must(name not in history.people.refused, f"{place} relies on a no")
            must(len(people[name]) >= found.quorum, f"{place}: {people[name]} are too few")
            must(found.requester not in people[name], "who asked said yes")
            late = each.at - found.expires_at
            must(late < CLOCKS_DIFFER_S, f"{place} was begun {late} s after its approval")
            places[name, place[0]].add(place)
            _judge_shown(history, found, data, len(places[name, place[0]]))
        if rules is not None and undoes(place) is None:
            given = {name: approvals[name] for name in data["approvals"]}
            _judge_rules(history, rules, each, given, people)


def _judge_told(history: "History", people: dict[str, set[str]]) -> None:
    """Everybody who said yes, and did not take it back by a no, stands in the journal."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    for each in history.stored:
        if each.type in ("approval.counted", "approval.granted"):
            data: Any = each.data
            told[data["approval"]].add(data["by"])
        if each.type == "approval.refused":
            told[str(each.data["approval"])].discard(str(each.data["by"]))
    for name, by in told.items():
        must(by == people[name], f"{people[name]} said yes to {name}, and the journal names {by}")


def _judge_answers(history: "History") -> None:
    """Once somebody has answered what a call asks, the next one goes on with that."""
    answered: dict[Place, int] = {}
    sent = {(*each.place, each.context.attempt): each.context for each in history.services.seen}
    for each in history.stored:
        data: Any = each.data
        if each.type == "reconcile.resolved" and data["resolution"] == "answered":
            answered[data["step"], data["iteration"]] = data["n"]
        if each.type != "intent.recorded":
            continue
        place, n = (data["step"], data["iteration"]), data["n"]
        before = answered.pop(place, None)
        if before is not None and (context := sent.get((*place, n))) is not None:
            must(context.continues is not None, f"{place} was asked, and nobody told the answer")


def _judge_shown(history: "History", found: _Approval, intent: Any, places: int) -> None:
    """The very arguments were shown, or lie in the bands that were."""
    shown, arguments = json.loads(found.arguments), intent["arguments"]
    action = history.accepted.actions[intent["action"]]
    if found.kind == "step":
        must(json.loads(found.steps) == [intent["step"]], "the approval is of another step")
        must(found.action_digest == action.digest, "the approval is of another action")
        is_shown = arguments in shown.get("items", [shown])
        must(is_shown, f"{arguments} were made of {shown}")
        return
    (step,) = (each for each in shown["steps"] if each["step"] == intent["step"])
    must(step["action_digest"] == action.digest, "the approval is of another action")
    must(places <= step["calls"], f"{places} places of {step['calls']} that were approved")
    bands = {each["at"].removeprefix("/"): each for each in step["bands"]}
    must(arguments.keys() <= bands.keys(), f"{arguments} were not shown: {[*bands]}")
    for name, value in arguments.items():
        band = bands[name]
        is_inside = band["kind"] == "any" or value in band["values"]
        must(band["kind"] != "open" and is_inside, f"{name} is {value}, out of {band}")


def _judge_rules(
    history: "History",
    rules: Rules,
    intent: StoredEvent,
    given: dict[str, _Approval],
    people: dict[str, set[str]],
) -> None:
    """What every policy asks that stood while it was decided on was given, by several people."""
    data: Any = intent.data
    name = data["action"].removeprefix("shop.")
    at = intent.at - WALL
    stood_still = [
        x.process.stood_still_at
        for x in history.world.workers
        if x.process.went_on_at <= at < x.process.went_on_at + BESIDE_S
    ]
    since = min([at, *stood_still]) - BESIDE_S
    stood = rules.between(since - history.slack_s, at + history.slack_s)
    asked = [each.asks(name, data["arguments"]) for each in stood]
    must(any(each is not None for each in asked), f"{name} was called though it is denied")
    wanted = [each for each in asked if each is not None]
    for role in {role for each in wanted for role in each}:
        least = min(each.get(role, 0) for each in wanted)
        said = [people[each] for each, of in given.items() if of.role == role]
        must(any(len(each) >= least for each in said) or not least,
             f"{name} was called with the yes of {said}; {least} of {role} are asked")  # fmt: skip
    asking = {role: [each for each in stood if role in (each.asks(name, data["arguments"]) or {})]
              for role in {of.role for of in given.values()}}  # fmt: skip
    is_sure = {role: len(each) == len(wanted) for role, each in asking.items()}
    _judge_texts(history, rules, given, {role: asking[role] for role in asking if is_sure[role]})
    if name in RULED and least_roles(wanted) > 1:
        each_role = {of.role: people[each] for each, of in given.items()}
        both = set.intersection(*each_role.values())
        must(not both, f"{both} said yes in two roles")
    history.services.reached["approved by policy"] += bool(given) and name in RULED


def _judge_texts(
    history: "History", rules: Rules, given: dict[str, _Approval], asking: dict[str, list[Variant]]
) -> None:
    """What was said yes to is what was asked when the call began, word for word."""
    opened = {x.data["approval"]: x.data["policy_version"]
              for x in history.stored if x.type == "gate.opened"}  # fmt: skip
    for name, of in given.items():
        if of.role not in asking:
            continue  # what stands now asks for nothing of it
        then = {each.text(of.role) for _, each in rules.stood
                if each.policy.version == opened[name]}  # fmt: skip
        now = {each.text(of.role) for each in asking[of.role]}
        must(bool(then & now), f"{name} is of {then}, and {now} is asked")


def least_roles(wanted: list[Any]) -> int:
    """How many roles every one of them asks."""
    return min((len(each) for each in wanted), default=0)

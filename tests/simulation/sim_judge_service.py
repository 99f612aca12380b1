"""The verdict on what a service is asked: no more than it allows, and nothing while it is down.

Nor is it asked before it wants to be how a call stands that it has accepted.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from sim_judge import BESIDE_S, CLOCKS_DIFFER_S, must
from sim_plans import TIMEOUT_S
from sim_process import WALL
from sim_seen import Polled

from executor.store.journal import StoredEvent

if TYPE_CHECKING:
    from sim_history import History
    from sim_world import World

IN_A_ROW = 5  # calls that nobody answers
PAUSE_S = 10.0  # and twice as long when the trial after it is not answered either
_Call = tuple[str, str, str, int]
_WOKEN = "SELECT wake_seq FROM runs WHERE id = ?"
_ORDER = "SELECT subject, seq FROM events ORDER BY rowid"


def judge_service(world: "World") -> None:
    """Whoever calls, and from whichever process; each connection is a service of its own."""
    connections: dict[tuple[str, str], list[StoredEvent]] = {}  # by tenant and connection
    of: dict[_Call, tuple[str, str]] = {}
    for each in _in_order(world):
        if each.type == "intent.recorded":
            connection = str(each.data["action"]).partition(".")[0]
            of[_call(each)] = world.life_of(each.subject).tenant, connection
        if each.type in ("intent.recorded", "attempt.ended"):
            connections.setdefault(of[_call(each)], []).append(each)
    for (_, connection), told in connections.items():
        _judge_quotas(world, told)
        others = world.services.others if connection == "shop" else ()
        _judge_outage(world, told, others)
        _judge_rate(world, told, others)
    for each in world.lives:
        _judge_polls(each)


def _judge_polls(history: "History") -> None:
    """None earlier than its own drive was told, or than was written down a while ago by anybody."""
    services, slack_s = history.services, history.slack_s
    for before, told_at, until in services.put_off:
        for each in services.polled:  # a drive that has lost its claim may ask beside the next one
            if each.at > told_at and (each[1:3], each.drive) == (before[1:3], before.drive):
                _must_not_be_early(each, until, slack_s)
    (woken,) = history.ask(_WOKEN)[0]
    told = [each for each in history.stored if each.type in ("attempt.ended", "attempt.deferred")]
    for poll in services.polled:
        at, since = WALL + poll.at - slack_s, WALL + poll.went_on_at + slack_s
        before = [
            each.data
            for each in told
            if since < each.at < at - BESIDE_S
            and (each.data["step"], each.data["iteration"], each.data["n"]) == (*poll.place, poll.n)
        ]
        for each in before:
            if each["ask_from"] is not None:
                _must_not_be_early(poll, float(str(each["ask_from"])) - WALL, slack_s)
        if before and before[-1].get("woken") == woken:  # and nobody has woken it since
            again_at = before[-1]["again_at"]
            until = inf if again_at is None else float(str(again_at)) - WALL
            services.reached["its pause was to be kept to"] += 1
            _must_not_be_early(poll, until, slack_s)


def _must_not_be_early(poll: Polled, ask_from: float, slack_s: float) -> None:
    early = ask_from - poll.at
    must(early < slack_s, f"what became of {poll.place} is asked {early} s too early")


def _in_order(world: "World") -> Iterator[StoredEvent]:
    """What all runs wrote, in the order in which it was written."""
    stored = {each.run: each.stored for each in world.lives}
    for subject, seq in world.database.ask(_ORDER):
        yield stored[subject][seq - 1]


def _judge_rate(world: "World", told: Sequence[StoredEvent], others: Sequence[float]) -> None:
    """No more calls than the connection allows."""
    if world.limits is None or world.limits.rate is None:
        return
    every_s = world.limits.per_s / world.limits.rate
    mine = (each.at for each in told if each.type == "intent.recorded")
    begun = sorted([*mine, *others])
    for first, start in enumerate(begun):
        for last in range(first + world.limits.burst, len(begun)):
            allowed = world.limits.burst + (begun[last] - start + CLOCKS_DIFFER_S) / every_s
            must(last - first + 1 <= allowed, f"{last - first + 1} calls since {start}")


def _judge_quotas(world: "World", told: Sequence[StoredEvent]) -> None:
    """None after a service said that it takes no more, since that was written down."""
    for number, each in enumerate(told):
        if each.type != "attempt.ended":
            continue
        left, until = world.life_of(each.subject).services.quotas.get(_call(each)[1:], (0, 0.0))
        is_told = each.data["state"] in ("applied", "applied_unreadable")
        later = (x for x in told[number + 1 :] if x.type == "intent.recorded")
        begun = sum(is_told and x.at < until - CLOCKS_DIFFER_S for x in later)
        must(left > 0 or begun == 0, f"{begun} calls after the service took no more")


def _judge_outage(world: "World", told: Sequence[StoredEvent], others: Sequence[float]) -> None:
    """None while it is taken for down; after that one alone, as a trial.

    Of the first outage of a history, and as long as nothing was searched for: what a search was
    told counts as well, and is in no journal. Nor is a call of `others`, which is the trial once
    the time of ours is over: what becomes of ours says nothing any more.
    """
    slack = CLOCKS_DIFFER_S if world.clocks_differ else 0.001
    searched = WALL + min(world.services.searched, default=inf) - CLOCKS_DIFFER_S
    in_a_row, down_until = 0, 0.0
    trial: StoredEvent | None = None
    for each in (x for x in told if x.at < searched):
        if each.type == "intent.recorded" and down_until:
            must(each.at > down_until - slack, "a call while the service is taken for down")
            is_alone = trial is None or each.at > trial.at + TIMEOUT_S - slack
            must(is_alone, "a call beside the trial of a service that was down")
            trial = each
        elif each.type == "attempt.ended" and trial is not None and _call(each) == _call(trial):
            is_another_s = any(trial.at < begun <= each.at for begun in others)
            if is_another_s or _answers(world, each) is not False:
                return
            down_until, trial = each.at + 2 * PAUSE_S, None
            world.services.reached["is still down"] += 1
        elif each.type == "attempt.ended" and not down_until:
            answers = _answers(world, each)
            in_a_row = in_a_row if answers is None else 0 if answers else in_a_row + 1
            if in_a_row == IN_A_ROW:
                down_until = each.at + PAUSE_S
                world.services.reached["is taken for down"] += 1


def _answers(world: "World", ended: StoredEvent) -> bool | None:
    """Whether the service answered, as far as its caller learnt that; None: nobody can say."""
    failure = ended.data["failure"]
    if not isinstance(failure, dict) or str(ended.data["state"]).startswith("applied"):
        return True
    if failure["status"] is not None:
        return None if failure["status"] == 500 else True  # it may be one order alone
    is_told = failure["kind"] in ("unavailable", "timeout")
    unanswered = world.life_of(ended.subject).services.unanswered
    return False if is_told and _call(ended)[1:] in unanswered else None


def _call(event: StoredEvent) -> _Call:
    data: Any = event.data
    return event.subject, data["step"], data["iteration"], data["n"]

"""The verdict on what a service is asked: no more than it allows, and nothing while it is down."""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from sim_judge import CLOCKS_DIFFER_S, must
from sim_plans import TIMEOUT_S
from sim_process import WALL

from executor.store.journal import StoredEvent

if TYPE_CHECKING:
    from sim_history import History

IN_A_ROW = 5  # calls that nobody answers
PAUSE_S = 10.0  # and twice as long when the trial after it is not answered either
_Call = tuple[str, str, int]


def judge_service(history: "History") -> None:
    """Whoever calls, and from whichever process; each connection is a service of its own."""
    connections: dict[str, list[StoredEvent]] = {}
    of: dict[_Call, str] = {}
    for each in history.stored:
        if each.type == "intent.recorded":
            of[_call(each)] = str(each.data["action"]).partition(".")[0]
        if each.type in ("intent.recorded", "attempt.ended"):
            connections.setdefault(of[_call(each)], []).append(each)
    for connection, told in connections.items():
        _judge_quotas(history, told)
        _judge_outage(history, told)
        _judge_rate(history, told, history.services.others if connection == "shop" else ())


def _judge_rate(history: "History", told: Sequence[StoredEvent], others: Sequence[float]) -> None:
    """No more calls than the connection allows."""
    if history.limits is None or history.limits.rate is None:
        return
    every_s = history.limits.per_s / history.limits.rate
    mine = (each.at for each in told if each.type == "intent.recorded")
    begun = sorted([*mine, *others])
    for first, start in enumerate(begun):
        for last in range(first + history.limits.burst, len(begun)):
            allowed = history.limits.burst + (begun[last] - start + CLOCKS_DIFFER_S) / every_s
            must(last - first + 1 <= allowed, f"{last - first + 1} calls since {start}")


def _judge_quotas(history: "History", told: Sequence[StoredEvent]) -> None:
    """None after a service said that it takes no more, since that was written down."""
    for number, each in enumerate(told):
        if each.type != "attempt.ended":
            continue
        left, until = history.services.quotas.get(_call(each), (0, 0.0))
        is_told = each.data["state"] in ("applied", "applied_unreadable")
        later = (x for x in told[number + 1 :] if x.type == "intent.recorded")
        begun = sum(is_told and x.at < until - CLOCKS_DIFFER_S for x in later)
        must(left > 0 or begun == 0, f"{begun} calls after the service took no more")


def _judge_outage(history: "History", told: Sequence[StoredEvent]) -> None:
    """None while it is taken for down; after that one alone, as a trial.

    Of the first outage of a history, and as long as nothing was searched for: what a search was
    told counts as well, and is in no journal.
    """
    slack = CLOCKS_DIFFER_S if history.clocks_differ else 0.001
    searched = WALL + min(history.services.searched, default=inf) - CLOCKS_DIFFER_S
    in_a_row, down_until = 0, 0.0
    trial: StoredEvent | None = None
    for each in (x for x in told if x.at < searched):
        if each.type == "intent.recorded" and down_until:
            must(each.at > down_until - slack, "a call while the service is taken for down")
            is_alone = trial is None or each.at > trial.at + TIMEOUT_S - slack
            must(is_alone, "a call beside the trial of a service that was down")
            trial = each
        elif each.type == "attempt.ended" and trial is not None and _call(each) == _call(trial):
            if _answers(history, each) is not False:
                return
            down_until, trial = each.at + 2 * PAUSE_S, None
            history.services.reached["is still down"] += 1
        elif each.type == "attempt.ended" and not down_until:
            answers = _answers(history, each)
            in_a_row = in_a_row if answers is None else 0 if answers else in_a_row + 1
            if in_a_row == IN_A_ROW:
                down_until = each.at + PAUSE_S
                history.services.reached["is taken for down"] += 1


def _answers(history: "History", ended: StoredEvent) -> bool | None:
    """Whether the service answered, as far as its caller learnt that; None: nobody can say."""
    failure = ended.data["failure"]
    if not isinstance(failure, dict) or str(ended.data["state"]).startswith("applied"):
        return True
    if failure["status"] is not None:
        return None if failure["status"] == 500 else True  # it may be one order alone
    is_told = failure["kind"] in ("unavailable", "timeout")
    return False if is_told and _call(ended) in history.services.unanswered else None


def _call(event: StoredEvent) -> _Call:
    data: Any = event.data
    return data["step"], data["iteration"], data["n"]

"""A rehearsal for people to read; never parsed back."""

import json
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from connectors.spec import JsonObject
from executor.plan.render import one_line
from executor.rehearse.report import Act, Figures, Message, Rehearsal, Scenario, SetbackEnd, Way

MOST_TEXT = 160  # of one value
_UPSETS = {
    "refused": "is refused",
    "lost": "loses its answer",
    "not_approved": "is not approved",
}
_WHYS = {
    "fixed": "it hangs on no answer",
    "not_found": "no made-up answer was found that does it",
    "not_reached": "no scenario came to it",
}


def render(rehearsal: Rehearsal) -> str:
    """First what it comes to at the most, then each scenario, setbacks, and what is not shown."""
    return "\n".join(one_line(line) for line in _lines(rehearsal))


def told(rehearsal: Rehearsal) -> JsonObject:
    """As data and as text, in one."""
    return {**rehearsal.model_dump(mode="json"), "rendered": render(rehearsal)}


def _lines(rehearsal: Rehearsal) -> Iterator[str]:
    count = len(rehearsal.scenarios)
    policy = rehearsal.policy.replace("-", " ")
    yield f"rehearsed: nothing was called; {_many(count, 'scenario')}, policy {policy}"
    yield f"at the most: {_figures(rehearsal.most)}"
    yield from (f"  more {each}" for each in _more(rehearsal))
    if rehearsal.budgets.money:
        allowed = ", ".join(f"{value} {name}" for name, value in rehearsal.budgets.money.items())
        yield f"  the budget of a run: {allowed}"
    before: dict[str, int] = {}
    for each in rehearsal.scenarios:
        yield from _scenario(each, before)
    if rehearsal.setbacks:
        yield f"if something goes wrong (on failure: {rehearsal.on_failure})"
        yield from (f"  {_setback(each)}" for each in rehearsal.setbacks)
    if rehearsal.setbacks_left_out:
        yield f"  and {_many(rehearsal.setbacks_left_out, 'setback')} that were not played"
    yield from _not_shown(rehearsal)


def _more(rehearsal: Rehearsal) -> Iterator[str]:
    """Why a run may come to more than any scenario."""
    if rehearsal.open_lists:
        yield f"where services answer with longer lists: {', '.join(rehearsal.open_lists)}"
    if rehearsal.open_amounts:
        yield f"where they say larger amounts: {', '.join(rehearsal.open_amounts)}"
    if unmet := dict.fromkeys(each.step for each in rehearsal.unmet):
        yield f"where they answer what could not be made up: {', '.join(unmet)}"
    ways = (each for each in rehearsal.ways if not each.yes and each.why != "fixed")
    if unseen := dict.fromkeys(each.step for each in ways):
        yield f"where it goes ways that are not shown: {', '.join(unseen)}"
    cut = [str(each.number) for each in rehearsal.scenarios if each.waiting_for == "too-long"]
    if cut:
        yield f"than could be played: scenario {', '.join(cut)} is not at its end"


def _scenario(scenario: Scenario, before: dict[str, int]) -> Iterator[str]:
    """One scenario; `before` are the effects that were told already, with the scenario's number."""
    ended = scenario.status + (f", {scenario.code}" if scenario.code else "")
    if scenario.waiting_for:
        ended += f" for {scenario.waiting_for}"
    yield f"scenario {scenario.number}: {ended}; {_figures(scenario.figures)}"
    if scenario.because:
        yield f"  where {'; '.join(scenario.because)}"
    for asked in scenario.approvals:
        who = asked.role + (f" ({asked.quorum} of them)" if asked.quorum > 1 else "")
        yield f"  asks {who} for {', '.join(asked.steps)}: {'; '.join(asked.reasons)}"
    messages = {(each.step, each.iteration): each for each in scenario.messages}
    for act in scenario.effects:
        text = _act(act)
        if text in before:
            yield f"  {_place(act.step, act.iteration)} acts as in scenario {before[text]}"
            continue
        before[text] = scenario.number
        yield f"  {text}"
        if (message := messages.get((act.step, act.iteration))) is not None and message.to:
            yield f"    {_message(message)}"
    for step in scenario.steps:
        if step.ended in ("failed", "skipped") or step.why:
            yield f"  {step.step} {step.ended}: {step.why}"
    if unreached := [each.step for each in scenario.steps if each.ended == "open"]:
        yield f"  not come to, or open: {', '.join(unreached)}"


def _act(act: Act) -> str:
    arguments = ", ".join(f"{name}={_short(value)}" for name, value in act.arguments.items())
    told = f"{_place(act.step, act.iteration)}: {act.action}({arguments}) [{act.effect}"
    told += "; cannot be undone]" if act.undo != "can" else "]"
    if act.made_up:
        told += f" made up: {', '.join(each or 'all' for each in act.made_up)}"
    return f"{told}, then undone" if act.undone else told


def _message(message: Message) -> str:
    to = ", ".join(_short(each) for each in message.to)
    return f"says to {to}: {' / '.join(_short(each) for each in message.content)}"


def _setback(end: SetbackEnd) -> str:
    what = _place(end.step, end.iteration) if end.step else "the plan as a whole"
    told = f"{what} {_UPSETS[end.upset]} (scenario {end.scenario}): {end.status}"
    told += f", {end.code}" if end.code and end.code != end.status else ""
    told += f" for {end.waiting_for}" if end.waiting_for else ""
    for name, steps in (("standing", end.standing), ("uncertain", end.uncertain),
                        ("undone", end.undone)):  # fmt: skip
        told += f"; {name}: {', '.join(steps)}" if steps else ""
    return told


def _not_shown(rehearsal: Rehearsal) -> Iterator[str]:
    for way in rehearsal.ways:
        if way.why is not None:
            yield f"not shown: {_way(way)}, for {_WHYS[way.why]}"
    for unmet in rehearsal.unmet:
        yield f"not met: {unmet.step}, {unmet.code}: {unmet.message}"


def _way(way: Way) -> str:
    missing = "either" if not way.yes and not way.no else "no" if way.yes else "yes"
    return f"{missing} to {way.step} {way.kind} {way.text}"


def _figures(figures: Figures) -> str:
    parts = [_many(figures.writes, "write")]
    if figures.messages:
        parts.append(_many(figures.messages, "message"))
    parts += [f"{value} {name}".rstrip() for name, value in figures.money.items()]
    if figures.approvals:
        parts.append(_many(figures.approvals, "approval"))
    parts.append(f"calls {_counts(figures.calls)}" if figures.calls else "no calls")
    waits = {name: seconds for name, seconds in figures.rate_limit_s.items() if seconds}
    if waits:
        parts.append(f"waits for the rate {_seconds(sum(waits.values()))}")
    expected = figures.expected_s
    took = f"at most {_seconds(figures.at_most_s)}"
    parts.append(took if expected is None else f"about {_seconds(expected)}, {took}")
    return ", ".join(parts)


def _counts(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name} {count}" for name, count in counts.items())


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:.3g} min"


def _place(step: str, iteration: str) -> str:
    return f"{step}[{iteration}]" if iteration else step


def _short(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}... ({len(text)} characters)"

"""Actions that can be undone, and runs that undo what they did."""

from typing import Any

from run_cases import FIND, SETTLE_S, Play, action, play

from connectors.spec import ActionSpec
from executor.check.certificate import Options

BACK = Options(on_failure="undo")
BY_RESULT = [{"ref": "result/id", "to": "id"}]
BY_INPUT = [{"ref": "input/x", "to": "x"}]
# What comes through within TIMEOUT_S of its beginning and LATE_S of its end, or never.
TIMEOUT_S, LATE_S = 20.0, 50.0
SAFE = {"args": BY_INPUT, "safe_when_absent": True}
LATE = {"settle_s": LATE_S, "timeout_s": TIMEOUT_S}
STATUS = {
    "action": "shop.find", "by": "handle", "state_at": "state",
    "done": ["done"], "failed": ["failed"],
}  # fmt: skip
WRITES = ("idempotent", "keyed", "lookup", "blind")
TAKERS = ("idempotent", "keyed", "lookup")


def undoable(effect: str = "keyed", by: str = "keyed", **more: Any) -> ActionSpec:
    """A write whose undo is of the class `by`; its name is `shop.EFFECT_by_BY`."""
    undo = {"action": f"shop.take_{by}", "args": BY_RESULT} | more.pop("undo", {})
    found = {"settle_s": SETTLE_S} if effect == "lookup" else {}
    name = more.pop("name", f"shop.{effect}_by_{by}")
    return action(name, effect, undo=undo, **found, **more)


ACTIONS = (
    *(action(f"shop.take_{by}", by) for by in TAKERS),
    *(undoable(effect, by) for effect in WRITES for by in TAKERS),
    undoable(name="shop.safe", effect="blind", undo=SAFE),
    undoable("blind", name="shop.late", undo=SAFE | {"deadline_s": 5.0}, **LATE),
    undoable("keyed", name="shop.slow", undo=SAFE, status=STATUS, **LATE),
    undoable("idempotent", name="shop.put", undo={"args": BY_INPUT}, **LATE),
    undoable(name="shop.beside", undo={"parallel": True}),
    undoable(name="shop.brief", undo={"deadline_s": 30.0}),
    *(
        undoable("keyed", by, name=f"shop.brief_{by}", undo={"deadline_s": 30.0})
        for by in ("lookup", "keyed")
    ),
    action("shop.pivot", "keyed", pivot=True),
    action("shop.final", "keyed", irreversible=True),
    action("shop.final_found", "blind", irreversible=True, lookup=FIND),
)  # fmt: skip


def play_back(*steps: dict[str, Any], **more: Any) -> Play:
    """A run on paper that undoes what it did once a step fails."""
    return play(*steps, options=more.pop("options", BACK), more=ACTIONS, **more)

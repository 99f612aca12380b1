"""Actions that can be undone, and runs that undo what they did."""

from typing import Any

from run_cases import FIND, SETTLE_S, Play, action, play

from connectors.spec import ActionSpec
from executor.check.certificate import Options

BACK = Options(on_failure="undo")
BY_RESULT = [{"ref": "result/id", "to": "id"}]
BY_INPUT = [{"ref": "input/x", "to": "x"}]
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
    undoable(name="shop.safe", effect="blind", undo={"args": BY_INPUT, "safe_when_absent": True}),
    undoable(name="shop.beside", undo={"parallel": True}),
    undoable(name="shop.brief", undo={"deadline_s": 30.0}),
    action("shop.pivot", "keyed", pivot=True),
    action("shop.final", "keyed", irreversible=True),
    action("shop.final_found", "blind", irreversible=True, lookup=FIND),
)  # fmt: skip


def play_back(*steps: dict[str, Any], **more: Any) -> Play:
    """A run on paper that undoes what it did once a step fails."""
    return play(*steps, options=more.pop("options", BACK), more=ACTIONS, **more)

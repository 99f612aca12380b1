"""Plans that compute: functions over what was read, and calls for each of what came of that.

Lists come of a read that gives others each time, now and then with a row that is not as it should
be; of calls for each of something; and of calls that take many items. Functions choose among them,
count them and put them together, a model reads them, and what comes of that decides which calls are
made, how many, and with what.
"""

import json
import random
from functools import cache
from typing import Any, NamedTuple

from sim_plans import CATALOG, NAMES, POLICY, TIMEOUT_S, action_of, admitted, budgets_of

from connectors.catalog import Catalog
from executor.check.admit import Accepted
from executor.check.budgets import Budgets
from executor.check.certificate import Options
from executor.fn.extract import EXTRACT, extract_action
from executor.plan.model import Plan

COMPUTED_PLANS = 160
LARGEST = 3  # number in a row
KINDS = ("a", "b")
ROWS = ("shop.rows", "shop.told_rows")
LONG = "shop.long_rows"
READ = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1, "maximum": LARGEST}},
    "required": ["n"],
    "additionalProperties": False,
}
COMPUTED_CATALOG = Catalog(
    (
        *CATALOG,
        action_of("rows", "read", reads_as="trusted"),
        action_of("told_rows", "read"),
        action_of("long_rows", "read", reads_as="trusted"),
        extract_action("reader", TIMEOUT_S),
    )
)
_MANY = tuple(each for each in NAMES if each.startswith("many"))
_CALLS = tuple(each for each in NAMES if each not in _MANY)
_LONG_CALLS = ("read", "idempotent", "keyed", "blind")
_ONE_IN = 40  # plans, for a long list takes its time
Step = dict[str, Any]


class _List(NamedTuple):
    """Where a list is, and where a number is in each of its elements."""

    ref: str
    field: str

    def of(self, root: str) -> str:
        """Where that number is in one element of it."""
        return f"{root}/{self.field}" if self.field else root


class _Draft:
    """A plan on its way."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.steps: list[Step] = []
        self._lists: list[_List] = []
        self._each: dict[str, _List] = {}  # by the list of all results: what it was made for
        self._numbers: list[str] = []

    def _add(self, action: str, *args: Step, **more: Any) -> str:
        name = f"s{len(self.steps)}"
        self.steps.append({"id": name, "action": action, "args": [*args], **more})
        return name

    # ---- what there is

    def source(self) -> None:
        """A list to begin with."""
        rng = self._rng
        match rng.choice(["rows", "rows", "rows", "several", "many", "made"]):
            case "rows":
                name = self._add(rng.choice(ROWS))
                self._lists.append(_List(f"{name}/rows", "n"))
            case "several":
                item = {"ref": "each", "to": "item"}
                self._whole(self._add(rng.choice(ROWS), item, each="input/list"))
            case "many":
                lines = {"ref": "input/lines", "to": "lines"}
                name = self._add(f"shop.{rng.choice(_MANY)}", {"value": 1, "to": "x"}, lines)
                self._lists.append(_List(f"{name}/made", "id"))
            case _:
                args = [{"value": 1, "to": "x"}, {"ref": "each", "to": "item"}]
                self._whole(self._add(f"shop.{rng.choice(_CALLS)}", *args, each="input/list"))

    def long(self) -> None:
        """More calls than may be under way together."""
        rows, action = self._add(LONG), f"shop.{self._rng.choice(_LONG_CALLS)}"
        self._add(action, {"ref": "each/n", "to": "x"}, each=f"{rows}/rows")

    def _whole(self, name: str, of: _List | None = None) -> None:
        whole = _List(name, "id")
        self._lists.append(whole)
        if of is not None:
            self._each[name] = of

    # ---- what is computed

    def function(self) -> None:
        """One more function over what there is."""
        rng, found = self._rng, self._rng.choice(self._lists)
        given = {"ref": found.ref, "to": "list"}
        by = {"value": found.field, "to": "by"}
        expect: Step = {}
        if rng.random() < 0.4:
            expect = {"expect": [{"left": "result", "op": ">", "value": 1}]}
        match rng.choice(
            ["filter", "filter", "sort", "pick", "zip", "best", "select", "count", "sum", "add",
             "extract", "extracts"]
        ):  # fmt: skip
            case "filter":
                name = self._add("fn.filter", given, self._where(found))
                self._lists.append(_List(name, found.field))
            case "sort" if found.field:
                down = {"value": rng.random() < 0.5, "to": "descending"}
                self._lists.append(_List(self._add("fn.sort", given, by, down), found.field))
            case "pick" if found.field and "/" not in found.field:
                fields = {"json": json.dumps([found.field]), "to": "fields"}
                self._lists.append(_List(self._add("fn.pick", given, fields), found.field))
            case "zip":
                right = {"ref": rng.choice(self._lists).ref, "to": "right"}
                name = self._add("fn.zip", {"ref": found.ref, "to": "left"}, right)
                self._lists.append(_List(name, found.of("left")))
            case "best":
                name = self._add(rng.choice(["fn.min_by", "fn.max_by"]), given, by)
                self._numbers.append(found.of(name))
            case "select":
                only = [{"field": found.field, "op": "==", "value": rng.randint(1, LARGEST)}]
                where = {"json": json.dumps(only), "to": "where"}
                name = self._add("fn.select", given, where)
                self._numbers.append(found.of(name))
            case "count":
                self._numbers.append(self._add("fn.count", given, **expect))
            case "sum":
                field = {"value": found.field, "to": "field"}
                self._numbers.append(self._add("fn.sum", given, field, **expect))
            case "extract":
                schema = {"json": json.dumps(READ), "to": "schema"}
                name = self._add(EXTRACT, {"ref": found.ref, "to": "text"}, schema)
                self._numbers.append(f"{name}/n")
            case "extracts":
                schema = {"json": json.dumps(READ), "to": "schema"}
                text = {"text": [{"lit": "read "}, {"ref": found.of("each")}], "to": "text"}
                name = self._add(EXTRACT, text, schema, each=found.ref)
                self._lists.append(_List(name, "n"))
                self._each[name] = found
            case _:
                args = [{"ref": found.of("each"), "to": "left"}, {"value": 1, "to": "right"}]
                name = self._add("fn.add", *args, each=found.ref)
                self._lists.append(_List(name, ""))
                self._each[name] = found

    def _where(self, found: _List) -> Step:
        op, value = self._rng.choice([(">", 1), ("<=", 2), ("==", 1), ("exists", True)])
        clauses = [{"field": found.field, "op": op, "value": value}]
        return {"json": json.dumps(clauses), "to": "where"}

    # ---- what is called

    def call(self) -> None:
        """A call with what was computed, or one for each of it."""
        rng, action = self._rng, f"shop.{self._rng.choice(_CALLS)}"
        more: Step = {}
        if rng.random() < 0.15:
            more["expect"] = [{"left": "result/ok", "op": "==", "value": True}]
        if self._numbers and rng.random() < 0.35:
            number = rng.choice(self._numbers)
            if rng.random() < 0.4:
                more["when"] = [{"left": number, "op": rng.choice([">", "<="]), "value": 1}]
            self._add(action, {"ref": number, "to": "x"}, **more)
            return
        found = rng.choice([*self._lists, *self._lists[-2:]])
        args = [{"ref": found.of("each"), "to": "x"}]
        if (maker := self._each.get(found.ref)) is not None and rng.random() < 0.7:
            args.append({"ref": maker.of("each_item"), "to": "of"})
        if rng.random() < 0.35:
            op, value = rng.choice([(">", 1), ("==", 1), ("!=", 2)])
            more["when"] = [{"left": found.of("each"), "op": op, "value": value}]
        self._whole(self._add(action, *args, each=found.ref, **more), found)

    def any(self) -> None:
        """A few steps of any shape."""
        rng = self._rng
        self.source()
        for _ in range(rng.choice([1, 2, 2, 3])):
            rng.choice([self.function] * 6 + [self.source, self.choice])()
        for _ in range(rng.choice([1, 1, 2])):
            rng.choice([self.call] * 4 + [self.choice])()
            if rng.random() < 0.3:
                self.function()

    def choice(self) -> None:
        """One of two calls, by a number, and then whichever was made."""
        rng, number = self._rng, self._rng.choice(["input/n", *self._numbers, *self._numbers])
        made = [
            self._add(
                f"shop.{rng.choice(_CALLS)}",
                {"value": 2, "to": "x"},
                when=[{"left": number, "op": op, "value": 2}],
            )
            for op in (">", "<=")
        ]
        options = [{"ref": f"{each}/id", "to": f"options/{n}"} for n, each in enumerate(made)]
        self._numbers.append(self._add("fn.first_of", *options))


@cache
def computed_plan_of(number: int) -> Accepted:
    """One of the plans that compute, always the same under the same number."""
    rng = random.Random(f"computed plan {number}")
    draft = _Draft(rng)
    if number % _ONE_IN == 0:
        draft.long()
    else:
        draft.any()
    answer = [{"ref": each["id"], "to": each["id"]} for each in draft.steps]
    plan = Plan.model_validate_json(json.dumps({"steps": draft.steps, "answer": answer}))
    options = Options(
        on_failure=rng.choice(["stop", "continue", "undo", "undo"]),
        on_uncertain=rng.choice(["wait", "continue"]),
    )
    budgets = budgets_of(rng)
    for few in (budgets, Budgets()):
        verdict = admitted(plan, options, few, POLICY, COMPUTED_CATALOG)
        if isinstance(verdict, Accepted):
            return verdict
    raise AssertionError(verdict)

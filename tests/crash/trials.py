"""One trial: a run whose process is killed at one point, taken up by another, and then judged.

The judge is the shop's own ledger, never what the gateway says of itself. Whether the process died
at its point is judged as well, by what it left: its journal, and the ledger of that moment.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OVERLAY = ROOT / "examples" / "shop" / "overlays" / "orders.yaml"
SECRET = {"SHOP_MINOR_KEY": "sk_shop_minor"}

# The middle step of a trial, by effect class: what is called, with what, and where it hangs.
MIDDLES: dict[str, tuple[str, dict[str, str], str, str]] = {
    "read": ("orders.get_order", {"order_id": "1044"}, "GET", "/orders/1044"),
    "idempotent": (
        "orders.set_status",
        {"order_id": "1044", "status": "{mark}"},
        "PUT",
        "/orders/1044/status",
    ),
    "keyed": (
        "payments.refund_create",
        {
            "payment_id": "pay_1044",
            "amount/amount": "0.01",
            "amount/currency": "EUR",
            "reason": "{mark}",
        },
        "POST",
        "/v1/refunds",
    ),
    "lookup": (
        "orders.create_note",
        {"order_id": "1044", "text": "{mark}"},
        "POST",
        "/orders/1044/notes",
    ),
    "blind": ("orders.add_tag", {"order_id": "1044", "tag": "{mark}"}, "POST", "/orders/1044/tags"),
}
# What takes the middle step back, by effect class: at places where nothing else happens.
UNDOS: dict[str, tuple[str, dict[str, str], str, str]] = {
    "idempotent": (
        "orders.set_status",
        {"order_id": "1043", "status": "{mark}"},
        "PUT",
        "/orders/1043/status",
    ),
    "keyed": MIDDLES["keyed"],
    "lookup": (
        "orders.create_note",
        {"order_id": "1043", "text": "{mark}"},
        "POST",
        "/orders/1043/notes",
    ),
}
KINDS = {"idempotent": "status", "keyed": "refund", "lookup": "note", "blind": "tag"}

# What the journal holds of a step or an undo, in this order, and how much of it there may be where
# the process died: what follows is written with what it follows from where that is known in time,
# on the way back also the intent with the beginning, and the end of the run. Then whether it
# happened.
BEGINNING, *COURSE = ("undo.started", "intent.recorded", "attempt.ended", "done", "run.finished")
LEFT: dict[str, tuple[set[int], bool]] = {
    "before the intent": ({0}, False),
    "after the intent": ({1}, False),
    "after sending": ({1}, True),
    "after the answer": ({1}, True),
    "after the outcome": ({2, 3}, True),
    "after the step": ({3}, True),
    "after the run": ({4}, True),
}
LEFT_BACK = LEFT | {
    "after the beginning": ({0, 1}, False),
    "after the outcome": ({2, 3, 4}, True),
    "after the step": ({3, 4}, True),
}


@dataclass(frozen=True)
class Verdict:
    """What a trial came to: effects by the shop's ledger, the run by its trace."""

    effects: dict[str, int]  # by step: first, middle, last
    trace: dict[str, Any]

    @property
    def duplicates(self) -> int:
        """Effects that happened more often than once."""
        return sum(max(0, count - 1) for count in self.effects.values())

    @property
    def silent_losses(self) -> int:
        """Steps that are called done without their effect, or not done although it happened."""
        told = {step["step"]: step for step in self.trace["steps"]}
        lost = 0
        for step, count in self.effects.items():
            said = told[step]
            is_uncertain = said["effect"].startswith("uncertain")
            is_done = said["state"] == "done"
            lost += not is_uncertain and is_done != (count > 0)
        return lost

    @property
    def is_uncertain(self) -> bool:
        """Whether the middle step is shown as uncertain, and the run waits for a person."""
        (middle,) = [step for step in self.trace["steps"] if step["step"] == "middle"]
        return middle["effect"].startswith("uncertain") and self.trace["waiting_for"] == "reconcile"


@dataclass(frozen=True)
class VerdictBack:
    """What a trial of the way back came to: the effect of the middle step, and of its undo."""

    effects: dict[str, int]
    trace: dict[str, Any]

    @property
    def duplicates(self) -> int:
        """Effects, undos among them, that happened more often than once."""
        return sum(max(0, count - 1) for count in self.effects.values())

    @property
    def silent_losses(self) -> int:
        """An effect that is neither undone nor told to stand, or an undo that was not told."""
        happened, undone = self.effects["middle"] > 0, self.effects["undo"] > 0
        return int(not self.is_uncertain and (happened != undone or undone != self.is_undone))

    @property
    def is_undone(self) -> bool:
        """Whether the run says that everything is undone."""
        return bool(self.trace["status"] == "undone")

    @property
    def is_uncertain(self) -> bool:
        """Whether the run waits for a person to find out what became of the middle step."""
        return bool(self.trace["waiting_for"] == "reconcile")


@dataclass
class Crashes:
    """Runs trials against one shop; processes are forked from one that has loaded everything."""

    shop: Any
    zygote: "subprocess.Popen[str]"
    new_database: Callable[[Path], str]
    http: httpx2.Client
    made: int = field(default=0)

    def trial(self, effect: str, point: str, folder: Path) -> Verdict:
        """Kill at the point, resume, judge."""
        self.made += 1
        mark = f"{effect[:4]}-{os.getpid()}-{self.made}"
        _, _, method, path = MIDDLES[effect]
        order = self._order(effect, mark, folder) | {"watched": "middle"}
        self._kill(order, effect, point, (method, path), mark, folder)
        return Verdict(
            self._effects(effect, mark), json.loads((folder / "resume.json").read_text())
        )

    def trial_back(
        self, effect: str, by: str, watched: str, point: str, folder: Path
    ) -> "VerdictBack":
        """The same where the step after the middle one fails, and the middle one is undone."""
        self.made += 1
        mark = f"{effect[:4]}-{by[:4]}-{os.getpid()}-{self.made}"
        order = self._order_back(effect, by, mark, folder) | {"watched": watched}
        is_undo = watched.startswith("undo/")
        of = by if is_undo else effect
        _, _, method, path = (UNDOS if is_undo else MIDDLES)[of]
        said = f"undo of {mark}" if is_undo else mark
        self._kill(order, of, point, (method, path), said, folder)
        rows = self._ledgers()
        effects = {
            "middle": _count(rows, KINDS[effect], mark),
            "undo": _count(rows, KINDS[by], f"undo of {mark}"),
        }
        return VerdictBack(effects, json.loads((folder / "resume.json").read_text()))

    def _kill(
        self,
        order: dict[str, Any],
        effect: str,
        point: str,
        call: tuple[str, str],
        said: str,
        folder: Path,
    ) -> None:
        """Have the process die at a point of the watched call, and another one take over."""
        order = order | {"faults_url": self._service(effect)}
        if point == "after sending":
            self._spoil(effect, *call)
        ended = self._live({**order, "life": "begin", "point": point}, folder)
        self._mend(effect)
        assert ended == -signal.SIGKILL, (ended, _log(folder, "begin"))
        assert (folder / "reached").read_text() == point
        self._check_left(order, effect, point, said, folder)
        ended = self._live({**order, "life": "resume", "point": None}, folder)
        assert ended == 0, _log(folder, "resume")

    def _check_left(
        self, order: dict[str, Any], effect: str, point: str, said: str, folder: Path
    ) -> None:
        """What the dead process left is what there is at this point, and at no other."""
        events, watched = _journal(order["database"], folder), order["watched"]
        found = [kind for kind, of in events if kind in COURSE and of in (watched, None)]
        is_undo = watched.startswith("undo/")
        how_far, has_happened = (LEFT_BACK if is_undo else LEFT)[point]
        assert found == COURSE[: len(found)], events
        assert len(found) in how_far, (point, events)
        if is_undo and point != "before the intent":
            assert (BEGINNING, watched) in events, events
        if effect in KINDS:
            assert _count(self._ledgers(), KINDS[effect], said) == has_happened, point

    def uninterrupted(self, effect: str, folder: Path) -> Verdict:
        """The same run when nothing happens to it."""
        self.made += 1
        mark = f"{effect[:4]}-{os.getpid()}-{self.made}"
        ended = self._live(
            {**self._order(effect, mark, folder), "life": "begin", "point": None}, folder
        )
        assert ended == 0, _log(folder, "begin")
        return Verdict(self._effects(effect, mark), json.loads((folder / "begin.json").read_text()))

    def _live(self, order: dict[str, Any], folder: Path) -> int:
        folder.mkdir(parents=True, exist_ok=True)
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write(json.dumps(order) + "\n")
        self.zygote.stdin.flush()
        return int(self.zygote.stdout.readline())

    def _order(self, effect: str, mark: str, folder: Path) -> dict[str, Any]:
        orders, payments = self.shop.urls["orders"], self.shop.urls["pay_minor"]
        action, arguments, _, _ = MIDDLES[effect]
        middle = {to: value.format(mark=mark) for to, value in arguments.items()}
        notes = [{"order_id": "1043", "text": f"{which} {mark}"} for which in ("first", "last")]
        return {
            "folder": str(folder),
            "database": self.new_database(folder),
            "plan": {
                "steps": [
                    _step("first", "orders.create_note", notes[0]),
                    _step("middle", action, middle, after=["first"]),
                    _step("last", "orders.create_note", notes[1], after=["middle"]),
                ]
            },
            "request": f"Refund 0.01 EUR of pay_1044 and note it at orders 1043 and 1044: {mark}.",
            "connections": [
                {
                    "name": "orders",
                    "connector": "openapi",
                    "base_url": orders,
                    "overlay": str(OVERLAY),
                },
                {
                    "name": "payments",
                    "connector": "payments-minor",
                    "base_url": payments,
                    "credential": "env:SHOP_MINOR_KEY",
                },
            ],
            "allow_hosts": [url.removeprefix("http://") for url in (orders, payments)],
            "faults_url": self._service(effect),
        }

    def _order_back(self, effect: str, by: str, mark: str, folder: Path) -> dict[str, Any]:
        """A run whose middle step can be undone, and whose last one is refused."""
        order = self._order(effect, mark, folder)
        action, arguments, _, _ = MIDDLES[effect]
        undo, undo_arguments, _, _ = UNDOS[by]
        said = {to: value.format(mark=f"undo of {mark}") for to, value in undo_arguments.items()}
        text = OVERLAY.read_text(encoding="utf-8")
        name = action.partition(".")[2]
        declared = {
            "action": undo,
            "args": [{"value": value, "to": to} for to, value in said.items()],
        }
        text = text.replace(f"  {name}:\n", f"  {name}:\n    undo: {json.dumps(declared)}\n")
        overlay = folder / "overlay.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        overlay.write_text(text, encoding="utf-8")
        order["connections"][0]["overlay"] = str(overlay)
        middle = {to: value.format(mark=mark) for to, value in arguments.items()}
        lost = {"order_id": "9999", "text": f"last {mark}"}
        steps = [
            _step("middle", action, middle),
            _step("last", "orders.create_note", lost, after=["middle"]),
        ]
        words = f"Set order 1044 to {mark}, tag and note it so, and order 9999: last {mark}."
        return order | {"plan": {"steps": steps}, "request": words, "on_failure": "undo"}

    def _service(self, effect: str) -> str:
        url: str = self.shop.urls["pay_minor" if effect == "keyed" else "orders"]
        return url

    def _spoil(self, effect: str, method: str, path: str) -> None:
        fault = {"kind": "hang_after", "match": {"method": method, "path_prefix": path}}
        self._http("POST", f"{self._service(effect)}/faults", fault)

    def _mend(self, effect: str) -> None:
        self._http("DELETE", f"{self._service(effect)}/faults")

    def _ledgers(self) -> list[dict[str, Any]]:
        urls = [self.shop.urls[name] for name in ("orders", "pay_minor")]
        return [row for url in urls for row in self._http("GET", f"{url}/ledger")]

    def _http(self, method: str, url: str, body: Any = None) -> Any:
        answer = self.http.request(method, url, json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def _effects(self, effect: str, mark: str) -> dict[str, int]:
        rows = self._ledgers()
        found = {
            "first": _count(rows, "note", f"first {mark}"),
            "last": _count(rows, "note", f"last {mark}"),
        }
        if effect in KINDS:
            found["middle"] = _count(rows, KINDS[effect], mark)
        return found


def _count(rows: list[dict[str, Any]], kind: str, mark: str) -> int:
    return sum(row["kind"] == kind and mark in row["body"].values() for row in rows)


def _journal(database: str, folder: Path) -> list[tuple[str, str | None]]:
    """What happened, and of which step; of a file a copy is read, for reading one mends it."""
    address = make_url(database)
    if address.drivername == "sqlite":
        for name in ("lamgate.db", "lamgate.db-wal"):
            if (folder / name).exists():
                shutil.copy(folder / name, folder / f"left-{name}")
        address = address.set(database=str(folder / "left-lamgate.db"))
    else:
        address = address.set(drivername="postgresql+psycopg")
    engine = create_engine(address)
    with engine.connect() as c:
        asked = text("SELECT type, data FROM events WHERE subject = 'run_a' ORDER BY seq")
        rows = c.execute(asked).all()
    engine.dispose()
    return [_what(kind, json.loads(data).get("step")) for kind, data in rows]


def _what(kind: str, step: str | None) -> tuple[str, str | None]:
    """How a call is on its way; what an undo is told by bears the name of what it takes back."""
    of = f"undo/{step}" if kind.startswith("undo.") else step
    return ("done" if kind in ("step.done", "undo.ended") else kind), of


def _step(name: str, action: str, arguments: dict[str, str], **more: Any) -> dict[str, Any]:
    args = [{"value": value, "to": to} for to, value in arguments.items()]
    return {"id": name, "action": action, "args": args, **more}


def _log(folder: Path, life: str) -> str:
    file = folder / f"{life}.log"
    return file.read_text()[-3000:] if file.exists() else "no log"


def in_a_file(folder: Path) -> str:
    """A database of its own for a trial."""
    return f"sqlite:///{folder / 'lamgate.db'}"


@contextmanager
def crashes(
    shop: Any, new_database: Callable[[Path], str], *, is_shared: bool = False
) -> Iterator[Crashes]:
    """Everything that trials need, loaded once."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "mortal.py"), *(["shared"] if is_shared else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **SECRET, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    try:
        with httpx2.Client(trust_env=False, verify=False, timeout=20) as http:
            yield Crashes(shop, process, new_database, http)
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()

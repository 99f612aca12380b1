"""Services that fail in every way a network can fail, and a ledger of what really happened.

fate            the effect                       what the caller sees
--------------  -------------------------------  ------------------------------------------
well            happens                          the answer
not sent        none                             no byte left
refused         none                             a clear no
limited         none                             come again later, with or without a time
request lost    none                             nothing until its time-out
reply lost      happens                          nothing until its time-out
late            happens after the time-out       nothing until its time-out
reset           happens or not                   the connection breaks at once
broken          happens or not                   500
unreadable      happens                          a yes that cannot be read
accepted        happens later, or is given up    a handle to ask with; otherwise like `well`

Of some calls that were accepted the service does not want to be asked for a while, each time.
A call that asks something first does nothing, whatever its fate, before that is answered. What is
odd besides is in `sim_odd.py`.
"""

import asyncio
import random
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue
from sim_computed import KINDS, LARGEST, LONG, ROWS
from sim_judge import must
from sim_looked import Objects
from sim_mistaken import Mistaken
from sim_odd import A_DAY_S, BRIEF, NOTE, Odd
from sim_odd import ROWS as ODD_ROWS
from sim_plans import INPUTS, SETTLE_S, WINDOW_S
from sim_process import DRIVE, WALL, Process
from sim_seen import Polled, Seen, Where
from sim_wide import ASKS

from connectors.connector import Applied, Outcome, Pending, Unreadable
from connectors.errors import Kind, Refused, Unavailable, Uncertain
from connectors.quota import Quota
from connectors.spec import ActionSpec, CallContext, Effect
from executor.fn.extract import EXTRACT
from executor.run.state import Place, undo_place

_TASK = "task of "
SEARCHES = ("shop.find", "desk.search")
QUESTIONS = ("shop.task", "desk.job")
MANY_ROWS = 34  # more than calls of one run may be under way together
ASKS_AT_MOST = 8  # times, once all is calm
SAID = ("accept", "decline")  # what people answer
_STATUS = {Kind.INVALID: 422, Kind.CONFLICT: 409, Kind.AUTH: 401}
FAULTS = (
    "not sent", "refused", "limited", "request lost", "reply lost",
    "late", "reset", "broken", "unreadable", "accepted",
)  # fmt: skip
SLOW_FATES = ("limited", "request lost", "reply lost")  # each of which may take too long
_NO_ANSWER = ("not sent", "request lost", "reply lost", "late", "reset")


@dataclass
class Services:
    """All services together, as one run meets them."""

    rng: random.Random
    seed: str
    run: str = ""  # of a second one
    is_calm: bool = False
    happened: dict[Place, list[int]] = field(default_factory=dict)  # of many items, which
    released: dict[Place, JsonValue] = field(default_factory=dict)
    effects: dict[Place, list[float]] = field(default_factory=lambda: defaultdict(list))
    made_by: dict[Place, tuple[float, int]] = field(default_factory=dict)  # when, by which attempt
    references: dict[str, float] = field(default_factory=dict)  # by key: since when it is found
    keys: dict[str, float] = field(default_factory=dict)
    under_way: Counter[str] = field(default_factory=Counter)  # by key: what acts later
    seen: list[Seen] = field(default_factory=list)
    unanswered: set[tuple[str, str, int]] = field(default_factory=set)  # which attempts
    searched: list[float] = field(default_factory=list)  # when something was to be found out
    told: dict[Place, list[JsonValue]] = field(default_factory=dict)  # what was answered
    unheard: set[Place] = field(default_factory=set)  # where it happened, and no answer was told
    tasks: dict[str, str] = field(default_factory=dict)  # by handle: how they stand
    polled: list[Polled] = field(default_factory=list)
    put_off: list[tuple[Polled, float, float]] = field(default_factory=list)  # when, until when
    epoch: Callable[[], int] = lambda: 0  # under which claim the run is driven
    places: dict[str, Place] = field(default_factory=dict)  # by key
    quotas: dict[tuple[str, str, int], tuple[int, float]] = field(default_factory=dict)
    most_at_once: int | None = None  # of one process
    at_once: Counter[Where] = field(default_factory=Counter)
    came_back: set[Place] = field(default_factory=set)  # after they had been taken back
    asked: int = 0
    odd: Odd | None = None
    mistaken: Mistaken | None = None
    stuck: dict[str, float] = field(default_factory=dict)  # tasks that never end, and since when
    others: list[float] = field(default_factory=list)  # when calls of another run began
    reached: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Some of the faults, and these often: behind all at once one would hide another."""
        likely = self.rng.choice([0.3, 0.7, 1.0])
        faults = [each for each in FAULTS if self.rng.random() < likely]
        self._counts = self.rng.random() < 0.15  # and says how many calls it still takes
        self.objects = Objects(f"{self.run} {self.seed}")
        self._patience = random.Random(f"patience {self.run} {self.seed}")
        self._fates = ["well"] * self.rng.choice([1, 1, 2, 4]) + faults
        if self.mistaken is not None:
            self._fates += ["request lost", "reply lost", "late", "unreadable", "accepted"]

    def beside(self, run: str, rng: random.Random) -> "Services":
        """The same services as another run meets them: they know keys, whoever has sent them."""
        return Services(
            rng, self.seed, run, references=self.references, keys=self.keys,
            under_way=self.under_way, searched=self.searched, tasks=self.tasks,
            most_at_once=self.most_at_once, at_once=self.at_once, others=self.others,
            reached=self.reached,
        )  # fmt: skip

    def last_seen(self, place: Place) -> float:
        """When the last call of a place was seen."""
        return max((each.at for each in self.seen if each.place == place), default=0.0)

    def id_of(self, place: Place) -> int:
        """What the service calls what was made there."""
        return zlib.crc32((self.run + repr(place)).encode())

    async def call(
        self, process: Process, action: ActionSpec, arguments: Mapping[str, JsonValue],
        context: CallContext,
    ) -> Outcome:  # fmt: skip
        """One call over the network."""
        here = Where(process.name, action.connection, context.run)
        self.at_once[here] += 1
        beside = [each for each in self.at_once.elements() if each.process == here.process]
        count = sum(each.connection == here.connection for each in beside)
        must(count <= (self.most_at_once or count), f"{count} calls at once")
        self.reached["calls of two runs at once"] += any(each.run != here.run for each in beside)
        try:
            return await self._answer(process, action, arguments, context)
        finally:
            self.at_once[here] -= 1

    async def _answer(
        self, process: Process, action: ActionSpec, arguments: Mapping[str, JsonValue],
        context: CallContext,
    ) -> Outcome:  # fmt: skip
        await process.point("send")
        if _now() >= context.send_before:
            self.reached["too late to send"] += 1
            raise Unavailable("too late to send", kind=Kind.CANCELLED, sent=False)
        if action.name in SEARCHES:
            self.searched.append(_now())
            self._note(process, context)
            return await self._find(process, arguments, is_strict=action.name == "desk.search")
        if action.name in QUESTIONS:
            self.searched.append(_now())
            is_strict = action.name == "desk.job"
            return await self._task(process, arguments, context, is_strict=is_strict)
        must(process.lease_ends() >= _now(), f"{process.name} sends after its lease")
        self.seen.append(Seen(_now(), context, action, arguments, process.name))
        self.places[context.idempotency_key] = (context.step, context.iteration)
        self.objects.meet((context.step, context.iteration), arguments)
        if "asking" in action.name and not action.name.startswith("shop.release"):
            if (asked := self._asked(context)) is not None:
                return asked
        if action.name == "shop.release_many":
            self.released[context.step, context.iteration] = arguments["lines"]
        fate = "well" if self.is_calm else self.rng.choice(self._fates)
        if action.name == BRIEF and self._is_odd("hardly taken back in time"):
            fate = self.rng.choice(SLOW_FATES)
        self.reached[f"{action.effect.value}: {fate}"] += 1
        if fate in _NO_ANSWER:
            self.unanswered.add((context.step, context.iteration, context.attempt))
        return await self._end(process, action, context, fate)

    async def _end(
        self, process: Process, action: ActionSpec, context: CallContext, fate: str
    ) -> Outcome:
        rng, patience = self.rng, max(0.0, context.deadline - _now())
        place = (context.step, context.iteration)
        match fate:
            case "not sent":
                raise Unavailable("no connection", sent=False)
            case "refused":
                self._err_with_a_no(patience, action, context)
                kind = rng.choice([Kind.INVALID, Kind.CONFLICT, Kind.AUTH])
                raise Refused("no", kind=kind, status=_STATUS[kind])
            case "limited":
                again = rng.choice([None, 20.0])
                raise Unavailable(
                    "later", kind=Kind.RATE_LIMITED, retry_after_s=again, sent=True, status=429
                )
            case "request lost":
                await self._silence(process, action, patience)
            case "late":
                self._later(patience + rng.uniform(0.0, SETTLE_S * 0.8), action, context)
                await self._silence(process, action, patience)
            case "reply lost":
                self._later(rng.uniform(0.0, patience), action, context)
                self.reached["a reply is lost"] += 1
                await self._silence(process, action, patience)
            case "reset" | "broken":
                if rng.random() < 0.5:
                    self._later(rng.choice([0.0, 0.5, patience]), action, context)
                await asyncio.sleep(rng.uniform(0.0, 1.0))
                if fate == "broken":
                    raise _doubt(action, "internal error", Kind.INTERNAL, status=500)
                raise _doubt(action, "connection reset")
        await asyncio.sleep(rng.uniform(0.0, 2.0))
        if action.status is not None and self._accepts(fate):
            return self._accept(action, context)
        replayed = self._act_or_err(action, context)
        await asyncio.sleep(rng.uniform(0.0, 0.5))
        await process.point("answer")
        if self._counts and not self.is_calm:
            self._say_how_many(context)
        if fate == "unreadable" and action.is_write:
            return Unreadable("cut short")
        return Applied(self.tell(place, self._answer_of(action, place)), replayed=replayed)

    def _err_with_a_no(self, patience: float, action: ActionSpec, context: CallContext) -> None:
        """Perhaps what is refused happens."""
        if self.errs("refused, and it happens", (context.step, context.iteration)):
            self._later(self.rng.uniform(0.0, patience), action, context)

    def _act_or_err(self, action: ActionSpec, context: CallContext) -> bool:
        """The effect, but perhaps none; True if it is said that it had been done before."""
        place = (context.step, context.iteration)
        is_nothing = self.errs("answered, and nothing happens", place)
        replayed = False if is_nothing else self._act(action, context)
        is_wrong = action.effect is Effect.KEYED and self.errs("a key is told wrongly", place)
        return replayed is not is_wrong

    def tell(self, place: Place, output: JsonValue) -> JsonValue:
        """What somebody is told of a call, by whomever."""
        self.told.setdefault(place, []).append(output)
        return output

    def known(self, place: Place) -> JsonValue:
        """What can be found out of what happened there."""
        return self.tell(place, {"id": self.id_of(place), "ok": True} | self.told_of(place))

    def _answer_of(self, action: ActionSpec, place: Place) -> JsonValue:
        if action.name == EXTRACT:
            self.reached["a model reads"] += 1
            return {"n": self.rng.randint(1, LARGEST)}  # each time something else
        good = self.is_calm or self.rng.random() < 0.9
        answer: dict[str, JsonValue] = {"id": self.id_of(place), "ok": good}
        if action.name in ROWS:
            answer["rows"] = self._rows(self.rng.choice([0, 1, 2, 2, 3, 3]))
        if action.name == LONG:
            answer["rows"] = self._rows(MANY_ROWS)
        if action.name == ODD_ROWS:
            rows = self._rows(self.rng.choice([0, 1, 2, 3]))
            is_odd = self.odd is not None and self._is_odd("a list is none, or too long")
            answer["rows"] = self.odd.rows(rows) if self.odd and is_odd else rows
        elif not self.is_calm and self._is_odd("more is answered than is kept"):
            answer["note"] = NOTE
        return answer | self.told_of(place)

    def _rows(self, count: int) -> list[JsonValue]:
        """Others each time; now and then one is not as it should be."""
        rng = self.rng
        rows: list[JsonValue] = [
            {"n": rng.randint(1, LARGEST), "kind": rng.choice(KINDS)} for _ in range(count)
        ]
        self.reached["a long list"] += count == MANY_ROWS
        if rows and rng.random() < 0.15:
            odd = rng.choice([{}, {"n": "several"}, {"n": None}])
            rows[rng.randrange(count)] = {"kind": "a", **odd}
            self.reached["a row is not as it should be"] += 1
        return rows

    def _asked(self, context: CallContext) -> Pending | None:
        """A question, where nobody has answered one; a no is none to be asked again."""
        known = context.continues
        if known is None:
            self.asked += 1
            if self.is_calm and self.asked > ASKS_AT_MOST:
                return None
            self.reached["asks before it goes on"] += 1
            return Pending(f"{self.asked} {context.idempotency_key}", asks=ASKS)
        must(known.handle.endswith(context.idempotency_key), "the answer is to another question")
        said = known.answers["sure"]
        must(isinstance(said, dict) and said["action"] in SAID, f"nobody said {said}")
        self.reached["goes on with an answer"] += 1
        if isinstance(said, dict) and said["action"] == "decline":
            raise Refused("then not", kind=Kind.INVALID, status=422)
        return None

    def _say_how_many(self, context: CallContext) -> None:
        left, renews_in_s = self.rng.choice([0, 0, 1, 3]), self.rng.choice([5.0, 30.0])
        context.heard.quota = Quota(left, renews_in_s)
        call = (context.step, context.iteration, context.attempt)
        self.quotas[call] = left, WALL + _now() + renews_in_s
        self.reached["says how many calls it takes"] += 1

    async def _silence(self, process: Process, action: ActionSpec, patience: float) -> None:
        await asyncio.sleep(patience)
        await process.point("timeout")
        raise _doubt(action, "no answer in time")

    def _later(self, seconds: float, action: ActionSpec, context: CallContext) -> None:
        """It happens whatever becomes of the caller."""
        self.reached["acts, and nobody is told"] += 1
        self.under_way[context.idempotency_key] += 1
        asyncio.get_running_loop().call_later(seconds, self._act_late, action, context)
        if seconds > max(0.0, context.deadline - _now()):
            self.reached[f"{action.effect.value}: acts after the time-out"] += 1

    def _act_late(self, action: ActionSpec, context: CallContext) -> None:
        self.under_way[context.idempotency_key] -= 1
        self._act(action, context)

    def _accepts(self, fate: str) -> bool:
        return fate == "accepted" or (fate == "well" and self._patience.random() < 0.6)

    def _accept(self, action: ActionSpec, context: CallContext) -> Outcome:
        """The same key is the same task, as long as it is known."""
        handle = f"{_TASK}{context.idempotency_key}"
        if handle in self.stuck and self.stuck[handle] < _now() - A_DAY_S:
            del self.stuck[handle]  # somebody has seen to it
            self._finish(handle, action, context)
        if handle not in self.tasks:
            self.tasks[handle] = "under way"
            if self._is_odd("a job never ends"):
                self.stuck[handle] = _now()
                if self.rng.random() < 0.5:
                    self._act(action, context)
                return Pending(handle)
            fate = self._finish if self.rng.random() < 0.8 else self._give_up
            seconds = self.rng.uniform(0.0, 30.0)
            asyncio.get_running_loop().call_later(seconds, fate, handle, action, context)
        return Pending(handle, retry_after_s=self._not_for())

    def errs(self, how: str, place: Place) -> bool:
        """Whether somebody is wrong about a call, which is noted."""
        is_wrong = self.mistaken is not None and self.mistaken.errs(place)
        self.reached[how] += is_wrong
        return is_wrong

    def _is_odd(self, how: str) -> bool:
        """Whether something is odd, which is noted."""
        is_odd = self.odd is not None and self.odd.happens()
        self.reached[how] += is_odd
        return is_odd

    def _not_for(self) -> float | None:
        """For how long it does not want to be asked about a call; each time anew."""
        after_s = self._patience.choice([None, 3.0, 20.0, 20.0])
        self.reached["says when to ask"] += after_s is not None
        return after_s

    def _finish(self, handle: str, action: ActionSpec, context: CallContext) -> None:
        self._act(action, context)
        self.tasks[handle] = "done"

    def _give_up(self, handle: str, action: ActionSpec, context: CallContext) -> None:
        key = context.idempotency_key
        if key in self.keys:  # it had been done before
            self.tasks[handle] = "done"
        elif action.effect is Effect.KEYED and self.under_way[key]:
            self._finish(handle, action, context)  # it is what that call began
        else:
            self.tasks[handle] = "failed"

    async def _task(
        self, process: Process, arguments: Mapping[str, JsonValue], context: CallContext,
        *, is_strict: bool,
    ) -> Outcome:  # fmt: skip
        polled = self._note(process, context)
        await asyncio.sleep(self.rng.uniform(0.0, 0.5))
        await process.point("answer")
        if not self.is_calm and self.rng.random() < 0.2:
            raise Unavailable("the tasks cannot be seen", sent=True)
        handle = str(arguments["handle"])
        state, place = self.tasks[handle], self.places[handle.removeprefix(_TASK)]
        self.reached[f"task {state}"] += 1
        if self.errs("a job is told wrongly", place):
            state = self.rng.choice([each for each in ("done", "failed") if each != state])
        if is_strict and self._is_odd("another job's state"):
            return Applied({"job": "another", "state": self.rng.choice(["done", "failed"])})
        after_s = self._not_for() if state == "under way" else None
        self.put_off.append((polled, _now(), _now() + (after_s or 0.0)))
        told: JsonValue = {"job": handle, "state": state, "output": self.known(place)}
        return Applied(told, retry_after_s=after_s)

    def _note(self, process: Process, context: CallContext) -> Polled:
        """Somebody is to find something out."""
        place = (context.step, context.iteration)
        drive = (process.name, DRIVE.get(), self.epoch())  # one process may have two of a run
        polled = Polled(_now(), place, context.attempt, process.went_on_at, drive)
        self.polled.append(polled)
        return polled

    def _act(self, action: ActionSpec, context: CallContext) -> bool:
        """The effect; True if the service had done it before under this key."""
        now, key = _now(), context.idempotency_key
        place = (context.step, context.iteration)
        if action.effect is Effect.READ or (
            action.effect is Effect.IDEMPOTENT and self.effects[place]
        ):
            if self.effects[undo_place(place)]:
                self.came_back.add(place)
            return False
        if action.effect is Effect.KEYED:
            if key in self.keys and now - self.keys[key] < WINDOW_S:
                self.reached["replayed by its key"] += 1
                return True
            self.keys.setdefault(key, now)
            if self.tasks.get(handle := f"{_TASK}{key}") == "failed":
                self.tasks[handle] = "done"  # the same key is the same task
        if action.items is not None:
            self.happened[place] = [n for n in INPUTS["lines"] if self._happens()]
            if not self.happened[place]:
                return False
            if len(self.happened[place]) < len(INPUTS["lines"]):
                self.reached["happens for some items"] += 1
        self.effects[place].append(now)
        self.objects.change(place)
        self.made_by.setdefault(place, (now, context.attempt))
        self.references.setdefault(key, now + self.rng.uniform(0.0, SETTLE_S * 0.15))
        return False

    def _happens(self) -> bool:
        return self.is_calm or self.rng.random() < 0.7

    def told_of(self, place: Place) -> dict[str, JsonValue]:
        """What the service says of its object, or of each of many items."""
        if place not in self.happened:
            return self.objects.tell(place, _now())
        errors = [None if n in self.happened[place] else "sold out" for n in INPUTS["lines"]]
        return {"made": [{"id": n, "error": each} for n, each in enumerate(errors)]}

    async def _find(
        self, process: Process, arguments: Mapping[str, JsonValue], *, is_strict: bool
    ) -> Outcome:
        await asyncio.sleep(self.rng.uniform(0.0, 0.5))
        await process.point("answer")
        if not self.is_calm and self.rng.random() < 0.2:
            raise Unavailable("the search is down", sent=True)
        if is_strict and self._is_odd("others are found"):
            return Applied({"hits": [{"ref": "another", "id": 1, "ok": True}]})
        key = str(arguments["ref"])
        since, place = self.references.get(key), self.places.get(key)
        is_there = since is not None and since <= _now()
        if place is not None and self.errs("a search is wrong", place):
            is_there = not is_there
        if not is_there:
            self.reached["searched in vain"] += 1
            if is_strict:
                return Applied({"hits": []})
            raise Refused("no such thing", kind=Kind.NOT_FOUND)
        self.reached["found by a search"] += 1
        assert place is not None
        if is_strict:
            found = {"ref": key, "id": self.id_of(place), "ok": True}
            return Applied({"hits": [self.tell(place, found)]})
        return Applied(self.known(place))

    def may_still_happen(self, key: str) -> bool:
        """Whether something of this key is on its way, of which the service knows."""
        return self.tasks.get(f"{_TASK}{key}") == "under way"


def _now() -> float:
    return asyncio.get_running_loop().time()


def _doubt(
    action: ActionSpec, message: str, kind: Kind = Kind.TIMEOUT, status: int | None = None
) -> Exception:
    if action.is_write:
        return Uncertain(message, kind=kind, status=status)
    return Unavailable(message, kind=kind, status=status, sent=True)
